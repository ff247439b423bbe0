//! The ways in: a new account, another device of one, the wait for its confirmation, a passphrase (stories 1 and 3).

use axum::extract::State;
use axum::routing::{get, post};
use chain::handle::Handle;
use client::query::Phase;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::{App, Routes};
use crate::commands::joining::device_name;
use crate::failure::{Failure, Kind};
use crate::local::rows::{Device, Hello, KeyState, LogInEvent, SignedUp, State as Own};
use crate::local::{Join, What};
use crate::secret::check_strength;
use crate::settings::service_of;
use crate::web::answer::{Answer, Fragment, Wanted};
use crate::web::server::Shared;
use crate::words::web as words;
use crate::words::{device, one_line, time, web_reset};

pub(super) const PLACES: &[&str] = &["/welcome", "/login", "/waiting", "/unlock"];

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/page/welcome", get(sign_up_page))
        .route("/page/login", get(log_in_page))
        .route("/page/waiting", get(waiting_page))
        .route("/part/waiting", get(waiting_part))
        .route("/page/unlock", get(unlock_page))
        .route("/do/signup", post(sign_up))
        .route("/do/login", post(log_in))
        .route("/do/recover", post(recover))
        .route("/do/start-over", post(start_over))
        .route("/do/unlock", post(unlock))
}

/// A page for somebody who is not in yet: one column, and nothing beside it.
pub(super) fn alone(title: &str, main: &Markup) -> Fragment {
    html! {
        main.alone id="main" tabindex="-1" data-title=(title) {
            img src="/assets/icon.svg" alt="" width="48" height="48";
            (main)
        }
    }
    .into()
}

pub(super) async fn hello(shared: &Shared) -> Result<KeyState, Failure> {
    shared.face.done::<Hello>(What::Hello).await.map(|hello| hello.key)
}

/// Where somebody belongs who is further than this page, if he is.
async fn further(shared: &Shared) -> Result<Option<Fragment>, Failure> {
    Ok(match hello(shared).await? {
        KeyState::None => None,
        KeyState::Locked | KeyState::Missing => Some(Fragment::go("/unlock")),
        KeyState::Open => match shared.face.done::<Own>(What::Status).await?.phase {
            Phase::New | Phase::Joining | Phase::Ended => None,
            Phase::Pending | Phase::Resetting => Some(Fragment::go("/waiting")),
            Phase::Confirmed => Some(Fragment::go("/")),
        },
    })
}

/// What became of this device, if it is none of the account's any more (stories 8 and 9).
async fn why_out(shared: &Shared) -> Result<Markup, Failure> {
    if hello(shared).await? != KeyState::Open {
        return Ok(html! {});
    }
    let own: Own = shared.face.done(What::Status).await?;
    Ok(html! {
        @if own.phase == Phase::Ended { p.notice { (device::ended(own.ended.as_deref())) } }
    })
}

async fn sign_up_page(State(shared): App) -> Answer {
    if let Some(place) = further(&shared).await? {
        return Ok(place);
    }
    let needs_key = hello(&shared).await? == KeyState::None;
    let main = html! {
        h1 { (words::WELCOME) }
        (why_out(&shared).await?)
        p.lead { (words::WELCOME_WHY) }
        (fields(&shared, "/do/signup", true, needs_key, words::SIGN_UP))
        p.other { (words::HAVE_ACCOUNT) " " a href="/login" { (words::LOG_IN_INSTEAD) } }
    };
    Ok(alone(words::SIGN_UP, &main))
}

async fn log_in_page(State(shared): App) -> Answer {
    if let Some(place) = further(&shared).await? {
        return Ok(place);
    }
    let needs_key = hello(&shared).await? == KeyState::None;
    let main = html! {
        h1 { (words::LOG_IN) }
        (why_out(&shared).await?)
        p.lead { (words::LOG_IN_WHY) }
        (fields(&shared, "/do/login", false, needs_key, words::LOG_IN))
        p.other { (words::NO_ACCOUNT) " " a href="/welcome" { (words::SIGN_UP_INSTEAD) } }
        p.other { (web_reset::LOST_ALL) " " a href="/reset" { (web_reset::LINK) } }
    };
    Ok(alone(words::LOG_IN, &main))
}

fn fields(shared: &Shared, to: &str, is_new: bool, needs_key: bool, button: &str) -> Markup {
    html! {
        form.fields data-do=(to) {
            (handle_field(shared, None, true))
            label for="password" { (words::PASSWORD) }
            input id="password" name="password" type="password" required
                autocomplete=(if is_new { "new-password" } else { "current-password" })
                minlength=[is_new.then_some("8")];
            @if is_new { p.small { (words::PASSWORD_HOW) } }
            (name_field(None))
            @if needs_key { (passphrase_field()) }
            button.main type="submit" { (button) }
            div data-answer role="alert" {}
        }
    }
}

/// Whose account, as far as that is known. One begins with it, unless there is something to read first.
pub(super) fn handle_field(shared: &Shared, waiting: Option<&Own>, begins: bool) -> Markup {
    let service = shared.prefilled.service.as_deref().or(waiting.and_then(|own| own.service.as_deref()));
    html! {
        label for="handle" { (words::HANDLE) }
        input id="handle" name="handle" type="text" autocomplete="username" autocapitalize="none" spellcheck="false"
            required autofocus[begins] aria-describedby="handle-how" placeholder=(words::HANDLE_EXAMPLE)
            value=[waiting.and_then(|own| own.handle.as_deref())];
        p.small id="handle-how" { (words::handle_how(service)) }
    }
}

/// How this device is to be called; at first as the machine is.
pub(super) fn name_field(name: Option<String>) -> Markup {
    html! {
        label for="name" { (words::NAME_OF_DEVICE) }
        input id="name" name="name" type="text" maxlength="64" required dir="auto" value=(device_name(name));
        p.small { (words::NAME_HOW) }
    }
}

/// What locks a new profile, if somebody wants that.
pub(super) fn passphrase_field() -> Markup {
    html! {
        details {
            summary { (words::PASSPHRASE_ASKED) }
            p.small { (words::PASSPHRASE_HOW) }
            label for="passphrase" { (words::PASSPHRASE) }
            input id="passphrase" name="passphrase" type="password" autocomplete="off";
        }
    }
}

/// What is typed on every way in.
#[derive(Deserialize)]
pub(super) struct Fields {
    handle: String,
    pub(super) password: String,
    name: String,
    #[serde(default)]
    passphrase: String,
}

impl Fields {
    /// What the agent needs; makes the key of a new profile.
    pub(super) async fn join(self, shared: &Shared, wait_s: Option<u64>) -> Result<Join, Failure> {
        let name = self.handle.trim().split('@').next().unwrap_or_default();
        let handle = Handle::parse(name).map_err(|error| Failure::misuse(error.code(), error))?;
        if hello(shared).await? == KeyState::None {
            let passphrase = Some(self.passphrase).filter(|it| !it.is_empty());
            shared.face.done::<Value>(What::NewKey { passphrase }).await?;
        }
        let own: Own = shared.face.done(What::Status).await?;
        // a handle without a host is of the service where this device waits
        let of_wait = own.service.as_deref().filter(|_| own.phase == Phase::Pending && !self.handle.contains('@'));
        let service = service_of(self.handle.trim(), shared.prefilled.service.as_deref().or(of_wait))?;
        if own.phase == Phase::Ended {
            shared.face.done::<Value>(What::StartOver).await?;
        }
        Ok(Join {
            service,
            handle: handle.as_str().to_owned(),
            password: self.password,
            device_name: device_name(Some(self.name).filter(|name| !name.trim().is_empty())),
            policy: shared.prefilled.policy.clone(),
            wait_s,
        })
    }
}

async fn sign_up(State(shared): App, Wanted(fields): Wanted<Fields>) -> Answer {
    check_strength(&fields.password)?;
    let join = fields.join(&shared, None).await?;
    shared.face.done::<SignedUp>(What::SignUp(join)).await?;
    Ok(Fragment::go("/"))
}

async fn log_in(State(shared): App, Wanted(fields): Wanted<Fields>) -> Answer {
    let join = fields.join(&shared, Some(0)).await?;
    let (_, ended) = shared.face.told::<LogInEvent, Value>(What::LogIn(join)).await;
    match ended {
        Err(failure) if failure.code != "device.pending" => Err(failure.into()),
        _ => Ok(Fragment::go("/waiting")),
    }
}

async fn waiting_page(State(shared): App) -> Answer {
    let part = match waiting(&shared).await? {
        Ok(part) => part,
        Err(place) => return Ok(place),
    };
    let main =
        html! { div.wait id="waiting" data-from="/part/waiting" data-on="account connection devices" { (part) } };
    Ok(alone(words::WAITING, &main))
}

async fn waiting_part(State(shared): App) -> Answer {
    Ok(match waiting(&shared).await? {
        Ok(part) => part.into(),
        Err(place) => place,
    })
}

/// What somebody sees who waits, or where he belongs if he does not.
async fn waiting(shared: &Shared) -> Result<Result<Markup, Fragment>, Failure> {
    match hello(shared).await? {
        KeyState::None => return Ok(Err(Fragment::go("/welcome"))),
        KeyState::Locked | KeyState::Missing => return Ok(Err(Fragment::go("/unlock"))),
        KeyState::Open => (),
    }
    let own: Own = shared.face.done(What::Status).await?;
    let handle = own.handle.as_deref().map(one_line).unwrap_or_default();
    match own.phase {
        Phase::New | Phase::Ended => Ok(Err(Fragment::go("/login"))),
        Phase::Confirmed => Ok(Err(Fragment::go("/"))),
        Phase::Joining => {
            Ok(Ok(html! { h1 { (words::ON_THE_WAY) } p { (words::on_the_way(&handle)) } (start_over_form()) }))
        }
        Phase::Resetting => {
            // whether one of the devices has stopped it
            shared.face.done::<Value>(What::WhoIsHere { wait_s: 0 }).await?;
            let due = own.reset_due.as_deref().map(time);
            Ok(Ok(html! { h1 { (words::RESETTING) } p { (words::resetting(&handle, due.as_deref())) } }))
        }
        Phase::Pending => {
            let (events, _) = shared.face.told::<LogInEvent, Value>(What::AwaitConfirmation { wait_s: Some(0) }).await;
            shared.face.done::<Value>(What::WhoIsHere { wait_s: 0 }).await?;
            let devices: Vec<Device> = shared.face.list(What::Devices).await?;
            Ok(Ok(pending(&own, &events, &devices)))
        }
    }
}

fn pending(own: &Own, events: &[LogInEvent], devices: &[Device]) -> Markup {
    let code = events.iter().find_map(|event| match event {
        LogInEvent::Code { code, by_device, by_name } => Some((code, by_device, by_name)),
        _ => None,
    });
    let name = own.device_name.as_deref().unwrap_or_default();
    html! {
        @match code {
            Some((code, by_device, by_name)) => {
                h1 { (words::TYPE_THIS) }
                p.code { (device::spaced(code)) }
                p.lead dir="auto" { (words::type_this(by_device, by_name.as_deref())) }
            }
            None => {
                h1 { (words::ALMOST_THERE) }
                p.lead { (words::OPEN_ANOTHER) }
                p.wait-mark { (words::DIGITS_COME) }
            }
        }
        p.about dir="auto" { (words::called_there(name)) }
        (could_let_in(devices))
        section.ways {
            h2 { (words::OTHER_WAYS) }
            @if own.recovery_key {
                details id="by-key" {
                    summary { (words::USE_RECOVERY_KEY) }
                    form data-do="/do/recover" {
                        label for="words" { (words::RECOVERY_WORDS) }
                        textarea id="words" name="words" rows="4" autocomplete="off" autocapitalize="none" spellcheck="false" required {}
                        button type="submit" { (words::LET_IN) }
                        div data-answer role="alert" {}
                    }
                }
            }
            details id="no-device" {
                summary { (words::NO_DEVICE_LEFT) }
                p { (words::no_device_left(own.recovery_key)) }
                p { a.button href="/reset" { (web_reset::LINK) } }
            }
            (start_over_form())
        }
    }
}

/// Where somebody may go now. What they are called is not told to a device that waits.
fn could_let_in(devices: &[Device]) -> Markup {
    let rows: Vec<_> = devices.iter().filter(|row| row.state == "confirmed").collect();
    html! {
        @if !rows.is_empty() {
            section.others {
                h2 { (words::COULD_LET_IN) }
                ul { @for row in rows { li { (words::could_let_in(row)) } } }
                p.small { (words::COULD_LET_IN_WHY) }
            }
        }
    }
}

fn start_over_form() -> Markup {
    html! {
        form data-do="/do/start-over" {
            button.quiet type="submit" { (words::START_OVER) }
            div data-answer role="alert" {}
        }
    }
}

#[derive(Deserialize)]
struct Words {
    words: String,
}

async fn recover(State(shared): App, Wanted(Words { words }): Wanted<Words>) -> Answer {
    shared.face.done::<Value>(What::Recover { words }).await?;
    Ok(Fragment::go("/"))
}

#[derive(Deserialize)]
struct Nothing {}

async fn start_over(State(shared): App, Wanted(Nothing {}): Wanted<Nothing>) -> Answer {
    shared.face.done::<Value>(What::StartOver).await?;
    Ok(Fragment::go("/login"))
}

async fn unlock_page(State(shared): App) -> Answer {
    let key = hello(&shared).await?;
    if key == KeyState::Missing {
        return Err(Failure::new(Kind::Refused, "store.locked", words::KEY_MISSING).into());
    }
    if key != KeyState::Locked {
        return Ok(Fragment::go("/"));
    }
    let main = html! {
        h1 { (words::UNLOCK) }
        p.lead { (words::UNLOCK_WHY) }
        form.fields data-do="/do/unlock" {
            label for="passphrase" { (words::PASSPHRASE) }
            input id="passphrase" name="passphrase" type="password" autocomplete="off" required autofocus;
            button.main type="submit" { (words::OPEN) }
            div data-answer role="alert" {}
        }
    };
    Ok(alone(words::UNLOCK, &main))
}

#[derive(Deserialize)]
struct Passphrase {
    passphrase: String,
}

async fn unlock(State(shared): App, Wanted(Passphrase { passphrase }): Wanted<Passphrase>) -> Answer {
    shared.face.done::<Value>(What::Unlock { passphrase }).await?;
    Ok(Fragment::go("/"))
}
