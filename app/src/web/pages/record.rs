//! An account in the public record: why each of its devices counts, told and drawn (stories 1, 5, 14).

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::routing::get;
use maud::{Markup, html};

use super::frame::{Page, confirmed, framed};
use super::lanes::{self, Row, Seen, Standing};
use super::{App, Routes};
use crate::failure::Failure;
use crate::local::What;
use crate::local::record::{RecordEntry, RecordProof};
use crate::local::rows::{Device, fingerprint};
use crate::web::answer::Answer;
use crate::web::server::Shared;
use crate::words::web as common;
use crate::words::web_record as words;
use crate::words::{one_line, time};

/// The own account's, and somebody's whom one knows.
pub(super) const PLACES: &[&str] = &["/record", "/record/{handle}"];

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/page/record", get(page))
        .route("/page/record/{handle}", get(page_of_one))
        .route("/part/record", get(part))
        .route("/part/record/{handle}", get(part_of_one))
}

async fn page(State(shared): App) -> Answer {
    show(&shared, None).await
}

async fn page_of_one(State(shared): App, Path(handle): Path<String>) -> Answer {
    show(&shared, Some(handle)).await
}

async fn part(State(shared): App) -> Answer {
    confirmed(&shared).await?;
    Ok(account(&shared, None).await?.into())
}

async fn part_of_one(State(shared): App, Path(handle): Path<String>) -> Answer {
    confirmed(&shared).await?;
    Ok(account(&shared, Some(handle)).await?.into())
}

async fn show(shared: &Shared, handle: Option<String>) -> Answer {
    let own = confirmed(shared).await?;
    let account = account(shared, handle.clone()).await?;
    let title = handle.as_deref().map_or_else(|| words::OWN_TITLE.to_owned(), words::title);
    let of = handle.as_deref().map(|handle| format!("/{handle}")).unwrap_or_default();
    let back = handle.as_deref().map_or_else(|| "/devices".to_owned(), |handle| format!("/contacts/{handle}"));
    let main = html! {
        section.page {
            header.head { a.back.always href=(back) aria-label=(common::BACK) { "‹" } h1 dir="auto" { (title) } }
            div.column id="record" data-from={ "/part/record" (of) } data-on="devices contacts account" { (account) }
        }
    };
    framed(shared, &own, Page { title: &title, at: if handle.is_some() { "/contacts" } else { "/devices" }, main })
        .await
}

/// How the devices of an account are called on this page.
struct Named {
    seen: BTreeMap<String, Seen>,
    /// Names that only the own account's devices have.
    own: Vec<Device>,
}

impl Named {
    /// A device in its colour.
    fn chip(&self, id: &str) -> Markup {
        let seen = self.seen.get(id);
        let own = self.own.iter().find(|row| row.device == id).and_then(|row| row.name.as_deref());
        let short = || format!("device {}", id.chars().take(8).collect::<String>());
        let name = own.map(one_line).or_else(|| seen.map(|seen| words::device(seen.number))).unwrap_or_else(short);
        html! { bdi class={ "chip " (seen.map(|seen| seen.colour()).unwrap_or_default()) } { (name) } }
    }

    /// A sentence with the devices of an entry in it.
    fn sentence(&self, template: &str, row: &RecordEntry) -> Markup {
        let mut pieces = Vec::new();
        for piece in template.split('{') {
            let (name, rest) = piece.split_once('}').unwrap_or(("", piece));
            match name {
                "by" => pieces.extend(row.by.iter().map(|id| self.chip(id))),
                "device" => pieces.extend(row.devices.iter().map(|id| html! { (self.chip(id)) " " })),
                _ => {}
            }
            pieces.push(html! { (rest) });
        }
        html! { @for piece in pieces { (piece) } }
    }
}

async fn account(shared: &Shared, handle: Option<String>) -> Result<Markup, Failure> {
    let (entries, proof) = shared.face.told::<RecordEntry, RecordProof>(What::Record { handle: handle.clone() }).await;
    let proof = proof?;
    let own = if handle.is_none() { shared.face.list(What::Devices).await? } else { Vec::new() };
    let (seen, rows) = lanes::drawn(&entries);
    let named = Named { seen, own };
    Ok(html! {
        p.lead { (words::LEAD) }
        (verdict(entries.len(), &proof))
        section {
            h2 { (words::DEVICES) }
            (legend(&named))
        }
        section {
            h2 { (words::ENTRIES) }
            ol.timeline { @for (entry, row) in entries.iter().zip(&rows) { (line(entry, row, &named)) } }
        }
    })
}

/// What it all comes to, and who vouches for it.
fn verdict(entries: usize, proof: &RecordProof) -> Markup {
    let trouble = words::trouble(proof);
    html! {
        section.verdict.bad[trouble.is_some()] {
            h2 { (if trouble.is_some() { words::NOT_NOW } else { words::VERIFIED }) }
            p { (trouble.as_deref().unwrap_or(&words::verdict(entries, proof))) }
            @if proof.witnesses.is_empty() {
                p.small { (words::NO_WITNESS) }
            } @else {
                p.small { (words::WITNESSES) ": " (words::quorum(proof)) }
                ul.witnesses {
                    @for row in &proof.witnesses {
                        li.absent[row.cosigned_at.is_none()] title=(words::witness(row)) {
                            (one_line(&row.name)) span.hidden { ": " (words::witness(row)) }
                        }
                    }
                }
            }
            details id="proof" {
                summary { (words::PROOF) }
                (proof_details(proof))
            }
        }
    }
}

fn proof_details(proof: &RecordProof) -> Markup {
    html! {
        dl.facts {
            dt { (words::ACCOUNT) } dd { code { (proof.account) } }
            dt { (words::IDENTITY) } dd { (words::identity(proof.generation)) }
            dt { (words::STATE) } dd { code { (proof.record) } }
            dt { (words::LOG) } dd { (words::log(proof)) }
            dt { (words::ROOT) } dd { code { (proof.root) } }
            dt { (words::SIZES) } dd { (words::sizes(proof)) }
            @for row in &proof.witnesses {
                dt { (one_line(&row.name)) } dd { (row.cosigned_at.as_deref().map_or_else(|| "–".to_owned(), time)) }
            }
        }
    }
}

fn legend(named: &Named) -> Markup {
    let mut all: Vec<_> = named.seen.iter().collect();
    all.sort_by_key(|(_, seen)| seen.number);
    html! {
        ul.legend {
            @for (id, seen) in all {
                li.gone[matches!(seen.standing, Standing::Refused | Standing::Removed)] {
                    (named.chip(id))
                    span { (standing(seen.standing)) }
                    code title=(words::FINGERPRINT) { (id.chars().take(8).collect::<String>()) }
                }
            }
        }
    }
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Counts => words::COUNTS,
        Standing::Waits => words::WAITS,
        Standing::Refused => words::REFUSED,
        Standing::Removed => words::REMOVED,
    }
}

fn line(entry: &RecordEntry, row: &Row, named: &Named) -> Markup {
    let is_alarm = matches!(entry.kind.as_str(), "ResetRequested" | "AccountReset");
    html! {
        li.alarm[is_alarm] {
            (row.markup())
            div.happened {
                p.what { (named.sentence(&words::entry(entry), entry)) }
                p.small {
                    time datetime=(entry.at) { (words::place(entry)) } " · "
                    (words::SIGNED_BY) (signers(entry, named))
                }
                details id={ "e-" (entry.entry) } {
                    summary { (common::DETAILS) }
                    dl.facts {
                        dt { (words::KIND) } dd { (words::entry_size(entry)) }
                        dt { (words::HASH) } dd { code { (entry.entry) } }
                        @for id in &entry.devices { dt { (words::FINGERPRINT) } dd { code { (fingerprint(id)) } } }
                        @if let Some(other) = &entry.other_account { dt { (words::OTHER_ACCOUNT) } dd { code { (other) } } }
                    }
                }
            }
        }
    }
}

/// Who signed: a device by its name, and the service.
fn signers(entry: &RecordEntry, named: &Named) -> Markup {
    let device = entry.by.as_ref().or_else(|| entry.devices.first());
    let has = |role: &str| entry.signed_by.iter().any(|it| it == role);
    let mut all = Vec::new();
    if has("device")
        && let Some(id) = device
    {
        all.push(named.chip(id));
    }
    if has("recovery_key") {
        all.push(html! { (words::THE_RECOVERY_KEY) });
    }
    if has("service") {
        all.push(html! { (words::THE_SERVICE) });
    }
    html! {
        @for (number, one) in all.iter().enumerate() { @if number > 0 { " and " } (one) }
    }
}
