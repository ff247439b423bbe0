//! Reports to the service's operator: who, and why; nothing that anybody wrote (PPL-5). An intent like others, so one that is
//! made while the service is out of reach goes out later.

use chain::id::AccountId;
use protocol::api::reports::{REPORT_OWN, REPORTS, Reason, Report, Reported};
use protocol::people::Decision;
use protocol::refusal::Problem;

use crate::error::Error;
use crate::failure::is_passing;
use crate::intent::{Intent, Want};
use crate::notices::Notice;
use crate::step::Failure;
use crate::turn::{Purpose, Turn, post};

impl Turn<'_> {
    /// A person reports somebody, and blocks him if he wants that too.
    pub(crate) fn report(&mut self, account: &AccountId, reason: Reason, block: bool) -> Result<(), Error> {
        let Some(own) = self.own()?.filter(|own| own.is_confirmed()) else { return self.refuse_unconfirmed() };
        let want = Want::Report { account: account.0, reason };
        if own.account() == Some(*account) {
            return self.refuse_command(&want, Failure::misuse(REPORT_OWN, "nobody reports himself"));
        }
        if block {
            self.decide(account, Decision::Blocked)?;
        }
        self.want(want)
    }

    /// One at a time about somebody, the oldest first: the reason that was chosen last is the one that stays.
    pub(crate) fn go_on_with_report(&mut self, account: AccountId, reason: Reason) -> Result<(), Error> {
        self.ask_as_device(Purpose::Report(account), post(REPORTS, &Report { account, reason })?)
    }

    /// The service has it.
    pub(crate) fn take_report(&mut self, account: &AccountId, body: &[u8]) -> Result<(), Error> {
        if serde_json::from_slice::<Reported>(body).is_err() {
            self.pause();
            return Ok(());
        }
        match self.report_under_way(account)? {
            Some(intent) => self.intent_done(intent.id),
            None => Ok(()),
        }
    }

    /// The service did not take it.
    pub(crate) fn report_refused(&mut self, account: &AccountId, problem: &Problem) -> Result<(), Error> {
        if is_passing(problem) {
            self.pause();
            return Ok(());
        }
        match self.report_under_way(account)? {
            Some(intent) => {
                // whoever made it when the service was out of reach does not wait for it any more
                self.notice(Notice::of_account("report.refused", account, 0, self.now_s()))?;
                self.intent_failed(intent.id, Failure::of(problem))
            }
            None => Ok(()),
        }
    }

    fn report_under_way(&self, about: &AccountId) -> Result<Option<Intent>, Error> {
        let is_it = |it: &Intent| matches!(it.want, Want::Report { account, .. } if account == about.0);
        Ok(self.intents()?.into_iter().find(is_it))
    }
}
