//! `trefoil`: one binary for everything. Here arguments become calls; each verb has its file in `commands`.

mod agent;
mod backup_file;
mod bot;
mod browser;
mod cleaned;
mod clock;
mod commands;
mod failure;
mod file_kind;
mod keeping;
mod link;
mod lives_with;
mod local;
mod outbox;
mod picture;
mod places;
mod portrait;
mod preview;
mod remote;
mod secret;
mod settings;
mod store_key;
mod tls;
mod tui;
mod web;
mod words;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use protocol::tame;
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::commands::{
    account, agent as agent_command, audit, backup, bot as bot_command, chat, contact, device, doctor, file, history,
    joining, login, logout, message, permit, read, record, recovery, reports, search, send, serve, signup, status,
    try_out, tui as tui_command, web as web_command, witness,
};
use crate::failure::{Failure, Kind};
use crate::settings::{Flags, Settings};

/// A messenger whose device keys are in a public, audited record.
#[derive(Parser)]
#[command(version, about, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Subcommand)]
enum Verb {
    /// Show it: a service, four witnesses, an auditor and two people on this machine
    Try(try_out::Arguments),
    /// Open an account, with this machine as its first device
    Signup(joining::JoinArguments),
    /// Make this machine another device of your account
    Login(login::Arguments),
    /// Take this machine out of your account, and your account off this machine
    Logout(logout::Arguments),
    /// Your devices: list, confirm, refuse, rename, remove
    #[command(subcommand)]
    Device(device::Verb),
    /// Old messages: how far they have come, fetch them, send them to another device
    #[command(subcommand)]
    History(history::Verb),
    /// What is one for all your devices: the password
    #[command(subcommand)]
    Account(account::Verb),
    /// A file of your old messages, encrypted: export, import
    #[command(subcommand)]
    Backup(backup::Verb),
    /// The key on paper that lets a device in when all others are gone: create, use, drop
    #[command(subcommand)]
    Recovery(recovery::Verb),
    /// Whom you write with, and your own link
    #[command(subcommand)]
    Contact(contact::Verb),
    /// Conversations
    #[command(subcommand)]
    Chat(chat::Verb),
    /// Write to somebody
    Send(send::Arguments),
    /// Answer, change, take back, react
    #[command(subcommand)]
    Message(message::Verb),
    /// Files: list, save, cancel; `send --file` sends one
    #[command(subcommand)]
    File(file::Verb),
    /// Read messages
    Read(read::Arguments),
    /// Find messages by their words, among those that are here
    Search(search::Arguments),
    /// Run a program of your own that reads and writes for you
    Bot(bot_command::Arguments),
    /// Conversations, messages and devices in this terminal, all at once
    Tui,
    /// What is going on
    Status,
    /// What is wrong, and how to cure it
    Doctor,
    /// Look into the public record, and check evidence of lies
    Record(record::Arguments),
    /// The same in a browser: pages on this machine, for this machine
    Web(web_command::Arguments),
    /// The process behind a profile; every command starts it by itself
    Agent(agent_command::Arguments),
    /// Run a service
    Serve(serve::Arguments),
    /// For whoever runs a service: let somebody you know announce a reset without the password
    Permit(permit::Arguments),
    /// For whoever runs a service: who was reported, by how many and why
    Reports(reports::Arguments),
    /// Run a witness: cosign logs that only ever grow
    Witness(witness::Arguments),
    /// Replay every block of a log and check every rule
    Audit(audit::Arguments),
}

fn main() -> ExitCode {
    // its memory may hold keys, and a crash writes none of it to a disk (attack 64); a limit can always be lowered
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).unwrap_or_default();
    lives_with::watch();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return not_understood(&error),
    };
    let (json, result) = run(arguments);
    let Err(failure) = result else { return ExitCode::SUCCESS };
    let text = if json { failure.to_json() } else { failure.to_string() };
    // a closed pipe is no reason to fail differently
    writeln!(std::io::stderr(), "{text}").unwrap_or_default();
    ExitCode::from(failure.exit_status())
}

/// Runs a verb; the first part says whether a failure is told as JSON.
fn run(arguments: Arguments) -> (bool, Result<(), Failure>) {
    let flags = arguments.flags;
    match arguments.verb {
        Verb::Try(arguments) => (false, try_out::run(&arguments)),
        Verb::Serve(arguments) => (arguments.json, serve::run(arguments)),
        Verb::Permit(arguments) => (arguments.json, permit::run(&arguments)),
        Verb::Reports(arguments) => (arguments.json, reports::run(&arguments)),
        Verb::Witness(arguments) => (arguments.is_json(), witness::run(arguments)),
        Verb::Audit(arguments) => (arguments.json, audit::run(&arguments, flags.ca_file.as_deref())),
        verb => (flags.json, Settings::new(&flags).and_then(|settings| run_for_person(&verb, &settings))),
    }
}

fn run_for_person(verb: &Verb, settings: &Settings) -> Result<(), Failure> {
    match verb {
        Verb::Signup(arguments) => signup::run(arguments, settings),
        Verb::Login(arguments) => login::run(arguments, settings),
        Verb::Logout(arguments) => logout::run(arguments, settings),
        Verb::Device(verb) => device::run(verb, settings),
        Verb::History(verb) => history::run(verb, settings),
        Verb::Account(verb) => account::run(verb, settings),
        Verb::Backup(verb) => backup::run(verb, settings),
        Verb::Recovery(verb) => recovery::run(verb, settings),
        Verb::Contact(verb) => contact::run(verb, settings),
        Verb::Chat(verb) => chat::run(verb, settings),
        Verb::Send(arguments) => send::run(arguments, settings),
        Verb::Message(verb) => message::run(verb, settings),
        Verb::File(verb) => file::run(verb, settings),
        Verb::Read(arguments) => read::run(arguments, settings),
        Verb::Search(arguments) => search::run(arguments, settings),
        Verb::Bot(arguments) => bot_command::run(arguments, settings),
        Verb::Tui => tui_command::run(settings),
        Verb::Status => status::run(settings),
        Verb::Doctor => doctor::run(settings),
        Verb::Record(arguments) => record::run(arguments, settings),
        Verb::Web(arguments) => web_command::run(arguments, settings),
        Verb::Agent(arguments) => agent_command::run(arguments, settings),
        Verb::Try(_) | Verb::Serve(_) | Verb::Permit(_) | Verb::Reports(_) | Verb::Witness(_) | Verb::Audit(_) => {
            Ok(())
        }
    }
}

/// The arguments are none; help and version are asked for and no failure.
fn not_understood(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
        let failure = Failure::new(Kind::Misuse, "usage", error.render());
        writeln!(std::io::stderr(), "{}", failure.to_json()).unwrap_or_default();
    } else {
        complain(error);
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// What people read of it. Part of it is what was typed, or what a script passed on from somebody else (attack 63).
fn complain(error: &clap::Error) {
    if error.use_stderr() {
        let text = tame::display(&error.render().to_string());
        writeln!(std::io::stderr(), "{}", text.trim_end()).unwrap_or_default();
    } else {
        error.print().unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_of_all_verbs_fit_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_flags_of_people_may_stand_before_and_behind_the_verb() {
        for line in [["trefoil", "-P", "bob", "status"], ["trefoil", "status", "-P", "bob"]] {
            assert_eq!(Arguments::try_parse_from(line).unwrap().flags.profile.as_deref(), Some("bob"));
        }
    }

    /// No secret is ever an argument: others on the machine can read those.
    #[test]
    fn no_argument_takes_a_password_or_a_passphrase() {
        assert!(Arguments::try_parse_from(["trefoil", "signup", "bob", "--password", "x"]).is_err());
        assert!(Arguments::try_parse_from(["trefoil", "status", "--passphrase", "x"]).is_err());
    }

    #[test]
    fn nothing_stands_in_for_the_digits() {
        assert!(Arguments::try_parse_from(["trefoil", "device", "confirm", "ab", "--yes"]).is_err());
    }
}
