//! Who may write: a contact link, a request from a stranger, and one who is blocked.

use serde_json::Value;

use super::stage::{text, unexpected};
use super::{Device, Story};
use crate::commands::say;
use crate::failure::Failure;
use crate::local::rows::REQUEST;

impl Story<'_> {
    /// Carol has Bob's link, Dave has only his name.
    pub(super) fn meet_people(&self) -> Result<(), Failure> {
        let link = text(&self.phone.ask_one(&["contact", "link"])?, "link")?;
        self.sign_up(&self.carol, "carol", "tablet")?;
        self.carol.ask(&["contact", "add", &link])?;
        self.carol.ask(&["send", "bob", "Carol here, I have your link."])?;
        self.phone.read("carol", "Carol here, I have your link.")?;
        if !self.phone.requests()?.is_empty() {
            return Err(unexpected("whoever has a link had to wait"));
        }
        say(
            "15 Bob gave Carol a contact link. It told her program which account has to be his, and let her write at once.",
        );
        self.sign_up(&self.dave, "dave", "tower")?;
        self.dave.ask(&["send", "bob", "Buy now!"])?;
        self.phone.read("dave", "Buy now!")?;
        let requests = self.phone.requests()?;
        let [request] = requests.as_slice() else {
            return Err(unexpected("a stranger did not wait among the requests"));
        };
        self.phone.ask(&["contact", "block", &text(request, "conversation")?])?;
        self.dave.ask(&["send", "bob", "Really, buy now!"])?;
        self.alice.ask(&["send", "bob", "Quiet here?"])?;
        // what Alice wrote after him is there, so what he wrote had its time
        self.phone.read("alice", "Quiet here?")?;
        let heard = self.phone.ask(&["read"])?;
        let is_of_dave =
            |row: &Value| row.get("text").and_then(Value::as_str).is_some_and(|text| text.contains("uy now"));
        if heard.iter().any(is_of_dave) {
            return Err(unexpected("somebody blocked was heard"));
        }
        say(
            "16 Dave knew only his name: what he wrote waited among the requests, without a sound. Bob blocked him; Dave was not",
        );
        say("   told, and nothing of his reaches Bob any more.\n");
        Ok(())
    }
}

impl Device {
    fn requests(&self) -> Result<Vec<Value>, Failure> {
        let mut rows = self.ask(&["contact", "requests"])?;
        rows.retain(|row| row.get("standing").and_then(Value::as_str) == Some(REQUEST));
        Ok(rows)
    }
}
