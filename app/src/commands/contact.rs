//! `trefoil contact`: whom one writes with, and how others find oneself.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Subcommand, ValueEnum};
use protocol::api::reports::Reason;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::{Value, json};

use super::send::handle_or_title;
use super::{is_terminal, say, say_all, say_row};
use crate::failure::{Failure, Kind};
use crate::link;
use crate::local::connection::Agent;
use crate::local::rows::{self, Conversation, Link, State, Verification};
use crate::local::{Decided, Reported, What};
use crate::settings::Settings;
use crate::words;

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Remember somebody, after a look at the public record
    Add {
        /// A handle, or a contact link
        who: String,
    },
    /// Everybody whom this device knows
    List,
    /// One of them
    Show {
        /// A handle
        who: String,
    },
    /// Your own link and QR code, to hand out: whoever has it can write to you without being asked in
    Link {
        /// A fresh one; those that you handed out before are no longer good
        #[arg(long)]
        renew: bool,
        /// None any more: those that you handed out before are no longer good
        #[arg(long, conflicts_with = "renew")]
        withdraw: bool,
    },
    /// People whom you don't know and who want to write to you
    Requests,
    /// Let somebody write to you who asked, or whom you have blocked
    Accept {
        /// A handle, or the beginning of a conversation's id
        who: String,
    },
    /// Hear nothing more of somebody, who is not told
    Block {
        /// A handle, or the beginning of a conversation's id
        who: String,
    },
    /// Tell your service's operator of somebody, and block them: who and why, and nothing that was written
    Report {
        /// A handle, or the beginning of a conversation's id
        who: String,
        /// Why
        #[arg(long, default_value = "spam", value_parser = a_reason())]
        reason: Reason,
        /// Go on hearing of them
        #[arg(long)]
        no_block: bool,
    },
    /// The code that is the same for both of you if you have each other's true account
    Verify {
        /// A handle
        who: String,
        /// Mark that the two of you have compared it, or that this no longer holds
        #[arg(long, value_name = "yes|no", conflicts_with = "scanned")]
        matches: Option<Answer>,
        /// What a scanner read from the other one's screen: compared here, and remembered if it is the same
        #[arg(long, value_name = "TEXT")]
        scanned: Option<String>,
    },
    /// Go on with somebody whose account was reset, after you have asked in another way whether it was really reset
    AcceptReset {
        /// A handle
        who: String,
    },
}

/// Whether two codes are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Answer {
    Yes,
    No,
}

fn a_reason() -> impl TypedValueParser<Value = Reason> {
    PossibleValuesParser::new(Reason::ALL.map(Reason::name)).try_map(|text| text.parse::<Reason>())
}

/// Adds, lists, shows.
pub(crate) fn run(verb: &Verb, settings: &Settings) -> Result<(), Failure> {
    match verb {
        Verb::Add { who } => {
            let wanted = link::Contact::parse(who)?;
            let mut agent = Agent::opened(settings)?;
            let state: State = agent.ask(What::Status)?;
            agent.ask::<Value>(add(&wanted, &state)?)?;
            tell(&find(&mut agent, &wanted.handle)?, settings)
        }
        Verb::List => {
            let rows: Vec<rows::Contact> = Agent::opened(settings)?.list(What::Contacts)?;
            rows.iter().try_for_each(|row| tell(row, settings))
        }
        Verb::Show { who } => {
            let wanted = link::Contact::parse(who)?;
            let row = find(&mut Agent::opened(settings)?, &wanted.handle)?;
            tell(&row, settings)
        }
        Verb::Link { withdraw: true, .. } => {
            Agent::opened(settings)?.ask::<Value>(What::WithdrawLinks)?;
            match settings.json {
                true => say(json!({ "link": null })),
                false => say(words::people::LINKS_WITHDRAWN),
            }
            Ok(())
        }
        Verb::Link { renew, .. } => own_link(*renew, settings),
        Verb::Requests => requests(settings),
        Verb::Accept { who } => decide(who, Decided::Accepted, settings),
        Verb::Block { who } => decide(who, Decided::Blocked, settings),
        Verb::Report { who, reason, no_block } => report(who, *reason, !no_block, settings),
        Verb::Verify { who, scanned: Some(scanned), .. } => {
            compare(&link::Contact::parse(who)?.handle, scanned, settings)
        }
        Verb::Verify { who, matches, .. } => verify(&link::Contact::parse(who)?.handle, *matches, settings),
        Verb::AcceptReset { who } => {
            let handle = link::Contact::parse(who)?.handle;
            Agent::opened(settings)?.ask::<Value>(What::AcceptReset { handle: handle.clone() })?;
            match settings.json {
                true => say(json!({ "contact": handle, "reset": "accepted" })),
                false => say(words::account::accepted(&handle)),
            }
            Ok(())
        }
    }
}

fn requests(settings: &Settings) -> Result<(), Failure> {
    let rows: Vec<Conversation> = Agent::opened(settings)?.list(What::Conversations)?;
    let requests: Vec<_> = rows.into_iter().filter(|row| row.standing == rows::REQUEST).collect();
    if settings.json {
        return requests.iter().try_for_each(say_row);
    }
    if requests.is_empty() {
        say(words::people::NO_REQUESTS);
    }
    say_all(requests.iter().map(words::people::request));
    Ok(())
}

fn decide(who: &str, decision: Decided, settings: &Settings) -> Result<(), Failure> {
    let who = handle_or_title(who);
    Agent::opened(settings)?.ask::<Value>(What::Decide { who: who.clone(), decision })?;
    match (settings.json, decision) {
        (true, _) => say(json!({ "contact": who, "decision": decision })),
        (false, Decided::Accepted) => say(words::people::accepted(&who)),
        (false, Decided::Blocked) => say(words::people::BLOCKED),
    }
    Ok(())
}

fn report(who: &str, reason: Reason, block: bool, settings: &Settings) -> Result<(), Failure> {
    let who = handle_or_title(who);
    let told: Reported = Agent::opened(settings)?.ask(What::Report { who: who.clone(), reason, block })?;
    if settings.json {
        say(json!({ "contact": who, "reported": reason, "blocked": block, "sent": told.sent }));
        return Ok(());
    }
    say(words::report::reported(&who, reason, told.sent));
    if block {
        say(words::people::BLOCKED);
    }
    Ok(())
}

fn verify(handle: &str, matches: Option<Answer>, settings: &Settings) -> Result<(), Failure> {
    let mut agent = Agent::opened(settings)?;
    if let Some(answer) = matches {
        let verified = answer == Answer::Yes;
        agent.ask::<Value>(What::MarkVerified { handle: handle.to_owned(), verified })?;
    }
    let row: Verification = agent.ask(What::VerificationCode { handle: handle.to_owned() })?;
    if settings.json {
        return say_row(&row);
    }
    if is_terminal() {
        say_qr(&picture_of(&row.code))?;
    }
    say_all(words::verification(&row));
    Ok(())
}

/// What stands before the digits of a verification code in its picture, so that no parser takes it for anything else.
const CODE: &str = "trefoil-code:";

pub(crate) fn digits(code: &str) -> String {
    code.chars().filter(char::is_ascii_digit).collect()
}

/// The text of the picture of a verification code.
pub(crate) fn picture_of(code: &str) -> String {
    format!("{CODE}{}", digits(code))
}

/// The digits of a verification code, as a scanner or a person has read them.
///
/// # Errors
/// `code.malformed`.
pub(crate) fn scanned_digits(scanned: &str) -> Result<String, Failure> {
    let scanned = scanned.trim();
    let scanned = digits(scanned.strip_prefix(CODE).unwrap_or(scanned));
    if scanned.len() != 60 {
        let message = "a verification code has 60 digits; this is something else";
        return Err(Failure::misuse("code.malformed", message));
    }
    Ok(scanned)
}

/// Compares what a scanner has read with the code here.
fn compare(handle: &str, scanned: &str, settings: &Settings) -> Result<(), Failure> {
    let scanned = scanned_digits(scanned)?;
    let mut agent = Agent::opened(settings)?;
    let row: Verification = agent.ask(What::VerificationCode { handle: handle.to_owned() })?;
    let verified = scanned == digits(&row.code);
    agent.ask::<Value>(What::MarkVerified { handle: handle.to_owned(), verified })?;
    if !verified {
        return Err(Failure::new(Kind::Refused, "code.differs", words::people::codes_differ(handle)));
    }
    match settings.json {
        true => say_row(&Verification { verified, by_link: false, ..row }),
        false => {
            say(words::people::codes_match(handle));
            Ok(())
        }
    }
}

/// Dark on light, whatever the terminal's colours: most scanners take no inverted code.
fn say_qr(text: &str) -> Result<(), Failure> {
    let code = QrCode::new(text).map_err(Failure::broken)?;
    say(code.render::<Dense1x2>().dark_color(Dense1x2::Dark).light_color(Dense1x2::Light).quiet_zone(true).build());
    Ok(())
}

fn tell(row: &rows::Contact, settings: &Settings) -> Result<(), Failure> {
    if settings.json {
        return say_row(row);
    }
    say(words::contact(row));
    Ok(())
}

fn find(agent: &mut Agent, handle: &str) -> Result<rows::Contact, Failure> {
    let rows: Vec<rows::Contact> = agent.list(What::Contacts)?;
    let unknown = || Failure::new(Kind::Refused, "contact.unknown", format_args!("you know nobody as {handle}"));
    rows.into_iter().find(|row| row.handle == handle).ok_or_else(unknown)
}

/// What adds somebody.
///
/// # Errors
/// `contact.other_service`.
pub(crate) fn add(wanted: &link::Contact, own: &State) -> Result<What, Failure> {
    check_host(own.service.as_deref(), wanted)?;
    let (account, token) = (wanted.account.map(|it| it.to_string()), wanted.token.map(|it| it.to_string()));
    Ok(What::AddContact { handle: wanted.handle.clone(), account, token })
}

/// A contact is at the service of this account: there is no way to another one yet.
///
/// # Errors
/// `contact.other_service`.
pub(crate) fn check_host(own_service: Option<&str>, wanted: &link::Contact) -> Result<(), Failure> {
    match (&wanted.host, own_service.map(host_of)) {
        (Some(host), Some(own)) if host != own => {
            let message = format_args!("{host} is not the service of this profile, which is {own}");
            Err(Failure::misuse("contact.other_service", message))
        }
        _ => Ok(()),
    }
}

fn own_link(renew: bool, settings: &Settings) -> Result<(), Failure> {
    let mut agent = Agent::opened(settings)?;
    let state: State = agent.ask(What::Status)?;
    let token: Link = agent.ask(What::ContactLink { renew })?;
    let link = link_of(&state, &token)?;
    if settings.json {
        say(json!({ "link": link, "handle": state.handle, "account": state.account }));
        return Ok(());
    }
    if is_terminal() {
        say_qr(&link)?;
    }
    say(&link);
    if is_terminal() {
        say(words::people::LINK);
    }
    Ok(())
}

/// The own contact link in full.
///
/// # Errors
/// `profile.new`.
pub(crate) fn link_of(own: &State, link: &Link) -> Result<String, Failure> {
    match (&own.handle, &own.account, &own.service) {
        (Some(handle), Some(account), Some(service)) => Ok(link::link(service, &link.token, handle, account)),
        _ => Err(Failure::misuse("profile.new", "this profile has no account yet")),
    }
}

/// Host and port of an address.
fn host_of(service: &str) -> &str {
    service.split_once("://").map_or(service, |(_, host)| host).trim_end_matches('/')
}
