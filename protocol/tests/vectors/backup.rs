//! `backup`: a backup file as it lies on a disk (§26).

use chain::id::{AccountId, DeviceId};
use protocol::backup::{BackupError, BackupKey, HEADER, NONCE, Owner, Part, SALT, part_len};
use protocol::history::HistoryMessage;
use protocol::id::GroupId;
use protocol::opaque::Stretching;
use protocol::settings::{Setting, SettingKey};

use crate::case::{Case, Fields, Verdict, check};
use crate::{ORIGIN, ok};

const PASSPHRASE: &str = "vier zufällige Wörter hier";

fn owner() -> Owner {
    Owner { origin: ORIGIN.to_owned(), account: AccountId([7; 32]) }
}

fn contents() -> [Part; 3] {
    let key = SettingKey::Contact(AccountId([2; 32])).encode();
    let setting = Setting { key, stamp: 5, device: DeviceId([3; 16]), value: b"alice".to_vec() };
    let message = HistoryMessage {
        group: GroupId([1; 32]),
        place: 77,
        from: AccountId([2; 32]),
        device: DeviceId([4; 16]),
        sent_at_ms: 1_800_000_000_000,
        content: vec![0x5a; 40],
        ends_ms: None,
        erased: None,
    };
    let end = Part::End { at_ms: 1_800_000_001_000, messages: 1 };
    [Part::Settings(vec![setting]), Part::Messages(vec![message]), end]
}

/// A file with these parts at the places that they have here.
fn file() -> Vec<u8> {
    let made = BackupKey::create(&owner(), PASSPHRASE, Stretching::RECOMMENDED, [0x11; SALT], [0x22; NONCE]);
    let (mut bytes, key) = made.unwrap();
    for (part, nonce) in contents().iter().zip(0x33..) {
        let at = u64::try_from(bytes.len()).unwrap();
        bytes.extend(key.seal(part, at, [nonce; NONCE]).unwrap());
    }
    bytes
}

fn cases() -> Vec<Case> {
    let file = file();
    let fields = |file: Vec<u8>, passphrase: &str| Fields::default().with("passphrase", passphrase).with("file", file);
    let whole = fields(file.clone(), PASSPHRASE).with("origin", ORIGIN).with("account", [7; 32]);
    let whole = whole.with_all("content", contents().iter().map(|part| part.encode().unwrap()));
    let bad =
        |name, code, rule, what, file, passphrase| Case::new(name, Err((code, rule)), what, fields(file, passphrase));
    let changed = |at: usize| {
        let mut bytes = file.clone();
        bytes[at] ^= 1;
        bytes
    };
    let [first, second, end] = [0, 1, 2].map(|which| file[HEADER + which * 1_024..][..1_024].to_vec());
    let with = |parts: &[&[u8]]| [&file[..HEADER], &parts.concat()].concat();
    vec![
        ok("whole", "settings, a message, and the end of an export", whole),
        bad("other-passphrase", "backup.passphrase", "BAK-1", "another passphrase", file.clone(), "vier Wörter"),
        bad("no-backup", "backup.malformed", "BAK-1", "it does not begin as one", changed(3), PASSPHRASE),
        bad(
            "later-version",
            "backup.newer",
            "BAK-1",
            "version 3",
            [&file[..15], &[3], &file[16..]].concat(),
            PASSPHRASE,
        ),
        bad(
            "changed-salt",
            "backup.damaged",
            "BAK-1",
            "a changed salt, which the check shows",
            changed(20),
            PASSPHRASE,
        ),
        bad("short", "backup.damaged", "BAK-1", "the header is cut off", file[..255].to_vec(), PASSPHRASE),
        bad(
            "changed-part",
            "backup.damaged",
            "BAK-2",
            "the second part is changed",
            changed(HEADER + 1_100),
            PASSPHRASE,
        ),
        bad(
            "parts-swapped",
            "backup.damaged",
            "BAK-2",
            "two parts changed places",
            with(&[&second, &first, &end]),
            PASSPHRASE,
        ),
        bad(
            "part-left-out",
            "backup.damaged",
            "BAK-2",
            "a part is left out before another",
            with(&[&first, &end]),
            PASSPHRASE,
        ),
    ]
}

fn judge(fields: &Fields) -> Verdict {
    let (bytes, passphrase) = (fields.get("file"), std::str::from_utf8(fields.get("passphrase")).unwrap());
    let opened = BackupKey::open(&bytes[..HEADER.min(bytes.len())], passphrase, Stretching::RECOMMENDED);
    let (owner, key) = opened.map_err(|error: BackupError| (error.code(), "BAK-1"))?;
    let (mut at, mut contents) = (HEADER, Vec::new());
    while at < bytes.len() {
        let length = part_len(*bytes[at..].first_chunk().unwrap());
        let part = length.and_then(|length| key.read(&bytes[at..at + length], u64::try_from(at).unwrap()));
        contents.push(part.ok_or(("backup.damaged", "BAK-2"))?.encode().unwrap());
        at += length.unwrap();
    }
    assert_eq!((owner.origin.as_bytes(), owner.account.0), (fields.get("origin"), fields.array("account")));
    assert!(contents.iter().map(Vec::as_slice).eq(fields.all("content")));
    Ok(())
}

#[test]
fn backup_files() {
    assert_eq!(check("backup", &cases(), judge), 9);
}
