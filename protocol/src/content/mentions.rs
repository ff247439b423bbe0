//! Whom a text mentions (docs/protocol.md §30): stretches of it that begin with `@`, each with the account that is meant. So it is
//! still the same person when he is called otherwise later.
//!
//! ```text
//! [ [ start: uint, length: uint, account id: 32 bytes ], … ]            ; in bytes of the text, ascending
//! ```
//!
//! The draft has links in Markdown instead, with the address of the person (draft-ietf-mimi-content-08 §5.4): there are neither here.

use std::convert::Infallible;

use chain::id::AccountId;
use minicbor::{Decoder, Encoder, encode};

use super::fixed;

/// Most mentions of a text.
pub const MAX_MENTIONS: usize = 50;

/// Somebody whom a text mentions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mention {
    /// Where in the text it begins, in bytes: there stands `@`.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// Who is meant.
    pub account: AccountId,
}

/// Writes the value of the extension.
pub(super) fn write(e: &mut Encoder<Vec<u8>>, mentions: &[Mention]) -> Result<(), encode::Error<Infallible>> {
    let number = |at: usize| u64::try_from(at).unwrap_or(u64::MAX);
    e.array(number(mentions.len()))?;
    for mention in mentions {
        let length = mention.end.saturating_sub(mention.start);
        e.array(3)?.u64(number(mention.start))?.u64(number(length))?.bytes(&mention.account.0)?;
    }
    Ok(())
}

/// Reads the value of the extension; nothing if it is not one (MEN-1).
pub(super) fn read(value: &[u8]) -> Option<Vec<Mention>> {
    let mut d = Decoder::new(value);
    let count = usize::try_from(d.array().ok()??).ok().filter(|count| (1..=MAX_MENTIONS).contains(count))?;
    let mut mentions = Vec::new();
    for _ in 0..count {
        d.array().ok()?.filter(|items| *items == 3)?;
        let (start, length) = (d.u32().ok()?, d.u32().ok()?);
        let (start, end) = (usize::try_from(start).ok()?, usize::try_from(start.checked_add(length)?).ok()?);
        mentions.push(Mention { start, end, account: AccountId(fixed(&mut d, "mention").ok()?) });
    }
    (d.position() == value.len()).then_some(mentions)
}

/// MEN-1: true if these can be the mentions of a text: one after the other, whole letters of it, `@` and a name.
pub(super) fn are_of(mentions: &[Mention], text: &str) -> bool {
    let mut at = 0;
    mentions.iter().all(|mention| {
        let is_after = mention.start >= at;
        at = mention.end;
        let said = text.get(mention.start..mention.end);
        is_after && said.and_then(|said| said.strip_prefix('@')).is_some_and(|name| !name.is_empty())
    })
}

/// MEN-2: whom of these people, each with his handle, a text mentions: where `@` and a handle stand by themselves. Of handles that
/// begin alike the longest is meant. What only looks so is text.
pub fn mentions_in(text: &str, people: &[(AccountId, String)]) -> Vec<Mention> {
    let mut mentions = Vec::new();
    let mut before = None;
    for (start, letter) in text.char_indices() {
        let is_begun = letter == '@' && !before.is_some_and(is_within_name);
        before = Some(letter);
        let Some(rest) = text.get(start.saturating_add(1)..).filter(|_| is_begun) else { continue };
        let is_meant = |handle: &str| {
            let name = rest.get(..handle.len());
            name.is_some_and(|name| name.eq_ignore_ascii_case(handle)) && !rest.get(handle.len()..).is_some_and(goes_on)
        };
        let meant = people.iter().filter(|(_, handle)| !handle.is_empty() && is_meant(handle));
        if let Some((account, handle)) = meant.max_by_key(|(_, handle)| handle.len()) {
            let end = start.saturating_add(1).saturating_add(handle.len());
            mentions.push(Mention { start, end, account: *account });
        }
    }
    mentions.truncate(MAX_MENTIONS);
    mentions
}

fn is_within_name(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '@')
}

/// True if what stands behind a name is more of it, or makes an address of it.
fn goes_on(rest: &str) -> bool {
    let mut letters = rest.chars();
    match letters.next() {
        Some('.' | '-' | '@') => letters.next().is_some_and(is_within_name),
        Some(letter) => is_within_name(letter),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{Content, Part};

    const ALICE: AccountId = AccountId([1; 32]);
    const BOB: AccountId = AccountId([2; 32]);

    fn text_of(text: &str) -> Content {
        let part = Part::Text(text.to_owned());
        Content::of([1; 16], part)
    }

    fn people() -> Vec<(AccountId, String)> {
        vec![(ALICE, "alice".to_owned()), (BOB, "bob".to_owned()), (AccountId([3; 32]), "bob.smith".to_owned())]
    }

    fn said(text: &str) -> Vec<&str> {
        mentions_in(text, &people()).into_iter().filter_map(|it| text.get(it.start..it.end)).collect()
    }

    /// MEN-2: `@` and the handle of somebody who is there; everything else is text.
    #[test]
    fn a_text_that_only_looks_like_a_mention_is_text() {
        assert_eq!(said("@bob, look: @Alice!"), ["@bob", "@Alice"]);
        assert_eq!(said("(@bob) @bob. @bob's @bob-"), ["@bob"; 4]);
        assert_eq!(said("@bob.smith and @bob"), ["@bob.smith", "@bob"]);
        for text in [
            "bob",
            "@carol",
            "a@bob",
            "@@bob",
            "@bobby",
            "@bob_",
            "@bob@host.example",
            "@bob.jones",
            "@",
            "@ bob",
            "é@bob",
        ] {
            assert!(said(text).is_empty(), "{text}");
        }
        assert_eq!(said(&"@bob ".repeat(10_000)).len(), MAX_MENTIONS);
    }

    /// MEN-1: what comes is read as it was written.
    #[test]
    fn mentions_come_as_they_were_written() {
        let text = "ñ @bob @alice";
        let mentions = mentions_in(text, &people());
        let content = Content { mentions: mentions.clone(), ..text_of(text) };
        let read = Content::decode(&content.encode()).unwrap();
        assert_eq!((mentions.len(), read.mentions == mentions, read == content), (2, true, true));
    }

    /// MEN-1: whatever somebody makes of the list, the message is shown, and mentions nobody.
    #[test]
    fn a_list_that_is_none_costs_nothing_but_itself() {
        let text = "hé @bob @alice";
        assert_eq!((text.get(4..8), text.get(9..15)), (Some("@bob"), Some("@alice")));
        let at = |start: usize, end: usize| Mention { start, end, account: BOB };
        let lists = [
            vec![at(4, 99)],
            vec![at(99, 103)],
            vec![at(2, 8)],
            vec![at(0, 2)],
            vec![at(4, 5)],
            vec![at(4, 4)],
            vec![at(9, 15), at(4, 8)],
            vec![at(4, 8), at(4, 8)],
            vec![at(4, 15), at(9, 15)],
            vec![at(4, 8), at(u32::MAX as usize, u32::MAX as usize)],
            vec![at(4, 8); MAX_MENTIONS + 1],
            vec![at(4, 8); 1_000],
        ];
        for mentions in lists {
            let read = Content::decode(&Content { mentions, ..text_of(text) }.encode()).unwrap();
            assert!(read.mentions.is_empty() && read.part == Part::Text(text.to_owned()));
        }
        // what has no text mentions nobody
        let content = Content { mentions: vec![at(0, 4)], part: Part::Title("@bob".to_owned()), ..text_of("") };
        assert!(Content::decode(&content.encode()).unwrap().mentions.is_empty());
    }

    /// MEN-1: a value of another form counts as none.
    #[test]
    fn a_value_of_another_form_is_no_list() {
        let good = {
            let mut e = Encoder::new(Vec::new());
            write(&mut e, &[Mention { start: 1, end: 5, account: BOB }]).unwrap();
            e.into_writer()
        };
        assert!(read(&good).is_some());
        for value in [&[][..], &[0x80], &[0xf6], &[0x01], &[0x40], &[0x81, 0x80], &[0x81, 0x83, 1, 4, 0x41, 0]] {
            assert!(read(value).is_none(), "{value:x?}");
        }
        assert!(read(&good[..good.len() - 1]).is_none() && read(&[&good[..], &[0]].concat()).is_none());
    }
}
