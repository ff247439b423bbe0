//! `trefoil contact`: whom one writes with, and how others find oneself.

use clap::{Subcommand, ValueEnum};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::{Value, json};

use super::{is_terminal, say, say_all, say_row};
use crate::failure::{Failure, Kind};
use crate::link;
use crate::local::What;
use crate::local::connection::Agent;
use crate::local::rows::{self, State, Verification};
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
    /// Your own link and QR code, to hand out
    Link,
    /// The code that is the same for both of you if you have each other's true account
    Verify {
        /// A handle
        who: String,
        /// Mark that the two of you have compared it, or that this no longer holds
        #[arg(long, value_name = "yes|no")]
        matches: Option<Answer>,
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

/// Adds, lists, shows.
pub(crate) fn run(verb: &Verb, settings: &Settings) -> Result<(), Failure> {
    match verb {
        Verb::Add { who } => {
            let wanted = link::Contact::parse(who)?;
            let mut agent = Agent::opened(settings)?;
            check_host(&mut agent, &wanted)?;
            let account = wanted.account.map(|account| account.to_string());
            agent.ask::<Value>(What::AddContact { handle: wanted.handle.clone(), account })?;
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
        Verb::Link => own_link(settings),
        Verb::Verify { who, matches } => verify(&link::Contact::parse(who)?.handle, *matches, settings),
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
    say_all(words::verification(&row));
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

/// A contact is at the service of this account: there is no way to another one yet.
fn check_host(agent: &mut Agent, wanted: &link::Contact) -> Result<(), Failure> {
    let state: State = agent.ask(What::Status)?;
    let own = state.service.as_deref().map(host_of);
    match (&wanted.host, own) {
        (Some(host), Some(own)) if host != own => {
            let message = format_args!("{host} is not the service of this profile, which is {own}");
            Err(Failure::misuse("contact.other_service", message))
        }
        _ => Ok(()),
    }
}

fn own_link(settings: &Settings) -> Result<(), Failure> {
    let state: State = Agent::opened(settings)?.ask(What::Status)?;
    let (Some(handle), Some(account), Some(service)) = (&state.handle, &state.account, &state.service) else {
        return Err(Failure::misuse("profile.new", "this profile has no account yet"));
    };
    let account = account.parse().map_err(|_| Failure::broken("an account id that is none"))?;
    let host = host_of(service).to_owned();
    let link = link::Contact { handle: handle.clone(), host: Some(host), account: Some(account) }.to_string();
    if settings.json {
        say(json!({ "link": link, "handle": handle, "account": state.account }));
        return Ok(());
    }
    if is_terminal() {
        let code = QrCode::new(&link).map_err(Failure::broken)?;
        // dark on light, whatever the terminal's colours: most scanners take no inverted code
        say(code.render::<Dense1x2>().dark_color(Dense1x2::Dark).light_color(Dense1x2::Light).quiet_zone(true).build());
    }
    say(&link);
    Ok(())
}

/// Host and port of an address.
fn host_of(service: &str) -> &str {
    service.split_once("://").map_or(service, |(_, host)| host).trim_end_matches('/')
}
