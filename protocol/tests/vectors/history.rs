//! `history-request`, `history-part`, `history-plain`: how old messages come to a new device (§20).

use chain::id::{AccountId, DeviceId, Digest, PublicKey};
use protocol::history::{
    Erased, HistoryMessage, HistoryPart, HistoryRequest, IndexRow, MAX_KEM, MAX_PARTS, Plain, Wanted,
};
use protocol::id::GroupId;

use crate::case::{Case, Fields, Verdict, check};
use crate::{key, malformed, ok, read, signed};

const GROUP: GroupId = GroupId([4; 32]);

fn request(wanted: Wanted) -> HistoryRequest {
    HistoryRequest {
        account: AccountId([2; 32]),
        generation: 1,
        device: DeviceId([7; 16]),
        confirmed: Digest::sha256(b"the entry that confirmed a device"),
        public_key: vec![0x6b; 64],
        nonce: [0x5a; 16],
        wanted,
    }
}

fn public(fields: &Fields) -> PublicKey {
    PublicKey::from_bytes(&fields.array("key"), "key").unwrap()
}

/// The bytes with those at a place replaced; signed or not is not asked of what is not read.
fn bent(bytes: &[u8], at: usize, to: &[u8]) -> Vec<u8> {
    [&bytes[..at], to, &bytes[at + to.len()..]].concat()
}

fn longer(bytes: &[u8]) -> Vec<u8> {
    [bytes, &[0]].concat()
}

fn good_request(wanted: Wanted, with: &impl Fn(&[u8]) -> Fields) -> Fields {
    let request = request(wanted);
    let bytes = request.sign(&key(1).0);
    let fields = with(&bytes).with("account", request.account.0).with("generation", request.generation.to_be_bytes());
    let fields = fields.with("device-id", request.device.0).with("confirmed", request.confirmed.0);
    let fields = fields.with("public-key", &request.public_key).with("nonce", request.nonce);
    let fields = match wanted {
        Wanted::Index => fields.with("wanted", [1]),
        Wanted::Page { group, before } => {
            fields.with("wanted", [2]).with("group", group.0).with_number("before", before)
        }
        Wanted::Gap => fields.with("wanted", [3]),
        Wanted::GapPage { group, before } => {
            fields.with("wanted", [4]).with("group", group.0).with_number("before", before)
        }
    };
    fields.with("hash", HistoryRequest::hash(&bytes).0)
}

#[test]
fn history_requests() {
    const RULE: &str = "HIS-1";
    let (secret, public_key) = key(1);
    let with = |bytes: &[u8]| Fields::default().with("request", bytes).with("key", public_key.as_bytes());
    let page = Wanted::Page { group: GROUP, before: 700 };
    let index = request(Wanted::Index).sign(&secret);
    let good = |wanted: Wanted| good_request(wanted, &with);
    let no_key = HistoryRequest { public_key: Vec::new(), ..request(Wanted::Index) }.sign(&secret);
    let long_key = HistoryRequest { public_key: vec![0; MAX_KEM + 1], ..request(Wanted::Index) }.sign(&secret);
    // before the signature
    let wanted_at = index.len() - 64 - 1;
    let cases = [
        ok("index", "what there is", good(Wanted::Index)),
        ok("page", "messages of a conversation, the newest before a position", good(page)),
        ok("gap", "what there is since the asking device counts (HIS-5)", good(Wanted::Gap)),
        ok(
            "gap-page",
            "messages of a conversation since the asking device counts (HIS-5)",
            good(Wanted::GapPage { group: GROUP, before: 700 }),
        ),
        Case::new(
            "other-key",
            Err(("signature", RULE)),
            "signed by another device",
            with(&request(page).sign(&key(2).0)),
        ),
        malformed("no-key", RULE, "a key of no bytes", with(&no_key)),
        malformed("long-key", RULE, "a key of 4,097 bytes", with(&long_key)),
        malformed("wanted", RULE, "neither an index nor a page", with(&bent(&index, wanted_at, &[5]))),
        malformed("page-without-group", RULE, "a page, and nobody says of what", with(&bent(&index, wanted_at, &[2]))),
        malformed("one-byte-more", RULE, "a byte follows", with(&longer(&index))),
    ];
    let judge = |fields: &Fields| -> Verdict {
        let bytes = fields.get("request");
        let request = read(HistoryRequest::decode(bytes), RULE)?;
        signed(HistoryRequest::is_signed(bytes, &public(fields)), RULE)?;
        assert_eq!((request.account.0, request.device.0), (fields.array("account"), fields.array("device-id")));
        assert_eq!(
            (request.generation.to_be_bytes(), request.nonce),
            (fields.array("generation"), fields.array("nonce"))
        );
        assert_eq!(
            (&request.confirmed.0[..], request.public_key.as_slice()),
            (fields.get("confirmed"), fields.get("public-key"))
        );
        match request.wanted {
            Wanted::Index => assert_eq!(fields.get("wanted"), [1]),
            Wanted::Gap => assert_eq!(fields.get("wanted"), [3]),
            Wanted::Page { group, before } | Wanted::GapPage { group, before } => {
                let kind = if matches!(request.wanted, Wanted::Page { .. }) { 2 } else { 4 };
                assert_eq!(
                    (fields.get("wanted"), &group.0[..], before),
                    (&[kind][..], fields.get("group"), fields.number("before"))
                );
            }
        }
        let by_hand = Digest::sha256(&[b"\x1ftrefoil/history-request-hash/v1", bytes].concat());
        assert_eq!((by_hand.0, HistoryRequest::hash(bytes).0), (fields.array("hash"), fields.array("hash")));
        Ok(())
    };
    assert_eq!(check("history-request", &cases, judge), 10);
}

#[test]
fn history_parts() {
    const RULE: &str = "HIS-3";
    let (secret, public_key) = key(1);
    let asked = HistoryRequest::hash(&request(Wanted::Index).sign(&key(2).0));
    let part =
        || HistoryPart { request: asked, index: 1, count: 3, kem_output: vec![0x6b; 64], ciphertext: vec![0x5e; 80] };
    let bytes = part().sign(&secret);
    let with = |bytes: &[u8]| Fields::default().with("part", bytes).with("key", public_key.as_bytes());
    let good = with(&bytes)
        .with("request-hash", asked.0)
        .with("index", 1_u32.to_be_bytes())
        .with("count", 3_u32.to_be_bytes());
    let good = good.with("kem-output", part().kem_output).with("ciphertext", part().ciphertext);
    let good = good.with("info", HistoryPart::info(&asked, 1, 3));
    let empty = HistoryPart { ciphertext: Vec::new(), ..part() }.sign(&secret);
    let no_key = HistoryPart { kem_output: Vec::new(), ..part() }.sign(&secret);
    let too_many = HistoryPart { count: MAX_PARTS + 1, ..part() }.sign(&secret);
    let beyond = HistoryPart { index: 3, ..part() }.sign(&secret);
    let moved = bent(&bytes, 32, &2_u32.to_be_bytes());
    let cases = [
        ok("part", "the second of three parts, and the info that it is sealed with", good),
        Case::new("other-key", Err(("signature", RULE)), "signed by another device", with(&part().sign(&key(2).0))),
        Case::new("moved", Err(("signature", RULE)), "put in the place of another part", with(&moved)),
        malformed("seventeen-parts", RULE, "more parts than an answer has", with(&too_many)),
        malformed("beyond", RULE, "a part behind the last one", with(&beyond)),
        malformed("nothing-sealed", RULE, "nothing is in it", with(&empty)),
        malformed("no-encapsulated-key", RULE, "no key is in it", with(&no_key)),
        malformed("one-byte-more", RULE, "a byte follows", with(&longer(&bytes))),
    ];
    let judge = |fields: &Fields| -> Verdict {
        let bytes = fields.get("part");
        let part = read(HistoryPart::decode(bytes), RULE)?;
        signed(HistoryPart::is_signed(bytes, &public(fields)), RULE)?;
        assert_eq!(part.request.0, fields.array("request-hash"));
        assert_eq!(
            (part.index.to_be_bytes(), part.count.to_be_bytes()),
            (fields.array("index"), fields.array("count"))
        );
        assert_eq!(
            (part.kem_output.as_slice(), part.ciphertext.as_slice()),
            (fields.get("kem-output"), fields.get("ciphertext"))
        );
        let label: &[u8] = b"\x17trefoil/history-seal/v1";
        let by_hand = [label, fields.get("request-hash"), fields.get("index"), fields.get("count")].concat();
        assert_eq!(by_hand, fields.get("info"));
        assert_eq!(HistoryPart::info(&part.request, part.index, part.count), by_hand);
        Ok(())
    };
    assert_eq!(check("history-part", &cases, judge), 8);
}

fn fields_of(plain: &Plain) -> Fields {
    let fields = Fields::default().with("plain", plain.encode()).with("partial", [u8::from(plain.is_partial())]);
    match plain {
        Plain::Index { rows, .. } => rows.iter().fold(fields, |fields, row| {
            let fields = fields.with("group", row.group.0).with_number("messages", row.messages);
            fields.with_number("newest-ms", row.newest_ms)
        }),
        Plain::Messages { older, messages, .. } => {
            let fields = fields.with("older", [u8::from(*older)]);
            messages.iter().fold(fields, |fields, it| {
                let fields = fields.with("group", it.group.0).with_number("position", it.place);
                let fields = fields.with("account", it.from.0).with("device-id", it.device.0);
                let fields = fields.with_number("time-ms", it.sent_at_ms);
                let fields = it.ends_ms.iter().fold(fields, |fields, end| fields.with_number("ends-ms", *end));
                let fields = fields.with("content", &it.content);
                let erased = it.erased.iter().fold(fields, |fields, erased| fields.with("erased", erased.message.0));
                let ids = it.erased.iter().flat_map(|it| [("previous", it.previous), ("about", it.about)]);
                ids.fold(erased, |fields, (name, id)| id.iter().fold(fields, |fields, id| fields.with(name, id.0)))
            })
        }
    }
}

/// The rule of what is in a part.
const PLAIN_RULE: &str = "HIS-3";

fn judged_plain(fields: &Fields) -> Verdict {
    let numbers = |name| fields.all(name).map(|it| u64::from_be_bytes(it.try_into().unwrap()));
    let plain = read(Plain::decode(fields.get("plain")), PLAIN_RULE)?;
    assert_eq!(fields.get("partial"), [u8::from(plain.is_partial())]);
    match plain {
        Plain::Index { rows, .. } => {
            assert!(rows.iter().map(|row| &row.group.0[..]).eq(fields.all("group")));
            assert!(rows.iter().map(|row| row.messages).eq(numbers("messages")));
            assert!(rows.iter().map(|row| row.newest_ms).eq(numbers("newest-ms")));
        }
        Plain::Messages { older, messages, .. } => {
            assert_eq!(fields.get("older"), [u8::from(older)]);
            assert!(messages.iter().map(|it| it.place).eq(numbers("position")));
            assert!(messages.iter().map(|it| it.sent_at_ms).eq(numbers("time-ms")));
            assert!(messages.iter().filter_map(|it| it.ends_ms).eq(numbers("ends-ms")));
            assert!(messages.iter().map(|it| &it.group.0[..]).eq(fields.all("group")));
            assert!(messages.iter().map(|it| &it.from.0[..]).eq(fields.all("account")));
            assert!(messages.iter().map(|it| &it.device.0[..]).eq(fields.all("device-id")));
            assert!(messages.iter().map(|it| it.content.as_slice()).eq(fields.all("content")));
            let erased = || messages.iter().filter_map(|it| it.erased);
            assert!(erased().map(|it| it.message.0.to_vec()).eq(fields.all("erased").map(<[u8]>::to_vec)));
            let previous = erased().filter_map(|it| it.previous).map(|it| it.0.to_vec());
            assert!(previous.eq(fields.all("previous").map(<[u8]>::to_vec)));
            let about = erased().filter_map(|it| it.about).map(|it| it.0.to_vec());
            assert!(about.eq(fields.all("about").map(<[u8]>::to_vec)));
        }
    }
    Ok(())
}

#[test]
fn history_plains() {
    let row = |group: u8, messages| IndexRow { group: GroupId([group; 32]), messages, newest_ms: 1_795_000_000_000 };
    let message = |place, content: &[u8]| HistoryMessage {
        group: GROUP,
        place,
        from: AccountId([2; 32]),
        device: DeviceId([7; 16]),
        sent_at_ms: 1_795_000_000_000 + place,
        ends_ms: None,
        content: content.to_vec(),
        erased: content.is_empty().then_some(Erased {
            message: Digest([6; 32]),
            previous: Some(Digest([5; 32])),
            about: Some(Digest([4; 32])),
        }),
    };
    let bad = |name, what, bytes: Vec<u8>| malformed(name, PLAIN_RULE, what, Fields::default().with("plain", bytes));
    let list = |partial, rows| Plain::Index { partial, rows };
    let index = list(false, vec![row(4, 12), row(5, 1)]);
    let page =
        Plain::Messages { partial: false, older: true, messages: vec![message(9, b"newer"), message(8, b"older")] };
    let (index_bytes, page_bytes) = (index.encode(), page.encode());
    let one = |message| Plain::Messages { partial: false, older: false, messages: vec![message] };
    let last = |partial| Plain::Messages { partial, older: false, messages: Vec::new() };
    let erased = one(message(9, b""));
    let until = one(HistoryMessage { ends_ms: Some(1_795_000_100_000), ..message(9, b"gone by then") });
    let changed = one(HistoryMessage { content: b"rest".to_vec(), ..message(9, b"") });
    let cut = erased.encode()[..erased.encode().len() - 36].to_vec();
    let cases = [
        ok("index", "two conversations", fields_of(&index)),
        ok("nothing", "no conversation", fields_of(&list(false, Vec::new()))),
        ok("partial-index", "what a device lists that has not all", fields_of(&list(true, vec![row(4, 12)]))),
        ok("page", "two messages, and there are older ones", fields_of(&page)),
        ok("last-page", "nothing is left", fields_of(&last(false))),
        ok("partial-page", "nothing is left, and others may have more", fields_of(&last(true))),
        bad("kind", "neither an index nor a page", bent(&page_bytes, 0, &[3])),
        bad("older", "more than two bits", bent(&page_bytes, 1, &[4])),
        bad("older-index", "an index with older ones", bent(&index_bytes, 1, &[1])),
        bad("count", "more messages are named than are there", bent(&page_bytes, 2, &3_u32.to_be_bytes())),
        bad("great-count", "as many as a number can say", bent(&index_bytes, 2, &u32::MAX.to_be_bytes())),
        ok("erased", "a message that was taken back", fields_of(&erased)),
        ok("changed", "a text that was changed since: what is left of it", fields_of(&changed)),
        ok("until", "a message that is gone at a time", fields_of(&until)),
        bad("no-previous", "one that was taken back, and the one before it is cut off", cut),
        bad("one-byte-more", "a byte follows", longer(&page_bytes)),
    ];
    assert_eq!(check("history-plain", &cases, judged_plain), 16);
}
