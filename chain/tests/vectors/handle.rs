//! `handle`: a handle, the proof of its place, and its label.

use chain::encoding::Reader;
use chain::handle::{Handle, HandleError, VrfProof, VrfPublicKey, VrfSecretKey};

use crate::case::{Case, Fields, Verdict, check};

/// HND-4, HND-5, attack 20.
#[test]
fn handles_lead_to_labels_or_are_refused() {
    assert_eq!(check("handle", &cases(), judge), 12);
}

fn judge(fields: &Fields) -> Verdict {
    let refusal = |error: HandleError| (error.code(), error.rule());
    let handle = Handle::parse(std::str::from_utf8(fields.get("handle")).unwrap()).map_err(refusal)?;
    let Some(proof) = fields.find("proof") else {
        assert_eq!(handle.as_str().as_bytes(), fields.get("normalised"));
        return Ok(());
    };
    let key = VrfPublicKey::from_bytes(&fields.array("vrf-key")).unwrap();
    let proof = VrfProof::decode(&mut Reader::new(proof)).unwrap();
    let label = key.verify(&handle, &proof).map_err(refusal)?;
    if label.0 == fields.get("label") { Ok(()) } else { Err(refusal(HandleError::IndexKey)) }
}

fn cases() -> Vec<Case> {
    let (key, other) = (VrfSecretKey::from_seed(&[4; 32]).unwrap(), VrfSecretKey::from_seed(&[5; 32]).unwrap());
    let place = |key: &VrfSecretKey, handle: &str| key.prove(&Handle::parse(handle).unwrap()).unwrap();
    let (proof, label) = place(&key, "bob");
    let (carols_proof, carols_label) = place(&key, "carol");
    let fields = |handle: &str, key: &VrfSecretKey, proof: [u8; 80], label: [u8; 32]| {
        let fields = Fields::default().with("handle", handle).with("vrf-key", key.public().as_bytes());
        fields.with("proof", proof).with("label", label)
    };
    let lie = |name, what, fields| Case::new(name, Err(("chain.index_key", "HND-5")), what, fields);
    let mut bent = proof.0;
    bent[79] ^= 1;
    let text = |handle: &str| Fields::default().with("handle", handle);
    let refused = |name, what, code, handle: &str| Case::new(name, Err((code, "HND-4")), what, text(handle));
    vec![
        Case::new("label", Ok(()), "the proof and the label of a handle", fields("bob", &key, proof.0, label.0)),
        Case::new("capitals", Ok(()), "capitals mean the same handle", fields("BOB", &key, proof.0, label.0)),
        lie("other-key", "a proof of another key", fields("bob", &key, place(&other, "bob").0.0, label.0)),
        lie("other-handle", "the proof of another handle", fields("bob", &key, carols_proof.0, carols_label.0)),
        lie(
            "other-label",
            "a good proof with the label of another handle",
            fields("bob", &key, proof.0, carols_label.0),
        ),
        lie("bent-proof", "a bit of the proof is changed", fields("bob", &key, bent, label.0)),
        Case::new("shortest", Ok(()), "three characters", text("a.b").with("normalised", "a.b")),
        Case::new(
            "longest",
            Ok(()),
            "32 characters, in capitals",
            text(&"Z".repeat(32)).with("normalised", "z".repeat(32)),
        ),
        refused("too-short", "two characters", "handle.length", "ab"),
        refused("too-long", "33 characters", "handle.length", &"z".repeat(33)),
        refused("space", "a space", "handle.charset", "bob smith"),
        refused("not-ascii", "a letter that is not ASCII", "handle.charset", "b\u{f6}b"),
    ]
}
