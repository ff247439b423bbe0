//! `entry`: bytes that are no entry.

use chain::sigchain::body::Body;
use chain::sigchain::rules::MAX_CARRIED_CHECKPOINT;

use crate::case::{Case, Fields};
use crate::entry::{bodies, entry, signed, statement};
use crate::ledger::bob_phone;

/// Where things stand in an entry.
const KIND: usize = 2;
const BODY: usize = 2 + 1 + 32 + 4 + 8 + 32 + 8 + 8 + 32;

/// ENT-1.
pub(crate) fn refused() -> Vec<Case> {
    let refused = |name, what, bytes: Vec<u8>| {
        Case::new(name, Err(("entry.encoding", "ENT-1")), what, Fields::default().with("entry", bytes))
    };
    let bad_key = |name, what, bytes: Vec<u8>| {
        Case::new(name, Err(("key.invalid", "ENT-1")), what, Fields::default().with("entry", bytes))
    };
    let with_byte = |kind: &str, at: usize, value: u8| {
        let mut bytes = encoded(kind);
        bytes[at] = value;
        bytes
    };
    let closed = encoded("12-account-closed");
    let short = closed.len() - 1;
    vec![
        refused("trailing-byte", "one byte follows the last signature", [closed.as_slice(), &[0]].concat()),
        refused("truncated", "the last byte of the last signature is missing", closed[..short].to_vec()),
        refused("signature-missing", "the service's signature is not there", closed[..closed.len() - 64].to_vec()),
        refused("empty", "no bytes at all", Vec::new()),
        refused("unknown-format", "format 2", with_byte("12-account-closed", 1, 2)),
        refused("unknown-kind-0", "kind 0", with_byte("12-account-closed", KIND, 0)),
        refused("unknown-kind-13", "kind 13", with_byte("12-account-closed", KIND, 13)),
        refused(
            "request-number-where-none-belongs",
            "AccountClosed with request 3",
            with_request("12-account-closed", 3),
        ),
        refused("no-request-number", "DeviceConfirmed with request 0", with_request("03-device-confirmed", 0)),
        refused("unknown-reset-choice", "reset choice 5", with_byte("08-reset-choice-set", BODY, 5)),
        refused("option-byte-2", "2 before an optional value", with_byte("06-handle-released", BODY, 2)),
        refused("unknown-confirmer", "3 before the confirmer", with_byte("03-device-confirmed", BODY + 48, 3)),
        refused("devices-not-ascending", "the removed devices descend", removal(|devices| devices.reverse())),
        refused("device-twice", "one device is removed twice", removal(|devices| devices[1] = devices[0])),
        refused("no-device", "DeviceRemoved names none", removal(Vec::clear)),
        bad_key("small-order-key", "the added device's chain key is the point y = 0", {
            let mut bytes = encoded("02-device-added");
            bytes[BODY..BODY + 32].fill(0);
            bytes
        }),
        refused("carried-checkpoint-too-long", "a carried checkpoint of 8,193 bytes", {
            let mut body = body("11-account-reset");
            if let Body::AccountReset { notice_checkpoint, .. } = &mut body {
                *notice_checkpoint = vec![b'x'; MAX_CARRIED_CHECKPOINT + 1];
            }
            entry(body).encode()
        }),
    ]
}

fn body(kind: &str) -> Body {
    bodies().into_iter().find(|(name, _)| *name == kind).unwrap().1
}

fn encoded(kind: &str) -> Vec<u8> {
    entry(body(kind)).encode()
}

fn with_request(kind: &str, request: u64) -> Vec<u8> {
    let mut statement = statement(body(kind));
    statement.request = request;
    signed(statement, &bob_phone()).encode()
}

fn removal(bend: fn(&mut Vec<chain::id::DeviceId>)) -> Vec<u8> {
    let mut body = body("05-device-removed");
    if let Body::DeviceRemoved { devices, .. } = &mut body {
        bend(devices);
    }
    entry(body).encode()
}
