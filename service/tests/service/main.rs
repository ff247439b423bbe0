//! The service through its router, without sockets and with a made-up clock.

mod entries;
mod restarts;
mod witness;
mod witnesses;
mod world;
