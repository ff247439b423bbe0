//! What the record tells about people: no names, and not to somebody who tries many.

use std::fs;

use scenarios::people::Person;
use scenarios::program::run;
use scenarios::world::{World, files};

/// Attack 30: a name that only looks like another.
#[test]
fn a_cyrillic_letter_is_no_letter_of_a_handle() {
    let world = World::new();
    let service = world.service("service");
    assert_eq!(service.api.look_up("а1ice").refusal(), (400, "handle.charset".into()));
    assert_eq!(service.api.look_up("al").refusal(), (400, "handle.length".into()));
    let told = world.look(&service, "а1ice", "observer");
    assert_eq!(told.verdict(), (Some(2), "handle.charset".into()));
}

/// Decision 7: a name that somebody holds is not given to a second one.
#[test]
fn a_handle_has_one_holder() {
    let world = World::new();
    let service = world.service("service");
    let alice = Person::sign_up(&service.api, Some("alice"));
    let label = service.api.label("alice");
    let other = scenarios::people::Device::new();
    let second = other.sign(other.opening(Some(label)), &alice.origin);
    assert_eq!(service.api.propose(&second).refusal(), (409, "handle.taken".into()));
    let seen = world.look(&service, "ALICE", "observer");
    assert_eq!(seen.last()["account"], alice.account.to_string(), "{seen:?}");
    let nobody = world.look(&service, "nobody", "observer");
    assert_eq!(nobody.verdict(), (Some(5), "account.unknown".into()));
}

/// Attack 31: a thousand guesses from one address.
#[test]
fn a_thousand_lookups_are_too_many() {
    let world = World::new();
    let service = world.service("service");
    let answers: Vec<_> = (0..1_000).map(|guess| service.api.look_up(&format!("guess-{guess}"))).collect();
    let refused: Vec<_> = answers.iter().filter(|it| it.status != 200).collect();
    assert!(refused.len() >= 900, "{} of 1,000 were refused", refused.len());
    assert!(refused.iter().all(|it| it.refusal() == (429, "rate.limited".into())));
    // the record of an account whose id is known stays open to everybody
    let bob = Person::sign_up(&service.api, None);
    assert_eq!(world.look(&service, &bob.account.to_string(), "observer").status, Some(0));
}

/// Attack 31: the whole public record, and all that the service keeps, holds no name in any form.
#[test]
fn no_name_is_in_the_record_nor_in_the_services_folder() {
    let world = World::new();
    let service = world.service("service");
    let names = ["marker-of-alice", "marker-of-bob"];
    let people = names.map(|name| Person::sign_up(&service.api, Some(name)));
    people[0].add_and_confirm();
    let data = service.data.clone();
    assert!(run(&world.path(""), &["audit", &service.api.url, "--json"]).status == Some(0));
    let stopped = service.process.stop();
    assert_eq!(stopped.status, Some(0), "{stopped:?}");
    let found: Vec<_> = files(&data).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    assert!(found.iter().any(|(path, _)| path.ends_with("public/block/1")));
    let hex = |name: &str| name.bytes().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes();
    let utf16 = |name: &str| name.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    for name in ["marker-of", "MARKER-OF"] {
        // in base64 a text looks one of three ways, by where it begins
        let base64 = ["bWFya2VyLW9m", "1hcmtlci1vZ", "tYXJrZXItb2"].map(|text| text.as_bytes().to_vec());
        for form in [name.as_bytes().to_vec(), hex(name), utf16(name)].iter().chain(&base64) {
            let place = found.iter().find(|(_, bytes)| bytes.windows(form.len()).any(|window| window == form));
            assert!(place.is_none(), "{} holds a name", place.unwrap().0.display());
        }
    }
    assert!(!stopped.stderr.contains("marker") && !stopped.lines.concat().contains("marker"));
}
