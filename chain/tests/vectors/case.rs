//! One vector: a small text file with a head, what is given, and what comes out.

use std::fmt::Write as _;

/// Lines `name: value`. A text of several lines stands below its name, each line behind a `|`.
pub(crate) type Fields = Vec<(String, String)>;

/// A case as it stands in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    /// Below `docs/vectors/`, with its extension.
    pub(crate) path: String,
    /// The procedure of `docs/vectors/README.md` that judges it.
    pub(crate) check: String,
    /// `ok`, or code and rule.
    pub(crate) expect: String,
    /// One sentence.
    pub(crate) what: String,
    pub(crate) given: Fields,
    /// What comes out if it is ok.
    pub(crate) gives: Fields,
}

impl Case {
    pub(crate) fn new(path: &str, check: &str, expect: &str, what: &str) -> Self {
        let (path, check) = (format!("{path}.txt"), check.to_owned());
        Self { path, check, expect: expect.to_owned(), what: what.to_owned(), given: Vec::new(), gives: Vec::new() }
    }

    /// Adds a number or a word.
    pub(crate) fn word(mut self, name: &str, value: impl ToString) -> Self {
        self.given.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds bytes in hexadecimal.
    pub(crate) fn hex(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.word(name, hex(bytes.as_ref()))
    }

    /// Adds a text of lines; one that does not end like a text, in hexadecimal under `<name>-hex`.
    pub(crate) fn text(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        match std::str::from_utf8(text.as_ref()) {
            Ok(lines) if lines.ends_with('\n') && !lines.contains('\r') => self.word(name, lines),
            _ => self.hex(&format!("{name}-hex"), text),
        }
    }

    /// The file's content.
    pub(crate) fn to_text(&self) -> String {
        let mut file = format!("check: {}\nexpect: {}\nwhat: {}\n", self.check, self.expect, self.what);
        for (before, fields) in [("", &self.given), ("gives ", &self.gives)] {
            for (name, value) in fields {
                file.push_str(&write_field(before, name, value));
            }
        }
        file
    }

    /// Reads a file's content.
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let mut fields = Fields::new();
        for line in text.lines() {
            if let Some(more) = line.strip_prefix('|') {
                let value = &mut fields.last_mut().unwrap().1;
                writeln!(value, "{more}").unwrap();
            } else {
                let (name, value) = line.split_once(':').unwrap();
                fields.push((name.to_owned(), value.trim_start().to_owned()));
            }
        }
        let mut rest = fields.into_iter();
        let mut head = |name: &str| rest.next().filter(|field| field.0 == name).unwrap().1;
        let (check, expect, what) = (head("check"), head("expect"), head("what"));
        let (gives, given): (Fields, Fields) = rest.partition(|(name, _)| name.starts_with("gives "));
        let gives = gives.into_iter().map(|(name, value)| (name.replacen("gives ", "", 1), value)).collect();
        Self { path: path.to_owned(), check, expect, what, given, gives }
    }

    /// Every value of a name, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.given.iter().filter(|field| field.0 == name).map(|field| field.1.as_str()).collect()
    }

    /// The one value of a name.
    pub(crate) fn one(&self, name: &str) -> &str {
        let [value] = self.all(name)[..] else { panic!("{}: not one {name}", self.path) };
        value
    }

    pub(crate) fn number(&self, name: &str) -> u64 {
        self.one(name).parse().unwrap()
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        unhex(self.one(name))
    }

    /// Exactly so many bytes.
    pub(crate) fn array<const N: usize>(&self, name: &str) -> [u8; N] {
        self.bytes(name).try_into().unwrap()
    }

    /// A text of lines, or what stands in hexadecimal in its place.
    pub(crate) fn lines(&self, name: &str) -> Vec<u8> {
        match self.all(name)[..] {
            [text] => text.as_bytes().to_vec(),
            _ => self.bytes(&format!("{name}-hex")),
        }
    }
}

fn write_field(before: &str, name: &str, value: &str) -> String {
    if !value.ends_with('\n') {
        return format!("{before}{name}: {value}").trim_end().to_owned() + "\n";
    }
    let lines: String = value.lines().map(|line| format!("|{line}\n")).collect();
    format!("{before}{name}:\n{lines}")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2) && text.is_ascii(), "not hexadecimal");
    let pairs = (0..text.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(text.get(at..at + 2).unwrap(), 16).unwrap()).collect()
}
