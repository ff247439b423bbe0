//! Programs of one's own: a small HTTP interface on loopback, with tokens that allow little and end with the program (`trefoil
//! bot`). It asks the agent as any face does; what can be asked is in docs/openapi.json.

pub(crate) mod rights;
mod server;
#[cfg(test)]
mod tests;

pub(crate) use self::server::Bots;
