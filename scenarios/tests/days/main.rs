//! Bad days of the real program: real agents, real sockets, processes that are killed, answers that are lost.

mod device;
mod service_killed;
mod wire;
