//! Six digits so large that they can be read from the next desk.

const ROWS: usize = 5;

/// Each digit, three wide.
const FONT: [[&str; ROWS]; 10] = [
    ["███", "█ █", "█ █", "█ █", "███"],
    ["  █", "  █", "  █", "  █", "  █"],
    ["███", "  █", "███", "█  ", "███"],
    ["███", "  █", "███", "  █", "███"],
    ["█ █", "█ █", "███", "  █", "  █"],
    ["███", "█  ", "███", "  █", "███"],
    ["███", "█  ", "███", "█ █", "███"],
    ["███", "  █", "  █", "  █", "  █"],
    ["███", "█ █", "███", "█ █", "███"],
    ["███", "█ █", "███", "  █", "███"],
];

/// Draws digits, with a gap after the third; other letters leave no trace.
pub(crate) fn large(code: &str) -> String {
    let digits: Vec<usize> =
        code.chars().filter_map(|it| it.to_digit(10)).filter_map(|it| it.try_into().ok()).collect();
    let row = |row: usize| {
        let mut line = String::new();
        for (place, digit) in digits.iter().enumerate() {
            let part = FONT.get(*digit).and_then(|rows| rows.get(row)).copied().unwrap_or_default();
            line.push_str(if place == 3 { "     " } else { "  " });
            // twice as wide as high is square on most terminals
            line.extend(part.chars().flat_map(|block| [block, block]));
        }
        line
    };
    (0..ROWS).map(row).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_digits_are_five_rows_of_one_width() {
        let drawn = large("418093");
        let widths: Vec<_> = drawn.lines().map(|line| line.chars().count()).collect();
        assert_eq!(widths, [6 * 6 + 5 * 2 + 5; 5]);
        assert_ne!(large("418093"), large("418094"));
    }
}
