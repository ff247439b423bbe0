//! A new account, and this as its first device.

use protocol::refusal::Problem;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::step::Joining;
use crate::turn::{Purpose, Turn};

/// How far a sign-up has come.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SignUp {}

impl Turn<'_> {
    pub(crate) fn sign_up(&mut self, _joining: Joining) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn start_over(&mut self) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn go_on_joining(&mut self) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn take_first_look(&mut self, _body: &[u8]) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn take_signup_start(&mut self, _body: &[u8]) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn take_signup(&mut self, _body: &[u8]) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn sign_up_or_log_in_refused(&mut self, _problem: &Problem) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn joining_unreachable(&mut self, _purpose: &Purpose) -> Result<(), Error> {
        Ok(())
    }
}

/// What the service's refusal says to a person.
pub(crate) fn failure_of(problem: &Problem) -> crate::step::Failure {
    let blame = match problem.kind {
        protocol::refusal::Kind::Refused => crate::step::Blame::Refused,
        protocol::refusal::Kind::Unreachable => crate::step::Blame::Unreachable,
        protocol::refusal::Kind::Misuse => crate::step::Blame::Misuse,
        protocol::refusal::Kind::Broken => crate::step::Blame::Broken,
    };
    crate::step::Failure { code: problem.code.clone(), blame, message: problem.detail.clone() }
}
