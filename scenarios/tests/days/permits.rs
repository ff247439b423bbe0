//! The operator's way into a reset with the real program: Olga runs the service, Bob has lost his machine and forgotten his
//! password. Rules PMT-1 to PMT-4.

use std::fs;

use scenarios::program::eventually;
use scenarios::world::World;
use serde_json::Value;

use scenarios::device::Device;

/// What `trefoil account reset bob` takes with a permit in a file.
fn reset<'a>(device: &'a Device, permit: &'a str) -> Vec<&'a str> {
    [&["account"], &device.join("reset", "bob")[..], &["--permit-file", permit, "--yes"]].concat()
}

#[test]
fn an_operator_lets_somebody_announce_a_reset_and_nothing_more() {
    let world = World::new();
    let service = world.service("service");
    let (url, data) = (service.api.url.clone(), service.data.display().to_string());
    let laptop = Device::signed_up(&world, "bob", &url);
    let olga = |handle: &str, data: &str| world.run(&["permit", handle, "--data", data, "--json"]);
    assert_eq!(olga("bobby", &data).verdict(), (Some(5), "handle.unknown".to_owned()));
    assert_eq!(olga("b!", &data).verdict(), (Some(2), "handle.charset".to_owned()));
    assert_eq!(
        olga("bob", &world.path("elsewhere").display().to_string()).verdict(),
        (Some(2), "service.none".to_owned())
    );
    assert!(!world.path("elsewhere").exists());

    let issued = olga("bob", &data).last();
    assert_eq!((&issued["handle"], &issued["wait_hours"]), (&Value::from("bob"), &Value::from(72)));
    let permit = issued["permit"].as_str().unwrap().to_owned();
    let written = |name: &str, text: &str| {
        let path = world.path(name);
        fs::write(&path, format!("{text}\n")).unwrap();
        path.display().to_string()
    };
    let desktop = Device::new(&world, "desktop", &url);
    let mut mistyped = permit.clone();
    let last = if mistyped.pop() == Some('0') { '1' } else { '0' };
    mistyped.push(last);
    for (text, code) in [
        (mistyped.as_str(), "permit.mistyped"),
        ("trefoil:bob@host#00", "link.wrong_kind"),
        ("418 093", "link.wrong_kind"),
    ] {
        let file = written("wrong", text);
        assert_eq!(desktop.run(&reset(&desktop, &file)).verdict(), (Some(2), code.to_owned()));
    }
    assert_eq!(laptop.run(&["contact", "add", &permit]).verdict(), (Some(2), "link.wrong_kind".to_owned()));

    let file = written("permit", &permit);
    let announced = desktop.says(&reset(&desktop, &file));
    assert_eq!(announced[0]["handle"], "bob");
    assert_eq!(desktop.says(&["status"])[0]["phase"], "resetting");
    let due = &announced[0]["due"];
    eventually("the laptop shows the alarm", || (laptop.says(&["status"])[0]["reset_due"] == *due).then_some(()));
    let thief = Device::new(&world, "thief", &url);
    assert_eq!(thief.run(&reset(&thief, &file)).verdict(), (Some(5), "permit.refused".to_owned()));
    assert_eq!(olga("bob", &data).verdict(), (Some(5), "reset.open".to_owned()));
    laptop.says(&["account", "veto"]);
    assert_eq!(service.process.stop().status, Some(0));
    // beside a service that is down, for people
    let shown = world.run(&["permit", "bob", "--data", &data]);
    assert!(shown.status == Some(0) && shown.lines.iter().any(|line| line.trim().starts_with("reset-")), "{shown:?}");
}

/// Whoever waits to be let in and finds that there is nobody left to do it asks from the same machine.
#[test]
fn a_device_that_waits_asks_for_a_fresh_identity_instead() {
    let world = World::new();
    let service = world.service("service");
    let url = service.api.url.clone();
    Device::signed_up(&world, "alice", &url);
    let laptop = Device::signed_up(&world, "bob", &url);
    let tower = Device::new(&world, "tower", &url);
    tower.run(&[&tower.join("login", "bob")[..], &["--wait", "0"]].concat());
    assert_eq!(tower.says(&["status"])[0]["phase"], "pending");
    let asks = |handle| tower.run(&[&["account"], &tower.join("reset", handle)[..], &["--yes"]].concat());
    // of somebody else it is another profile's business
    assert_eq!(asks("alice").verdict(), (Some(2), "profile.in_use".to_owned()));
    assert_eq!(tower.says(&["status"])[0]["phase"], "pending");
    assert_eq!(asks("bob").last()["handle"], "bob");
    assert_eq!(tower.says(&["status"])[0]["phase"], "resetting");
    eventually("the laptop shows the alarm", || laptop.says(&["status"])[0]["reset_due"].is_string().then_some(()));
}
