//! What a message does to an earlier one of the same conversation: it changes it, takes it back, or says what somebody
//! thinks of it (docs/protocol.md §28).
//!
//! A message is shown as it was written and as its effects leave it. Those are told apart by what the content says alone, and
//! judged by one function, in the service's order, so that all devices of all members show the same.

use chain::id::AccountId;

use crate::content::{Content, Part};
use crate::id::MessageId;

/// Most reactions of one account to one message that are shown.
pub const MAX_REACTIONS_EACH: usize = 8;

/// What a content does to the message that it names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Effect<'a> {
    /// It says this instead (MSG-2).
    Edit(&'a str),
    /// It is taken back (MSG-3).
    Delete,
    /// This is what somebody thinks of it (MSG-4).
    React(&'a str),
}

impl std::fmt::Debug for Effect<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Effect(..)")
    }
}

impl Content {
    /// The message that this one has an effect on, and which; nothing for what is shown by itself.
    pub fn effect(&self) -> Option<(MessageId, Effect<'_>)> {
        match (&self.replaces, &self.in_reply_to, &self.part) {
            (Some(original), _, Part::Text(text)) => Some((*original, Effect::Edit(text))),
            (Some(original), _, Part::Nothing) => Some((*original, Effect::Delete)),
            (None, Some(answered), Part::Reaction(text)) => Some((*answered, Effect::React(text))),
            _ => None,
        }
    }
}

/// How a message is shown after its effects.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// What its writer says instead, if anything.
    pub text: Option<String>,
    /// True if its writer has taken it back; then there is nothing else.
    pub deleted: bool,
    /// Who thinks what of it, in the order in which it was said.
    pub reactions: Vec<(AccountId, String)>,
}

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Outcome(..)")
    }
}

impl Outcome {
    /// One effect more on a message of one account, later than all before it; `from`: who wrote it (MSG-2 to MSG-4).
    pub fn take(&mut self, writer: &AccountId, from: &AccountId, effect: Effect<'_>) {
        match effect {
            _ if self.deleted => {}
            Effect::Edit(text) if from == writer => self.text = Some(text.to_owned()),
            Effect::Delete if from == writer => *self = Self { deleted: true, ..Self::default() },
            // nobody changes what somebody else wrote
            Effect::Edit(_) | Effect::Delete => {}
            Effect::React(text) => {
                let said = self.reactions.iter().filter(|(by, _)| by == from);
                let is_new = !said.clone().any(|(_, said)| said == text);
                if is_new && said.count() < MAX_REACTIONS_EACH {
                    self.reactions.push((*from, text.to_owned()));
                }
            }
        }
    }
}

/// Judges effects on a message of one account, in the service's order; `effects`: who wrote each, without those that were
/// taken back themselves.
pub fn outcome<'a>(writer: &AccountId, effects: impl IntoIterator<Item = (AccountId, Effect<'a>)>) -> Outcome {
    let mut outcome = Outcome::default();
    effects.into_iter().for_each(|(from, effect)| outcome.take(writer, &from, effect));
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: AccountId = AccountId([1; 32]);
    const MALLORY: AccountId = AccountId([2; 32]);
    const TARGET: MessageId = chain::id::Digest([3; 32]);

    fn content(replaces: Option<MessageId>, in_reply_to: Option<MessageId>, part: Part) -> Content {
        Content { replaces, in_reply_to, ..Content::of([7; 16], part) }
    }

    /// MSG-1: an answer is shown by itself, whatever it answers.
    #[test]
    fn effects_are_told_apart_by_what_a_content_says() {
        let text = || Part::Text("x".into());
        let cases = [
            (content(None, None, text()), None),
            (content(None, Some(TARGET), text()), None),
            (content(Some(TARGET), None, text()), Some((TARGET, Effect::Edit("x")))),
            (content(Some(TARGET), Some(TARGET), text()), Some((TARGET, Effect::Edit("x")))),
            (content(Some(TARGET), None, Part::Nothing), Some((TARGET, Effect::Delete))),
            (content(None, Some(TARGET), Part::Nothing), None),
            (content(None, Some(TARGET), Part::Reaction("+".into())), Some((TARGET, Effect::React("+")))),
            (content(Some(TARGET), Some(TARGET), Part::Reaction("+".into())), None),
            (content(None, None, Part::Reaction("+".into())), None),
        ];
        for (content, expected) in cases {
            let read = Content::decode(&content.encode()).unwrap();
            assert!(read.effect() == expected && read == content);
        }
    }

    /// MSG-2: the last change counts, and only its writer's.
    #[test]
    fn nobody_changes_what_somebody_else_wrote() {
        let after = |effects: &[(AccountId, Effect<'static>)]| outcome(&ALICE, effects.iter().copied());
        assert_eq!(after(&[(MALLORY, Effect::Edit("forged"))]), Outcome::default());
        assert_eq!(after(&[(MALLORY, Effect::Delete)]), Outcome::default());
        let edits = [(ALICE, Effect::Edit("one")), (MALLORY, Effect::Edit("forged")), (ALICE, Effect::Edit("two"))];
        assert_eq!(after(&edits).text.as_deref(), Some("two"));
    }

    /// MSG-3: what was taken back stays so, whatever comes before or after.
    #[test]
    fn what_was_taken_back_stays_so() {
        let effects = [
            (ALICE, Effect::Edit("one")),
            (MALLORY, Effect::React("+")),
            (ALICE, Effect::Delete),
            (ALICE, Effect::Edit("two")),
        ];
        assert_eq!(outcome(&ALICE, effects), Outcome { deleted: true, ..Outcome::default() });
    }

    /// MSG-4: each account says the same once, and not without end.
    #[test]
    fn reactions_of_one_account_are_few() {
        let texts: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        let twice = texts.iter().chain(&texts).map(|text| (MALLORY, Effect::React(text.as_str())));
        let shown = outcome(&ALICE, twice.chain([(ALICE, Effect::React("0"))])).reactions;
        assert_eq!(shown.len(), MAX_REACTIONS_EACH + 1);
        assert_eq!(shown.last(), Some(&(ALICE, "0".to_owned())));
    }
}
