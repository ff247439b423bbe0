//! What whole-product tests need: the real binary in processes, people whose devices sign real entries, a proxy that
//! lies, a log that lies.
//!
//! In scope: starting, asking, killing, copying. Not in scope: what has to come out; that is in `tests/`, one file per
//! kind of claim. Every wait here ends with a panic that says what did not happen.
//!
//! Reading order: [`program`], [`world`], [`device`], [`api`], [`people`], [`proxy`], [`lies`];
//! [`town`], [`townsfolk`], [`evil`], [`impostor`], [`usurper`], [`wire`].

pub mod api;
pub mod carrier;
pub mod device;
pub mod evil;
pub mod impostor;
pub mod lies;
pub mod people;
pub mod program;
pub mod proxy;
pub mod town;
pub mod townsfolk;
pub mod usurper;
pub mod wire;
pub mod world;
