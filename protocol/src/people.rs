//! Who may write to somebody: what a person has decided about others, and what follows from that for a conversation.
//!
//! Whoever is not known may open a conversation with anybody; for the other side it is a *request* until a person there has
//! decided (PPL-2). A token in a contact link stands for a decision that was made before (PPL-4).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chain::id::AccountId;

/// Content type of what whoever opened a contact link tells its account with the first message: the link's token (16), and
/// then the names of a conversation's members.
pub const INVITED: &str = "application/vnd.trefoil.invited";

/// The token of a contact link: 16 random bytes, which only those know who have the link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkToken(pub [u8; LinkToken::LEN]);

impl LinkToken {
    /// Length in bytes.
    pub const LEN: usize = 16;
}

impl fmt::Debug for LinkToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkToken(..)")
    }
}

impl fmt::Display for LinkToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// A text that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the token of a contact link")]
pub struct NoToken;

impl FromStr for LinkToken {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NoToken)?;
        bytes.try_into().map(Self).map_err(|_| NoToken)
    }
}

/// What a person has decided about an account (PPL-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It may write, and open conversations with others.
    Accepted,
    /// Nothing of it is shown or answered.
    Blocked,
}

impl Decision {
    /// The value of the setting.
    pub fn encode(self) -> [u8; 1] {
        match self {
            Self::Accepted => [1],
            Self::Blocked => [2],
        }
    }

    /// Reads the value of the setting; anything else is no decision.
    pub fn decode(value: &[u8]) -> Option<Self> {
        match value {
            [1] => Some(Self::Accepted),
            [2] => Some(Self::Blocked),
            _ => None,
        }
    }
}

/// What a conversation is for an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// One like any other.
    Open,
    /// Somebody unknown has opened it, and waits for a decision.
    Request,
    /// Somebody who is blocked has opened it.
    Blocked,
}

impl Standing {
    /// PPL-2: what a conversation is that these accounts have opened, none of which is the own one: open if one of them is accepted;
    /// else a request if there is one about whom nothing was decided; else blocked. One that nobody else has opened is open.
    pub fn of<E>(
        openers: &[AccountId],
        decided: impl Fn(&AccountId) -> Result<Option<Decision>, E>,
    ) -> Result<Self, E> {
        let mut standing = if openers.is_empty() { Self::Open } else { Self::Blocked };
        for opener in openers {
            match decided(opener)? {
                Some(Decision::Accepted) => return Ok(Self::Open),
                Some(Decision::Blocked) => {}
                None => standing = Self::Request,
            }
        }
        Ok(standing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written_and_nothing_else_is_one() {
        let token = LinkToken([0xfb; 16]);
        let text = token.to_string();
        assert_eq!(text.len(), 22);
        assert_eq!(text.parse(), Ok(token));
        for wrong in ["", "a", text.get(1..).unwrap(), &format!("{text}a"), "=========================="] {
            assert_eq!(wrong.parse::<LinkToken>(), Err(NoToken), "{wrong}");
        }
        assert_eq!(format!("{token:?}"), "LinkToken(..)");
    }

    #[test]
    fn a_decision_is_one_of_two_bytes() {
        for decision in [Decision::Accepted, Decision::Blocked] {
            assert_eq!(Decision::decode(&decision.encode()), Some(decision));
        }
        for value in [&[][..], &[0], &[3], &[1, 1]] {
            assert_eq!(Decision::decode(value), None);
        }
    }

    /// PPL-2.
    #[test]
    fn one_accepted_opener_opens_and_only_blocked_ones_close() {
        let (friend, stranger, pest) = (AccountId([1; 32]), AccountId([2; 32]), AccountId([3; 32]));
        let decided = |account: &AccountId| -> Result<_, ()> {
            Ok(match account.0 {
                [1, ..] => Some(Decision::Accepted),
                [3, ..] => Some(Decision::Blocked),
                _ => None,
            })
        };
        let of = |openers: &[AccountId]| Standing::of(openers, decided).unwrap();
        assert_eq!(of(&[]), Standing::Open);
        assert_eq!(of(&[pest, friend]), Standing::Open);
        assert_eq!(of(&[stranger]), Standing::Request);
        assert_eq!(of(&[pest, stranger]), Standing::Request);
        assert_eq!(of(&[pest]), Standing::Blocked);
    }
}
