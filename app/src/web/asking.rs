//! How pages ask the agent: as any face does, only without a socket in between.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::agent::Face;
use crate::failure::Failure;
use crate::local::{Says, What};

impl Face {
    /// Asks, and waits for the last line.
    ///
    /// # Errors
    /// What the agent says.
    pub(crate) async fn done<Done: DeserializeOwned>(&self, what: What) -> Result<Done, Failure> {
        self.told::<Value, Done>(what).await.1
    }

    /// Asks for a list.
    ///
    /// # Errors
    /// What the agent says.
    pub(crate) async fn list<Row: DeserializeOwned>(&self, what: What) -> Result<Vec<Row>, Failure> {
        let (rows, ended) = self.told::<Row, Value>(what).await;
        ended.map(|_| rows)
    }

    /// Asks, and keeps what was told until the last line, however that is.
    pub(crate) async fn told<Row: DeserializeOwned, Done: DeserializeOwned>(
        &self,
        what: What,
    ) -> (Vec<Row>, Result<Done, Failure>) {
        let mut answer = self.ask(what).await;
        let mut rows = Vec::new();
        while let Some(line) = answer.recv().await {
            match line.says {
                Says::Event(row) => match serde_json::from_value(row) {
                    Ok(row) => rows.push(row),
                    Err(error) => return (rows, Err(Failure::broken(error))),
                },
                Says::Done(row) => return (rows, serde_json::from_value(row).map_err(Failure::broken)),
                Says::Error(refusal) => return (rows, Err(refusal.into())),
            }
        }
        (rows, Err(Failure::broken("the agent has ended")))
    }
}
