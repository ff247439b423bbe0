//! A seeded random walk of named people against a simple model of what each device has to show, and what it must not.
//!
//! Three people with up to three devices each write to one another, to themselves and in conversations of three, while devices come and
//! go, are killed, are cut off and have wrong clocks, and the network loses, doubles, holds back and repeats. Two of five
//! steps write something; one of twelve changes who counts. Adding, refusing, removing, and letting people in and out
//! happen when everything written before has arrived, so that the model knows who has to show what; everything else
//! happens at any moment.
//!
//! After every step what has changed is judged; every hundred steps, and at the end, all of it, after a repair:
//!
//! - I1: what was written is shown on each device that counted then, or was given the old messages.
//! - I2: nothing is shown twice.
//! - I3: what a device wrote into a conversation is shown in its order, on every device.
//! - I4: nobody else shows it, or is encrypted to: no device that waits, was refused or removed, nobody who is out.
//! - I5: exactly the devices whose digits were typed are confirmed in the record.
//! - I6, I7: what a device has seen of the record never shrinks, and nobody finds a lie.
//! - I8: entries stay where they are, and each own device has a notice of each one.
//! - I9: at the end everybody writes everywhere; everybody reads it, in the same order, among the same members and devices.
//! - I10: of each epoch of a group one commit is taken.
//!
//! A failure prints what was done, and the command that does it again: the same steps, with other keys and ids.

mod checks;
mod dice;
mod steps;
mod walk;

use walk::Walk;

/// Steps of each walk; a young town is faster than an old one.
const STEPS: usize = 400;
const WALKS_A_TEST: u64 = 5;

fn walk(seed: u64) {
    let steps = std::env::var("TREFOIL_WALK_STEPS").map_or(STEPS, |steps| steps.parse().unwrap());
    println!("TREFOIL_WALK_SEED={seed} TREFOIL_WALK_STEPS={steps} cargo nextest run -p scenarios -E 'test(/from_1$/)'");
    let mut walk = Walk::new(seed);
    for number in 1..=steps {
        walk.step(number);
        walk.look();
        if number % 100 == 0 {
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
