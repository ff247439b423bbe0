//! How a command fails: a stable code, whose fault it is, one sentence; and the exit status that follows.

use std::fmt;

use chain::view::ViewError;
use protocol::refusal::{self, Problem};
use serde_json::json;

/// Whose fault it is (exit status).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

/// A failed command.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) kind: Kind,
    pub(crate) message: String,
    /// Where evidence was kept.
    pub(crate) evidence: Option<String>,
    /// The number of the broken rule.
    pub(crate) rule: Option<&'static str>,
}

impl Failure {
    pub(crate) fn new(kind: Kind, code: &str, message: impl fmt::Display) -> Self {
        Self { code: code.to_owned(), kind, message: message.to_string(), evidence: None, rule: None }
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

    pub(crate) fn exit_status(&self) -> u8 {
        match self.kind {
            Kind::Broken => 1,
            Kind::Misuse => 2,
            Kind::Unreachable => 3,
            Kind::Lie => 4,
            Kind::Refused => 5,
        }
    }

    pub(crate) fn to_json(&self) -> String {
        let kind = match self.kind {
            Kind::Broken => "broken",
            Kind::Misuse => "misuse",
            Kind::Unreachable => "unreachable",
            Kind::Lie => "lie",
            Kind::Refused => "refused",
        };
        let mut error = json!({ "code": self.code, "kind": kind, "message": self.message });
        if let Some(object) = error.as_object_mut() {
            object.extend(self.rule.map(|rule| ("rule".to_owned(), json!(rule))));
            object.extend(self.evidence.as_ref().map(|path| ("evidence".to_owned(), json!(path))));
        }
        json!({ "error": error }).to_string()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut letters = self.message.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        write!(f, "{}{}. ({}", first.collect::<String>(), letters.as_str(), self.code)?;
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
