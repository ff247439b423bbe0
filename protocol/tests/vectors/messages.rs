//! `content`: what messages say, and how they are filled up (§18).

use chain::id::{AccountId, DeviceId, Digest};
use protocol::blob::BlobKey;
use protocol::content::{Content, ContentError, External, Mention, PICTURE, Part, Preview, message_id, pad, unpad};
use protocol::effect::Effect;
use protocol::id::{BlobId, GroupId};
use zeroize::Zeroizing;

use crate::case::{Case, Fields, Verdict, check};
use crate::ok;

const RULE: &str = "§18";

fn content(text: &str) -> Content {
    let part = Part::text(text).unwrap();
    Content::of([0x5a; 16], part)
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
        let read = Content::decode(bytes).unwrap();
        let fields = read.mentions.iter().fold(fields, with_mention);
        let fields = match read.effect() {
            Some((about, effect)) => fields.with("about", about.0).with("effect", name_of(effect)),
            None => fields,
        };
        let fields = match Content::decode(bytes).unwrap().part {
            Part::Picture(jpeg) => fields.with("picture", jpeg),
            _ => fields,
        };
        let fields = match preview_of(&Content::decode(bytes).unwrap()) {
            Some([width, height, thumb]) => fields.with("width", width).with("height", height).with("thumb", thumb),
            None => fields,
        };
        ok(name, what, text.into_iter().fold(fields, |fields, text| fields.with("text", text)))
    };
    let reply = Content { in_reply_to: id(1), previous: id(2), ..content("Yes!") };
    let edit = Content { replaces: id(3), previous: id(2), ..content("Yes.") };
    let about = |replaces, in_reply_to, part| Content { replaces, in_reply_to, part, ..content("") }.encode();
    let reaction = Part::reaction("👍").unwrap();
    let mention = |start, end, account| Mention { start, end, account: AccountId([account; 32]) };
    let mentioning = |mentions| Content { mentions, previous: id(2), ..content("é @bob and @alice") }.encode();
    vec![
        case(
            "mentions",
            "a text that mentions two people",
            &mentioning(vec![mention(3, 7, 4), mention(12, 18, 5)]),
            Some("é @bob and @alice"),
        ),
        case(
            "mentions-outside",
            "one of two mentions ends behind the text: it mentions nobody, and is a text all the same",
            &mentioning(vec![mention(3, 7, 4), mention(12, 19, 5)]),
            Some("é @bob and @alice"),
        ),
        case("reaction", "what somebody thinks of a message", &about(None, id(1), reaction.clone()), None),
        case("reaction-to-nothing", "a reaction that names no message", &about(None, None, reaction), None),
        case("take-back", "a message is taken back", &about(id(1), None, Part::Nothing), None),
        case("text", "a first message", &content("Hi Bob 👋").encode(), Some("Hi Bob 👋")),
        case("reply", "an answer, not the sender's first message here", &reply.encode(), Some("Yes!")),
        case("edit", "a text that replaces another", &edit.encode(), Some("Yes.")),
        case("picture", "a picture, with its size and a ThumbHash", &picture(4_000, 3_000), None),
        case(
            "picture-of-absurd-size",
            "a preview of 65,535 by 65,535 points: passed over, and the file stays",
            &picture(u16::MAX, u16::MAX),
            None,
        ),
        case("chat-picture", "what picture a conversation has from here on", &chat_picture(&CHAT_PICTURE), None),
        case("no-chat-picture", "it has none from here on", &chat_picture(b""), None),
        case(
            "unknown-part",
            "a part that is for the writer's profile: kept, and not shown as a text",
            &by_hand(&[0x5a; 16], &[0xa0], &[0x83, 3, 0x60, 0]),
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
        case("reaction-of-nothing", "a reaction without a letter", reaction_of(b"  ")),
        case("reaction-with-control", "a reaction with a line feed", reaction_of(b"a\n")),
        case("chat-picture-of-another-kind", "a picture of a conversation that is no JPEG", chat_picture(b"<svg/>")),
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

/// A JPEG of 16 by 8 points, as far as anybody reads who does not decode it.
const CHAT_PICTURE: [u8; 17] = *b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x11\x08\0\x08\0\x10";

fn chat_picture(bytes: &[u8]) -> Vec<u8> {
    let part = Part::Unknown { disposition: 1, content_type: PICTURE.to_owned(), bytes: bytes.to_vec() };
    Content { part, ..content("") }.encode()
}

/// A message with a file whose preview claims this size; 24 bytes are a ThumbHash of seven waves by seven.
fn picture(width: u16, height: u16) -> Vec<u8> {
    let file = External {
        inline: true,
        content_type: "image/jpeg".to_owned(),
        blob: BlobId([4; 32]),
        expires_s: 1_800_000_000,
        length: 3_141_592,
        key: BlobKey { key: Zeroizing::new([5; 32]), prefix: [6; 7] },
        hash: Digest([7; 32]),
        description: String::new(),
        name: "island.jpg".to_owned(),
        preview: Preview::new(0x0fa0, 0x0bb8, vec![7; 24]),
    };
    let mut bytes = Content { part: Part::External(Box::new(file)), ..content("") }.encode();
    let claimed = [0x83, 0x19, 0x0f, 0xa0, 0x19, 0x0b, 0xb8];
    let at = bytes.windows(7).position(|it| it == claimed).unwrap();
    bytes[at + 2..at + 4].copy_from_slice(&width.to_be_bytes());
    bytes[at + 5..at + 7].copy_from_slice(&height.to_be_bytes());
    bytes
}

/// Width, height and ThumbHash that count (BLB-10).
fn preview_of(content: &Content) -> Option<[Vec<u8>; 3]> {
    let Part::External(file) = &content.part else { return None };
    let preview = file.preview.as_ref()?;
    let number = |number: u32| u64::from(number).to_be_bytes().to_vec();
    Some([number(preview.width()), number(preview.height()), preview.thumb().to_vec()])
}

fn with_mention(fields: Fields, mention: &Mention) -> Fields {
    let range = [mention.start, mention.end].map(|at| u8::try_from(at).unwrap());
    fields.with("range", range).with("mentioned", mention.account.0)
}

fn name_of(effect: Effect<'_>) -> &'static [u8] {
    match effect {
        Effect::Edit(_) => b"edit",
        Effect::Delete => b"take back",
        Effect::React(_) => b"react",
    }
}

fn reaction_of(text: &[u8]) -> Vec<u8> {
    let kind = b"text/plain;charset=utf-8";
    let head = |head: u8, length: usize| match u8::try_from(length).unwrap() {
        short @ 0..24 => vec![head | short],
        long => vec![head | 24, long],
    };
    let part = [&[0x85, 2, 0x60, 1][..], &head(0x60, kind.len()), kind, &head(0x40, text.len()), text].concat();
    by_hand(&[0x5a; 16], &[0xa0], &part)
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
    let ranges: Vec<_> =
        content.mentions.iter().map(|it| [it.start, it.end].map(|at| u8::try_from(at).unwrap())).collect();
    assert!(fields.all("range").eq(ranges.iter().map(|range| &range[..])));
    assert!(fields.all("mentioned").eq(content.mentions.iter().map(|it| &it.account.0[..])));
    let effect = content.effect();
    assert_eq!(effect.map(|(about, _)| about.0.to_vec()).as_deref(), fields.find("about"));
    assert_eq!(effect.map(|(_, effect)| name_of(effect)), fields.find("effect"));
    let preview = preview_of(&content).map(|fields| fields.to_vec());
    let expected = ["width", "height", "thumb"].map(|name| fields.find(name).map(<[u8]>::to_vec));
    assert_eq!(preview, expected.into_iter().collect::<Option<Vec<_>>>());
    match (&content.part, fields.find("text")) {
        (Part::Text(text), Some(expected)) => assert_eq!(text.as_bytes(), expected),
        (Part::Picture(jpeg), None) => assert_eq!(Some(&jpeg[..]), fields.find("picture")),
        (Part::External(_) | Part::Unknown { .. } | Part::Reaction(_) | Part::Nothing, None) => (),
        _ => panic!("another kind of part"),
    }
    Ok(())
}

#[test]
fn contents() {
    let cases: Vec<_> = good().into_iter().chain(bad()).collect();
    assert_eq!(check("content", &cases, judge), 28);
}
