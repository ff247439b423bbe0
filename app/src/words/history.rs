//! What people read about old messages.

use super::device::name_of;
use crate::local::rows::{Device, History};

/// A device gets them now.
pub(crate) const GRANTED: &str = "That device gets your old messages, from whichever of your devices is on.";

/// How far they have come.
pub(crate) fn status(row: &History, devices: &[Device]) -> Vec<String> {
    let from = row.from.as_deref().map(|from| name_of(from, devices));
    let mut lines = vec![match (row.state.as_str(), from) {
        ("complete", _) => format!("Your old messages are here: {}.", row.messages),
        ("running", Some(from)) => {
            format!("Fetching your messages from {from}: {} of {}.", row.messages, row.total)
        }
        ("running", None) => "Your old messages will arrive when one of your other devices is next on.".to_owned(),
        ("waiting", _) => {
            "No old messages yet: open Trefoil on one of your other devices, or let this one have them there with `trefoil \
             history send`."
                .to_owned()
        }
        _ => "This is your first device: all your messages are here.".to_owned(),
    }];
    for handed in &row.handed {
        lines.push(format!("Handed to {}: {} messages.", name_of(&handed.device, devices), handed.messages));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_it_has_come_is_said_with_counts() {
        let row = |state: &str, from: Option<&str>| History {
            state: state.into(),
            messages: 3_200,
            total: 10_000,
            from: from.map(str::to_owned),
            handed: Vec::new(),
        };
        assert!(status(&row("running", Some("aa11")), &[])[0].contains("3200 of 10000"));
        assert!(status(&row("running", None), &[])[0].contains("next on"));
        assert!(status(&row("waiting", None), &[])[0].contains("history send"));
    }
}
