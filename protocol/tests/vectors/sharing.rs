//! `self-group`, `settings`, `token-request`: what the devices of one account share (§25), and how one shows who it is (§15).

use chain::id::{AccountId, DeviceId, Digest, PublicKey};
use ed25519_dalek::{Signature, Signer as _, Verifier as _, VerifyingKey};
use protocol::api::accounts::{TokenRequest, token_request};
use protocol::bytes::Base64Url;
use protocol::id::GroupId;
use protocol::settings::{
    MAX_KEY, MAX_VALUE, Setting, SettingKey, decode_settings, encode_settings, is_self_group_id, self_group_id,
};

use crate::case::{Case, Fields, Verdict, check};
use crate::{ORIGIN, key, malformed, ok, read, signed};

const ACCOUNT: AccountId = AccountId([2; 32]);

#[test]
fn self_group_ids() {
    let fields = |account: u8, id: GroupId| Fields::default().with("account", [account; 32]).with("group-id", id.0);
    let id = self_group_id(&ACCOUNT, &[0x5a; 16]);
    let mut bent = id;
    bent.0[31] ^= 1;
    let cases = [
        ok("id", "the salt in front, the rest is a hash", fields(2, id)),
        malformed("other-account", "SLF-1", "the id is another account's", fields(3, id)),
        malformed("bent", "SLF-1", "the last byte is another one", fields(2, bent)),
    ];
    let judge = |fields: &Fields| -> Verdict {
        let (account, group) = (AccountId(fields.array("account")), GroupId(fields.array("group-id")));
        let hash = Digest::sha256(&[b"\x15trefoil/self-group/v1", &account.0[..], &group.0[..16]].concat());
        let is_one = is_self_group_id(&account, &group);
        assert_eq!(is_one, hash.0[..16] == group.0[16..]);
        if is_one { Ok(()) } else { Err(("malformed", "SLF-1")) }
    };
    assert_eq!(check("self-group", &cases, judge), 3);
}

#[test]
fn settings() {
    let of = |key: &SettingKey, stamp, value: &[u8]| Setting {
        key: key.encode(),
        stamp,
        device: DeviceId([7; 16]),
        value: value.to_vec(),
    };
    let id = |byte| AccountId([byte; 32]);
    let each = [
        of(&SettingKey::DeviceName(DeviceId([1; 16])), 1, "Bücherregal".as_bytes()),
        of(&SettingKey::Contact(id(2)), 2, b"alice"),
        of(&SettingKey::Title(GroupId([3; 32])), 3, b"Plans"),
        of(&SettingKey::Password, 4, &1_795_000_000_000_u64.to_be_bytes()),
        of(&SettingKey::ResetAccepted(id(5)), 5, &[4; 32]),
        of(&SettingKey::Verified(id(6)), 6, &[1]),
        of(&SettingKey::HistoryGranted(DeviceId([7; 16])), 7, &[1]),
        of(&SettingKey::Title(GroupId([3; 32])), u64::MAX, b""),
    ];
    let unknown = Setting { key: vec![0xc8, 1, 2], ..each[0].clone() };
    let longest = Setting { key: vec![0xc8; MAX_KEY], value: vec![1; MAX_VALUE], ..each[0].clone() };
    let fields = |settings: &[Setting]| {
        let fields = Fields::default().with("settings", encode_settings(settings));
        settings.iter().fold(fields, |fields, it| {
            let fields = fields.with("key", &it.key).with_number("stamp", it.stamp);
            fields.with("device-id", it.device.0).with("value", &it.value)
        })
    };
    let bad = |name, what, bytes: Vec<u8>| malformed(name, "SLF-3", what, Fields::default().with("settings", bytes));
    let one = encode_settings(&each[..1]);
    let with = |setting: Setting| encode_settings(&[setting]);
    let cases = [
        ok("each-kind", "one of each kind, and one that was taken back", fields(&each)),
        ok("none", "no settings", fields(&[])),
        ok("unknown-kind", "a kind that this version does not know: kept and passed on", fields(&[unknown])),
        ok("longest", "a key and a value of the greatest length", fields(std::slice::from_ref(&longest))),
        bad("no-key", "a key without a byte", with(Setting { key: Vec::new(), ..longest.clone() })),
        bad("long-key", "a key of 65 bytes", with(Setting { key: vec![0xc8; MAX_KEY + 1], ..longest.clone() })),
        bad("long-value", "a value of 8,193 bytes", with(Setting { value: vec![1; MAX_VALUE + 1], ..longest })),
        bad("one-byte-fewer", "a byte is missing", one[..one.len() - 1].to_vec()),
        bad("one-byte-more", "a byte follows", [one.as_slice(), &[0]].concat()),
    ];
    let judge = |fields: &Fields| -> Verdict {
        let settings = read(decode_settings(fields.get("settings")), "SLF-3")?;
        assert!(settings.iter().map(|it| it.key.as_slice()).eq(fields.all("key")));
        assert!(settings.iter().map(|it| it.value.as_slice()).eq(fields.all("value")));
        assert!(settings.iter().map(|it| &it.device.0[..]).eq(fields.all("device-id")));
        assert!(settings.iter().map(|it| it.stamp.to_be_bytes().to_vec()).eq(fields.all("stamp").map(<[u8]>::to_vec)));
        assert_eq!(encode_settings(&settings), fields.get("settings"));
        Ok(())
    };
    assert_eq!(check("settings", &cases, judge), 9);
}

#[test]
fn token_requests() {
    let (secret, public) = key(1);
    let (device, challenge) = (DeviceId([7; 16]), [0x5a; 32]);
    let message = token_request(ORIGIN, &ACCOUNT, &device, 3, &challenge);
    let signature = secret.sign(&message).to_bytes();
    let fields = |origin: &str, number, challenge: [u8; 32], key: &PublicKey| {
        let fields = Fields::default().with("origin", origin).with("account", ACCOUNT.0).with("device-id", device.0);
        let fields = fields.with_number("number", number).with("challenge", challenge).with("signature", signature);
        fields.with("key", key.as_bytes())
    };
    let bad = |name, rule, what, fields| Case::new(name, Err(("signature", rule)), what, fields);
    let cases = [
        ok("request", "the third request of a device", fields(ORIGIN, 3, challenge, &public).with("signed", &message)),
        bad("other-number", "TOK-1", "the number was raised on the way", fields(ORIGIN, 4, challenge, &public)),
        bad("other-challenge", "§15", "it was signed for another challenge", fields(ORIGIN, 3, [0x5b; 32], &public)),
        bad(
            "other-service",
            "§15",
            "it was signed for another service",
            fields("other.example/log", 3, challenge, &public),
        ),
        bad("other-key", "§15", "another device signed it", fields(ORIGIN, 3, challenge, &key(2).1)),
    ];
    let judge = |fields: &Fields| -> Verdict {
        let origin = std::str::from_utf8(fields.get("origin")).unwrap();
        let request = TokenRequest {
            account: AccountId(fields.array("account")),
            device: DeviceId(fields.array("device-id")),
            challenge: Base64Url(fields.get("challenge").to_vec()),
            number: fields.number("number"),
            signature: Base64Url(fields.get("signature").to_vec()),
        };
        let length = u8::try_from(origin.len()).unwrap();
        let parts: [&[u8]; 7] = [
            b"\x18trefoil/token-request/v1",
            &[length],
            origin.as_bytes(),
            fields.get("account"),
            fields.get("device-id"),
            fields.get("number"),
            fields.get("challenge"),
        ];
        let by_hand = parts.concat();
        let signature = Signature::from_bytes(&fields.array("signature"));
        let holds = VerifyingKey::from_bytes(&fields.array("key")).unwrap().verify(&by_hand, &signature).is_ok();
        let public = PublicKey::from_bytes(&fields.array("key"), "key").unwrap();
        assert_eq!(request.is_signed_by(&public, origin), holds);
        let rule = if fields.number("number") == 3 { "§15" } else { "TOK-1" };
        signed(holds, rule)?;
        assert_eq!(by_hand, fields.get("signed"));
        Ok(())
    };
    assert_eq!(check("token-request", &cases, judge), 5);
}
