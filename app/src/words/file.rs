//! What people read of files.

use protocol::tame;

use super::{one_line, time};
use crate::local::files::{FileInfo, Outgoing, Saved};

/// Before the bar of a file that was on its way before.
pub(crate) const GOES_ON: &str = "continuing where it stopped";

/// Why a picture is not shown.
pub(crate) const TOO_LARGE_TO_SHOW: &str = "this is too large to be shown here; save it";
pub(crate) const NO_PICTURE: &str = "this is not a picture that can be shown here; save it";

/// Why a file is no picture of a conversation.
pub(crate) const NOT_DECODED: &str = "this is not a picture (PNG, JPEG, GIF or WebP), or too large a one";

/// Why a picture is not sent.
pub(crate) const NOT_CLEANED: &str = "this picture is damaged, or larger than 64 MB, so what it tells of place and camera can't be \
                                      taken out; it was not sent, --as-is sends it with all of that";

/// Of a file that was sent.
pub(crate) const TELLS_PLACE: &str = "This file can tell where it was made.";

pub(crate) const NOT_KEPT: &str = "this can't be kept on this machine, so it can't be shown; is its disk full?";

/// A number of bytes.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        1 => "1 byte".to_owned(),
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} KB", bytes.div_ceil(1_000)),
        1_000_000..10_000_000 => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

/// The file of a message, and how to get it; `message` is the message's id.
pub(crate) fn of_message(file: &FileInfo, message: &str) -> String {
    let id: String = message.chars().take(8).collect();
    let (name, kind) = (one_line(&file.name), tame::display(&file.kind));
    let how = match (file.state.as_str(), file.expires_at.as_deref()) {
        ("kept", _) => format!("kept here: trefoil file save {id}"),
        ("expired", _) => "no longer at the service".to_owned(),
        (_, Some(at)) => format!("until {}: trefoil file save {id}", time(at)),
        _ => format!("trefoil file save {id}"),
    };
    let points = file.width.zip(file.height).map(|(width, height)| format!(", {width} × {height}")).unwrap_or_default();
    format!("[{name}, {}, {kind}{points}; {how}]", size(file.size))
}

/// How far a file of so many bytes is that is being sent or saved: `done` of `total` encrypted ones.
pub(crate) fn on_its_way(name: &str, done: u64, total: u64, length: u64, offline: bool) -> String {
    let part = u128::from(done.min(total)) * u128::from(length) / u128::from(total.max(1));
    let there = size(u64::try_from(part).unwrap_or(length));
    let all = size(length);
    // the unit stands once, if it is the same
    let there = match (there.split_once(' '), all.split_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same => number.to_owned(),
        _ => there,
    };
    let name = one_line(name);
    match (offline, part) {
        (true, 0) => format!("{name}, {all}: when the connection is back"),
        (true, _) => format!("{name}: {there} of {all}; it goes on when the connection is back"),
        (false, 0) => format!("{name}, {all}: about to begin"),
        (false, _) => format!("{name}: {there} of {all}"),
    }
}

/// A file that could not be sent.
pub(crate) fn not_sent(name: &str) -> String {
    format!("{name} was not sent:")
}

/// A file that waits to be sent.
pub(crate) fn outgoing(row: &Outgoing) -> String {
    let percent = row.done.saturating_mul(100).checked_div(row.total).unwrap_or_default();
    let name = one_line(&row.name);
    format!("{}  on its way out: {name}, {}, {percent} % there", row.transfer, size(row.size))
}

/// A file was fetched.
pub(crate) fn saved(row: &Saved) -> String {
    format!("Saved, {}: {}", size(row.size), tame::display(&row.path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, state: &str) -> FileInfo {
        FileInfo {
            name: name.into(),
            size: 120_400_000,
            kind: "video/mp4".into(),
            inline: false,
            state: state.into(),
            expires_at: None,
            width: None,
            height: None,
            preview: None,
        }
    }

    #[test]
    fn a_file_says_what_it_is_and_how_to_get_it() {
        let line = of_message(&file("holiday.mp4", "available"), "0123456789abcdef");
        assert_eq!(line, "[holiday.mp4, 120 MB, video/mp4; trefoil file save 01234567]");
        let line = of_message(&file("holiday.mp4", "expired"), "0123456789abcdef");
        assert_eq!(line, "[holiday.mp4, 120 MB, video/mp4; no longer at the service]");
        let line = of_message(&file("holiday.mp4", "kept"), "0123456789abcdef");
        assert_eq!(line, "[holiday.mp4, 120 MB, video/mp4; kept here: trefoil file save 01234567]");
        let photo =
            FileInfo { kind: "image/jpeg".into(), width: Some(4_000), height: Some(3_000), ..file("a.jpg", "kept") };
        let line = of_message(&photo, "0123456789abcdef");
        assert_eq!(line, "[a.jpg, 120 MB, image/jpeg, 4000 × 3000; kept here: trefoil file save 01234567]");
    }

    /// Attack 63: whatever an agent says, nothing of it moves the cursor.
    #[test]
    fn no_name_moves_the_cursor() {
        let line = of_message(&file("a\u{1b}[2J\nb", "available"), "0123456789abcdef");
        assert!(!line.contains(['\u{1b}', '\n']), "{line:?}");
    }

    /// Story 18.
    #[test]
    fn how_far_a_file_is_is_said_in_one_unit() {
        let said = |done, total, length, offline| on_its_way("a.mp4", done, total, length, offline);
        assert_eq!(said(0, 0, 200_000_000, false), "a.mp4, 200 MB: about to begin");
        assert_eq!(said(120, 200, 200_000_000, false), "a.mp4: 120 of 200 MB");
        assert_eq!(said(1, 200_000, 200_000_000, false), "a.mp4: 1 KB of 200 MB");
        assert_eq!(said(9, 4, 200_000_000, false), "a.mp4: 200 of 200 MB");
        assert_eq!(said(1, 2, 200_000_000, true), "a.mp4: 100 of 200 MB; it goes on when the connection is back");
        assert_eq!(said(u64::MAX, u64::MAX, u64::MAX, true).matches("MB").count(), 1);
        assert!(!on_its_way("a\u{1b}[2J\nb", 1, 2, 3, false).contains(['\u{1b}', '\n']));
    }

    #[test]
    fn sizes_are_short() {
        let said = [0, 1, 999, 1_000, 1_001, 2_500_000, 2 << 30].map(size);
        assert_eq!(said, ["0 bytes", "1 byte", "999 bytes", "1 KB", "2 KB", "2.5 MB", "2147 MB"]);
    }
}
