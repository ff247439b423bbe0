//! A contact link: `trefoil:<handle>@<host of the service>#<account id>`.
//!
//! It names somebody, and with the account id says who that has to be. It is no code and confirms nothing; the parser of
//! either refuses the other (`link.wrong_kind`).

use std::fmt;

use chain::handle::Handle;
use chain::id::AccountId;

use crate::failure::Failure;

/// Whom a person wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contact {
    pub(crate) handle: String,
    /// Host of the service, if it was named.
    pub(crate) host: Option<String>,
    /// Who it has to be, if that was named.
    pub(crate) account: Option<AccountId>,
}

impl Contact {
    /// Reads a link, or a handle with or without a host.
    ///
    /// # Errors
    /// `link.wrong_kind` for the digits of a device, `link.malformed`, those of handles.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let text = text.trim();
        let packed: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
        if packed.len() == 6 && packed.chars().all(|letter| letter.is_ascii_digit()) {
            // who is called so can be written with his host
            let message = "these look like the digits of a device, which are only typed in `device confirm`";
            return Err(Failure::misuse("link.wrong_kind", message));
        }
        let (whole, is_link) = match text.strip_prefix("trefoil:") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let malformed = || Failure::misuse("link.malformed", "this is no contact link");
        let (name, account) = match whole.split_once('#') {
            Some((name, account)) => (name, Some(account.parse().map_err(|_| malformed())?)),
            None if is_link => return Err(malformed()),
            None => (whole, None),
        };
        let (handle, host) = match name.split_once('@') {
            Some((handle, host)) => (handle, Some(host.to_owned())),
            None => (name, None),
        };
        let handle = Handle::parse(handle).map_err(|error| Failure::misuse(error.code(), error))?;
        Ok(Self { handle: handle.as_str().to_owned(), host, account })
    }
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "trefoil:{}", self.handle)?;
        self.host.iter().try_for_each(|host| write!(f, "@{host}"))?;
        self.account.iter().try_for_each(|account| write!(f, "#{account}"))
    }
}

/// Refuses a link where the digits of a device belong.
///
/// # Errors
/// `link.wrong_kind`.
pub(crate) fn refuse_as_code(text: &str) -> Result<(), Failure> {
    if text.contains(':') || text.contains('@') || text.contains('#') {
        let message = "this is a link, and a link never lets a device in; type the 6 digits that the new device shows";
        return Err(Failure::misuse("link.wrong_kind", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_as_it_was_written() {
        let account = AccountId([7; 32]);
        let link = format!("trefoil:bob@host.example#{account}");
        let read = Contact::parse(&link).unwrap();
        assert_eq!(
            (read.handle.as_str(), read.host.as_deref(), read.account),
            ("bob", Some("host.example"), Some(account))
        );
        assert_eq!(read.to_string(), link);
        assert_eq!(Contact::parse("bob").unwrap().account, None);
    }

    /// Attack 6.
    #[test]
    fn a_code_is_no_link_and_a_link_no_code() {
        for code in ["418093", "418 093", " 418093\n"] {
            assert_eq!(Contact::parse(code).unwrap_err().code, "link.wrong_kind");
            refuse_as_code(code).unwrap();
        }
        assert_eq!(Contact::parse("418093@host").unwrap().handle, "418093");
        assert_eq!(refuse_as_code("trefoil:bob@host#00").unwrap_err().code, "link.wrong_kind");
    }

    #[test]
    fn half_a_link_is_refused() {
        for text in ["trefoil:bob", "trefoil:bob@host#12", "bob#xyz"] {
            assert_eq!(Contact::parse(text).unwrap_err().code, "link.malformed", "{text}");
        }
    }
}
