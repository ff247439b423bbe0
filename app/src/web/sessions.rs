//! Who may look: the secret of a start link becomes a token, once, and a token is good until nobody was there for a while.
//!
//! Both are 32 random bytes and kept as hashes only. No clock in here: whoever asks says what time it is.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chain::id::Digest;

use crate::failure::Failure;

/// How long a start link may lie around.
const LINK_LASTS: Duration = Duration::from_secs(10 * 60);
/// A page that nobody has used for so long locks itself, unless somebody chose another time.
pub(super) const IDLE: Duration = Duration::from_secs(30 * 60);

/// Who asks: a page by itself, because something has happened, or a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Person,
    Page,
}

/// The start link that is still good, and the tokens that are.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    link: Option<(Digest, Instant)>,
    /// When a person last used each.
    tokens: BTreeMap<Digest, Instant>,
    /// After how long without anybody a token dies, if somebody chose it.
    idle: Option<Duration>,
}

impl Sessions {
    /// A fresh secret for a start link; the one before is good no longer.
    ///
    /// # Errors
    /// The operating system has no random numbers.
    pub(super) fn new_link(&mut self, now: Instant) -> Result<String, Failure> {
        let secret = secret()?;
        self.link = Some((Digest::sha256(secret.as_bytes()), now));
        Ok(secret)
    }

    /// A token for the secret of a start link, which is used up then. A wrong one uses up nothing: nobody guesses 256 bits, and
    /// nobody should be able to spoil another's link.
    ///
    /// # Errors
    /// The operating system has no random numbers.
    pub(super) fn exchange(&mut self, secret: &str, now: Instant) -> Result<Option<String>, Failure> {
        let is_right = |(wanted, made): &(Digest, Instant)| {
            *wanted == Digest::sha256(secret.as_bytes()) && now.saturating_duration_since(*made) <= LINK_LASTS
        };
        if self.link.filter(is_right).is_none() {
            return Ok(None);
        }
        self.link = None;
        let token = self::secret()?;
        self.tokens.insert(Digest::sha256(token.as_bytes()), now);
        Ok(Some(token))
    }

    /// True for a token that is good; a person's use keeps it so.
    pub(super) fn is_good(&mut self, token: &str, by: By, now: Instant) -> bool {
        let idle = self.idle();
        self.tokens.retain(|_, used| now.saturating_duration_since(*used) <= idle);
        let Some(used) = self.tokens.get_mut(&Digest::sha256(token.as_bytes())) else { return false };
        if by == By::Person {
            *used = now;
        }
        true
    }

    /// After how many minutes without anybody a page locks itself.
    pub(super) fn locks_after_min(&self) -> u64 {
        self.idle().as_secs() / 60
    }

    /// Chooses that, for all pages.
    pub(super) fn lock_after_min(&mut self, minutes: u64) {
        self.idle = Some(Duration::from_secs(minutes.saturating_mul(60)));
    }

    fn idle(&self) -> Duration {
        self.idle.unwrap_or(IDLE)
    }

    /// Ends a token.
    pub(super) fn end(&mut self, token: &str) {
        self.tokens.remove(&Digest::sha256(token.as_bytes()));
    }
}

fn secret() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(Failure::broken)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(sessions: &mut Sessions, now: Instant) -> String {
        let secret = sessions.new_link(now).unwrap();
        sessions.exchange(&secret, now).unwrap().unwrap()
    }

    /// W5: the secret has 256 bits and is exchanged once.
    #[test]
    fn a_start_link_opens_once() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let secret = sessions.new_link(now).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(&secret).unwrap().len(), 32);
        assert_eq!(sessions.exchange("guessed", now).unwrap(), None);
        let token = sessions.exchange(&secret, now).unwrap().unwrap();
        assert!(token != secret && sessions.is_good(&token, By::Person, now));
        assert!(!sessions.is_good(&secret, By::Person, now), "a secret is no token");
        assert_eq!(sessions.exchange(&secret, now).unwrap(), None);
    }

    /// W12: sooner or later, as somebody wants it.
    #[test]
    fn a_page_locks_itself_after_the_time_that_was_chosen() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let token = opened(&mut sessions, now);
        assert_eq!(sessions.locks_after_min(), 30);
        sessions.lock_after_min(5);
        assert!(sessions.is_good(&token, By::Page, now + Duration::from_secs(300)));
        assert!(!sessions.is_good(&token, By::Page, now + Duration::from_secs(301)));
    }

    #[test]
    fn a_link_that_lay_around_or_was_followed_by_another_opens_nothing() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let first = sessions.new_link(now).unwrap();
        let second = sessions.new_link(now).unwrap();
        assert_eq!(sessions.exchange(&first, now).unwrap(), None);
        let later = now + LINK_LASTS + Duration::from_secs(1);
        assert_eq!(sessions.exchange(&second, later).unwrap(), None);
    }

    /// W12: what a page does by itself keeps it open no longer.
    #[test]
    fn a_token_is_good_until_nobody_was_there_for_a_while() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let token = opened(&mut sessions, now);
        let nearly = now + IDLE;
        assert!(sessions.is_good(&token, By::Person, nearly), "somebody was there just now");
        let again = nearly + IDLE;
        assert!(sessions.is_good(&token, By::Page, again));
        assert!(!sessions.is_good(&token, By::Person, again + Duration::from_secs(1)));
        assert!(!sessions.is_good(&token, By::Person, now), "dead is dead");
    }

    #[test]
    fn a_locked_page_leaves_the_others_open() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let (first, second) = (opened(&mut sessions, now), opened(&mut sessions, now));
        sessions.end(&first);
        assert!(!sessions.is_good(&first, By::Person, now) && sessions.is_good(&second, By::Person, now));
    }
}
