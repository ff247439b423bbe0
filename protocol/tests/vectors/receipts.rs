//! `receipts`: what somebody says of messages (§18, MSG-9).

use chain::id::Digest;
use protocol::content::{MAX_RECEIPTS, Receipt, decode_receipts, encode_receipts};
use protocol::id::MessageId;

use crate::case::{Fields, Verdict, check};
use crate::{malformed, ok, read};

fn of(first: u8, receipt: Receipt) -> (MessageId, Receipt) {
    (Digest([first; 32]), receipt)
}

/// CBOR by hand: pairs as they are given.
fn pairs(of: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0x80 | u8::try_from(of.len()).unwrap()];
    for (first, status) in of {
        bytes.extend([&[0x82, 0x58, 32][..], &[*first; 32], status].concat());
    }
    bytes
}

#[test]
fn receipts() {
    let fields = |bytes: Vec<u8>, said: &[(MessageId, Receipt)]| {
        said.iter().fold(Fields::default().with("receipts", bytes), |fields, (message, receipt)| {
            fields.with("message-id", message.0).with_number("status", receipt.number().into())
        })
    };
    let both = [of(1, Receipt::Delivered), of(2, Receipt::Read)];
    let most: Vec<_> = (0..MAX_RECEIPTS).map(|number| of(u8::try_from(number).unwrap(), Receipt::Read)).collect();
    let one_more: Vec<_> = (0..=MAX_RECEIPTS).map(|number| of(u8::try_from(number).unwrap(), Receipt::Read)).collect();
    let bad = |name, what, bytes: Vec<u8>| malformed(name, "MSG-9", what, Fields::default().with("receipts", bytes));
    let one = encode_receipts(&both[..1]);
    let cases = [
        ok("both", "a message that came, and one that was read", fields(encode_receipts(&both), &both)),
        ok("most", "a hundred messages", fields(encode_receipts(&most), &most)),
        ok(
            "other-states",
            "states that are passed over: expired, and one that nobody knows",
            fields(pairs(&[(1, &[3]), (2, &[2]), (3, &[0x18, 0xff])]), &both[1..]),
        ),
        bad("none", "an empty list", pairs(&[])),
        bad("too-many", "a hundred and one messages", encode_receipts(&one_more)),
        bad("twice", "a message that is named twice", pairs(&[(1, &[1]), (1, &[2])])),
        bad("not-ascending", "ids that do not ascend", pairs(&[(2, &[1]), (1, &[1])])),
        bad("long-number", "a number that is not in its shortest form", pairs(&[(1, &[0x18, 1])])),
        bad("large-number", "a number above 255", pairs(&[(1, &[0x19, 1, 0])])),
        bad("one-byte-fewer", "a byte is missing", one[..one.len() - 1].to_vec()),
        bad("one-byte-more", "a byte follows", [one.as_slice(), &[0]].concat()),
    ];
    let judge = |fields: &Fields| -> Verdict {
        let said = read(decode_receipts(fields.get("receipts")), "MSG-9")?;
        assert!(said.iter().map(|(message, _)| &message.0[..]).eq(fields.all("message-id")));
        let numbers = said.iter().map(|(_, receipt)| u64::from(receipt.number()).to_be_bytes().to_vec());
        assert!(numbers.eq(fields.all("status").map(<[u8]>::to_vec)));
        Ok(())
    };
    assert_eq!(check("receipts", &cases, judge), 11);
}
