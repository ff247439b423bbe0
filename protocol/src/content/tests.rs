//! Contents there and back, and those that nobody may be able to send.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

/// The same cases in every run, nothing written to disk.
fn config() -> ProptestConfig {
    let rng_seed = RngSeed::Fixed(20_261_124);
    ProptestConfig { cases: 300, failure_persistence: None, rng_seed, ..ProptestConfig::default() }
}

fn id(byte: u8) -> MessageId {
    chain::id::Digest([byte; 32])
}

fn content(text: &str) -> Content {
    let part = Part::text(text).unwrap();
    Content { previous: Some(id(2)), ..Content::of([1; 16], part) }
}

/// CBOR by hand: the items of a content, each of which a test can replace.
struct Items([Vec<u8>; 7]);

impl Items {
    fn new() -> Self {
        let salt = [&[0x50][..], &[1; 16]].concat();
        Self([salt, vec![0xf6], vec![0x40], vec![0xf6], vec![0xf6], vec![0xa0], text_part(b"hi")])
    }

    fn with(mut self, place: usize, item: impl Into<Vec<u8>>) -> Self {
        self.0[place] = item.into();
        self
    }

    fn bytes(&self) -> Vec<u8> {
        [vec![0x87], self.0.concat()].concat()
    }

    fn read(&self) -> Result<Content, ContentError> {
        Content::decode(&self.bytes())
    }
}

fn text_part(text: &[u8]) -> Vec<u8> {
    single(1, TEXT_TYPE, text)
}

fn cbor(write: impl Fn(&mut Encoder<Vec<u8>>)) -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    write(&mut e);
    e.into_writer()
}

/// A map of extensions.
fn extensions(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let head = 0xa0 | u8::try_from(pairs.len()).unwrap();
    let pairs = pairs.iter().flat_map(|(key, value)| [*key, *value].concat());
    std::iter::once(head).chain(pairs).collect()
}

fn previous_key() -> Vec<u8> {
    cbor(|e| {
        e.i64(PREVIOUS).unwrap();
    })
}

fn bytes_item(length: usize) -> Vec<u8> {
    cbor(|e| {
        e.bytes(&vec![3; length]).unwrap();
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_written_is_read_and_takes_one_form(
        salt: [u8; 16],
        ids: [Option<[u8; 32]>; 3],
        text in "\\PC{0,300}",
    ) {
        let [replaces, in_reply_to, previous] = ids.map(|id| id.map(chain::id::Digest));
        let content = Content { replaces, in_reply_to, previous, ..Content::of(salt, Part::text(text).unwrap()) };
        let bytes = content.encode();
        prop_assert_eq!(Content::decode(&bytes), Ok(content.clone()));
        let padded = pad(&bytes).unwrap();
        prop_assert_eq!(unpad(&padded), Ok(bytes.as_slice()));
    }
}

#[test]
fn by_hand_and_by_program_the_bytes_are_the_same() {
    let content = Content { previous: None, ..content("hi") };
    assert_eq!(Items::new().bytes(), content.encode());
    let all = Content { replaces: Some(id(3)), in_reply_to: Some(id(3)), previous: Some(id(3)), ..content };
    let extensions = extensions(&[(&previous_key(), &bytes_item(32))]);
    let items = Items::new().with(1, bytes_item(32)).with(4, bytes_item(32)).with(5, extensions);
    assert_eq!(items.bytes(), all.encode());
}

/// Whoever copies somebody's message, or says it elsewhere, has written another one.
#[test]
fn an_id_belongs_to_its_group_its_account_its_device_and_its_content() {
    let content_bytes = [content("hi"), Content { salt: [2; 16], ..content("hi") }].map(|it| it.encode());
    let name = |group, account, device, bytes: &[u8]| {
        message_id(&GroupId([group; 32]), &AccountId([account; 32]), &DeviceId([device; 16]), bytes)
    };
    let [bytes, other] = &content_bytes;
    let ids =
        [name(1, 2, 3, bytes), name(4, 2, 3, bytes), name(1, 4, 3, bytes), name(1, 2, 4, bytes), name(1, 2, 3, other)];
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len());
    assert_eq!(ids[0], name(1, 2, 3, bytes));
}

/// What others may send by the draft, and what is not in use here, takes no message away.
#[test]
fn topic_expiry_and_foreign_extensions_are_passed_over() {
    let uris = extensions(&[(&[1], b"\x63a:b"), (&previous_key(), &bytes_item(32)), (b"\x61x", &[0x82, 0xf5, 0x80])]);
    let expiry = [0x82, 0xf5, 0x19, 0x0e, 0x10];
    let read = Items::new().with(2, *b"\x45topic").with(3, expiry).with(5, uris).read().unwrap();
    let expires = Some(Expiry { relative: true, seconds: 3_600 });
    assert_eq!(read, Content { previous: Some(id(3)), expires, ..content("hi") });
}

/// A single part.
fn single(disposition: u8, content_type: &str, content: &[u8]) -> Vec<u8> {
    cbor(|e| {
        e.array(5).unwrap().u8(disposition).unwrap().str("").unwrap().u8(1).unwrap();
        e.str(content_type).unwrap().bytes(content).unwrap();
    })
}

#[test]
fn a_single_part_of_another_type_or_purpose_is_kept() {
    let kinds: [(u8, &str, &[u8]); 3] = [(3, TEXT_TYPE, "Bob".as_bytes()), (1, "image/png", &[0x89]), (99, "x/y", &[])];
    for (disposition, content_type, content) in kinds {
        let items = Items::new().with(6, single(disposition, content_type, content));
        let kept = Part::Unknown { disposition, content_type: content_type.into(), bytes: content.into() };
        assert!(items.read().unwrap().part == kept, "{content_type}");
        assert_eq!(Content { previous: None, part: kept, ..self::content("") }.encode(), items.bytes());
    }
}

/// MSG-3, MSG-4.
#[test]
fn a_reaction_and_a_part_of_nothing_are_read_as_such() {
    let reaction = Items::new().with(6, single(2, TEXT_TYPE, "👍".as_bytes()));
    assert!(reaction.read().unwrap().part == Part::reaction("👍").unwrap());
    let nothing = Items::new().with(6, [0x83, 0x01, 0x60, 0x00]);
    assert!(nothing.read().unwrap().part == Part::Nothing);
    for read in [reaction, nothing] {
        assert_eq!(read.read().unwrap().encode(), read.bytes());
    }
    for text in [&b""[..], b" ", b"a\nb", b"\x1b", b"\xff", &[b'x'; MAX_REACTION + 1]] {
        assert!(Items::new().with(6, single(2, TEXT_TYPE, text)).read().is_err(), "{text:?}");
    }
}

#[test]
fn a_part_that_is_not_a_single_one_is_kept_whole() {
    let null = vec![0x83, 0x01, 0x61, b'x', 0x09];
    let external = cbor(|e| {
        e.array(15).unwrap().u8(1).unwrap().str("").unwrap().u8(2).unwrap().str("video/mp4").unwrap();
        e.str("https://host.example/x").unwrap().u8(0).unwrap().u32(70_000).unwrap().u8(1).unwrap();
        e.bytes(&[1; 16]).unwrap().bytes(&[2; 12]).unwrap().bytes(&[]).unwrap().u8(1).unwrap();
        e.bytes(&[3; 32]).unwrap().str("").unwrap().str("x.mp4").unwrap();
    });
    let multi = [&[0x85, 0x01, 0x60, 0x03, 0x00, 0x82][..], &text_part(b"a"), &text_part(b"b")].concat();
    let later = vec![0x85, 0x01, 0x60, 0x09, 0x01, 0x02];
    for part in [null, external, multi, later, single(1, "", b"what?")] {
        let items = Items::new().with(6, part.clone());
        let read = items.read().unwrap();
        assert!(read.part == Part::Unknown { disposition: 1, content_type: String::new(), bytes: part });
        assert_eq!(read.encode(), items.bytes());
    }
}

#[test]
fn every_item_has_one_type_and_length() {
    let malformed = |place, item: &[u8]| {
        let read = Items::new().with(place, item).read();
        assert!(matches!(read, Err(ContentError::Malformed { .. })), "item {place}: {item:02x?}");
    };
    malformed(0, &bytes_item(15));
    malformed(0, &[0xf6]);
    for place in [1, 4] {
        malformed(place, &bytes_item(31));
        malformed(place, &[0xf5]);
    }
    malformed(2, &bytes_item(256));
    malformed(2, &[0xf6]);
    malformed(3, &[0x81, 0xf5]);
    malformed(3, &[0x82, 0xf5, 0x1b, 0, 0, 0, 1, 0, 0, 0, 0]);
    malformed(5, &[0x80]);
    malformed(5, &extensions(&[(&previous_key(), &bytes_item(31))]));
    malformed(5, &extensions(&[(&[0x60], &[0])]));
    malformed(5, &extensions(&[(&[0x40], &[0])]));
    malformed(5, &extensions(&[(&[1], &bytes_item(4_096))]));
    malformed(6, &[0x60]);
    malformed(6, &[0x82, 0x01, 0x60]);
    malformed(6, &[0x84, 0x01, 0x60, 0x01, 0x60]);
    malformed(6, &[0x83, 0x19, 0x01, 0x00, 0x60, 0x00]);
    let bytes = Items::new().bytes();
    assert!(Content::decode(&[&bytes[..], &[0]].concat()).is_err());
    assert!((0..bytes.len()).all(|end| Content::decode(&bytes[..end]).is_err()));
}

#[test]
fn a_text_that_is_not_utf8_is_refused() {
    assert!(Items::new().with(6, text_part(b"\xc3\x28")).read().is_err());
    assert!(Items::new().with(5, extensions(&[(b"\x61\xff", &[0])])).read().is_err());
}

/// RFC 8949 §4.2.1: a second way to write the same is refused.
#[test]
fn only_the_deterministic_form_is_read() {
    let values: [&[u8]; 10] = [
        &[0x18, 0x17], // a longer head than needed
        &[0x19, 0x00, 0xff],
        &[0x1a, 0x00, 0x00, 0xff, 0xff],
        &[0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
        &[0x9f, 0xff], // an indefinite length
        &[0x5f, 0x41, 0x00, 0xff],
        &[0xf9, 0x3c, 0x00],             // a floating-point number
        &[0xf7],                         // undefined
        &[0xf8, 0x14],                   // a simple value in two bytes
        &[0xa2, 0x02, 0x00, 0x01, 0x00], // keys that do not ascend
    ];
    for value in values {
        assert!(Items::new().with(5, extensions(&[(&[1], value)])).read().is_err(), "{value:02x?}");
    }
    assert!(Items::new().with(5, extensions(&[(&[1], &[0]), (&[1], &[0])])).read().is_err());
    assert!(Items::new().with(5, extensions(&[(&[1], &[0]), (&[2], &[0])])).read().is_ok());
}

/// Attack 55: what is nested is left at the ninth level, what is long before the first.
#[test]
fn nested_arrays_are_refused_where_they_are_too_deep() {
    assert_eq!(Content::decode(&vec![0x81; 1 << 20]), Err(ContentError::TooLarge { max: MAX_CONTENT }));
    for head in [0x81, 0xa1, 0xc1] {
        assert_eq!(Content::decode(&[&[0x81; 8][..], &[head; 60_000]].concat()), Err(ContentError::TooDeep));
    }
    let nested = |levels: usize| extensions(&[(&[1], &[&vec![0x81; levels][..], &[0]].concat())]);
    assert!(Items::new().with(5, nested(MAX_DEPTH - 2)).read().is_ok());
    assert_eq!(Items::new().with(5, nested(MAX_DEPTH - 1)).read(), Err(ContentError::TooDeep));
}

/// Attack 27: numbers of items and lengths that are not true.
#[test]
fn an_announced_length_reserves_nothing() {
    for head in [0x9b, 0xbb, 0x5b, 0x7b] {
        let announced = [&[head][..], &[0xff; 8]].concat();
        assert!(Content::decode(&announced).is_err());
        assert!(Items::new().with(5, extensions(&[(&[1], &announced)])).read().is_err());
    }
}

#[test]
fn the_longest_text_fits_with_everything_else() {
    let expires = Some(Expiry { relative: true, seconds: u32::MAX });
    let longest =
        Content { replaces: Some(id(1)), in_reply_to: Some(id(1)), expires, ..content(&"x".repeat(MAX_TEXT)) };
    let bytes = longest.encode();
    assert_eq!(Content::decode(unpad(&pad(&bytes).unwrap()).unwrap()), Ok(longest));
    assert_eq!(Part::text("x".repeat(MAX_TEXT + 1)), Err(ContentError::TooLarge { max: MAX_TEXT }));
    let longer = Items::new().with(6, text_part(&vec![b'x'; MAX_TEXT + 1]));
    assert_eq!(longer.read().unwrap_err().code(), "content.too_large");
}

/// Attack 66: neither a short text nor what it refers to shows in the size.
#[test]
fn texts_of_1_to_200_bytes_have_one_size() {
    let padded = |length: usize, ids: [bool; 3]| {
        let [replaces, in_reply_to, previous] = ids.map(|present| present.then_some(id(1)));
        let content = Content { replaces, in_reply_to, previous, ..content(&"x".repeat(length)) };
        pad(&content.encode()).unwrap().len()
    };
    let sizes =
        (1..=200).flat_map(|length| [[false; 3], [false, true, true], [true; 3]].map(|ids| padded(length, ids)));
    assert!(sizes.into_iter().all(|size| size == BUCKETS[0]));
    assert_eq!(BUCKETS.map(|bucket| padded(bucket - AROUND, [true; 3])), BUCKETS);
}

#[test]
fn every_length_has_its_bucket() {
    let mut last = 0;
    let buckets = BUCKETS.map(|bucket| [(std::mem::replace(&mut last, bucket - 3), bucket), (bucket - 4, bucket)]);
    for (length, bucket) in buckets.into_iter().flatten() {
        let padded = pad(&vec![7; length]).unwrap();
        assert_eq!(padded.len(), bucket, "{length} bytes");
        assert_eq!(unpad(&padded).unwrap().len(), length);
    }
    assert_eq!(pad(&vec![7; MAX_CONTENT + 1]), Err(ContentError::TooLarge { max: MAX_CONTENT }));
}

#[test]
fn padding_has_one_form() {
    let padded = pad(b"some content").unwrap();
    let mut not_zero = padded.clone();
    *not_zero.last_mut().unwrap() = 1;
    let mut too_long = padded.clone();
    too_long[..4].copy_from_slice(&(256 + 189_u32).to_be_bytes());
    let mut huge = padded.clone();
    huge[..4].fill(0xff);
    let larger_bucket = [&padded[..], &[0; 768][..]].concat();
    let no_bucket = [&padded[..], &[0]].concat();
    for bent in [not_zero, too_long, huge, larger_bucket, no_bucket, padded[1..].to_vec(), vec![0; 3], vec![]] {
        assert_eq!(unpad(&bent), Err(ContentError::Padding), "{} bytes", bent.len());
    }
}

#[test]
fn nothing_of_a_content_is_in_its_debug_form() {
    let content = content("a secret");
    assert_eq!(format!("{content:?} {:?}", content.part), "Content(..) Part(..)");
}
