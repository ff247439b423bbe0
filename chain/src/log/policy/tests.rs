//! Policies: form, quorums, and the rule that quorums share a witness.

use ed25519_dalek::SigningKey;
use proptest::prelude::*;

use super::*;
use crate::log::note::NoteSigner;

fn vkey(name: &str, kind: KeyKind, seed: u8) -> String {
    let signer = NoteSigner::new(name.parse().unwrap(), kind, SigningKey::from_bytes(&[seed; 32]));
    signer.verifier_key().to_string()
}

/// One log, witnesses `w0` and on, then `rest`.
fn text(witnesses: u8, rest: &str) -> String {
    let log = vkey("example.com/log", KeyKind::Ed25519, 200);
    let witness = |i| format!("witness w{i} {}\n", vkey(&format!("w.example/{i}"), KeyKind::CosignatureV1, i));
    let witnesses: String = (0..witnesses).map(witness).collect();
    format!("log {log} https://example.com/log\n{witnesses}{rest}")
}

fn parse(witnesses: u8, rest: &str) -> Result<Policy, PolicyError> {
    text(witnesses, rest).parse()
}

fn times(pairs: &[(usize, u64)]) -> Vec<WitnessTime> {
    pairs.iter().map(|(witness, time)| WitnessTime { witness: *witness, time: *time }).collect()
}

/// The example of tlog-policy: two of three, and one of a group of one.
#[test]
fn nested_groups_are_counted() {
    let rest = " # comment\n\n\tgroup x 2 w0 w1 w2 \ngroup y any w3\ngroup both all x y\nquorum both\n";
    let policy = parse(4, rest).unwrap();
    assert!(policy.quorum_met([0, 2, 3]) && policy.quorum_met([0, 1, 2, 3]));
    assert!(!policy.quorum_met([0, 1, 2]) && !policy.quorum_met([0, 3]) && !policy.quorum_met([0, 0, 3, 3]));
    assert_eq!(policy.smallest_quorum(), 3);
    assert_eq!(policy.to_string().parse(), Ok(policy));
}

/// Attack 20: the table of `k` of `n` up to 5.
#[test]
fn a_quorum_of_half_the_witnesses_or_fewer_is_refused() {
    for n in 1..=5_u8 {
        let names: String = (0..n).map(|i| format!(" w{i}")).collect();
        for k in 1..=n {
            let parsed = parse(n, &format!("group g {k}{names}\nquorum g\n"));
            if 2 * k <= n {
                assert_eq!(parsed.map_err(|e| e.code()), Err("policy.no_intersection"), "{k} of {n}");
            } else {
                assert_eq!(parsed.map(|policy| policy.smallest_quorum()), Ok(k.into()));
            }
        }
    }
    assert!(parse(1, "quorum w0\n").is_ok());
    // one of the groups is shared, but its two halves are not
    let split = parse(5, "group x any w0 w1\ngroup y any w2 w3\ngroup all all x y\nquorum all\n");
    assert_eq!(split, Err(PolicyError::NoIntersection));
}

/// "Zero independent witnesses" is a state that shows.
#[test]
fn a_policy_without_a_quorum_says_so() {
    let policy = parse(2, "quorum none\n").unwrap();
    assert_eq!(policy.smallest_quorum(), 0);
    assert!(policy.quorum_met([]));
    assert_eq!(policy.quorum_time_not_after(&times(&[(0, 5)])), None);
}

#[test]
fn quorum_times_are_those_of_the_witness_that_completes_the_quorum() {
    let policy = parse(4, "group g 3 w0 w1 w2 w3\nquorum g\n").unwrap();
    let at = times(&[(0, 40), (1, 10), (2, 30), (3, 20)]);
    assert_eq!(policy.quorum_time_not_after(&at), Some(30));
    assert_eq!(policy.quorum_time_not_before(&at), Some(20));
    assert_eq!(policy.quorum_time_not_after(&at[..2]), None);
    assert_eq!(policy.quorum_time_not_before(&at[..2]), None);
}

#[test]
fn malformed_policies_are_refused() {
    let log = vkey("example.com/log", KeyKind::Ed25519, 200);
    let again = vkey("w.example/again", KeyKind::CosignatureV1, 0);
    let many: String = (0..=MAX_ITEMS).map(|i| format!("group g{i} 1 w{}\n", i % 2)).collect();
    for (rest, expected) in [
        (String::new(), PolicyError::QuorumLines { count: 0 }),
        ("quorum none\nquorum none\n".into(), PolicyError::QuorumLines { count: 2 }),
        ("quorum none".into(), PolicyError::NotText { line: 4 }),
        ("quorum none\r\n".into(), PolicyError::NotText { line: 4 }),
        ("quorum g\n".into(), PolicyError::UnknownName { line: 4 }),
        ("quorum\n".into(), PolicyError::MalformedLine { line: 4 }),
        ("group none 1 w0\n".into(), PolicyError::DuplicateName { line: 4 }),
        ("group w0 1 w1\n".into(), PolicyError::DuplicateName { line: 4 }),
        ("group g 1 w0 w0\n".into(), PolicyError::MemberTwice { line: 4 }),
        ("group g 1 w0\ngroup h 1 w0\n".into(), PolicyError::MemberTwice { line: 5 }),
        ("group g 1 g\n".into(), PolicyError::UnknownName { line: 4 }),
        ("group g 3 w0 w1\n".into(), PolicyError::BadThreshold { line: 4, threshold: 3, members: 2 }),
        ("group g 0 w0\n".into(), PolicyError::BadThreshold { line: 4, threshold: 0, members: 1 }),
        ("group g all\n".into(), PolicyError::BadThreshold { line: 4, threshold: 0, members: 0 }),
        ("group g +1 w0\n".into(), PolicyError::MalformedLine { line: 4 }),
        (format!("log {log}\n"), PolicyError::DuplicateKey { line: 4 }),
        (format!("witness w {again}\n"), PolicyError::DuplicateKey { line: 4 }),
        (
            format!("witness w {log}\n"),
            PolicyError::Key { line: 4, source: NoteError::WrongKeyKind { expected: KeyKind::CosignatureV1 } },
        ),
        (format!("log {log} a b\n"), PolicyError::MalformedLine { line: 4 }),
        (many, PolicyError::MemberTwice { line: 6 }),
    ] {
        assert_eq!(parse(2, &rest), Err(expected), "{rest:?}");
    }
    let too_many = parse(33, "quorum none\n");
    assert_eq!(too_many, Err(PolicyError::TooMany { line: 34 }));
    let bytes = MAX_POLICY_BYTES + 1;
    assert_eq!("#".repeat(bytes).parse::<Policy>(), Err(PolicyError::TooLong { bytes }));
}

/// Groups over 9 witnesses: three groups of up to four, and one over them.
fn nested() -> impl Strategy<Value = String> {
    let sizes = (1..4_usize, 1..4_usize, 1..4_usize);
    (sizes, any::<[u8; 4]>()).prop_map(|((a, b, c), k)| {
        let mut next = 0;
        let mut rest = String::new();
        for (i, size) in [a, b, c].into_iter().enumerate() {
            let names: String = (next..next + size).map(|w| format!(" w{w}")).collect();
            next += size;
            rest += &format!("group g{i} {}{names}\n", 1 + usize::from(k[i]) % size);
        }
        // also a witness of its own beside the groups
        rest + &format!("group top {} g0 g1 g2 w{next}\nquorum top\n", 1 + k[3] % 4)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Attack 20, by trying every set of witnesses against the rest.
    #[test]
    fn a_policy_is_refused_exactly_if_two_quorums_can_be_apart(rest in nested()) {
        let parsed = parse(10, &rest);
        let mut parser = Parser::default();
        for line in text(10, &rest).lines() {
            parser.line(&line.split(' ').collect::<Vec<_>>(), 1).unwrap();
        }
        let unchecked = Policy { quorum: parser.quorums[0], ..parser.policy };
        let met = |set: u32| unchecked.quorum_met((0..10).filter(|i| set >> i & 1 == 1));
        let apart = (0..1_u32 << 10).any(|set| met(set) && met(!set));
        prop_assert_eq!(parsed.is_err(), apart);
        let smallest = (0..1_u32 << 10).filter(|set| met(*set)).map(u32::count_ones).min();
        prop_assert_eq!(unchecked.smallest_quorum(), smallest.unwrap() as usize);
        if let Ok(policy) = parsed {
            prop_assert_eq!(policy.to_string().parse(), Ok(policy));
        }
    }
}
