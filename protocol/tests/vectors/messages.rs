//! `content`: what messages say, and how they are filled up (§18).

use chain::id::{AccountId, DeviceId, Digest};
use protocol::content::{Content, ContentError, Part, message_id, pad, unpad};
use protocol::id::GroupId;

use crate::case::{Case, Fields, Verdict, check};
use crate::ok;

const RULE: &str = "§18";

fn content(text: &str) -> Content {
    let part = Part::text(text).unwrap();
    Content { salt: [0x5a; 16], replaces: None, in_reply_to: None, previous: None, part }
}

/// A content with this salt length, extensions and part, and everything else absent.
fn by_hand(salt: &[u8], extensions: &[u8], part: &[u8]) -> Vec<u8> {
    let salt_head = 0x40 | u8::try_from(salt.len()).unwrap();
    [&[0x87, salt_head][..], salt, &[0xf6, 0x40, 0xf6, 0xf6], extensions, part].concat()
}

const NULL_PART: [u8; 4] = [0x83, 1, 0x60, 0];

fn good() -> Vec<Case> {
    let id = |byte| Some(Digest([byte; 32]));
    let case = |name, what, bytes: &[u8], text: Option<&str>| {
        let (group, account, device) = ([1; 32], [2; 32], [3; 16]);
        let id = message_id(&GroupId(group), &AccountId(account), &DeviceId(device), bytes);
        let fields = Fields::default().with("group", group).with("account", account).with("device", device);
        let fields = fields.with("content", bytes).with("message-id", id.0);
        let fields = fields.with("padded", pad(bytes).unwrap());
        ok(name, what, text.into_iter().fold(fields, |fields, text| fields.with("text", text)))
    };
    let reply = Content { in_reply_to: id(1), previous: id(2), ..content("Yes!") };
    let edit = Content { replaces: id(3), previous: id(2), ..content("Yes.") };
    vec![
        case("text", "a first message", &content("Hi Bob 👋").encode(), Some("Hi Bob 👋")),
        case("reply", "an answer, not the sender's first message here", &reply.encode(), Some("Yes!")),
        case("edit", "a text that replaces another", &edit.encode(), Some("Yes.")),
        case(
            "unknown-part",
            "a part without content: kept, and not shown as a text",
            &by_hand(&[0x5a; 16], &[0xa0], &NULL_PART),
            None,
        ),
        case(
            "foreign-extension",
            "an extension that nobody here knows: passed over",
            &by_hand(&[0x5a; 16], &[0xa1, 0x61, b'x', 0x82, 0xf5, 0xf6], &NULL_PART),
            None,
        ),
    ]
}

fn bad() -> Vec<Case> {
    let case = |name, what, bytes: Vec<u8>| {
        Case::new(name, Err(("content.malformed", RULE)), what, Fields::default().with("content", bytes))
    };
    let salt = [0x5a; 16];
    let extended = |extensions: &[u8]| by_hand(&salt, extensions, &NULL_PART);
    let mut not_utf8 = content("ab").encode();
    let last = not_utf8.len() - 1;
    not_utf8[last] = 0xff;
    let padded = |name, what, padded: Vec<u8>| {
        Case::new(name, Err(("content.malformed", RULE)), what, Fields::default().with("padded", padded))
    };
    let filled = pad(&content("ab").encode()).unwrap();
    let mut not_zero = filled.clone();
    not_zero[400] = 1;
    vec![
        case("short-salt", "a salt of 15 bytes", by_hand(&salt[1..], &[0xa0], &NULL_PART)),
        case("not-shortest", "a number in a longer form than needed", extended(&[0xa1, 1, 0x18, 0x01])),
        case("indefinite", "an array of indefinite length", extended(&[0xa1, 1, 0x9f, 0xff])),
        case("keys-not-ascending", "extensions that do not ascend", extended(&[0xa2, 2, 0, 1, 0])),
        case("key-twice", "one extension twice", extended(&[0xa2, 1, 0, 1, 0])),
        case("floating-point", "a floating-point number", extended(&[0xa1, 1, 0xf9, 0x3c, 0])),
        case("too-deep", "nine levels", extended(&[&[0xa1, 1][..], &[0x81; 7], &[0]].concat())),
        case("text-not-utf8", "a text that is not UTF-8", not_utf8),
        case("one-byte-more", "a byte follows", [content("ab").encode(), vec![0]].concat()),
        padded("padding-not-zero", "something in the padding", not_zero),
        padded("larger-than-needed", "filled to a larger size than needed", [filled, vec![0; 768]].concat()),
    ]
}

fn judge(fields: &Fields) -> Verdict {
    let refused = |error: ContentError| (error.code(), RULE);
    if let Some(padded) = fields.find("padded") {
        let content = unpad(padded).map_err(refused)?;
        assert_eq!(content, fields.get("content"));
    }
    let bytes = fields.get("content");
    let content = Content::decode(bytes).map_err(refused)?;
    let (group, account) = (GroupId(fields.array("group")), AccountId(fields.array("account")));
    let id = message_id(&group, &account, &DeviceId(fields.array("device")), bytes);
    assert_eq!(id.0, fields.array("message-id"));
    match (&content.part, fields.find("text")) {
        (Part::Text(text), Some(expected)) => assert_eq!(text.as_bytes(), expected),
        (Part::Unknown { .. }, None) => (),
        _ => panic!("another kind of part"),
    }
    Ok(())
}

#[test]
fn contents() {
    let cases: Vec<_> = good().into_iter().chain(bad()).collect();
    assert_eq!(check("content", &cases, judge), 16);
}
