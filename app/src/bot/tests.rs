use std::collections::BTreeSet;

use serde_json::Value;

use super::rights::{Right, needed};
use crate::local::What;

fn document() -> Value {
    serde_json::from_str(include_str!("../../../docs/openapi.json")).unwrap()
}

fn read(verb: &str, example: &Value) -> What {
    let mut fields = example.clone();
    fields["do"] = verb.into();
    serde_json::from_value(fields).unwrap_or_else(|error| panic!("{verb}: {error}"))
}

/// What is documented is what is understood, and takes the right that it says.
#[test]
fn the_document_says_what_can_be_asked_and_what_it_takes() {
    let document = document();
    let mut documented = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let Some(post) = methods.get("post") else { continue };
        let verb = path.strip_prefix("/v1/").unwrap();
        let content = &post["requestBody"]["content"]["application/json"];
        let right = serde_json::to_value(needed(&read(verb, &content["example"])).unwrap()).unwrap();
        assert_eq!(right, post["x-right"], "{verb}");
        let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        let (known, shown) = (names(&content["schema"]["properties"]), names(&content["example"]));
        assert!(shown.is_subset(&known), "{verb}");
        let required: BTreeSet<_> = content["schema"]["required"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it.as_str().unwrap().to_owned())
            .collect();
        assert!(required.is_subset(&shown), "{verb}");
        documented.insert(verb.to_owned());
    }
    assert_eq!(documented.len(), 19);
}

/// Devices, keys, passwords, files and the agent itself are nobody's but a person's; and no request goes on for ever.
#[test]
fn no_token_allows_what_is_a_persons() {
    let asked = [
        r#"{"do":"devices"}"#,
        r#"{"do":"stop"}"#,
        r#"{"do":"hello"}"#,
        r#"{"do":"unlock","passphrase":"x"}"#,
        r#"{"do":"confirm","device":"aa","code":"000000","history":true}"#,
        r#"{"do":"remove","device":"aa"}"#,
        r#"{"do":"set_password","password":"x"}"#,
        r#"{"do":"recover","words":"x"}"#,
        r#"{"do":"accept_reset","handle":"x"}"#,
        r#"{"do":"mark_verified","handle":"x","verified":true}"#,
        r#"{"do":"backup_settings"}"#,
        r#"{"do":"open_web","service":null,"policy":null}"#,
        r#"{"do":"open_bot","may":["people"]}"#,
        r#"{"do":"set_receipts","receipt":"read","on":false}"#,
        r#"{"do":"changes"}"#,
        r#"{"do":"read","with":null,"limit":3,"follow":true}"#,
    ];
    for text in asked {
        let what: What = serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(needed(&what), None, "{text}");
    }
    assert_eq!(needed(&read("status", &serde_json::json!({}))), Some(Right::Read));
}
