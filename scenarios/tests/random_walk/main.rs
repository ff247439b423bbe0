//! A seeded random walk of named people against a simple model of what each device has to show, and what it must not.
//!
//! Three people with up to three devices each write to one another, to themselves and in conversations of three, while devices come and
//! go, are killed, are cut off, sleep for days and have wrong clocks, and the network loses, doubles, holds back and repeats. They
//! change passwords and the names of devices, compare codes, give old messages later, write backups and take them in, lose all devices
//! and come back by a recovery key, or lose everything and begin anew as a fresh identity, about which each of the others decides at
//! once, later or never; others announce resets, which are stopped. A conversation of three goes on without whoever was reset, until
//! its admin lets the fresh identity in. A fourth, whom nobody knows, writes to each of them, and is accepted, blocked, answered or
//! left waiting. A thief of devices that no longer count is handed what others hear. A third of the steps writes something; one of
//! eight changes who counts or whose an account is. Whatever does so happens when everything written before has arrived, so that the
//! model knows who has to show what; everything else happens at any moment.
//!
//! After every step what has changed is judged; every seventy steps, and at the end, all of it, after a repair:
//!
//! - I1: what was written is shown on each device that counted then, or was given the old messages, or took them in from a backup.
//! - I2: nothing is shown twice, whichever way it came.
//! - I3: what a device wrote into a conversation is shown in its order, on every device.
//! - I4: nobody else shows it, or is encrypted to: no device that waits, was refused, removed, lost or asked for a reset that was
//!   stopped, nobody who is out, and no fresh identity what was written to the one before it. Who was never let into a conversation
//!   does not know that there is one.
//! - I5: in the record is what was done, in its order, and nothing else: exactly the devices whose digits were typed, or for which
//!   the recovery key was, are confirmed.
//! - I6, I7: what a device has seen of the record never shrinks, and nobody finds a lie.
//! - I8: entries stay where they are, each own device has a notice of each one, and an alarm as long as a reset is announced.
//! - I9: own devices agree on names, contacts, titles, what was compared and whether there is a recovery key, and none finds old
//!   messages that cannot be verified; at the end everybody writes everywhere, and everybody reads it, in the same order, among the
//!   same members and devices.
//! - I10: of each epoch of a group one commit is taken.
//! - I11: every block below the newest checkpoint is served, and is what it was, before and after each restart of the service. That
//!   a kill in the middle of a write leaves it so is `a_service_killed_at_any_sync_keeps_every_promise` (`crashes`).
//! - I13: no key package is given out twice, or lets two in, but for last resorts.
//! - I14: what a device has kept of groups and key packages and has written over or deleted is nowhere in its files, but for copies
//!   that SQLite leaves in the middle of a page when it moves a row. That reading a
//!   message uses up its key is `late_messages_are_read_and_repeated_ones_are_not`, and that a Welcome uses up a key package
//!   `a_key_package_opens_one_welcome_and_the_last_resort_many` (both in the client); that an agent that rests has emptied its
//!   write-ahead log is `what_was_written_over_is_soon_on_no_disk` (`days`).
//! - I15: what was written to somebody who was reset waits for a decision; then, and not before, it goes to the fresh identity.
//! - I16: of each device no more key packages wait than may, the service keeps nothing that all have who may have it, and no device's
//!   files outgrow a bound. What peers send on purpose is in `limits` (`a_giant_body_is_refused_at_the_limit`) and in the
//!   service's own tests (`what_is_too_large_is_refused_before_it_is_read`).
//! - I18: nothing of what was written stands in the service's files.
//! - MSG-9: nobody says that he has what was not for him.
//! - PPL-2, PPL-3: what a stranger writes is a request on each device, and told to nobody; of somebody blocked nothing is shown.
//!
//! I12 is not here, since this town has no witnesses: `of_two_branches_at_the_same_time_exactly_one_is_cosigned` and
//! `a_witness_killed_at_any_sync_never_signs_another_branch` (both of the witness), and `crashes`. I17 is each step that does not panic, and `limits`.
//!
//! A failure prints what was done, and the command that does it again: the same steps, with other keys and ids.

mod accounts;
mod backups;
mod checks;
mod dice;
mod life;
mod steps;
mod strangers;
mod traces;
mod walk;

use walk::Walk;

/// Steps of each walk; a young town is faster than an old one.
const STEPS: usize = 280;
/// As many as a test run has time for; with `TREFOIL_WALK_SEED` any other.
const WALKS_A_TEST: u64 = 3;

fn walk(seed: u64) {
    let steps = std::env::var("TREFOIL_WALK_STEPS").map_or(STEPS, |steps| steps.parse().unwrap());
    println!("TREFOIL_WALK_SEED={seed} TREFOIL_WALK_STEPS={steps} cargo nextest run -p scenarios -E 'test(/from_1$/)'");
    let mut walk = Walk::new(seed);
    for number in 1..=steps {
        walk.step(number);
        walk.look();
        if number % 70 == 0 {
            walk.check();
        }
    }
    walk.part();
}

fn walks(first: u64) {
    match std::env::var("TREFOIL_WALK_SEED") {
        Ok(seed) => walk(seed.parse().unwrap()),
        Err(_) => (first..first + WALKS_A_TEST).for_each(walk),
    }
}

#[test]
fn whatever_happens_each_device_shows_what_it_has_to_from_1() {
    walks(1);
}

#[test]
fn whatever_happens_each_device_shows_what_it_has_to_from_6() {
    walks(6);
}

#[test]
fn whatever_happens_each_device_shows_what_it_has_to_from_11() {
    walks(11);
}

#[test]
fn whatever_happens_each_device_shows_what_it_has_to_from_16() {
    walks(16);
}

#[test]
fn whatever_happens_each_device_shows_what_it_has_to_from_21() {
    walks(21);
}

#[test]
fn whatever_happens_each_device_shows_what_it_has_to_from_26() {
    walks(26);
}

#[test]
fn whatever_happens_each_device_shows_what_it_has_to_from_31() {
    walks(31);
}

#[test]
fn whatever_happens_each_device_shows_what_it_has_to_from_36() {
    walks(36);
}
