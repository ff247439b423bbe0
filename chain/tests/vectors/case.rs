//! One case: what somebody is shown, and what he has to say to it.
//!
//! ```text
//! expect: ok                       or: expect: <code> <rule>
//! what: one sentence
//! <name>: <hexadecimal>            in the order of the subject, lists as one line an item
//! ```

use std::fmt::Write as _;

use chain::sigchain::broken::RuleBroken;

use crate::files::{Files, folder, read, write_or_compare};

/// Nothing to object, or the code and the rule of the refusal.
pub(crate) type Verdict = Result<(), (&'static str, &'static str)>;

/// A case before it is written.
pub(crate) struct Case {
    name: String,
    expect: Verdict,
    what: String,
    fields: Fields,
}

impl Case {
    pub(crate) fn new(name: &str, expect: Verdict, what: &str, fields: Fields) -> Self {
        Self { name: name.to_owned(), expect, what: what.to_owned(), fields }
    }

    fn write(&self) -> Vec<u8> {
        let mut text = format!("expect: {}\nwhat: {}\n", verdict_text(self.expect), self.what);
        for (name, value) in &self.fields.0 {
            let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(text, "{name}: {hex}").unwrap();
        }
        text.into_bytes()
    }
}

/// Named byte strings, in order; numbers are eight bytes.
#[derive(Default)]
pub(crate) struct Fields(Vec<(String, Vec<u8>)>);

impl Fields {
    pub(crate) fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.0.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn with_number(self, name: &str, value: u64) -> Self {
        self.with(name, value.to_be_bytes())
    }

    pub(crate) fn with_all(self, name: &str, values: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        values.into_iter().fold(self, |fields, value| fields.with(name, value))
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_slice())
    }

    pub(crate) fn find(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_slice())
    }

    pub(crate) fn get(&self, name: &str) -> &[u8] {
        self.find(name).unwrap_or_else(|| panic!("no field {name}"))
    }

    pub(crate) fn array<const N: usize>(&self, name: &str) -> [u8; N] {
        self.get(name).try_into().unwrap()
    }

    pub(crate) fn number(&self, name: &str) -> u64 {
        u64::from_be_bytes(self.array(name))
    }
}

/// Code and rule of a refused entry.
pub(crate) fn refusal(broken: impl Into<RuleBroken>) -> (&'static str, &'static str) {
    let broken = broken.into();
    (broken.code(), broken.rule())
}

fn verdict_text(verdict: Verdict) -> String {
    verdict.map_or_else(|(code, rule)| format!("{code} {rule}"), |()| "ok".to_owned())
}

/// Reads a case: the expected verdict as text, and what is to be judged.
fn parse(text: &str) -> (String, Fields) {
    let mut lines = text.lines().map(|line| line.split_once(": ").unwrap_or_else(|| (line.trim_end_matches(':'), "")));
    let (expect, what) = (lines.next().unwrap(), lines.next().unwrap());
    assert_eq!((expect.0, what.0), ("expect", "what"));
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let fields = lines.map(|(name, hex)| (name.to_owned(), hex.as_bytes().chunks(2).map(byte).collect())).collect();
    (expect.1.to_owned(), Fields(fields))
}

/// Checks a subject: that its files are these cases byte for byte, and that each of them, read again, gets the verdict
/// that it names. Returns how many there are.
pub(crate) fn check(subject: &str, cases: &[Case], judge: fn(&Fields) -> Verdict) -> usize {
    let files: Files = cases.iter().map(|case| (format!("{}.txt", case.name), case.write())).collect();
    assert_eq!(files.len(), cases.len(), "two cases of {subject} have one name");
    write_or_compare(subject, &files);
    let stored = read(&folder().join(subject));
    for (name, content) in &stored {
        let (expect, fields) = parse(std::str::from_utf8(content).unwrap());
        assert_eq!(verdict_text(judge(&fields)), expect, "{subject}/{name}");
    }
    stored.len()
}
