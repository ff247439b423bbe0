//! What people read about the recovery key.

/// Words in a line.
const COLUMNS: usize = 4;

/// Asked on a waiting device.
pub(crate) const TYPE_IT: &str = "Type the 24 words of your recovery key, with spaces between them, in as many lines as you \
                                  like. Nobody but you, here, ever needs them: no support, no other page, no other device.";
/// The words have let this device in.
pub(crate) const BACK: &str = "You're back: same account, but old messages are only in your backup file, if you made one: `trefoil \
                                backup import FILE`.\n\
                               If devices of yours are lost, take them out now: `trefoil device list`, then `trefoil device \
                               remove`.";
/// There is none any more.
pub(crate) const DROPPED: &str =
    "Your account has no recovery key any more. If you lose all your devices, nothing gets you back into it.";
/// Said once, early.
pub(crate) const OFFER: &str = "If you ever lose all your devices, only a recovery key gets you back into this account: `trefoil \
                                recovery create` makes one, to be kept on paper.";
/// Where somebody waits to be let in, and could use it.
pub(crate) const OTHER_WAY: &str =
    "Is none of them at hand any more? `trefoil recovery use`, here, lets this device in with your recovery key.";

/// A new key, to be written down.
pub(crate) fn created(words: &[&str]) -> Vec<String> {
    let width = words.iter().map(|word| word.len()).max().unwrap_or_default();
    let mut lines =
        vec!["Your recovery key. Write these words down, in this order; they are shown only now:".to_owned()];
    lines.push(String::new());
    for (row, chunk) in words.chunks(COLUMNS).enumerate() {
        let cell = |(column, word): (usize, &&str)| format!("{:>4}. {word:width$}", row * COLUMNS + column + 1);
        lines.push(chunk.iter().enumerate().map(cell).collect::<String>().trim_end().to_owned());
    }
    lines.push(String::new());
    lines.push(
        "Keep them on paper, away from your devices. Whoever has them and your password can let a device into your account; \
         all your devices would be told."
            .to_owned(),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_stand_numbered_in_columns() {
        let words = ["abandon", "act", "zoo", "zone", "able"];
        let lines = created(&words);
        assert_eq!(lines[2], "   1. abandon   2. act       3. zoo       4. zone");
        assert_eq!(lines[3], "   5. able");
    }
}
