//! Another device of an account: from the password to the digits.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::step::Joining;
use crate::turn::Turn;

/// How far a log-in has come.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct LogIn {}

impl Turn<'_> {
    pub(crate) fn log_in(&mut self, _joining: Joining) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn take_login_start(&mut self, _body: &[u8]) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn take_login_finish(&mut self, _body: &[u8]) -> Result<(), Error> {
        Ok(())
    }
}
