//! Bad days of the real program: real agents, real sockets, processes that are killed, answers that are lost.

mod agent_killed;
mod backup_killed;
mod bots;
mod disk_full;
mod files;
mod hostile;
mod lost_answers;
mod notified;
mod permits;
mod pictures;
mod secrets;
mod service_killed;
mod stubborn;
mod terminal;
mod wire;
