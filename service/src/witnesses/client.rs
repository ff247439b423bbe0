//! Asking a witness over HTTP (C2SP tlog-witness). Blocking: one thread per witness.

use std::time::Duration;

use chain::id::Digest;
use chain::log::checkpoint::Checkpoint;
use chain::log::note::{SignedNote, VerifierKey};
use chain::log::witness::{AddCheckpointRequest, add_cosignature, parse_size};

/// Longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 128 * 1024;

/// What a witness answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The note with its cosignature.
    Cosigned(SignedNote),
    /// Its newest cosigned size is another than the one the proof started from.
    OtherSize(u64),
    /// It has cosigned another tree of this size, or the proof does not lead from what it has.
    Refused,
    /// No, nothing, or nonsense.
    Failed,
}

/// One HTTP client for all witnesses: no redirects, five seconds in all.
#[derive(Debug, Clone)]
pub(crate) struct WitnessClient(ureq::Agent);

impl WitnessClient {
    /// A client whose requests take at most `timeout`.
    pub(crate) fn new(timeout: Duration) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .build();
        Self(config.into())
    }

    fn get(&self, url: &str) -> Option<Vec<u8>> {
        let mut answer = self.0.get(url).call().ok()?;
        if answer.status() != 200 {
            return None;
        }
        answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec().ok()
    }

    /// Asks for the witness's verifier key (`GET <prefix>/vkey`, an addition of our witnesses).
    pub(crate) fn vkey(&self, prefix: &str) -> Option<VerifierKey> {
        let answer = self.get(&format!("{prefix}/vkey"))?;
        std::str::from_utf8(&answer).ok()?.trim_end().parse().ok()
    }

    /// Asks for the newest checkpoint that the witness has cosigned for a log (WIT-6), if it shows one that the log
    /// has signed.
    pub(crate) fn newest(&self, prefix: &str, origin: &Digest, log: &VerifierKey) -> Option<Checkpoint> {
        let note = SignedNote::parse(&self.get(&format!("{prefix}/{origin}/checkpoint"))?).ok()?;
        log.verify(&note).ok()?;
        Checkpoint::parse(note.text()).ok().filter(|checkpoint| checkpoint.origin.as_str() == log.name().as_str())
    }

    /// Asks for a cosignature.
    pub(crate) fn add_checkpoint(
        &self,
        prefix: &str,
        key: &VerifierKey,
        old_size: u64,
        proof: Vec<Digest>,
        note: &SignedNote,
    ) -> Answer {
        let Ok(request) = AddCheckpointRequest::new(old_size, proof, note.clone()) else { return Answer::Failed };
        let request = request.to_string();
        let sent =
            self.0.post(format!("{prefix}/add-checkpoint")).content_type("text/plain; charset=utf-8").send(request);
        let Ok(mut answer) = sent else { return Answer::Failed };
        let Ok(body) = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec() else { return Answer::Failed };
        match answer.status().as_u16() {
            200 => add_cosignature(note, &body, key).map_or(Answer::Failed, |(note, _)| Answer::Cosigned(note)),
            409 => parse_size(&body).map_or(Answer::Refused, Answer::OtherSize),
            422 => Answer::Refused,
            _ => Answer::Failed,
        }
    }
}
