//! Somebody is reported on the pages and with a command, and the operator of the service hears of it (PPL-5).

use serde_json::{Value, json};

use super::home::{Home, code_of};
use super::{Browser, Service, between};

fn lines(bytes: &[u8]) -> Vec<Value> {
    String::from_utf8_lossy(bytes).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What the operator is told, as `--json` prints it.
fn told(place: &Home, more: &[&str]) -> Vec<Value> {
    let data = place.path().join("service").display().to_string();
    let output = place.run(&[&["reports", "--json", "--data", &data], more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    lines(&output.stdout)
}

#[test]
fn a_stranger_is_reported_and_the_operator_hears_who_and_why_alone() {
    let homes = [(); 3].map(|()| Home::new());
    let service = Service::start(&homes[0]);
    let [bob, mallory] = [1, 2].map(|at| Browser::of(&homes[at], &service));
    bob.sign_up("bob", "laptop");
    mallory.sign_up("mallory", "laptop");
    assert!(homes[2].run(&["send", "bob", "buy this"]).status.success());
    let conversation = between(&bob.page_with("/part/side?at=/", "href=\"/c/"), "href=\"/c/", "\"").to_owned();
    let page = bob.page_with(&format!("/page/c/{conversation}"), "/do/decide");
    let form = between(&page, "<form data-do=\"/do/report\">", "</form>");
    let name = between(form, "name=\"name\" value=\"", "\"");
    assert!(form.contains(&format!("value=\"{conversation}\"")) && form.contains("nothing that was written"), "{form}");
    let report = json!({ "who": conversation, "name": name, "reason": "abuse" });
    let said = bob.wants("/do/report", &report).2;
    assert!(
        said.contains("is told that you reported mallory for abuse; nothing that was written goes along"),
        "{said}"
    );
    assert!(!bob.page("/part/side?at=/").2.contains(&format!("/c/{conversation}")), "and blocked");
    assert!(bob.page("/page/contacts/mallory").2.contains(">Report</button>"), "also later");

    let (one, more) = (told(&homes[0], &[]), told(&homes[0], &[]));
    let account = one[0]["account"].as_str().unwrap().to_owned();
    let names: Vec<_> = one[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!((one.len(), names), (1, vec!["account", "first", "last", "reasons", "reporters"]), "not by whom");
    assert_eq!((&one[0]["reporters"], &one[0]["reasons"]["abuse"], &one), (&json!(1), &json!(1), &more));

    // with a command, while the service is down: blocked now, told later
    drop(service);
    let output = homes[1].run(&["contact", "report", "mallory", "--reason", "spam"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("will be told") && said.contains("Blocked"), "{output:?}");
    let output = homes[1].run(&["--json", "contact", "report", "nobody"]);
    assert_eq!(code_of(&output), (Some(5), "contact.unknown".to_owned()));
    assert_eq!(homes[1].run(&["contact", "report", "mallory", "--reason", "rude"]).status.code(), Some(2));

    assert_eq!(told(&homes[0], &["--forget", &account]), [json!({ "account": account, "forgotten": 1 })]);
    assert!(told(&homes[0], &[]).is_empty());
    let data = homes[0].path().join("service").display().to_string();
    let wrong = homes[0].run(&["reports", "--json", "--data", &data, "--forget", "mallory"]);
    assert_eq!(code_of(&wrong), (Some(2), "account.malformed".to_owned()));
    let nowhere = homes[0].run(&["reports", "--json", "--data", "/nowhere"]);
    assert_eq!(code_of(&nowhere), (Some(2), "service.none".to_owned()));
    let shown = homes[0].run(&["reports", "--data", &data]);
    assert_eq!(String::from_utf8_lossy(&shown.stdout).trim(), "Nobody has been reported in the last 90 days.");
}
