//! Failures in the making: who is to blame, and one sentence.

use protocol::refusal::{Kind, Problem};

use crate::step::{Blame, Failure};

/// The service's answer is not one.
pub(crate) const ANSWER_MALFORMED: &str = "service.answer_malformed";
/// The service does not answer.
pub(crate) const UNREACHABLE: &str = "service.unreachable";

impl Failure {
    fn new(blame: Blame, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), blame, message: message.into() }
    }

    /// Somebody said no.
    pub(crate) fn refused(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Blame::Refused, code, message)
    }

    /// The caller asked for something that makes no sense.
    pub(crate) fn misuse(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Blame::Misuse, code, message)
    }

    /// What honest software cannot have done, or what cannot be verified.
    pub(crate) fn lie(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Blame::Lie, code, message)
    }

    /// It goes on by itself, later.
    pub(crate) fn waiting(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Blame::Waiting, code, message)
    }

    /// Nobody answers.
    pub(crate) fn unreachable() -> Self {
        Self::new(Blame::Unreachable, UNREACHABLE, "the service does not answer")
    }

    /// An answer that is not of the form of the interface.
    pub(crate) fn malformed() -> Self {
        Self::lie(ANSWER_MALFORMED, "the service's answer is not one")
    }

    /// A refusal of the service.
    pub(crate) fn of(problem: &Problem) -> Self {
        let blame = match problem.kind {
            Kind::Refused => Blame::Refused,
            Kind::Unreachable => Blame::Unreachable,
            Kind::Misuse => Blame::Misuse,
            Kind::Broken => Blame::Broken,
        };
        Self::new(blame, problem.code.clone(), problem.detail.clone())
    }
}

/// True for a refusal that says nothing about the request itself: the same again may be taken later.
pub(crate) fn is_passing(problem: &Problem) -> bool {
    matches!(problem.kind, Kind::Unreachable | Kind::Broken)
}
