//! Contact links: `https://<host of the service>/i/<token>#<handle>.<account id>`, and without a token
//! `trefoil:<handle>@<host>#<account id>`.
//!
//! A link names somebody, and with the account id says who that has to be. What stands behind the `#` is sent to no service.
//! The token says that whoever has the link needs not to be asked in (PPL-4). A link is no code and confirms nothing; the
//! parser of either refuses the other, and both an operator's permit for a reset (`link.wrong_kind`).

use chain::handle::Handle;
use chain::id::AccountId;
use protocol::people::LinkToken;
use protocol::reset_permit::{Mistyped, ResetPermit};

use crate::failure::Failure;

/// Where links lead at a service: what stands before the token.
const PLACE: &str = "/i/";

/// Whom a person wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contact {
    pub(crate) handle: String,
    /// Host of the service, if it was named.
    pub(crate) host: Option<String>,
    /// Who it has to be, if that was named.
    pub(crate) account: Option<AccountId>,
    /// What stands for an answer to a request.
    pub(crate) token: Option<LinkToken>,
}

/// The link of somebody at a service, an address with `http://` or `https://`.
pub(crate) fn link(service: &str, token: &str, handle: &str, account: &str) -> String {
    format!("{}{PLACE}{token}#{handle}.{account}", service.trim_end_matches('/'))
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
        if ResetPermit::is_meant_by(text) {
            let message =
                "this is an operator's permit for a reset, which is only typed in `account reset`; show it to nobody";
            return Err(Failure::misuse("link.wrong_kind", message));
        }
        if let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) {
            return Self::of_web(rest).ok_or_else(malformed);
        }
        let (whole, is_link) = match text.strip_prefix("trefoil:") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
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
        Ok(Self { handle: handle.as_str().to_owned(), host, account, token: None })
    }

    /// A link without its scheme.
    fn of_web(rest: &str) -> Option<Self> {
        let (place, who) = rest.split_once('#')?;
        let (host, token) = place.split_once(PLACE)?;
        let (handle, account) = who.rsplit_once('.')?;
        Some(Self {
            handle: Handle::parse(handle).ok()?.as_str().to_owned(),
            host: Some(host.to_owned()).filter(|host| !host.is_empty()),
            account: Some(account.parse().ok()?),
            token: Some(token.parse().ok()?),
        })
    }
}

fn malformed() -> Failure {
    Failure::misuse("link.malformed", "this is no contact link")
}

/// Refuses a link where the digits of a device belong.
///
/// # Errors
/// `link.wrong_kind`.
pub(crate) fn refuse_as_code(text: &str) -> Result<(), Failure> {
    if ResetPermit::is_meant_by(text) {
        let message = "this is an operator's permit for a reset, which lets no device in; type the 6 digits that the new \
                       device shows";
        return Err(Failure::misuse("link.wrong_kind", message));
    }
    if text.contains(':') || text.contains('@') || text.contains('#') {
        let message = "this is a link, and a link never lets a device in; type the 6 digits that the new device shows";
        return Err(Failure::misuse("link.wrong_kind", message));
    }
    Ok(())
}

/// Reads an operator's permit for a reset.
///
/// # Errors
/// `link.wrong_kind` for a link or the digits of a device, `permit.mistyped`.
pub(crate) fn permit(text: &str) -> Result<ResetPermit, Failure> {
    let text = text.trim();
    if text.contains([':', '@', '#']) {
        let message = "this is a contact link or an address, and no permit of your service's operator";
        return Err(Failure::misuse("link.wrong_kind", message));
    }
    if !text.is_empty() && text.chars().all(|letter| letter.is_ascii_digit() || letter.is_whitespace()) {
        let message = "these look like the digits of a device, and are no permit of your service's operator";
        return Err(Failure::misuse("link.wrong_kind", message));
    }
    text.parse().map_err(|error: Mistyped| Failure::misuse(error.code(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: AccountId = AccountId([7; 32]);

    #[test]
    fn a_link_is_read_as_it_was_written() {
        let token = LinkToken([9; 16]);
        for service in ["https://host.example", "http://127.0.0.1:8400/"] {
            let link = link(service, &token.to_string(), "b.ob", &ACCOUNT.to_string());
            let read = Contact::parse(&link).unwrap();
            assert_eq!((read.handle.as_str(), read.account, read.token), ("b.ob", Some(ACCOUNT), Some(token)));
            assert!(service.contains(&read.host.unwrap()), "{link}");
        }
        let read = Contact::parse(&format!("trefoil:bob@host.example#{ACCOUNT}")).unwrap();
        assert_eq!((read.handle.as_str(), read.host.as_deref()), ("bob", Some("host.example")));
        assert_eq!((read.account, read.token), (Some(ACCOUNT), None));
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
        for link in ["trefoil:bob@host#00", "https://host/i/AAAA#bob.00"] {
            assert_eq!(refuse_as_code(link).unwrap_err().code, "link.wrong_kind");
        }
    }

    /// PMT-1: what resets an account is taken for nothing else, also mistyped.
    #[test]
    fn a_permit_is_neither_a_link_nor_a_code() {
        let text = ResetPermit::new([7; 16].into()).to_string();
        assert_eq!(permit(&text).unwrap().to_string(), text);
        let mistyped = text.get(..text.len() - 2).unwrap();
        for text in [&text, mistyped] {
            assert_eq!(Contact::parse(text).unwrap_err().code, "link.wrong_kind");
            assert_eq!(refuse_as_code(text).unwrap_err().code, "link.wrong_kind");
        }
        assert_eq!(permit(mistyped).unwrap_err().code, "permit.mistyped");
        for wrong in ["418 093", "trefoil:bob@host#00", "https://host/i/AAAA#bob.00", "bob@host"] {
            assert_eq!(permit(wrong).unwrap_err().code, "link.wrong_kind", "{wrong}");
        }
        assert_eq!(Contact::parse("reset-me@host").unwrap().handle, "reset-me");
    }

    #[test]
    fn half_a_link_is_refused() {
        let token = LinkToken([9; 16]);
        let texts = [
            "trefoil:bob".to_owned(),
            "trefoil:bob@host#12".to_owned(),
            "bob#xyz".to_owned(),
            "https://host".to_owned(),
            format!("https://host/i/{token}"),
            format!("https://host/i/{token}#bob"),
            format!("https://host/i/#bob.{ACCOUNT}"),
            format!("https://host/i/{token}#b!.{ACCOUNT}"),
            format!("https://host/{token}#bob.{ACCOUNT}"),
            format!("https://host/i/{token}x#bob.{ACCOUNT}"),
        ];
        for text in texts {
            assert_eq!(Contact::parse(&text).unwrap_err().code, "link.malformed", "{text}");
        }
    }
}
