//! Pages for a browser on this machine, out of the agent's own process: `trefoil web`.
//!
//! ```text
//! browser ──► guard      whose request is it? Host, Origin, Sec-Fetch-Site, content type; headers of every answer
//!             sessions   has it a token, and is that still good?
//!             pages      one file per page: asks the agent as any face does, and writes HTML
//! ```
//!
//! Everything that answers without a token is the same for everybody: the shell, the style, the script. What is private comes
//! as a piece of HTML to a script that has the token, and the token is in a header, so no other page can ask.

mod answer;
mod asking;
mod assets;
mod events;
mod guard;
mod pages;
mod server;
mod sessions;
#[cfg(test)]
mod tests;

pub(crate) use self::server::Server;

/// What sign-up and log-in are filled in with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Prefilled {
    /// Address of the service.
    pub(crate) service: Option<String>,
    /// Text of a witness policy.
    pub(crate) policy: Option<String>,
}
