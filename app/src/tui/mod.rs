//! The face in the terminal: conversations, messages and devices at once, over the agent's socket like every command.
//!
//! [`state::State`] is all that it knows, [`update`] takes in what happens and says what to ask, [`draw`] draws: without
//! terminal, socket or clock. [`shell`] has those, [`wire`] the lines of the socket.

mod alerts;
mod colours;
mod devices;
mod draw;
mod editor;
mod keys;
mod layout;
mod news;
mod popup;
mod report;
mod request;
mod sheet;
mod shell;
mod state;
mod talk;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod text;
mod update;
mod wire;

pub(crate) use news::is_usable;
pub(crate) use shell::run;
