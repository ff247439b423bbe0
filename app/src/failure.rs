//! How a command fails: a stable code, whose fault it is, one sentence; and the exit status that follows.

use std::fmt;

use chain::view::ViewError;
use client::step::Blame;
use protocol::refusal::{self, Problem};
use protocol::tame;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Whose fault it is (exit status).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// This program's or its disk's (1).
    Broken,
    /// The caller's (2).
    Misuse,
    /// Nobody answers (3).
    Unreachable,
    /// A lie, or a record that cannot be verified (4).
    Lie,
    /// Somebody said no (5).
    Refused,
    /// It waits: for a confirmation, a decision, a record that can be checked (6).
    Waiting,
}

impl From<Blame> for Kind {
    fn from(blame: Blame) -> Self {
        match blame {
            Blame::Lie => Self::Lie,
            Blame::Refused => Self::Refused,
            Blame::Unreachable => Self::Unreachable,
            Blame::Misuse => Self::Misuse,
            Blame::Broken => Self::Broken,
            Blame::Waiting => Self::Waiting,
        }
    }
}

/// A failed command.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) kind: Kind,
    pub(crate) message: String,
    /// Where evidence was kept.
    pub(crate) evidence: Option<String>,
    /// The number of the broken rule.
    pub(crate) rule: Option<&'static str>,
    /// True if what was wanted is kept, and done by itself as soon as it can be.
    pub(crate) waits: bool,
}

impl Failure {
    pub(crate) fn new(kind: Kind, code: &str, message: impl fmt::Display) -> Self {
        Self { code: code.to_owned(), kind, message: message.to_string(), evidence: None, rule: None, waits: false }
    }

    pub(crate) fn misuse(code: &str, message: impl fmt::Display) -> Self {
        Self::new(Kind::Misuse, code, message)
    }

    pub(crate) fn broken(message: impl fmt::Display) -> Self {
        Self::new(Kind::Broken, "app.broken", message)
    }

    /// What the service answered instead of what was asked.
    pub(crate) fn from_problem(problem: &Problem) -> Self {
        let kind = match problem.kind {
            refusal::Kind::Refused => Kind::Refused,
            refusal::Kind::Unreachable => Kind::Unreachable,
            refusal::Kind::Misuse => Kind::Misuse,
            refusal::Kind::Broken => Kind::Broken,
        };
        Self::new(kind, &problem.code, &problem.detail)
    }

    /// What a verifier found; the caller keeps the evidence of a lie.
    pub(crate) fn from_view(error: &ViewError) -> Self {
        let kind = match error {
            ViewError::Handle(reason) if reason.code().starts_with("handle.") => Kind::Misuse,
            _ => Kind::Lie,
        };
        Self::new(kind, error.code(), error)
    }

    /// What the client says about an intent.
    pub(crate) fn from_client(failure: client::step::Failure) -> Self {
        Self::new(failure.blame.into(), &failure.code, failure.message)
    }

    /// What the client says about an intent that it keeps.
    pub(crate) fn held(failure: client::step::Failure) -> Self {
        Self { waits: true, ..Self::from_client(failure) }
    }

    /// What the client could not do through its own or its disk's fault.
    pub(crate) fn from_store(error: &client::Error) -> Self {
        Self::new(Kind::Broken, error.code(), error)
    }

    pub(crate) fn exit_status(&self) -> u8 {
        match self.kind {
            Kind::Broken => 1,
            Kind::Misuse => 2,
            Kind::Unreachable => 3,
            Kind::Lie => 4,
            Kind::Refused => 5,
            Kind::Waiting => 6,
        }
    }

    pub(crate) fn to_json(&self) -> String {
        let mut error = json!({ "code": self.code, "kind": self.kind, "message": self.message });
        if let Some(object) = error.as_object_mut() {
            object.extend(self.rule.map(|rule| ("rule".to_owned(), json!(rule))));
            object.extend(self.waits.then(|| ("waits".to_owned(), json!(true))));
            object.extend(self.evidence.as_ref().map(|path| ("evidence".to_owned(), json!(path))));
        }
        json!({ "error": error }).to_string()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // part of it may come from a service
        let message = tame::display(self.message.trim_end_matches('.'));
        let mut letters = message.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        write!(f, "{}{}. ({}", first.collect::<String>(), letters.as_str(), tame::display(&self.code))?;
        if let Some(rule) = self.rule {
            write!(f, ", rule {rule}")?;
        }
        f.write_str(")")?;
        if let Some(path) = &self.evidence {
            write!(f, "\nThe evidence is in {path}; anybody can check it with: trefoil record check {path}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_exit_status_and_word() {
        let kinds = [
            (Blame::Broken, 1, "broken"),
            (Blame::Misuse, 2, "misuse"),
            (Blame::Unreachable, 3, "unreachable"),
            (Blame::Lie, 4, "lie"),
            (Blame::Refused, 5, "refused"),
            (Blame::Waiting, 6, "waiting"),
        ];
        for (blame, status, word) in kinds {
            let failure = Failure::new(blame.into(), "a.code", "a sentence");
            assert_eq!(failure.exit_status(), status);
            let expected = format!(r#"{{"error":{{"code":"a.code","kind":"{word}","message":"a sentence"}}}}"#);
            assert_eq!(failure.to_json(), expected);
        }
    }

    /// Attack 63.
    #[test]
    fn a_service_cannot_write_to_the_terminal_through_an_error() {
        let failure = Failure::new(Kind::Refused, "a\u{1b}[2Jcode", "no\u{1b}]52;c;aGk=\u{7} \u{202e}entry.");
        let shown = failure.to_string();
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{shown:?}");
        assert!(shown.contains("entry. ("));
    }
}
