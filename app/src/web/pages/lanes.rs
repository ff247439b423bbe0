//! The picture beside an account's entries: a lane for each device, from the entry that listed it to the one that ended it, and
//! in each row a line from the device that signed to the one that it let in or put out.
//!
//! Coordinates are pixels, but for the lower end of a row, which is as high as its text. Colours are classes.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::local::record::RecordEntry;

/// Room of a lane; the style has that of all lanes of a picture.
const WIDTH: usize = 22;
/// Where in a row its marks stand.
const MIDDLE: usize = 17;
/// Lanes beside each other; further devices share the last one.
const MOST: usize = 10;
/// Colours there are.
const COLOURS: usize = 6;

/// How a device stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Waits,
    Counts,
    Refused,
    Removed,
}

impl Standing {
    /// Its class.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Counts => "counts",
            Self::Refused | Self::Removed => "gone",
        }
    }

    fn is_gone(self) -> bool {
        matches!(self, Self::Refused | Self::Removed)
    }
}

/// A device of an account, as its entries tell of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// 1 for the first one that was listed.
    pub(super) number: usize,
    pub(super) standing: Standing,
    lane: usize,
}

impl Seen {
    /// The class of its colour, which is the same all over a page.
    pub(super) fn colour(self) -> String {
        format!("lane-{}", self.number.saturating_sub(1) % COLOURS)
    }
}

/// A piece of a lane in one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    seen: Seen,
    /// How the device stood before this row, if it was there.
    before: Option<Standing>,
}

/// One row of the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pieces: Vec<Piece>,
    /// Lanes that this entry is about.
    about: Vec<usize>,
    /// The lane of the device that wanted it.
    by: Option<usize>,
    /// Lanes of the whole picture.
    lanes: usize,
}

/// The devices of an account by their ids, and a row for each entry.
pub(super) fn drawn(entries: &[RecordEntry]) -> (BTreeMap<String, Seen>, Vec<Row>) {
    let mut devices: BTreeMap<String, Seen> = BTreeMap::new();
    let mut rows = Vec::new();
    for entry in entries {
        let before = devices.clone();
        for id in &entry.devices {
            note(&mut devices, id, &entry.kind);
        }
        let lane_of = |id: &String| devices.get(id).map(|seen| seen.lane);
        let pieces = devices.iter().filter_map(|(id, seen)| {
            let before = before.get(id).map(|seen| seen.standing);
            let ended_before = before.is_some_and(Standing::is_gone);
            (!ended_before).then_some(Piece { seen: *seen, before })
        });
        rows.push(Row {
            pieces: pieces.collect(),
            about: entry.devices.iter().filter_map(lane_of).collect(),
            by: entry.by.as_ref().and_then(lane_of),
            lanes: 0,
        });
    }
    let lanes = devices.values().map(|seen| seen.lane + 1).max().unwrap_or(1);
    rows.iter_mut().for_each(|row| row.lanes = lanes);
    (devices, rows)
}

/// What an entry does to a device that it is about.
fn note(devices: &mut BTreeMap<String, Seen>, id: &str, kind: &str) {
    let standing = match kind {
        "AccountCreated" | "DeviceConfirmed" => Standing::Counts,
        "DeviceRefused" => Standing::Refused,
        "DeviceRemoved" => Standing::Removed,
        "DeviceAdded" => Standing::Waits,
        // a reset names a device of another identity
        _ => return,
    };
    if let Some(seen) = devices.get_mut(id) {
        seen.standing = standing;
        return;
    }
    let is_taken = |lane: &usize| devices.values().any(|seen| seen.lane == *lane && !seen.standing.is_gone());
    let lane = (0..MOST - 1).find(|lane| !is_taken(lane)).unwrap_or(MOST - 1);
    let number = devices.len() + 1;
    devices.insert(id.to_owned(), Seen { number, standing, lane });
}

impl Row {
    /// The drawing; whoever hears the page has the sentence beside it.
    pub(super) fn markup(&self) -> Markup {
        html! {
            div class={ "graph room-" (self.lanes) } aria-hidden="true" {
                svg {
                    @if let Some(by) = self.by {
                        @for lane in self.about.iter().filter(|lane| **lane != by) { (self.across(by, *lane)) }
                    }
                    @for piece in &self.pieces { (self.piece(*piece)) }
                }
            }
        }
    }

    fn across(&self, by: usize, to: usize) -> Markup {
        let signer = self.pieces.iter().find(|piece| piece.seen.lane == by);
        let colour = signer.map(|piece| piece.seen.colour()).unwrap_or_default();
        html! { line class={ "across " (colour) } x1=(middle(by)) y1=(MIDDLE) x2=(middle(to)) y2=(MIDDLE) {} }
    }

    fn piece(&self, Piece { seen, before }: Piece) -> Markup {
        let (x, colour) = (middle(seen.lane), seen.colour());
        let is_about = self.about.contains(&seen.lane);
        html! {
            g class=(colour) {
                @if let Some(before) = before { line class=(before.class()) x1=(x) y1="0" x2=(x) y2=(MIDDLE) {} }
                @if !seen.standing.is_gone() {
                    line class=(seen.standing.class()) x1=(x) y1=(MIDDLE) x2=(x) y2="100%" {}
                }
                @if is_about {
                    circle class={ "about " (seen.standing.class()) } cx=(x) cy=(MIDDLE) r="6" {}
                    @if seen.standing.is_gone() {
                        path.cross d={ "M" (x - 3) " " (MIDDLE - 3) "l6 6m0 -6l-6 6" } {}
                    }
                } @else if self.by == Some(seen.lane) {
                    circle.by cx=(x) cy=(MIDDLE) r="4" {}
                }
            }
        }
    }
}

fn middle(lane: usize) -> usize {
    lane * WIDTH + WIDTH / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: &str, device: &str, by: Option<&str>) -> RecordEntry {
        let devices = Some(device.to_owned()).filter(|it| !it.is_empty()).into_iter().collect();
        RecordEntry { kind: kind.to_owned(), devices, by: by.map(str::to_owned), ..RecordEntry::default() }
    }

    #[test]
    fn a_device_has_a_lane_from_its_request_to_its_end() {
        let (devices, rows) = drawn(&[
            entry("AccountCreated", "a", None),
            entry("DeviceAdded", "b", None),
            entry("DeviceConfirmed", "b", Some("a")),
            entry("DeviceRemoved", "a", Some("b")),
            entry("RecoveryKeySet", "", Some("b")),
        ]);
        assert_eq!((devices["a"].standing, devices["b"].standing), (Standing::Removed, Standing::Counts));
        assert_eq!(rows.iter().map(|row| row.pieces.len()).collect::<Vec<_>>(), [1, 2, 2, 2, 1]);
        assert_eq!((rows[2].by, &rows[2].about[..]), (Some(0), &[1][..]), "a let b in");
        let waiting = rows[1].markup().into_string();
        assert!(waiting.contains("class=\"waits\"") && !waiting.contains("style="), "{waiting}");
        assert!(waiting.contains("class=\"about waits\""), "a ring, until it counts: {waiting}");
        assert!(rows[3].markup().into_string().contains("cross"), "where it ends");
    }

    #[test]
    fn who_comes_later_takes_a_lane_that_is_free_and_another_colour() {
        let (devices, _) = drawn(&[
            entry("AccountCreated", "a", None),
            entry("DeviceAdded", "b", None),
            entry("DeviceRefused", "b", Some("a")),
            entry("DeviceAdded", "c", None),
        ]);
        assert_eq!((devices["b"].lane, devices["c"].lane), (1, 1));
        assert_ne!(devices["b"].colour(), devices["c"].colour());
    }

    /// Whoever asks to join a hundred times makes nobody's page wider.
    #[test]
    fn there_are_never_more_lanes_than_fit() {
        let mut entries = vec![entry("AccountCreated", "first", None)];
        entries.extend((0..100).map(|number| entry("DeviceAdded", &format!("{number}"), None)));
        let (devices, rows) = drawn(&entries);
        assert_eq!(devices.len(), 101);
        assert!(rows.iter().all(|row| row.lanes == MOST));
    }
}
