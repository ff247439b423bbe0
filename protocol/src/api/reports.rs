//! Reports to the service's operator (docs/protocol.md §27, PPL-5).
//!
//! ```text
//! POST /v1/reports      <- Report, with the token of a confirmed device      -> Reported
//! ```
//!
//! Who, and one of a few reasons: a text, or the name of a message, a group or a file, has no place in it.

use std::str::FromStr;

use chain::id::AccountId;
use serde::{Deserialize, Serialize};

use crate::id::hex;
use crate::limits::DAY_S;

/// Where reports go.
pub const REPORTS: &str = "/v1/reports";

/// Nobody reports himself.
pub const REPORT_OWN: &str = "report.own";

/// Most bytes of a report.
pub const MAX_REPORT: usize = 1_024;
/// How long the service keeps a report, seconds.
pub const REPORT_KEPT_S: u64 = 90 * DAY_S;

/// Why somebody is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// Writes to many who want nothing of it.
    Spam,
    /// Threatens, insults, follows about.
    Abuse,
    /// Says to be somebody else.
    Impersonation,
    /// Anything else.
    Other,
}

impl Reason {
    /// All of them, in the order in which people are asked.
    pub const ALL: [Self; 4] = [Self::Spam, Self::Abuse, Self::Impersonation, Self::Other];

    /// As it stands in a report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spam => "spam",
            Self::Abuse => "abuse",
            Self::Impersonation => "impersonation",
            Self::Other => "other",
        }
    }
}

/// A text that is no reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a reason is spam, abuse, impersonation or other")]
pub struct NoReason;

impl FromStr for Reason {
    type Err = NoReason;

    fn from_str(text: &str) -> Result<Self, NoReason> {
        Self::ALL.into_iter().find(|reason| reason.name() == text).ok_or(NoReason)
    }
}

/// Somebody is reported. Again: with the newest reason, and counted once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Whoever it is about; whether there is such an account the answer does not say.
    #[serde(with = "hex")]
    pub account: AccountId,
    /// Why.
    pub reason: Reason,
}

/// The report is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {}

#[cfg(test)]
mod tests {
    use super::*;

    /// PPL-5.
    #[test]
    fn a_report_names_an_account_and_a_reason_and_has_no_room_for_more() {
        let account = AccountId([0xab; 32]);
        for reason in Reason::ALL {
            let report = Report { account, reason };
            let text = serde_json::to_string(&report).unwrap();
            assert_eq!(text, format!(r#"{{"account":"{account}","reason":"{}"}}"#, reason.name()));
            assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
            assert_eq!(reason.name().parse(), Ok(reason));
            let more = text.replace('}', r#","text":"what he wrote"}"#);
            assert!(serde_json::from_str::<Report>(&more).is_err(), "{more}");
        }
        assert!(
            serde_json::from_str::<Report>(&format!(r#"{{"account":"{account}","reason":"he is rude"}}"#)).is_err()
        );
        for wrong in ["", "Spam", "spam ", "rude"] {
            assert_eq!(wrong.parse::<Reason>(), Err(NoReason), "{wrong}");
        }
    }
}
