//! `fold`: the last entry is refused.

use chain::id::{Digest, PublicKey};
use chain::sigchain::body::{Body, ResetChoice};
use chain::sigchain::entry::{Entry, Statement};

use crate::case::{Case, Verdict};
use crate::example_log::bob_laptop;
use crate::fold::{Story, encoded};
use crate::ledger::{Device, HOUR_S, bob_phone, ghost};

const UNPROVEN: Verdict = Err(("reset.wait_unproven", "RST-5"));

/// A story, and an entry that would follow some hours later and is refused.
fn refused_after(hours: u64, story: &Story, name: &str, what: &str, expect: Verdict, entry: &Entry) -> Case {
    let fields = story.fields().with("stamped", encoded(&story.stamp(hours, entry)));
    Case::new(name, expect, what, fields)
}

/// Every refusal of the fold that an outsider can cause.
pub(crate) fn refused() -> Vec<Case> {
    [positions(), confirmations(), removals(), resets()].into_iter().flatten().collect()
}

/// ENT-3 to ENT-5, DEV-2.
fn positions() -> Vec<Case> {
    let story = Story::begin();
    let bent = |bend: fn(&mut Statement)| {
        let body = Body::ResetChoiceSet { choice: ResetChoice::Never, signer: bob_phone().id() };
        let mut statement = story.follow(body, &bob_phone()).statement;
        bend(&mut statement);
        story.log.sign(statement, &bob_phone())
    };
    let refused = |name, what, expect, entry: &Entry| refused_after(1, &story, name, what, Err(expect), entry);
    let conflict = ("chain.conflict", "ENT-3");
    let closed = Story::begin().then(Story::close);
    vec![
        refused("sequence-gap", "a sequence number is left out", conflict, &bent(|it| it.position.sequence += 1)),
        refused(
            "other-previous",
            "another entry is named as the last",
            conflict,
            &bent(|it| it.position.previous = Digest([1; 32])),
        ),
        refused(
            "other-generation",
            "another generation",
            ("entry.other_account", "ENT-3"),
            &bent(|it| it.position.generation = 2),
        ),
        refused(
            "checkpoint-ahead",
            "a checkpoint beyond the log",
            ("entry.checkpoint", "ENT-4"),
            &bent(|it| it.checkpoint.size = 99),
        ),
        refused(
            "unconfirmed-signer",
            "the signer was never in the account",
            ("device.unconfirmed", "DEV-4"),
            &story.log.choose(&story.bob, ResetChoice::Never, &ghost()),
        ),
        refused_after(
            1,
            &closed,
            "after-the-end",
            "a device is added to a closed account",
            Err(("account.gone", "ENT-5")),
            &closed.log.add(&closed.bob, &bob_laptop()),
        ),
    ]
}

/// DEV-3 to DEV-5, REC-1.
fn confirmations() -> Vec<Case> {
    let (phone, laptop, pending) = (bob_phone(), bob_laptop(), Story::pending());
    let confirmation = pending.log.confirm(&pending.bob, &laptop, &phone, &phone);
    let confirmed = Story::confirmed();
    let removed = Story::confirmed().then(|story| story.log.remove(&story.bob, &laptop, &phone));
    let lapsed = Story::pending();
    let mut other = confirmation.statement.clone();
    if let Body::DeviceConfirmed(answer) = &mut other.body {
        answer.added = Digest([1; 32]);
    }
    let two = Story::pending().then(|story| story.log.add(&story.bob, &ghost()));
    let full = (0x20..0x28)
        .fold(Story::begin(), |story, seed| story.then(|story| story.log.add(&story.bob, &Device::new(seed))));
    let mut request = pending.log.add(&pending.bob, &ghost()).statement;
    request.request = 7;
    let known = ("device.known_key", "DEV-3");
    let refused =
        |story: &Story, name, what, expect, entry: &Entry| refused_after(1, story, name, what, Err(expect), entry);
    let replayed = ("confirm.replayed", "DEV-5");
    vec![
        refused(&confirmed, "replayed-confirmation", "the confirmation is published again", replayed, &confirmation),
        refused(
            &removed,
            "replayed-after-removal",
            "the confirmation is published again after the device was removed",
            replayed,
            &confirmation,
        ),
        refused_after(
            7 * 24,
            &lapsed,
            "lapsed",
            "a confirmation 7 days after the request",
            Err(replayed),
            &confirmation,
        ),
        refused(
            &pending,
            "other-request",
            "a confirmation that names another DeviceAdded",
            ("confirm.other_request", "DEV-4"),
            &pending.log.sign(other, &phone),
        ),
        refused(
            &two,
            "by-a-pending-device",
            "a pending device confirms another one",
            ("device.unconfirmed", "DEV-4"),
            &two.log.confirm(&two.bob, &ghost(), &laptop, &laptop),
        ),
        refused(
            &pending,
            "by-the-service",
            "a confirmation that the device's signer did not sign",
            ("entry.signature", "ENT-2"),
            &pending.log.confirm(&pending.bob, &laptop, &phone, &ghost()),
        ),
        refused(
            &pending,
            "recovery-key-there-is-none",
            "a recovery key confirms where none is set",
            ("recovery_key.none", "REC-1"),
            &pending.confirm_by_recovery_key(&laptop),
        ),
        refused(
            &removed,
            "removed-device-returns",
            "a removed device is added again",
            known,
            &removed.log.add(&removed.bob, &laptop),
        ),
        refused(
            &pending,
            "pending-device-twice",
            "a pending device is added again",
            known,
            &pending.log.add(&pending.bob, &laptop),
        ),
        refused(
            &full,
            "ninth-pending-device",
            "a ninth device would wait",
            ("device.too_many", "DEV-3"),
            &full.log.add(&full.bob, &laptop),
        ),
        refused(
            &pending,
            "request-number",
            "a request number is left out",
            ("entry.request", "DEV-3"),
            &pending.log.sign(request, &ghost()),
        ),
    ]
}

/// DEV-7 to DEV-10, REC-1.
fn removals() -> Vec<Case> {
    let (phone, laptop, confirmed) = (bob_phone(), bob_laptop(), Story::confirmed());
    let alone = Story::begin();
    let young = ("device.too_new", "DEV-8");
    let refused =
        |story: &Story, name, what, expect, entry: &Entry| refused_after(1, story, name, what, Err(expect), entry);
    let close = confirmed.follow(Body::AccountClosed { signer: laptop.id() }, &laptop);
    let device_key = Some(PublicKey::from(&phone.mls));
    let removal = confirmed.log.remove(&confirmed.bob, &phone, &laptop);
    vec![
        refused_after(
            71,
            &confirmed,
            "too-young-to-remove",
            "a device of 71 hours removes an older one",
            Err(young),
            &removal,
        ),
        refused(&confirmed, "too-young-to-close", "a device of one hour closes the account", young, &close),
        refused(
            &alone,
            "last-device",
            "the last device removes itself",
            ("device.last", "DEV-10"),
            &alone.log.remove(&alone.bob, &phone, &phone),
        ),
        refused(
            &alone,
            "not-in-the-set",
            "a device is removed that is not confirmed",
            ("device.not_in_set", "DEV-7"),
            &alone.log.remove(&alone.bob, &laptop, &phone),
        ),
        refused(
            &alone,
            "recovery-key-of-a-device",
            "a device's key becomes the recovery key",
            ("device.known_key", "DEV-3"),
            &alone.set_recovery_key(device_key),
        ),
    ]
}

/// RST-1 to RST-5.
fn resets() -> Vec<Case> {
    let announced = Story::announced();
    let vetoed = Story::announced().then(Story::veto);
    let never = Story::begin().then(|story| story.log.choose(&story.bob, ResetChoice::Never, &bob_phone()));
    let nothing = || [Vec::new(), Vec::new()];
    let mut other = announced.reset(nothing()).statement;
    if let Body::AccountReset { successor, .. } = &mut other.body {
        *successor = announced.bob;
    }
    let witnessed = Story::with_policy(2, 3).then(Story::announcement);
    let start = witnessed.log.time_s();
    let carried = |witnesses: &[usize], later_s| {
        let checkpoint = |witnesses: &[usize], time_s| witnessed.log.checkpoint(3, witnesses, time_s);
        witnessed.reset([checkpoint(&[0, 1, 2], start), checkpoint(witnesses, later_s)])
    };
    let refused = |hours, story: &Story, name, what, expect, entry: &Entry| {
        refused_after(hours, story, name, what, Err(expect), entry)
    };
    let again = announced.announcement();
    vec![
        refused(
            23,
            &announced,
            "reset-too-early",
            "a reset after 23 of 24 hours",
            ("reset.too_early", "RST-4"),
            &announced.reset(nothing()),
        ),
        refused(
            1,
            &never,
            "reset-never",
            "a reset of an account that chose never",
            ("reset.never", "RST-1"),
            &never.announcement(),
        ),
        refused(
            1,
            &announced,
            "reset-announced-twice",
            "a second notice while one is open",
            ("reset.open", "RST-2"),
            &again,
        ),
        refused(
            23,
            &vetoed,
            "reset-soon-after-a-veto",
            "a notice 23 of 24 hours after a veto",
            ("reset.too_soon", "RST-2"),
            &vetoed.announcement(),
        ),
        refused(
            24,
            &vetoed,
            "reset-after-a-veto",
            "a reset whose notice was vetoed",
            ("reset.no_notice", "RST-3"),
            &vetoed_reset(&announced, &vetoed),
        ),
        refused(
            30 * 24,
            &announced,
            "reset-after-30-days",
            "a reset 30 days after its notice",
            ("reset.no_notice", "RST-3"),
            &announced.reset(nothing()),
        ),
        refused(
            24,
            &announced,
            "reset-to-another-successor",
            "a reset to another successor than announced",
            ("reset.successor", "RST-2"),
            &announced.log.sign(other, &ghost()),
        ),
        refused_after(
            24,
            &witnessed,
            "reset-without-checkpoints",
            "no checkpoints, though the policy has a quorum",
            UNPROVEN,
            &witnessed.reset(nothing()),
        ),
        refused_after(
            24,
            &witnessed,
            "reset-one-witness-later",
            "only one of the needed two witnesses cosigned later",
            UNPROVEN,
            &carried(&[0], start + 24 * HOUR_S),
        ),
        refused_after(
            24,
            &witnessed,
            "reset-cosigned-a-second-early",
            "the later checkpoint was cosigned a second too early",
            UNPROVEN,
            &carried(&[0, 1, 2], start + 24 * HOUR_S - 1),
        ),
    ]
}

/// The reset that the vetoed notice had led to, at its place.
fn vetoed_reset(announced: &Story, vetoed: &Story) -> Entry {
    let mut statement = announced.reset([Vec::new(), Vec::new()]).statement;
    statement.position.sequence += 1;
    statement.position.previous = vetoed.log.set(&vetoed.bob).head();
    vetoed.log.sign(statement, &ghost())
}
