//! Files that the service swaps, cuts off or never ends. Rules BLB-2, BLB-5; attack 45.

use client::query::{self, MessageRow};
use client::step::{Answer, Call, Command, Event};
use protocol::api::blobs::BLOBS;
use scenarios::town::{Town, Who};

use crate::two;

const LENGTH: usize = 3_000_000;

/// Alice has sent Bob two files of one length.
fn sent() -> (Town, Who, Vec<MessageRow>) {
    let (mut town, alice, bob) = two();
    for byte in [1, 2] {
        let file = town.put_file(alice, "/file", &vec![byte; LENGTH]);
        town.wish(alice, Command::SendFile { to: "bob".to_owned(), text: String::new(), file });
    }
    let rows = town.read(bob, |store| query::messages(store, None, 10));
    let rows: Vec<_> = rows.into_iter().filter(|row| row.file.is_some()).collect();
    assert_eq!(rows.len(), 2);
    (town, bob, rows)
}

fn save(town: &mut Town, bob: Who, row: &MessageRow) -> String {
    let command = Command::SaveFile { message: row.message, path: "/saved".to_owned(), replace: false };
    let code = |event| match event {
        Event::Failed { failure, .. } => Some(failure.code),
        Event::Done { .. } => Some("done".to_owned()),
        _ => None,
    };
    town.wish(bob, command).into_iter().find_map(code).unwrap_or_default()
}

fn is_piece(call: &Call) -> bool {
    call.path.starts_with(BLOBS) && call.body.is_none()
}

/// BLB-2 (attack 45): another blob of the same length, one that was turned or cut, and one that never ends.
#[test]
fn a_file_that_was_swapped_gets_no_name() {
    let (mut town, bob, rows) = sent();
    // the first blob in the place of the second
    let mut other = Vec::new();
    town.liar.change_answers(move |_, call, answer| match answer {
        Answer::Ok(bytes) if is_piece(call) && other.len() < 3 => {
            other.push(bytes.clone());
            Answer::Ok(bytes)
        }
        Answer::Ok(_) if is_piece(call) => {
            let first = if call.path.contains("?at=0&") { 0 } else { 1 };
            Answer::Ok(other[first].clone())
        }
        answer => answer,
    });
    assert_eq!(save(&mut town, bob, &rows[0]), "done");
    town.files.clear();
    assert_eq!(save(&mut town, bob, &rows[1]), "blob.hash");
    let lies: [fn(&mut Vec<u8>); 4] = [
        |bytes| bytes[0] ^= 1,
        |bytes| {
            bytes.pop();
        },
        |bytes| bytes.push(0),
        Vec::clear,
    ];
    for lie in lies {
        town.liar.change_answers(move |_, call, answer| match answer {
            Answer::Ok(mut bytes) if is_piece(call) => {
                lie(&mut bytes);
                Answer::Ok(bytes)
            }
            answer => answer,
        });
        assert_eq!(save(&mut town, bob, &rows[0]), "blob.hash");
    }
    // a blob without an end: no more of it is asked for than was announced
    town.liar.change_answers(|_, call, answer| match answer {
        Answer::Ok(_) if is_piece(call) => Answer::Ok(vec![7; 1 << 21]),
        answer => answer,
    });
    let before = town.asked.len();
    assert_eq!(save(&mut town, bob, &rows[0]), "blob.hash");
    assert!(town.asked.len() < before + 3);
    assert!(town.files.is_empty(), "nothing of it stays");
    town.liar.stop();
    assert_eq!(save(&mut town, bob, &rows[1]), "done");
    assert_eq!(town.file(bob, "/saved"), Some(&vec![2; LENGTH][..]));
}

/// BLB-5: a service that says that it has all of a file, or less with every answer, ends nothing but this file's way.
#[test]
fn a_service_that_lies_about_its_progress_is_told_from_one_that_is_out_of_reach() {
    let (mut town, alice, bob) = two();
    let file = town.put_file(alice, "/file", &vec![3; LENGTH]);
    let send = || Command::SendFile { to: "bob".to_owned(), text: String::new(), file: file.clone() };
    town.liar.change_answers(|_, call, answer| match answer {
        Answer::Ok(_) if call.path.starts_with(BLOBS) => Answer::Ok(br#"{"size":1,"have":0}"#.to_vec()),
        answer => answer,
    });
    let events = town.wish(alice, send());
    let code = |event: &Event| match event {
        Event::Failed { failure, .. } => Some(failure.code.clone()),
        _ => None,
    };
    assert_eq!(events.iter().find_map(code).as_deref(), Some("service.answer_malformed"));
    town.liar.stop();
    town.wish(alice, send());
    town.send(alice, "bob", "and a text");
    let rows = town.read(bob, |store| query::messages(store, None, 10));
    assert_eq!(rows.iter().filter(|row| row.file.is_some()).count(), 1);
}
