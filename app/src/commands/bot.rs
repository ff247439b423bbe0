//! `trefoil bot`: runs a program of one's own that reads and writes through the agent, with a token that allows no more than was
//! said and ends with it.

use std::process::{Command, ExitStatus};

use clap::ArgAction;

use crate::bot::rights::Right;
use crate::failure::{Failure, Kind};
use crate::local::What;
use crate::local::connection::Agent;
use crate::local::rows::Bot;
use crate::settings::Settings;

/// The program has ended, which ends the asking.
const ENDED: &str = "bot.ended";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What it may do: read, write, people
    #[arg(long, value_delimiter = ',', required = true, action = ArgAction::Append)]
    may: Vec<Right>,
    /// The program and its arguments; it finds TREFOIL_API and TREFOIL_TOKEN in its environment
    #[arg(last = true, required = true)]
    program: Vec<String>,
}

/// Runs it to its end; fails as it fails.
pub(crate) fn run(arguments: &Arguments, settings: &Settings) -> Result<(), Failure> {
    let mut agent = Agent::opened(settings)?;
    let mut ended: Option<std::io::Result<ExitStatus>> = None;
    let start = |row: Bot| {
        let [program, rest @ ..] = arguments.program.as_slice() else { return Ok(()) };
        let mut command = Command::new(program);
        ended = Some(command.args(rest).env("TREFOIL_API", row.api).env("TREFOIL_TOKEN", row.token).status());
        Err(Failure::new(Kind::Broken, ENDED, "the program has ended"))
    };
    match agent.ask_streaming::<Bot, serde_json::Value>(What::OpenBot { may: arguments.may.clone() }, start) {
        Err(failure) if failure.code != ENDED => return Err(failure),
        _ => (),
    }
    match ended {
        Some(Ok(status)) if status.success() => Ok(()),
        Some(Ok(status)) => {
            Err(Failure::new(Kind::Broken, "bot.failed", format_args!("the program has failed: {status}")))
        }
        Some(Err(error)) => Err(Failure::misuse("bot.missing", format_args!("the program does not start: {error}"))),
        None => Err(Failure::broken("the agent gave no token")),
    }
}
