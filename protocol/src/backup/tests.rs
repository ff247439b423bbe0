use chain::id::DeviceId;

use super::*;
use crate::id::GroupId;
use crate::settings::SettingKey;

const CHEAP: Stretching = Stretching { memory_kib: 8, passes: 1, lanes: 1 };
const PASSPHRASE: &str = "four random words here";

fn owner() -> Owner {
    Owner { origin: "trefoil.example/log".to_owned(), account: AccountId([7; 32]) }
}

fn new_file(passphrase: &str, salt: u8) -> (Vec<u8>, BackupKey) {
    BackupKey::create(&owner(), passphrase, CHEAP, [salt; SALT], [1; NONCE]).unwrap()
}

fn opened(header: &[u8], passphrase: &str) -> Result<Owner, BackupError> {
    BackupKey::open(header, passphrase, CHEAP).map(|(owner, _)| owner)
}

fn message(place: u64, length: usize) -> HistoryMessage {
    HistoryMessage {
        group: GroupId([1; 32]),
        place,
        from: AccountId([2; 32]),
        device: DeviceId([3; 16]),
        sent_at_ms: 1_800_000_000_000 + place,
        content: vec![place.to_be_bytes()[7]; length],
        ends_ms: None,
        erased: None,
    }
}

fn setting(number: u8, value: usize) -> Setting {
    let key = SettingKey::Contact(AccountId([number; 32])).encode();
    Setting { key, stamp: number.into(), device: DeviceId([3; 16]), value: vec![number; value] }
}

/// A small file: what is in it, and its bytes.
fn small() -> (Vec<Part>, Vec<u8>, BackupKey) {
    let parts = vec![
        Part::Settings(vec![setting(1, 5), setting(2, 0)]),
        Part::Messages(vec![message(1, 40), message(2, 700)]),
        Part::Messages(vec![message(3, 2_000)]),
        Part::End { at_ms: 1_800_000_000_000, messages: 3 },
    ];
    let (mut bytes, key) = new_file(PASSPHRASE, 2);
    for (part, nonce) in parts.iter().zip(0x31..) {
        let at = bytes.len() as u64;
        bytes.extend(key.seal(part, at, [nonce; NONCE]).unwrap());
    }
    (parts, bytes, key)
}

/// What somebody finds who reads as docs/protocol.md says: the parts, and the stretches that are none.
fn parts(bytes: &[u8], key: &BackupKey) -> (Vec<Part>, usize) {
    let (mut found, mut at, mut strange, mut was_strange) = (Vec::new(), HEADER, 0, false);
    while at < bytes.len() {
        let head = bytes[at..].first_chunk::<4>();
        let whole = head.and_then(|head| part_len(*head)).and_then(|length| bytes.get(at..at + length));
        match whole.and_then(|whole| Some((key.read(whole, at as u64)?, whole.len()))) {
            Some((part, length)) => {
                found.push(part);
                (at, was_strange) = (at + length, false);
            }
            None => {
                strange += usize::from(!was_strange);
                (at, was_strange) = (at + STEP, true);
            }
        }
    }
    (found, strange)
}

#[test]
fn what_was_written_is_read_with_the_passphrase_alone() {
    let (written, bytes, key) = small();
    assert_eq!(bytes.len() % STEP, HEADER);
    assert_eq!(parts(&bytes, &key), (written.clone(), 0));
    let (owner_read, key) = BackupKey::open(&bytes[..HEADER], PASSPHRASE, CHEAP).unwrap();
    assert_eq!((owner_read, parts(&bytes, &key)), (owner(), (written, 0)));
    for wrong in ["four random words her", "Four random words here", "x"] {
        assert_eq!(opened(&bytes[..HEADER], wrong), Err(BackupError::Passphrase));
    }
    assert_eq!(opened(&bytes[..HEADER], ""), Err(BackupError::Key));
    assert!(BackupKey::create(&owner(), "", CHEAP, [0; SALT], [0; NONCE]).is_err());
    let nobodys = Owner { origin: String::new(), ..owner() };
    assert!(BackupKey::create(&nobodys, PASSPHRASE, CHEAP, [0; SALT], [0; NONCE]).is_err());
}

/// BAK-1: whose it is does not stand in it to read.
#[test]
fn nothing_of_it_stands_in_the_clear() {
    let (_, bytes, _) = small();
    let stands = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    assert!(stands(b"trefoil backup\n"));
    assert!(!stands(b"trefoil.example") && !stands(&[7; 17]) && !stands(&[2; 17]));
}

/// BAK-2: every byte counts. A changed header opens nothing; a changed part is missing, and no other one.
#[test]
fn every_changed_byte_is_noticed_and_costs_one_part() {
    let (written, bytes, key) = small();
    for at in 0..bytes.len() {
        let mut bent = bytes.clone();
        bent[at] ^= 1 << (at % 8);
        if at < HEADER {
            assert!(opened(&bent[..HEADER], PASSPHRASE).is_err(), "byte {at}");
            continue;
        }
        let (found, strange) = parts(&bent, &key);
        assert_eq!((found.len(), strange), (written.len() - 1, 1), "byte {at}");
        assert!(found.iter().all(|part| written.contains(part)), "byte {at}");
    }
}

/// BAK-2: cut anywhere, what is whole before is there, and that the end is missing shows.
#[test]
fn cut_at_any_length_it_has_all_that_is_whole_before() {
    let (written, bytes, key) = small();
    for length in 0..bytes.len() {
        if length < HEADER {
            assert!(opened(&bytes[..length], PASSPHRASE).is_err(), "{length}");
            continue;
        }
        let (found, _) = parts(&bytes[..length], &key);
        assert_eq!(found, written[..found.len()], "{length}");
        assert!(!matches!(found.last(), Some(Part::End { .. })), "{length}");
    }
}

/// BAK-2: parts are where they were written, in the file for which they were written.
#[test]
fn a_part_elsewhere_is_none() {
    let (_, bytes, key) = small();
    let mut starts = vec![HEADER];
    while let Some(head) = bytes[*starts.last().unwrap()..].first_chunk::<4>() {
        starts.push(starts.last().unwrap() + part_len(*head).unwrap());
    }
    let part = |which: usize| &bytes[starts[which]..starts[which + 1]];
    let found = |order: &[usize]| {
        let moved: Vec<u8> = order.iter().flat_map(|which| part(*which).to_vec()).collect();
        parts(&[&bytes[..HEADER], &moved].concat(), &key).0.len()
    };
    assert_eq!(found(&[0, 1, 2, 3]), 4);
    assert_eq!(found(&[1, 0, 2, 3]), 2, "two that changed places are lost, both");
    assert_eq!(found(&[0, 0, 1, 2, 3]), 1, "twice");
    assert_eq!(found(&[0, 2, 3]), 1, "one left out");
    assert_eq!(found(&[0, 1]), 2, "the end left out, which the missing last part shows");
    // the same passphrase, and even the same key: another file is another salt
    let (_, other) = new_file(PASSPHRASE, 9);
    assert!(parts(&bytes, &other).0.is_empty());
}

#[test]
fn what_is_no_backup_and_what_is_of_later_is_told_before_the_passphrase_is_used() {
    let (bytes, _) = new_file(PASSPHRASE, 2);
    for (strange, error) in [
        (b"".to_vec(), BackupError::Malformed),
        (b"trefoil store".to_vec(), BackupError::Malformed),
        (b"trefoil backup\n".to_vec(), BackupError::Header),
        (b"trefoil backup\n\x02and whatever comes then".to_vec(), BackupError::Newer),
        (b"trefoil backup\n\x00".to_vec(), BackupError::Malformed),
        (bytes[..HEADER - 1].to_vec(), BackupError::Header),
        ([&bytes[..], &[0]].concat(), BackupError::Header),
    ] {
        assert_eq!(check_header(&strange), Err(error), "{strange:?}");
        assert_eq!(opened(&strange, PASSPHRASE), Err(error));
    }
    assert_eq!(check_header(&bytes), Ok(()));
}

/// Attack 27: a length is looked at before anything is reserved for it.
#[test]
fn a_length_that_no_part_has_is_none() {
    let good = [STEP, 2 * STEP, MAX_PART];
    let lengths = [0, 1, STEP - 1, STEP + 1, MAX_PART - 1, MAX_PART + 1, MAX_PART + STEP, u32::MAX as usize];
    for length in good {
        let head = u32::try_from(length - AROUND + TAG).unwrap().to_be_bytes();
        assert_eq!(part_len(head), Some(length));
    }
    for length in lengths {
        let head = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        assert!(part_len(head).is_none_or(|it| it != length && it <= MAX_PART), "{length}");
    }
    assert_eq!(part_len([0xff; 4]), None);
    assert!(Part::decode(&[2, 0xff, 0xff, 0xff, 0xff]).is_err());
    assert!(Part::decode(&[1, 0xff, 0xff, 0xff, 0xff]).is_err());
}

#[test]
fn a_part_has_one_form() {
    for part in small().0 {
        let bytes = part.encode().unwrap();
        assert_eq!((bytes.len() + AROUND) % STEP, 0);
        assert_eq!(Part::decode(&bytes), Ok(part));
        assert!(Part::decode(&[&bytes[..], &[0]].concat()).is_err());
        assert!(Part::decode(&[&bytes[..], &[0; STEP]].concat()).is_err());
        assert!(Part::decode(&bytes[..bytes.len() - 1]).is_err());
        let mut filled = bytes.clone();
        *filled.last_mut().unwrap() = 1;
        assert!(Part::decode(&filled).is_err());
    }
    assert!(Part::decode(&[4; 980]).is_err());
    assert!(Part::decode(&[]).is_err());
}

#[test]
fn messages_are_cut_into_parts_in_their_order() {
    let lengths = [100, 32_000, 600, 40_000, 1, MAX_CONTENT, 16_000, 16_000, 600, 100];
    let messages: Vec<_> = (0..).zip(lengths).map(|(place, length)| message(place, length)).collect();
    let (mut pile, mut parts) = (Pile::default(), Vec::new());
    for message in &messages {
        parts.extend(pile.add(message.clone()));
    }
    parts.extend(pile.take());
    assert_eq!(pile.take(), None);
    let key = new_file(PASSPHRASE, 2).1;
    assert!(parts.iter().all(|part| key.seal(part, 256, [0; NONCE]).is_some_and(|it| it.len() <= MAX_PART)));
    let read = |part: &Part| match part {
        Part::Messages(messages) => messages.clone(),
        _ => panic!("something else"),
    };
    assert_eq!(parts.iter().flat_map(read).collect::<Vec<_>>(), messages);
    assert_eq!(parts.len(), 4);
    let settings: Vec<_> = (0..200).map(|number| setting(number, 1_000)).collect();
    let parts = settings_parts(settings.clone());
    assert!(parts.len() > 2 && parts.iter().all(|part| part.encode().is_some()));
    let read = |part: Part| match part {
        Part::Settings(settings) => settings,
        _ => panic!("something else"),
    };
    assert_eq!(parts.into_iter().flat_map(read).collect::<Vec<_>>(), settings);
    assert!(settings_parts(Vec::new()).is_empty());
}
