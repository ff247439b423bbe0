//! A QR code as a drawing of our own: one path of black squares on white, whatever colours the page has.

use std::fmt::Write as _;

use maud::{Markup, html};
use qrcode::{Color, QrCode};

use crate::failure::Failure;

/// White squares around the code, without which no scanner finds it.
const QUIET: usize = 4;

/// Draws a text; `label` is for those who see no picture.
///
/// # Errors
/// A text too long for a code.
pub(super) fn drawn(text: &str, label: &str) -> Result<Markup, Failure> {
    let code = QrCode::new(text).map_err(Failure::broken)?;
    let width = code.width();
    let mut path = String::new();
    for (place, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            let (x, y) = (place % width + QUIET, place / width + QUIET);
            // writing to memory does not fail
            let _ = write!(path, "M{x} {y}h1v1h-1z");
        }
    }
    let whole = width + 2 * QUIET;
    Ok(html! {
        svg.qr role="img" aria-label=(label) viewBox={ "0 0 " (whole) " " (whole) } shape-rendering="crispEdges" {
            rect width=(whole) height=(whole) fill="#fff" {}
            path d=(path) fill="#000" {}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_black_on_white_with_room_around_it() {
        let drawn = drawn("trefoil", "your link").unwrap().into_string();
        // version 1 has 21 squares a side
        assert!(drawn.contains("viewBox=\"0 0 29 29\"") && drawn.contains("M4 4h1v1h-1z"), "{drawn}");
        assert!(!drawn.contains("M3 ") && !drawn.contains("style="), "{drawn}");
    }
}
