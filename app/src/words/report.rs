//! What people read about reports: whoever makes one, and whoever runs the service.

use protocol::api::reports::Reason;
use service::Told;

use super::{one_line, time};
use crate::clock::rfc3339;

/// On the pages.
pub(crate) const REPORT: &str = "Report";
pub(crate) const REPORT_AND_BLOCK: &str = "Report and block";
pub(crate) const WHY: &str = "Why?";
/// Nobody was reported.
pub(crate) const NOBODY: &str = "Nobody has been reported in the last 90 days.";
/// Under the operator's table.
const WHO_THAT_IS: &str = "`trefoil record show ACCOUNT` shows the devices of one of them. The record has no names: whether a handle that you know is \
                           one of them, `trefoil record show HANDLE` tells.";

/// A reason to choose.
pub(crate) fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Spam => "Spam",
        Reason::Abuse => "Abuse",
        Reason::Impersonation => "Pretends to be somebody else",
        Reason::Other => "Something else",
    }
}

/// The same behind "you reported bob".
fn because(reason: Reason) -> &'static str {
    match reason {
        Reason::Spam => "as spam",
        Reason::Abuse => "for abuse",
        Reason::Impersonation => "for pretending to be somebody else",
        Reason::Other => "for some other reason",
    }
}

/// What is told, before somebody decides.
pub(crate) fn what_is_told(who: &str) -> String {
    format!(
        "Your service's operator is told that you reported {} and why; nothing that was written goes along. They won't know.",
        one_line(who)
    )
}

/// Whoever put somebody into a conversation of several.
pub(crate) fn who_opened(title: &str) -> String {
    format!("whoever put you into \"{title}\"")
}

/// What was told, or will be.
pub(crate) fn reported(who: &str, reason: Reason, is_sent: bool) -> String {
    let (who, because) = (one_line(who), because(reason));
    match is_sent {
        true => format!(
            "Your service's operator is told that you reported {who} {because}; nothing that was written goes along."
        ),
        false => format!(
            "Your service's operator will be told that you reported {who} {because} when the connection is back; nothing that was written goes along."
        ),
    }
}

/// Reports that the service does not have yet.
pub(crate) fn waiting(reports: u64) -> Option<String> {
    match reports {
        0 => None,
        1 => Some("Your report is not with your service's operator yet; it goes out by itself.".to_owned()),
        several => {
            Some(format!("{several} reports are not with your service's operator yet; they go out by themselves."))
        }
    }
}

/// The service did not take one that was made while it was out of reach.
pub(crate) fn refused(who: Option<&str>, at: &str) -> String {
    let who = who.map_or_else(|| "somebody".to_owned(), one_line);
    format!(
        "Your report about {who} did not reach your service's operator ({}): the service refused it, most likely because it takes only \
         so many a day of one account. Report them again tomorrow if you still want to; whom you have blocked stays blocked.",
        time(at)
    )
}

/// What was told of one account, for the operator.
fn told(row: &Told) -> String {
    let by = match row.reporters {
        1 => "1 account".to_owned(),
        several => format!("{several} accounts"),
    };
    let reasons: Vec<_> = row.reasons.iter().map(|(reason, count)| format!("{} {count}", reason.name())).collect();
    let at = |seconds: u64| time(&rfc3339(seconds.saturating_mul(1_000)));
    format!("{}  by {by}: {}; first {}, last {}", row.account, reasons.join(", "), at(row.first_s), at(row.last_s))
}

/// The operator's table.
pub(crate) fn table(rows: &[Told]) -> Vec<String> {
    if rows.is_empty() {
        return vec![NOBODY.to_owned()];
    }
    rows.iter().map(told).chain([WHO_THAT_IS.to_owned()]).collect()
}

/// They are taken away.
pub(crate) fn forgotten(count: u64) -> String {
    match count {
        0 => "There were no reports about this account.".to_owned(),
        1 => "Forgotten: 1 report.".to_owned(),
        several => format!("Forgotten: {several} reports."),
    }
}

#[cfg(test)]
mod tests {
    use chain::id::AccountId;

    use super::*;

    #[test]
    fn whoever_reports_reads_what_is_told_and_that_no_text_goes_along() {
        let said = reported("bob", Reason::Spam, true);
        assert_eq!(
            said,
            "Your service's operator is told that you reported bob as spam; nothing that was written goes along."
        );
        for reason in Reason::ALL {
            for said in [reported("bob", reason, true), reported("bob", reason, false), what_is_told("bob")] {
                assert!(said.contains("nothing that was written goes along"), "{said}");
            }
            assert!(reported("bob", reason, false).contains("will be told"));
        }
        assert_eq!((waiting(0), waiting(2).unwrap().starts_with("2 reports are")), (None, true));
        assert!(refused(Some("mallory"), "2026-08-02T14:02:11Z").contains("report about mallory did not reach"));
        assert!(!what_is_told("\u{202e}bob\n").contains(['\u{202e}', '\n']));
    }

    #[test]
    fn the_operator_reads_who_by_how_many_why_and_when() {
        let account = AccountId([0xab; 32]);
        let reasons = [(Reason::Spam, 2), (Reason::Other, 1)].into();
        let row = Told { account, reporters: 3, reasons, first_s: 1_800_000_000, last_s: 1_800_090_000 };
        let lines = table(&[row]);
        assert!(
            lines[0].starts_with(&format!("{account}  by 3 accounts: spam 2, other 1; first 2027-01-1")),
            "{lines:?}"
        );
        assert!(lines[1].contains("trefoil record show ACCOUNT"));
        assert_eq!(table(&[]), [NOBODY]);
        assert_eq!(forgotten(1), "Forgotten: 1 report.");
    }
}
