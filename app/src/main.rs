//! `trefoil`: one binary for everything. Here arguments become calls; each verb has its file in `commands`.

mod commands;
mod failure;
mod keeping;
mod remote;
mod words;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands::{audit, record, serve, try_out, witness};

/// A messenger whose device keys are in a public, audited record.
#[derive(Parser)]
#[command(version, about, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Show it: a service, four witnesses, an auditor and two people on this machine
    Try(try_out::Arguments),
    /// Run a service
    Serve(serve::Arguments),
    /// Run a witness: cosign logs that only ever grow
    Witness(witness::Arguments),
    /// Replay every block of a log and check every rule
    Audit(audit::Arguments),
    /// Look into the public record, and check evidence of lies
    Record(record::Arguments),
}

fn main() -> ExitCode {
    let (json, result) = match Arguments::parse().verb {
        Verb::Try(arguments) => (false, try_out::run(&arguments)),
        Verb::Serve(arguments) => (arguments.json, serve::run(arguments)),
        Verb::Witness(arguments) => (arguments.is_json(), witness::run(arguments)),
        Verb::Audit(arguments) => (arguments.json, audit::run(&arguments)),
        Verb::Record(arguments) => (arguments.is_json(), record::run(&arguments)),
    };
    let Err(failure) = result else { return ExitCode::SUCCESS };
    let text = if json { failure.to_json() } else { failure.to_string() };
    // a closed pipe is no reason to fail differently
    writeln!(std::io::stderr(), "{text}").unwrap_or_default();
    ExitCode::from(failure.exit_status())
}
