//! `offer`, `reveal`, `code`, `verification-code`: how a device is let in (§16), and what people compare (§21).

use chain::id::{AccountId, DeviceId, Digest, PublicKey};
use chain::sigchain::entry::SeenCheckpoint;
use protocol::confirm::{Code, CodeMatched, Offer, Request, Reveal, code, commitment};
use protocol::introduction::{Claim, DeviceKind, Introduction};
use protocol::verification_code::VerificationCode;

use crate::case::{Case, Fields, Verdict, check};
use crate::{ORIGIN, key, malformed, ok, read, signed};

const NONCES: [[u8; 32]; 3] = [[0x11; 32], [0x22; 32], [0x33; 32]];

fn request() -> Request {
    let added = Digest::sha256(b"the entry of a new device");
    Request { account: AccountId([2; 32]), generation: 1, added, request: 4 }
}

fn offer() -> Offer {
    let checkpoint = SeenCheckpoint { size: 9, root: Digest::sha256(b"root") };
    Offer {
        request: request(),
        attempt: 0,
        device: DeviceId([7; 16]),
        checkpoint,
        random: [8; 32],
        public_key: vec![9; 40],
    }
}

fn public(fields: &Fields) -> PublicKey {
    PublicKey::from_bytes(&fields.array("key"), "key").unwrap()
}

/// The fields of a request.
fn about(fields: Fields, request: &Request, attempt: u8, device: &DeviceId) -> Fields {
    let fields = fields.with("account", request.account.0).with("generation", request.generation.to_be_bytes());
    let fields = fields.with("added", request.added.0).with_number("request", request.request);
    fields.with("attempt", [attempt]).with("device-id", device.0)
}

fn is_about(fields: &Fields, request: &Request, attempt: u8, device: &DeviceId) {
    assert_eq!((request.account.0, request.added.0), (fields.array("account"), fields.array("added")));
    assert_eq!(fields.array("generation"), request.generation.to_be_bytes());
    assert_eq!((request.request, [attempt]), (fields.number("request"), fields.array("attempt")));
    assert_eq!(device.0, fields.array("device-id"));
}

#[test]
fn offers() {
    let (secret, public_key) = key(1);
    let bytes = offer().sign(&secret);
    let with = |bytes: &[u8]| Fields::default().with("offer", bytes).with("key", public_key.as_bytes());
    let good = about(with(&bytes), &request(), 0, &offer().device);
    let good = good.with_number("log-size", 9).with("log-root", offer().checkpoint.root.0).with("random", [8; 32]);
    let good = good.with("public-key", &offer().public_key);
    let fourth = Offer { attempt: 3, ..offer() }.sign(&secret);
    let reveal = Reveal { request: request(), attempt: 0, device: offer().device, nonce: [8; 32] }.sign(&secret);
    let other =
        Case::new("other-key", Err(("signature", "CNF-2")), "signed by another key", with(&offer().sign(&key(2).0)));
    let cases = [
        ok("offer", "an older device's offer", good),
        other,
        malformed("fourth-try", "CNF-2", "there are three tries", with(&fourth)),
        malformed("a-reveal", "CNF-2", "a reveal is no offer", with(&reveal)),
        malformed("one-byte-more", "CNF-2", "a byte follows", with(&[&bytes[..], &[0]].concat())),
    ];
    let judge = |fields: &Fields| -> Verdict {
        let bytes = fields.get("offer");
        let offer = read(Offer::decode(bytes), "CNF-2")?;
        signed(Offer::is_signed(bytes, &public(fields)), "CNF-2")?;
        is_about(fields, &offer.request, offer.attempt, &offer.device);
        assert_eq!((offer.checkpoint.size, offer.random), (fields.number("log-size"), fields.array("random")));
        assert_eq!(offer.checkpoint.root.0, fields.array("log-root"));
        assert_eq!(offer.public_key, fields.get("public-key"));
        Ok(())
    };
    assert_eq!(check("offer", &cases, judge), 5);
}

#[test]
fn reveals() {
    let (secret, public_key) = key(2);
    let reveal = || Reveal { request: request(), attempt: 0, device: offer().device, nonce: NONCES[0] };
    let bytes = reveal().sign(&secret);
    let with = |bytes: &[u8]| Fields::default().with("reveal", bytes).with("key", public_key.as_bytes());
    let good = about(with(&bytes), &request(), 0, &offer().device).with("nonce", NONCES[0]);
    let good = good.with("commitment", commitment(&NONCES[0]).0);
    let mut bent = bytes.clone();
    bent[100] ^= 1;
    let other = Case::new("bent", Err(("signature", "CNF-3")), "the nonce was changed", with(&bent));
    let cases = [
        ok("reveal", "a new device's answer, and the commitment that its nonce opens", good),
        other,
        malformed("an-offer", "CNF-3", "an offer is no reveal", with(&offer().sign(&secret))),
        malformed("one-byte-fewer", "CNF-3", "a byte is missing", with(&bytes[1..])),
    ];
    let judge = |fields: &Fields| -> Verdict {
        let bytes = fields.get("reveal");
        let reveal = read(Reveal::decode(bytes), "CNF-3")?;
        signed(Reveal::is_signed(bytes, &public(fields)), "CNF-3")?;
        is_about(fields, &reveal.request, reveal.attempt, &reveal.device);
        assert_eq!(reveal.nonce, fields.array("nonce"));
        assert_eq!(commitment(&reveal.nonce).0, fields.array("commitment"));
        Ok(())
    };
    assert_eq!(check("reveal", &cases, judge), 4);
}

#[test]
fn introductions() {
    let (secret, public_key) = key(2);
    let introduction = || Introduction {
        request: request(),
        attempt: 0,
        device: offer().device,
        kem_output: vec![1; 32],
        ciphertext: vec![2; 275],
    };
    let bytes = introduction().sign(&secret);
    let with = |bytes: &[u8]| Fields::default().with("introduction", bytes).with("key", public_key.as_bytes());
    let offered = offer().sign(&key(1).0);
    let good = about(with(&bytes), &request(), 0, &offer().device).with("offer", &offered);
    let good = good.with("kem-output", [1; 32]).with("ciphertext", [2; 275]);
    let good = good.with("info", Introduction::info(&offered));
    let other = Case::new(
        "other-key",
        Err(("signature", "CNF-8")),
        "signed by another key",
        with(&introduction().sign(&key(3).0)),
    );
    let short = Introduction { ciphertext: vec![2; 274], ..introduction() }.sign(&secret);
    let cases = [
        ok("introduction", "what a new device says of itself, sealed", good),
        other,
        malformed("shorter", "CNF-8", "a sealed claim has one length", with(&short)),
        malformed("one-byte-fewer", "CNF-8", "a byte is missing", with(&bytes[1..])),
    ];
    let judge = |fields: &Fields| -> Verdict {
        let bytes = fields.get("introduction");
        let it = read(Introduction::decode(bytes), "CNF-8")?;
        signed(Introduction::is_signed(bytes, &public(fields)), "CNF-8")?;
        is_about(fields, &it.request, it.attempt, &it.device);
        assert_eq!((&it.kem_output[..], &it.ciphertext[..]), (fields.get("kem-output"), fields.get("ciphertext")));
        assert_eq!(Introduction::info(fields.get("offer")), fields.get("info"));
        Ok(())
    };
    assert_eq!(check("introduction", &cases, judge), 4);
}

#[test]
fn claims() {
    let with = |bytes: &[u8]| Fields::default().with("claim", bytes);
    let of = |kind: DeviceKind, name: &str| {
        with(&Claim::new(kind, name).encode()).with("kind", [kind.number()]).with("name", name)
    };
    let good = Claim::new(DeviceKind::Linux, "Bob's desktop").encode();
    let bent = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    let mut later = good.clone();
    later[0] = 200;
    let cases = [
        ok("named", "a name and a kind", of(DeviceKind::Linux, "Bob's desktop")),
        ok("nameless", "no name", of(DeviceKind::Other, "")),
        ok("later-kind", "a kind of a later version is another one", {
            with(&later).with("kind", [DeviceKind::Other.number()]).with("name", "Bob's desktop")
        }),
        malformed("longer-name", "CNF-8", "a name has 256 bytes at most", with(&bent(1, 2))),
        malformed("no-text", "CNF-8", "a name is UTF-8", with(&bent(3, 0xff))),
        malformed("filled", "CNF-8", "behind the name are zeros", with(&bent(258, 1))),
        malformed("one-byte-more", "CNF-8", "a byte follows", with(&[&good[..], &[0]].concat())),
    ];
    let judge = |fields: &Fields| -> Verdict {
        let claim = read(Claim::decode(fields.get("claim")), "CNF-8")?;
        assert_eq!(([claim.kind().number()], claim.name().as_bytes()), (fields.array("kind"), fields.get("name")));
        Ok(())
    };
    assert_eq!(check("claim", &cases, judge), 7);
}

#[test]
fn codes() {
    let public_key = key(1).1;
    let fields = |attempt: u8, nonce: &[u8; 32], typed: &str| {
        let offer = Offer { attempt, ..offer() }.sign(&key(1).0);
        let fields = Fields::default().with("origin", ORIGIN).with("offer", offer).with("key", public_key.as_bytes());
        let commitments = NONCES.map(|nonce| commitment(&nonce).0);
        fields.with_all("commitment", commitments).with("nonce", nonce).with("typed", typed)
    };
    let right = |attempt: u8, nonce| code(ORIGIN, &Offer { attempt, ..offer() }, &public_key, nonce).to_string();
    let wrong = |name, what, fields| Case::new(name, Err(("confirm.code_mismatch", "CNF-5")), what, fields);
    let spaced = |mut digits: String| {
        digits.insert(3, ' ');
        digits
    };
    let cases = [
        ok("first-try", "the six digits of the first try", fields(0, &NONCES[0], &right(0, &NONCES[0]))),
        ok("third-try", "the third try, typed with a space", fields(2, &NONCES[2], &spaced(right(2, &NONCES[2])))),
        wrong("other-digits", "other digits", fields(0, &NONCES[0], "000000")),
        wrong(
            "nonce-of-another-try",
            "the nonce is committed to, but for the second try",
            fields(0, &NONCES[1], &right(0, &NONCES[1])),
        ),
        wrong("nonce-of-nobody", "nobody is committed to this nonce", fields(0, &[9; 32], &right(0, &[9; 32]))),
    ];
    let judge = |fields: &Fields| -> Verdict {
        let text = |name| std::str::from_utf8(fields.get(name)).unwrap();
        let offer = Offer::decode(fields.get("offer")).unwrap();
        let commitments: Vec<_> = fields.all("commitment").map(|it| Digest(it.try_into().unwrap())).collect();
        let (commitments, nonce) = (commitments.try_into().unwrap(), fields.array("nonce"));
        let typed = Code::parse(text("typed")).unwrap();
        let matched = CodeMatched::check(text("origin"), &offer, &public(fields), &commitments, &nonce, typed);
        matched.map(|_| ()).ok_or(("confirm.code_mismatch", "CNF-5"))
    };
    assert_eq!(check("code", &cases, judge), 5);
}

#[test]
fn verification_codes() {
    let pair = |name, what, one: u8, other: u8, origin: &str| {
        let accounts = [AccountId([one; 32]), AccountId([other; 32])];
        let code = VerificationCode::of(origin, &accounts[0], &accounts[1]).to_string();
        let fields = Fields::default().with("origin", origin).with_all("account", accounts.map(|account| account.0));
        ok(name, what, fields.with("code", code))
    };
    let cases = [
        pair("pair", "two accounts, the smaller first", 1, 2, ORIGIN),
        pair("other-order", "the same two the other way round: the same digits", 2, 1, ORIGIN),
        pair("other-service", "the same two at another service", 1, 2, "other.example/log"),
    ];
    let judge = |fields: &Fields| -> Verdict {
        let accounts: Vec<_> = fields.all("account").map(|it| AccountId(it.try_into().unwrap())).collect();
        let origin = std::str::from_utf8(fields.get("origin")).unwrap();
        let code = VerificationCode::of(origin, &accounts[0], &accounts[1]).to_string();
        assert_eq!(code.as_bytes(), fields.get("code"));
        Ok(())
    };
    assert_eq!(check("verification-code", &cases, judge), 3);
}
