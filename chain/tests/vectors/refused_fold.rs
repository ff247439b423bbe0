//! `fold`: the last entry is refused.

use chain::id::{Digest, PublicKey};
use chain::sigchain::body::{Body, ResetChoice};
use chain::sigchain::entry::{Entry, Statement};

use crate::case::Case;
use crate::example_log::bob_laptop;
use crate::fold::{Story, encoded};
use crate::ledger::{Device, HOUR_S, bob_phone, ghost};

/// Code and rule.
type Refusal = (&'static str, &'static str);

const REPLAYED: Refusal = ("confirm.replayed", "DEV-5");

/// A story, and an entry that would follow an hour later and is refused.
fn refused(story: &Story, name: &str, what: &str, expect: Refusal, entry: &Entry) -> Case {
    refused_after(1, story, name, what, expect, entry)
}

fn refused_after(hours: u64, story: &Story, name: &str, what: &str, expect: Refusal, entry: &Entry) -> Case {
    let fields = story.fields().with("stamped", encoded(&story.stamp(hours, entry)));
    Case::new(name, Err(expect), what, fields)
}

/// Every refusal of the fold that an outsider can cause.
pub(crate) fn all_refused() -> Vec<Case> {
    [positions(), confirmations(), additions(), removals(), resets(), waits()].into_iter().flatten().collect()
}

/// ENT-3 to ENT-5, DEV-2, DEV-4.
fn positions() -> Vec<Case> {
    let story = Story::begin();
    let bent = |bend: fn(&mut Statement)| {
        let body = Body::ResetChoiceSet { choice: ResetChoice::Never, signer: bob_phone().id() };
        let mut statement = story.follow(body, &bob_phone()).statement;
        bend(&mut statement);
        story.log.sign(statement, &bob_phone())
    };
    let gap = bent(|it| it.position.sequence += 1);
    let fork = bent(|it| it.position.previous = Digest([1; 32]));
    let generation = bent(|it| it.position.generation = 2);
    let ahead = bent(|it| it.checkpoint.size = 99);
    let by_ghost = story.log.choose(&story.bob, ResetChoice::Never, &ghost());
    let mut opening = story.log.open(&bob_phone(), None).statement;
    opening.position.sequence = 1;
    opening.position.previous = story.log.set(&story.bob).head();
    let opening = story.log.sign(opening, &bob_phone());
    let closed = Story::begin().then(Story::close);
    let added = closed.log.add(&closed.bob, &bob_laptop());
    let conflict = ("chain.conflict", "ENT-3");
    let (other, unconfirmed) = (("entry.other_account", "ENT-3"), ("device.unconfirmed", "DEV-4"));
    vec![
        refused(&story, "sequence-gap", "a sequence number is left out", conflict, &gap),
        refused(&story, "other-previous", "another entry is named as the last", conflict, &fork),
        refused(&story, "other-generation", "another generation", other, &generation),
        refused(&story, "checkpoint-ahead", "a checkpoint beyond the log", ("entry.checkpoint", "ENT-4"), &ahead),
        refused(&story, "unconfirmed-signer", "the signer was never in the account", unconfirmed, &by_ghost),
        refused(&story, "opened-again", "a second AccountCreated", ("entry.opening", "DEV-2"), &opening),
        refused(&closed, "after-the-end", "a device joins a closed account", ("account.gone", "ENT-5"), &added),
    ]
}

/// DEV-4, DEV-5, REC-1.
fn confirmations() -> Vec<Case> {
    let (phone, laptop, pending) = (bob_phone(), bob_laptop(), Story::pending());
    let good = pending.log.confirm(&pending.bob, &laptop, &phone, &phone);
    let removed = removed();
    let mut other = good.statement.clone();
    if let Body::DeviceConfirmed(answer) = &mut other.body {
        answer.added = Digest([1; 32]);
    }
    let other = pending.log.sign(other, &phone);
    let by_service = pending.log.confirm(&pending.bob, &laptop, &phone, &ghost());
    let by_recovery = pending.confirm_by_recovery_key(&laptop);
    let two = Story::pending().then(|story| story.log.add(&story.bob, &ghost()));
    let by_pending = two.log.confirm(&two.bob, &ghost(), &laptop, &laptop);
    let again = "the confirmation is published again";
    let returned = "the confirmation is published again after the device was removed";
    let unconfirmed = ("device.unconfirmed", "DEV-4");
    let confirmed = Story::confirmed();
    vec![
        refused(&confirmed, "replayed-confirmation", again, REPLAYED, &good),
        refused(&removed, "replayed-after-removal", returned, REPLAYED, &good),
        refused_after(7 * 24, &pending, "lapsed", "a confirmation 7 days after the request", REPLAYED, &good),
        refused(&pending, "other-request", "it names another DeviceAdded", ("confirm.other_request", "DEV-4"), &other),
        refused(&two, "by-a-pending-device", "a pending device confirms another one", unconfirmed, &by_pending),
        refused(&pending, "by-the-service", "the named signer did not sign", ("entry.signature", "ENT-2"), &by_service),
        refused(&pending, "no-recovery-key", "there is no recovery key", ("recovery_key.none", "REC-1"), &by_recovery),
    ]
}

/// The laptop was confirmed and removed.
fn removed() -> Story {
    Story::confirmed().then(|story| story.log.remove(&story.bob, &bob_laptop(), &bob_phone()))
}

/// DEV-3.
fn additions() -> Vec<Case> {
    let (laptop, pending, removed) = (bob_laptop(), Story::pending(), removed());
    let device = |seed| move |story: &Story| story.log.add(&story.bob, &Device::new(seed));
    let full = (0x20..0x28).fold(Story::begin(), |story, seed| story.then(device(seed)));
    let mut gap = pending.log.add(&pending.bob, &ghost()).statement;
    gap.request = 7;
    let gap = pending.log.sign(gap, &ghost());
    let known = ("device.known_key", "DEV-3");
    let add = |story: &Story| story.log.add(&story.bob, &laptop);
    vec![
        refused(&removed, "removed-device-returns", "a removed device is added again", known, &add(&removed)),
        refused(&pending, "pending-device-twice", "a pending device is added again", known, &add(&pending)),
        refused(&full, "ninth-pending-device", "a ninth would wait", ("device.too_many", "DEV-3"), &add(&full)),
        refused(&pending, "request-number", "a request number is left out", ("entry.request", "DEV-3"), &gap),
    ]
}

/// DEV-7 to DEV-10, REC-1.
fn removals() -> Vec<Case> {
    let (phone, laptop) = (bob_phone(), bob_laptop());
    let (alone, confirmed) = (Story::begin(), Story::confirmed());
    let removal = confirmed.log.remove(&confirmed.bob, &phone, &laptop);
    let close = confirmed.follow(Body::AccountClosed { signer: laptop.id() }, &laptop);
    let remove = |device: &Device| alone.log.remove(&alone.bob, device, &phone);
    let device_key = alone.set_recovery_key(Some(PublicKey::from(&phone.mls)));
    let (young, young_what) = (("device.too_new", "DEV-8"), "a device of 71 hours removes an older one");
    let (absent, last) = (("device.not_in_set", "DEV-7"), ("device.last", "DEV-10"));
    let (known, young_too) = (("device.known_key", "REC-1"), ("device.too_new", "DEV-9"));
    vec![
        refused_after(71, &confirmed, "too-young-to-remove", young_what, young, &removal),
        refused(&confirmed, "too-young-to-close", "a device of one hour closes the account", young_too, &close),
        refused(&alone, "last-device", "the last device removes itself", last, &remove(&phone)),
        refused(&alone, "not-in-the-set", "a device is removed that is not confirmed", absent, &remove(&laptop)),
        refused(&alone, "recovery-key-of-a-device", "a device's key becomes the recovery key", known, &device_key),
    ]
}

/// RST-1 to RST-4.
fn resets() -> Vec<Case> {
    let (announced, vetoed) = (Story::announced(), Story::announced().then(Story::veto));
    let never = Story::begin().then(|story| story.log.choose(&story.bob, ResetChoice::Never, &bob_phone()));
    let reset = announced.reset([Vec::new(), Vec::new()]);
    let mut other = reset.statement.clone();
    if let Body::AccountReset { successor, .. } = &mut other.body {
        *successor = announced.bob;
    }
    let other = announced.log.sign(other, &ghost());
    let (early, soon) = (("reset.too_early", "RST-4"), ("reset.too_soon", "RST-2"));
    let (open, none) = (("reset.open", "RST-2"), ("reset.no_notice", "RST-3"));
    let (chose_never, elsewhere) = (("reset.never", "RST-1"), ("reset.successor", "RST-2"));
    let again = announced.announcement();
    let (next, stopped) = (vetoed.announcement(), vetoed_reset(&reset, &vetoed));
    let to_another = "a reset to another successor than announced";
    vec![
        refused_after(23, &announced, "reset-too-early", "a reset after 23 of 24 hours", early, &reset),
        refused(&never, "reset-never", "a reset of an account that chose never", chose_never, &never.announcement()),
        refused(&announced, "reset-announced-twice", "a second notice while one is open", open, &again),
        refused_after(23, &vetoed, "reset-soon-after-a-veto", "a notice 23 of 24 hours after a veto", soon, &next),
        refused_after(24, &vetoed, "reset-after-a-veto", "a reset whose notice was vetoed", none, &stopped),
        refused_after(30 * 24, &announced, "reset-after-30-days", "a reset 30 days after its notice", none, &reset),
        refused_after(24, &announced, "reset-to-another-successor", to_another, elsewhere, &other),
    ]
}

/// RST-5: a quorum of two of three witnesses.
fn waits() -> Vec<Case> {
    let story = Story::with_policy(2, 3).then(Story::announcement);
    let (start, size) = (story.log.time_s(), story.log.size());
    let carried = |witnesses: &[usize], later_s| {
        let first = story.log.checkpoint(size, &[0, 1, 2], start);
        story.reset([first, story.log.checkpoint(size, witnesses, later_s)])
    };
    let unproven = |name, what, entry| refused_after(24, &story, name, what, ("reset.wait_unproven", "RST-5"), &entry);
    let none = story.reset([Vec::new(), Vec::new()]);
    let end = start + 24 * HOUR_S;
    let early = "the later checkpoint was cosigned a second too early";
    vec![
        unproven("reset-without-checkpoints", "no checkpoints, though the policy has a quorum", none),
        unproven("reset-one-witness-later", "only one of the needed two cosigned later", carried(&[0], end)),
        unproven("reset-cosigned-a-second-early", early, carried(&[0, 1, 2], end - 1)),
    ]
}

/// The reset that the vetoed notice had led to, at its place.
fn vetoed_reset(reset: &Entry, vetoed: &Story) -> Entry {
    let mut statement = reset.statement.clone();
    statement.position.sequence += 1;
    statement.position.previous = vetoed.log.set(&vetoed.bob).head();
    vetoed.log.sign(statement, &ghost())
}
