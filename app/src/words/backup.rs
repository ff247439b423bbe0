//! What people read about a backup file.

use std::path::Path;

use super::{one_line, time};

/// Before a file that anybody can read is written.
pub(crate) const READABLE: &str = "This file is not encrypted: whoever can read it can read all your messages.";
/// A file was taken in that does not end as it should.
pub(crate) const NO_END: &str =
    "This file ends in the middle of an export, so what was written later than that is not in it.";

fn messages(count: u64) -> String {
    if count == 1 { "1 message".to_owned() } else { format!("{count} messages") }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..100_000 => format!("{bytes} bytes"),
        100_000..10_000_000 => format!("{} KB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

/// A file has all there is.
pub(crate) fn exported(path: &Path, new: u64, total: u64, added: u64) -> Vec<String> {
    let file = one_line(&path.display().to_string());
    let mut lines = vec![match (new, added) {
        (_, 0) => format!("Nothing new: all {} were in {file} already.", messages(total)),
        (0, _) => format!("No new message: all {} are in {file}.", messages(total)),
        (new, _) if new == total => format!("{} written to {file}, {}.", messages(new), size(added)),
        (new, _) => format!("{} added to {file}, {}; it has {} now.", messages(new), size(added), messages(total)),
    }];
    if new == total && added > 0 {
        lines.push(
            "Only this passphrase opens it, and nobody can find it out for you. It holds no key of a device and no recovery \
             key: it brings messages back, not an account."
                .to_owned(),
        );
    }
    lines
}

/// A file that anybody can read was written.
pub(crate) fn exported_readable(path: &Path, count: u64) -> Vec<String> {
    let file = one_line(&path.display().to_string());
    vec![format!(
        "{} written to {file}, one JSON object a line. Anybody who gets this file can read them.",
        messages(count)
    )]
}

/// A file was taken in.
pub(crate) fn imported(new: u64, found: u64, made_at: Option<String>) -> Vec<String> {
    let of = made_at.map(|at| format!(" of {}", time(&at))).unwrap_or_default();
    vec![match (new, found) {
        (0, 0) => format!("The backup{of} has no messages."),
        (0, found) => format!("The backup{of} has {}, and all of them were here already.", messages(found)),
        (new, found) if new == found => format!("{} are back from the backup{of}.", messages(new)),
        (new, found) => {
            format!("{} are back from the backup{of}; it has {}, the others were here already.", messages(new), found)
        }
    }]
}

fn stretches(damaged: &[(u64, u64)]) -> String {
    let mut text: Vec<String> =
        damaged.iter().take(5).map(|(from, to)| format!("{from} to {}", to.saturating_sub(1))).collect();
    if damaged.len() > 5 {
        text.push(format!("and {} more", damaged.len().saturating_sub(5)));
    }
    text.join(", ")
}

/// Something between whole parts could not be read.
pub(crate) fn damaged(damaged: &[(u64, u64)]) -> String {
    format!(
        "this file is damaged, and what stood there is missing (bytes {}); all else of it is here now",
        stretches(damaged)
    )
}

/// The same, when a file is gone on with.
pub(crate) fn damaged_before(damaged: &[(u64, u64)]) -> String {
    format!(
        "This file was damaged before (bytes {}). What this device has of that was written once more at the end; better make a \
         new file in its place.",
        stretches(damaged)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_said_with_counts() {
        let said = |new, total, added| exported(Path::new("b\u{1b}[31m"), new, total, added).join("\n");
        assert!(said(0, 7, 0).starts_with("Nothing new: all 7 messages"));
        assert!(said(1, 7, 1_024).starts_with("1 message added to ") && said(1, 7, 1_024).contains("7 messages now"));
        assert!(said(7, 7, 300_000).contains("300 KB") && said(7, 7, 300_000).contains("Only this passphrase"));
        assert!(!said(7, 7, 1).contains('\u{1b}'));
        assert!(imported(2, 7, None)[0].starts_with("2 messages are back"));
        assert!(damaged(&[(256, 1_280)]).contains("bytes 256 to 1279"));
    }
}
