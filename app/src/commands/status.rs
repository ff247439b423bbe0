//! `trefoil status`: what is going on.

use serde_json::Value;

use super::{device, row_text, say, say_all};
use crate::failure::Failure;
use crate::local::What;
use crate::local::connection::Agent;
use crate::local::rows::{self, Conversation, Device, KeyState, Notice, State};
use crate::settings::Settings;
use crate::words;

/// Says how this device is and what it sees of the record.
pub(crate) fn run(settings: &Settings) -> Result<(), Failure> {
    let mut agent = Agent::opened(settings)?;
    let state: State = agent.ask(What::Status)?;
    if settings.json {
        let mut row: Value = serde_json::to_value(&state).map_err(Failure::broken)?;
        let notices: Vec<Notice> = if agent.key() == KeyState::Open { agent.list(What::Notices)? } else { Vec::new() };
        let notices = serde_json::to_value(notices).map_err(Failure::broken)?;
        row.as_object_mut().into_iter().for_each(|row| drop(row.insert("notices".to_owned(), notices.clone())));
        say(row_text(&row)?);
        return Ok(());
    }
    say_all(words::status(&state));
    if agent.key() != KeyState::Open {
        return Ok(());
    }
    let rows: Vec<Conversation> = agent.list(What::Conversations)?;
    say_all(words::people::requests(rows.iter().filter(|row| row.standing == rows::REQUEST).count()));
    let devices: Vec<Device> = agent.list(What::Devices)?;
    for row in devices.iter().filter(|row| row.state == "pending" && !row.this) {
        let id: String = row.device.chars().take(8).collect();
        say(format_args!(
            "A device wants to be let in: `trefoil device confirm {id}`, or `trefoil device refuse {id}`."
        ));
    }
    device::show_notices(&mut agent, &devices)
}
