//! The service's HTTP interface, raw: statuses, bodies and codes.

use std::time::Duration;

use chain::block::Parameters;
use chain::id::AccountId;
use chain::log::checkpoint::Checkpoint;
use chain::log::note::SignedNote;
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::{Entry, Signatures};
use chain::sigchain::fold::Ground;
use protocol::api::{ACCOUNTS, AccountAnswer, CHECKPOINT, ENTRIES, EntryAccepted, HANDLE_LOOKUP, HandleAnswer};
use protocol::refusal::Problem;
use serde_json::{Value, json};
use ureq::Agent;

use crate::program::eventually;

/// An answer, whatever it says.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Value of `Content-Type`.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Status and code of a refusal, which has to be a problem document whose status is the answer's.
    ///
    /// # Panics
    /// If it is something else.
    pub fn refusal(&self) -> (u16, String) {
        let problem: Problem = serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no problem: {self:?}"));
        assert_eq!((problem.status, self.content_type.as_str()), (self.status, "application/problem+json"));
        assert!(!problem.detail.is_empty(), "a refusal without a sentence: {problem:?}");
        (problem.status, problem.code)
    }

    /// What an accepted entry became.
    ///
    /// # Panics
    /// If it was refused.
    pub fn accepted(&self) -> EntryAccepted {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Somebody who asks a service.
#[derive(Debug, Clone)]
pub struct Api {
    agent: Agent,
    /// The service's address, without a slash at the end.
    pub url: String,
}

impl Api {
    /// Asks the service at this address.
    pub fn new(url: &str) -> Self {
        let config = Agent::config_builder().timeout_global(Some(Duration::from_secs(20))).http_status_as_error(false);
        Self { agent: config.build().new_agent(), url: url.to_owned() }
    }

    /// `GET`; `None` if nobody answers.
    pub fn try_get(&self, path: &str) -> Option<Answer> {
        read(self.agent.get(format!("{}{path}", self.url)).call())
    }

    /// `GET`.
    ///
    /// # Panics
    /// If nobody answers.
    pub fn get(&self, path: &str) -> Answer {
        self.try_get(path).unwrap_or_else(|| panic!("no answer at {path}"))
    }

    /// `POST`; `None` if nobody answers.
    pub fn try_post(&self, path: &str, body: &[u8]) -> Option<Answer> {
        read(self.agent.post(format!("{}{path}", self.url)).send(body))
    }

    /// `POST`.
    ///
    /// # Panics
    /// If nobody answers.
    pub fn post(&self, path: &str, body: &[u8]) -> Answer {
        self.try_post(path, body).unwrap_or_else(|| panic!("no answer at {path}"))
    }

    /// Hands in a proposal.
    pub fn propose(&self, proposal: &[u8]) -> Answer {
        self.post(ENTRIES, proposal)
    }

    /// Asks who holds a handle.
    pub fn look_up(&self, handle: &str) -> Answer {
        self.post(HANDLE_LOOKUP, json!({ "handle": handle }).to_string().as_bytes())
    }

    /// The label of a handle that may be looked up.
    ///
    /// # Panics
    /// If the service refuses.
    pub fn label(&self, handle: &str) -> chain::id::HandleLabel {
        let answer = self.look_up(handle);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice::<HandleAnswer>(&answer.body).unwrap().label.parse().unwrap()
    }

    /// Everything of an account under the newest sealed head, folded; not proven. `None` if there is no such account.
    ///
    /// # Panics
    /// If the service refuses, or says what does not fold.
    pub fn device_set(&self, account: &AccountId) -> Option<DeviceSet> {
        let parameters = Parameters::decode(&self.get("/block/0").body).unwrap();
        let mut set: Option<DeviceSet> = None;
        loop {
            let since = set.as_ref().map_or(0, |set| set.sequence() + 1);
            let answer = self.get(&format!("{ACCOUNTS}{account}?since={since}&at=latest"));
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
            let answer: AccountAnswer = serde_json::from_slice(&answer.body).unwrap();
            for it in &answer.entries {
                let entry = Entry::decode(&it.entry.0).unwrap();
                let ground = Ground { parameters: &parameters, block: it.block, time_s: it.time_s, root_at: &|_| None };
                let folded = match &set {
                    None => DeviceSet::open(&entry, &ground, &mut Signatures::CheckNow),
                    Some(set) => set.apply(&entry, &ground, &mut Signatures::CheckNow),
                };
                set = Some(folded.unwrap());
            }
            if !answer.more {
                return set;
            }
        }
    }

    /// The log's origin.
    pub fn origin(&self) -> String {
        Parameters::decode(&self.get("/block/0").body).unwrap().origin
    }

    /// The newest checkpoint with a quorum, not verified; `None` if there is none yet.
    pub fn published(&self) -> Option<Checkpoint> {
        checkpoint(&self.try_get(CHECKPOINT).filter(|answer| answer.status == 200)?.body)
    }

    /// Waits until a checkpoint with a quorum covers `size` blocks.
    pub fn wait_for_size(&self, size: u64) -> Checkpoint {
        eventually("a quorum covers what was sealed", || self.published().filter(|it| it.size >= size))
    }
}

/// The checkpoint in a note, not verified.
pub fn checkpoint(note: &[u8]) -> Option<Checkpoint> {
    Checkpoint::parse(SignedNote::parse(note).ok()?.text()).ok()
}

fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Option<Answer> {
    let mut answer = answer.ok()?;
    let content_type = answer.headers().get("content-type").and_then(|it| it.to_str().ok()).unwrap_or_default().into();
    let body = answer.body_mut().with_config().limit(64 << 20).read_to_vec().ok()?;
    Some(Answer { status: answer.status().as_u16(), content_type, body })
}
