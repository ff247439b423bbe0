//! Every format of this crate that comes from outside, against bytes of every kind: nothing panics, and what is read is
//! written as it was (attack 27).
//!
//! Fixed pseudo-random edits of true values are the same in every run; `any_bytes` adds inputs of bolero's that are new
//! in every run (it prints the seed of a failure), and those that `cargo bolero test any_bytes` found and left beside
//! this file.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "a test panics")]

use chain::id::{AccountId, DeviceId, Digest, PublicKey, SignatureBytes};
use chain::sigchain::entry::SeenCheckpoint;
use ed25519_dalek::SigningKey;
use protocol::backup::Part as BackupPart;
use protocol::confirm::{Code, Offer, Request, Reveal};
use protocol::content::{self, Content, Mention, Part};
use protocol::history::{Erased, HistoryMessage, HistoryPart, HistoryRequest, IndexRow, Plain, Wanted};
use protocol::id::GroupId;
use protocol::introduction::{Claim, DeviceKind, Introduction};
use protocol::members::{Leaf, Members, MembersUpdate, Roles, Standing};
use protocol::relay::RelayBody;
use protocol::settings::{Setting, SettingKey, decode_settings, encode_settings};

/// Inputs for each format in the plain test run.
const CASES: u64 = 20_000;

/// A format: what reads and writes it, and true values.
struct Format {
    name: &'static str,
    /// Reads the bytes and writes what it read.
    again: fn(&[u8]) -> Option<Vec<u8>>,
    samples: Vec<Vec<u8>>,
}

impl Format {
    fn new(name: &'static str, samples: Vec<Vec<u8>>, again: fn(&[u8]) -> Option<Vec<u8>>) -> Self {
        for sample in &samples {
            assert_eq!(again(sample).as_ref(), Some(sample), "{name}");
        }
        Self { name, again, samples }
    }

    /// True if the bytes are a value.
    fn check(&self, bytes: &[u8]) -> bool {
        let written = (self.again)(bytes);
        assert!(written.as_ref().is_none_or(|written| written == bytes), "{}: {bytes:02x?}", self.name);
        written.is_some()
    }
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

/// What a signed form becomes when it is read and signed again, with the signature that it had.
fn signed_as_before(bytes: &[u8], again: Vec<u8>) -> Vec<u8> {
    let statement = again.len() - SignatureBytes::LEN;
    [&again[..statement], &bytes[bytes.len() - SignatureBytes::LEN..]].concat()
}

/// Contents of which something is passed over when they are read: they are read only.
fn read_contents(bytes: &[u8]) -> Option<Vec<u8>> {
    let content = Content::decode(bytes).ok()?;
    let written = content.encode();
    assert_eq!(Content::decode(&written), Ok(content));
    Some(bytes.to_vec())
}

fn contents() -> Vec<Vec<u8>> {
    let text = |text: &str, id: Option<u8>| {
        let id = id.map(|byte| Digest([byte; 32]));
        let part = Part::text(text).unwrap();
        Content { replaces: id, in_reply_to: id, previous: id, ..Content::of([9; 16], part) }
    };
    // a part of two parts; expiry, topic and two extensions besides
    let parts = [&[0x85, 1, 0x60, 3, 0, 0x82][..], &[0x83, 0, 0x60, 0], &[0x85, 4, 0x60, 1, 0x61, b'a', 0x40]].concat();
    let before = [&[0x87, 0x50][..], &[7; 16], &[0xf6, 0x41, 5, 0x82, 0xf5, 0x05, 0xf6, 0xa2, 1, 0x61, b'u']].concat();
    let foreign = [&before[..], &[0x61, b'x', 0xa1, 0x20, 0x81, 0xc1, 0x00], &parts].concat();
    let id = Some(Digest([3; 32]));
    let about = |replaces, in_reply_to, part| Content { replaces, in_reply_to, ..Content::of([9; 16], part) };
    let reaction = about(None, id, Part::reaction("+1").unwrap());
    let mention = Mention { start: 3, end: 7, account: AccountId([4; 32]) };
    let mentioning = Content { mentions: vec![mention], ..text("hi @bob", None) };
    let texts = [text("hello", None), text(&"x".repeat(300), Some(3)), mentioning];
    let others = [reaction, about(id, None, Part::Nothing)];
    texts.iter().chain(&others).map(Content::encode).chain([foreign]).collect()
}

fn message_formats() -> Vec<Format> {
    let padded = contents().iter().map(|it| content::pad(it).unwrap()).collect();
    let messages = [1_u8, 2].map(|byte| HistoryMessage {
        group: GroupId([byte; 32]),
        place: byte.into(),
        from: AccountId([byte; 32]),
        device: DeviceId([byte; 16]),
        sent_at_ms: 5,
        ends_ms: (byte == 1).then_some(7),
        content: if byte == 1 { vec![byte; 40] } else { Vec::new() },
        erased: (byte == 2).then_some(Erased {
            message: Digest([8; 32]),
            previous: Some(Digest([9; 32])),
            about: None,
        }),
    });
    let page = Plain::Messages { partial: false, older: true, messages: messages.to_vec() };
    let old = BackupPart::Messages(messages.to_vec());
    let end = BackupPart::End { at_ms: 1, messages: 2 };
    let rows = vec![IndexRow { group: GroupId([3; 32]), messages: 4, newest_ms: 5 }; 2];
    let index = Plain::Index { partial: true, rows };
    let key = SettingKey::DeviceName(DeviceId([1; 16])).encode();
    let settings = [0, 7].map(|stamp| Setting { key: key.clone(), stamp, device: DeviceId([2; 16]), value: vec![3] });
    let shared = BackupPart::Settings(settings.to_vec());
    let parts = [shared, old, end].map(|part| part.encode().unwrap());
    vec![
        Format::new("backup", parts.to_vec(), |it| BackupPart::decode(it).ok()?.encode()),
        Format::new("content", contents(), read_contents),
        Format::new("padding", padded, |it| content::pad(content::unpad(it).ok()?).ok()),
        Format::new("history", vec![page.encode(), index.encode()], |it| Some(Plain::decode(it).ok()?.encode())),
        Format::new("settings", vec![encode_settings(&settings)], |it| {
            Some(encode_settings(&decode_settings(it).ok()?))
        }),
    ]
}

fn relayed_formats() -> Vec<Format> {
    let request = Request { account: AccountId([2; 32]), generation: 1, added: Digest([3; 32]), request: 4 };
    let (device, checkpoint) = (DeviceId([7; 16]), SeenCheckpoint { size: 5, root: Digest([6; 32]) });
    let offer =
        Offer { request, attempt: 1, device, checkpoint, random: [8; 32], public_key: vec![5; 40] }.sign(&key());
    let reveal = Reveal { request, attempt: 2, device, nonce: [9; 32] }.sign(&key());
    let (account, confirmed, public_key) = (request.account, request.added, vec![1; 32]);
    let (nonce, wanted) = ([6; 16], Wanted::Page { group: GroupId([7; 32]), before: 8 });
    let asked = HistoryRequest { account, generation: 1, device, confirmed, public_key, nonce, wanted }.sign(&key());
    let part = HistoryPart {
        request: HistoryRequest::hash(&asked),
        index: 0,
        count: 2,
        kem_output: vec![1; 32],
        ciphertext: vec![2; 50],
    };
    let relayed = vec![RelayBody::Offer(offer.clone()).encode(), RelayBody::Closed.encode()];
    let introduction =
        Introduction { request, attempt: 1, device, kem_output: vec![1; 32], ciphertext: vec![2; 275] }.sign(&key());
    let claims = ["", "Bob's desktop"].map(|name| Claim::new(DeviceKind::Windows, name).encode());
    vec![
        Format::new("claim", claims.to_vec(), |it| Some(Claim::decode(it).ok()?.encode())),
        Format::new("introduction", vec![introduction], |it| {
            Some(signed_as_before(it, Introduction::decode(it).ok()?.sign(&key())))
        }),
        Format::new("relay", relayed, |it| Some(RelayBody::decode(it).ok()?.encode())),
        Format::new("offer", vec![offer], |it| Some(signed_as_before(it, Offer::decode(it).ok()?.sign(&key())))),
        Format::new("reveal", vec![reveal], |it| Some(signed_as_before(it, Reveal::decode(it).ok()?.sign(&key())))),
        Format::new("history request", vec![asked], |it| {
            Some(signed_as_before(it, HistoryRequest::decode(it).ok()?.sign(&key())))
        }),
        Format::new("history part", vec![part.sign(&key())], |it| {
            Some(signed_as_before(it, HistoryPart::decode(it).ok()?.sign(&key())))
        }),
        Format::new("typed code", vec![b"418093".to_vec()], |it| {
            let text = std::str::from_utf8(it).ok()?;
            Code::parse(text).map(|_| it.to_vec())
        }),
    ]
}

fn group_formats() -> Vec<Format> {
    let standing = |byte: u8| Standing { generation: 1, sequence: byte.into(), device_set: Digest([byte; 32]) };
    let log = SeenCheckpoint { size: 5, root: Digest([6; 32]) };
    let accounts = [1, 2, 3].map(|byte| (AccountId([byte; 32]), standing(byte)));
    let members = Members { log, accounts: accounts.into() };
    let changed = [(AccountId([1; 32]), None), (AccountId([2; 32]), Some(standing(4)))].into();
    let roles = Roles { admins: members.accounts.keys().copied().collect(), open: true };
    let public = PublicKey::from(&key());
    let leaf = [&Leaf::identity(&AccountId([1; 32]), &DeviceId([2; 16]))[..], public.as_bytes()].concat();
    vec![
        Format::new("members", vec![members.encode()], |it| Some(Members::decode(it).ok()?.encode())),
        Format::new("update", vec![MembersUpdate { log, changed }.encode()], |it| {
            Some(MembersUpdate::decode(it).ok()?.encode())
        }),
        Format::new("roles", vec![roles.encode()], |it| Some(Roles::decode(it).ok()?.encode())),
        Format::new("leaf", vec![leaf], |it| {
            let (identity, key) = it.split_at_checked(Leaf::IDENTITY_LEN)?;
            let leaf = Leaf::read(identity, key).ok()?;
            Some([&Leaf::identity(&leaf.account, &leaf.device)[..], leaf.key.as_bytes()].concat())
        }),
    ]
}

/// Bends bytes: each four bytes of `edits` are what to do, where (two bytes) and with what.
fn edited(sample: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut bytes = sample.to_vec();
    for edit in edits.as_chunks::<4>().0.iter().take(8) {
        let [kind, high, low, value] = *edit;
        let at = (usize::from(u16::from_be_bytes([high, low])) * bytes.len()) >> 16;
        let end = (at + 1 + usize::from(value % 64)).min(bytes.len());
        match kind % 8 {
            0 | 1 if at < bytes.len() => bytes[at] ^= 1 << (value % 8),
            2 if at < bytes.len() => bytes[at] = value,
            3 => drop(bytes.drain(at..end)),
            4 => drop(bytes.splice(at..at, vec![value; usize::from(value % 40)])),
            5 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
            6 => bytes[at..end].iter_mut().take(8).for_each(|byte| *byte = if value < 128 { 0xff } else { 0 }),
            _ if value < 16 => bytes.truncate(at),
            _ => (),
        }
    }
    bytes
}

/// Bytes as an input: which format, which sample to bend or none, and the rest.
fn judge(formats: &[Format], input: &[u8]) -> bool {
    let [format, how, rest @ ..] = input else { return false };
    let format = &formats[usize::from(*format) % formats.len()];
    match usize::from(*how).checked_sub(16) {
        None => format.check(rest),
        Some(which) => format.check(&edited(&format.samples[which % format.samples.len()], rest)),
    }
}

/// SplitMix64, so that every run tries the same.
fn noise(seed: u64) -> impl Iterator<Item = u8> {
    (1..).flat_map(move |step: u64| {
        let mut z = seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_be_bytes()
    })
}

fn try_all(formats: &[Format]) {
    for (place, format) in formats.iter().enumerate() {
        let mut accepted = 0;
        for case in 0..CASES {
            let mut input: Vec<u8> = noise(case).take(2 + 4 * (1 + case as usize % 3)).collect();
            input[0] = place as u8;
            accepted += u64::from(judge(formats, &input));
        }
        assert!(accepted > CASES / 50, "{}: {accepted} inputs are values, so little is tried", format.name);
    }
}

#[test]
fn what_is_read_of_messages_is_written_as_it_was() {
    try_all(&message_formats());
}

#[test]
fn what_is_read_of_relayed_bodies_is_written_as_it_was() {
    try_all(&relayed_formats());
}

#[test]
fn what_is_read_of_groups_is_written_as_it_was() {
    try_all(&group_formats());
}

/// A little of what `cargo bolero test any_bytes` does for as long as one likes.
#[test]
fn any_bytes() {
    let formats: Vec<_> = [message_formats(), relayed_formats(), group_formats()].into_iter().flatten().collect();
    bolero::check!().with_iterations(20_000).for_each(|input: &[u8]| {
        judge(&formats, input);
    });
}
