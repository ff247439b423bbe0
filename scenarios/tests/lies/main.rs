//! The service lies, and the devices of a whole town are not taken in. What each lie has to come to is in
//! docs/threats.md; a lie that only stops something is shown and ends when the lie does.
//!
//! The numbers are those of the attack catalogue. Where a lie needs no town, another file has the test (in `scenarios/tests` if
//! nothing else is said).
//!
//! | attack | tests |
//! |---|---|
//! | 1 ghost device | `devices::a_ghost_that_is_handed_everything`, `record::a_ghost_that_the_service_seals`, `groups::a_ghost_that_commits_itself` |
//! | 2 key swap under the popup | `devices::a_device_whose_entry_was_swapped`, `devices::an_offer_that_the_older_device_did_not_sign`, `devices::an_offer_made_under_another_face`, `devices::a_reveal_that_was_swapped`, `devices::a_name_that_the_service_made_up`, `devices::an_offer_whose_key_was_swapped` |
//! | 3 replayed confirmation | `devices::a_removed_device_that_is_kept_in_the_dark`, `accounts::a_veto_of_an_earlier_reset`, `accounts::a_recovery_key_that_is_none`; `devices.rs`, `audits.rs` |
//! | 4 circular confirmation | `audits.rs`; `chain/tests/evidence.rs` |
//! | 5 confirmation by a device removed meanwhile | `devices.rs`, `joining.rs`, `races.rs` |
//! | 6 phishing of linking | `joining.rs` |
//! | 7 cloned device | `devices::a_copy_of_a_device`, `accounts::a_device_that_is_called_a_copy` |
//! | 8 bad device confirmed by mistake | `devices::a_removed_device_that_is_kept_in_the_dark`; `joining.rs` |
//! | 9 removed device keeps reading | `devices::a_removed_device_that_is_kept_in_the_dark`, `devices::a_copy_of_a_device` |
//! | 10 lock-out | `accounts::a_recovery_key_that_is_none`, `accounts::a_recovery_that_the_service_seals`; `devices.rs`, `recovery.rs` |
//! | 11 reset abused | `accounts::a_reset_that_is_hidden`, `accounts::a_veto_of_an_earlier_reset`, `accounts::a_reset_before_its_time`, `accounts::a_reset_that_the_service_seals`, `accounts::a_permit_that_the_service_hands_out`; `resets.rs`, `races.rs` |
//! | 13 popup flooding | `devices::an_offer_that_is_repeated`; `devices.rs` |
//! | 14 restart while confirming | `joining.rs` |
//! | 15 split view | `record::whoever_is_led_to_the_other_face`, `record::two_people_before_two_faces`, `insiders::a_made_up_root`; `forks.rs` |
//! | 16 rollback | `record::a_record_that_goes_back`; `forks.rs` |
//! | 17 stale checkpoint | `record::a_record_that_stands_still`, `record::a_clock_that_is_ten_minutes_off`, `unchecked::what_waits`, `unchecked::a_decision_made_in_advance`, `unchecked::a_decision_lets_in_nobody`, `unchecked::a_decision_brings_no_fresh_identity`, `unchecked::a_message_to_somebody_new`, `unchecked::a_message_behind_a_new_device`, `unchecked::known_devices_get_it_for_a_day_with`, `unchecked::known_devices_get_it_for_a_day_while`; `forks.rs` |
//! | 18 withheld entry | `record::an_entry_that_is_left_out`, `unchecked::answers_about_one_person`; `damage.rs` |
//! | 19 oscillation | `record::an_answer_of_before` |
//! | 20 minority policy | `forks.rs` |
//! | 25 proofs mixed up | `record::a_lying_consistency_proof`, `record::a_lying_proof_of_a_root`; `damage.rs` |
//! | 31 names found out | `devices::a_name_that_passes_the_service`; `names.rs` |
//! | 33 added by the service | `groups::a_made_up_group`, `groups::a_welcome_into_a_made_up_group`, `groups::a_ghost_that_commits_itself`, `groups::a_foreign_or_empty_key_package` |
//! | 34 insider fork | `groups::a_welcome_with_another_tree`, `groups::whoever_gets_another_commit`, `insiders::whoever_is_led_to_another_branch`, `insiders::settings_of_somebody_else`; `service/tests/service/delivery.rs` |
//! | 35 commit that some cannot process | `groups::whoever_gets_another_commit` |
//! | 36 commit race | `groups::whoever_always_loses_the_race` |
//! | 37 key package used twice | `messages::a_key_package_given_out_twice`, `messages::two_people_get_two_key_packages`, `messages::a_welcome_that_comes_again` |
//! | 38 key packages drained | `service/tests/service/delivery.rs` |
//! | 39 replay, reorder, drop | `history::parts_that_are_dropped`, `history::a_request_that_comes_once_more`, `messages::a_message_that_comes_three_times`, `messages::messages_that_were_shuffled`, `groups::a_device_that_is_told_of_no_group`, `groups::a_group_that_is_said_to_be_ahead`, `insiders::the_words_of_another`, `repairs::a_text_that_is_missing`, `repairs::whoever_enters_anew`, `repairs::a_false_place`; `gaps.rs`, `insiders::a_member_cannot_change_or_take_back`, `insiders::a_change_that_comes_before`, `late::what_comes_after_its_writer`, `late::a_leaving_that_comes_late` |
//! | 40 key across protocols | `devices::a_signature_that_was_asked_for_as_something_else` |
//! | 41 malformed keys | `groups::a_foreign_or_empty_key_package`; `chain/tests/vectors` |
//! | 45 attachment tricks | `files::a_file_that_was_swapped`, `files::a_service_that_lies_about_its_progress`, `insiders::a_preview_that_is_none`, `insiders::no_member_puts_something_else`; `protocol/src/blob/tests.rs` |
//! | 46 forged history | `history::a_past_message_that_an_older_device_forges`, `history::an_old_message_that_stands_after`, `history::a_lie_about_when_an_old`, `history::a_lie_about_what_is_left`, `history::a_made_up_time` |
//! | 47 history to a pending device | `devices::a_request_for_old_messages`, `devices::whoever_is_confirmed_on_another_face_alone`, `history::a_true_request_of_a_device_that_was_removed` |
//! | 48 history bomb | `history::a_history_of_more_than_anybody_has`, `history::pages_without_end` |
//! | 49 another device's parts | `history::parts_for_another_device`; `history.rs` |
//! | 57 one message kills all | `receipts::receipts_of_nothing`, `messages::a_thousand_damaged_messages`, `repairs::a_storm_of_damage`, `repairs::what_repairs`, `insiders::bytes_that_are_no_content`, `messages::places_at_the_end_of_all_numbers`; `endings.rs` |
//! | 67 silent probing | `receipts::silent_probing`, `receipts::nobody_says_for_another`, `receipts::receipts_that_are_refused`; `people.rs`, `receipts.rs` |

mod accounts;
mod devices;
mod files;
mod groups;
mod history;
mod insiders;
mod late;
mod messages;
mod receipts;
mod record;
mod repairs;
mod unchecked;

use chain::id::AccountId;
use client::query::{self, MessageRow};
use client::step::{Answer, Call, Command, Event, Failure};
use protocol::api::ENTRIES;
use protocol::api::delivery::{Delivery, DeliveryKind, RELAY, Relay};
use protocol::bytes::Base64Url;
use protocol::id::GroupId;
use protocol::refusal::{Problem, status_of};
use scenarios::people::Device;
use scenarios::town::{Town, Who};

fn send(to: &str, text: &str) -> Command {
    Command::Send { to: to.to_owned(), text: text.to_owned() }
}

/// A refusal with this code, as the service writes it.
fn refused(code: &str) -> Answer {
    let (status, kind) = status_of(code);
    let (problem_type, detail) = ("about:blank".to_owned(), String::new());
    Answer::Refused(Problem {
        problem_type,
        status,
        code: code.to_owned(),
        kind,
        detail,
        retry_after_s: None,
        epoch: None,
    })
}

fn contact(handle: &str) -> Command {
    Command::AddContact { handle: handle.to_owned(), account: None, token: None }
}

/// Alice and Bob, who have written to each other.
fn two() -> (Town, Who, Who) {
    let mut town = Town::new();
    let (bob, alice) = (town.sign_up("bob"), town.sign_up("alice"));
    town.send(alice, "bob", "one");
    town.send(bob, "alice", "two");
    assert_eq!(town.texts(alice, None), ["one", "two"]);
    (town, alice, bob)
}

/// Somebody else opens an account: the log goes on.
fn stranger() -> Call {
    let stranger = Device::new();
    let proposal = stranger.sign(stranger.opening(None), "town.example/log");
    Call { path: format!("{ENTRIES}?wait=quorum"), body: Some(proposal), bearer: None }
}

/// Makes a device of Bob hand things to another until that has so many deliveries to come: places in the one order that
/// the liar fills with what it likes.
fn places(town: &Town, from: Who, to: Who, count: u32) {
    let bearer = bearer(town, from);
    for number in 0..count {
        let body = Base64Url([&[1][..], &number.to_be_bytes()].concat());
        let body = serde_json::to_vec(&Relay { device: town.id(to), body }).unwrap();
        let call = Call { path: RELAY.to_owned(), body: Some(body), bearer: bearer.clone() };
        assert_eq!(town.ask(&call).unwrap().0, 200);
    }
}

fn is_place(delivery: &Delivery) -> bool {
    delivery.kind == DeliveryKind::Relay && delivery.bytes.0.len() == 5
}

/// What a lie fills a place with.
fn fill(place: &mut Delivery, with: &Delivery) {
    *place = Delivery { position: place.position, at_s: place.at_s, ..with.clone() };
}

fn last_to(town: &Town, who: Who, kind: DeliveryKind) -> Delivery {
    let found = town.liar.delivered.iter().rev().find(|(it, delivery)| *it == who && delivery.kind == kind);
    found.unwrap().1.clone()
}

/// So long all of them are switched off; then they look around. (Awake, they would look every few seconds.)
fn sleep(town: &mut Town, ms: u64) {
    let all: Vec<_> = town.everybody().collect();
    all.iter().for_each(|who| town.set_online(*who, false));
    town.pass_ms(ms);
    all.iter().for_each(|who| town.set_online(*who, true));
    town.pass_ms(31_000);
}

fn account(town: &Town, who: Who) -> AccountId {
    town.read(who, |store| query::status(store, 0)).account.unwrap()
}

/// The one conversation of a device.
fn group(town: &Town, who: Who) -> GroupId {
    town.read(who, query::conversations)[0].group
}

/// The newest message of a device.
fn newest(town: &Town, who: Who) -> MessageRow {
    town.read(who, |store| query::messages(store, None, 1)).pop().unwrap()
}

/// Has a hand on what a device is told of itself: the token that it uses.
fn bearer(town: &Town, of: Who) -> Option<String> {
    let calls = town.liar.answered.iter().rev().filter(|(who, ..)| *who == of);
    calls.filter(|(.., answer)| matches!(answer, Answer::Ok(_))).find_map(|(_, call, _)| call.bearer.clone())
}

fn is_done(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Done { .. }))
}

/// Why what was wanted has not happened, or not yet.
fn reasons(events: &[Event]) -> Vec<String> {
    let code = |failure: &Failure| failure.code.clone();
    let of = |event: &Event| match event {
        Event::Failed { failure, .. } | Event::Held { failure, .. } => Some(code(failure)),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

/// The lies that a device has shown, with their evidence.
fn lies(town: &Town, who: Who) -> Vec<(String, Vec<u8>)> {
    let of = |event: &Event| match event {
        Event::Lie { code, evidence } => Some((code.clone(), evidence.clone())),
        _ => None,
    };
    town.events(who).iter().filter_map(of).collect()
}

/// The table at the top names every attack that it is to name, and no test that is not there.
#[test]
fn the_table_of_attacks_is_true() {
    let (table, _) = include_str!("main.rs").split_once("mod accounts;").unwrap();
    for number in (1..12).chain(13..21).chain([31]).chain(33..42).chain(45..50).chain([57, 67]) {
        assert!(table.contains(&format!("//! | {number} ")), "attack {number}");
    }
    let files = [
        ("accounts", include_str!("accounts.rs")),
        ("devices", include_str!("devices.rs")),
        ("files", include_str!("files.rs")),
        ("groups", include_str!("groups.rs")),
        ("history", include_str!("history.rs")),
        ("insiders", include_str!("insiders.rs")),
        ("late", include_str!("late.rs")),
        ("messages", include_str!("messages.rs")),
        ("receipts", include_str!("receipts.rs")),
        ("record", include_str!("record.rs")),
        ("repairs", include_str!("repairs.rs")),
        ("unchecked", include_str!("unchecked.rs")),
    ];
    let named: Vec<_> = table.split('`').filter_map(|it| it.split_once("::")).collect();
    for (module, name) in &named {
        let (_, file) = files.iter().find(|(name, _)| name == module).unwrap();
        assert_eq!(file.matches(&format!("\nfn {name}")).count(), 1, "{module}::{name}");
    }
    for (module, file) in files {
        for test in file.split("#[test]\nfn ").skip(1) {
            let is_named = named.iter().any(|(of, name)| *of == module && test.starts_with(name));
            assert!(is_named, "{module}::{}", test.split('(').next().unwrap());
        }
    }
}
