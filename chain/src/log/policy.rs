//! Policies: which logs are known, which witnesses, and which of them together are a quorum (C2SP tlog-policy).
//!
//! ```text
//! log example.com/log+5a7b…
//! witness w1 witness.example/w1+… https://witness.example/w1
//! witness w2 …
//! witness w3 …
//! witness w4 …
//! group witnesses 3 w1 w2 w3 w4
//! quorum witnesses
//! ```
//!
//! One rule is added to the document: a policy under which two quorums need not share a witness is refused, because
//! then a fork needs no witness that lies (attack 20). `quorum none` is a policy without witnesses, which says so. Not
//! in scope: whether witnesses are run by different operators, which no file can show. Narrower than the document: the
//! file must be UTF-8, keys are of the types in [`super::note`].

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::note::{KeyKind, NoteError, VerifierKey};

/// Most logs, witnesses and groups, each (tlog-policy recommends to support 32).
pub const MAX_ITEMS: usize = 32;

/// Longest policy in bytes.
pub const MAX_POLICY_BYTES: usize = 64 * 1024;

/// Why text is not a policy, or not one to rely on. Lines are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// Longer than [`MAX_POLICY_BYTES`].
    #[error("the policy has {bytes} bytes, the most is {MAX_POLICY_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A control character, or no newline at the end of the last line.
    #[error("line {line} has a control character or does not end")]
    NotText {
        /// Which line.
        line: usize,
    },
    /// A line of no known form.
    #[error("line {line} is malformed")]
    MalformedLine {
        /// Which line.
        line: usize,
    },
    /// A key that cannot be used there.
    #[error("line {line}: the key is refused")]
    Key {
        /// Which line.
        line: usize,
        /// Why.
        source: NoteError,
    },
    /// A public key for the second time among logs or among witnesses.
    #[error("line {line} repeats a public key")]
    DuplicateKey {
        /// Which line.
        line: usize,
    },
    /// A name for the second time, or the name `none`.
    #[error("line {line} defines a name that is taken")]
    DuplicateName {
        /// Which line.
        line: usize,
    },
    /// A name that no line before defines.
    #[error("line {line} uses a name that is not defined before")]
    UnknownName {
        /// Which line.
        line: usize,
    },
    /// A name that is a member of a group already.
    #[error("line {line} uses a member that is in a group already")]
    MemberTwice {
        /// Which line.
        line: usize,
    },
    /// A threshold that is not 1 to the number of members.
    #[error("line {line} wants {threshold} of {members} members")]
    BadThreshold {
        /// Which line.
        line: usize,
        /// How many are wanted.
        threshold: usize,
        /// How many there are.
        members: usize,
    },
    /// More logs, witnesses or groups than [`MAX_ITEMS`].
    #[error("line {line} is one log, witness or group too many")]
    TooMany {
        /// Which line.
        line: usize,
    },
    /// No quorum line, or a second one.
    #[error("the policy has {count} quorum lines, not one")]
    QuorumLines {
        /// How many.
        count: usize,
    },
    /// Two quorums without a common witness are possible.
    #[error("two quorums of this policy need not share a witness")]
    NoIntersection,
}

impl PolicyError {
    /// The stable code of this refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoIntersection => "policy.no_intersection",
            _ => "policy.malformed",
        }
    }
}

/// A log of the policy. Its key's name is its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyLog {
    /// Signs the checkpoints.
    pub key: VerifierKey,
    /// Where it is.
    pub url: Option<String>,
}

/// A witness of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyWitness {
    /// Its name within the policy.
    pub name: String,
    /// Cosigns checkpoints.
    pub key: VerifierKey,
    /// Its submission prefix (C2SP tlog-witness).
    pub url: Option<String>,
}

/// What a group counts: witnesses and groups defined before it, by position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Witness(usize),
    Group(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    name: String,
    threshold: usize,
    members: Vec<Member>,
}

/// That a witness cosigned, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WitnessTime {
    /// Position of the witness in [`Policy::witnesses`].
    pub witness: usize,
    /// Seconds since 1970, by the witness's clock.
    pub time: u64,
}

/// A policy in which any two quorums share a witness, or which wants no witness at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    quorum: Option<Member>,
}

impl Policy {
    /// The logs, in the order of the file.
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// The witnesses, in the order of the file, also those that no quorum counts.
    pub fn witnesses(&self) -> &[PolicyWitness] {
        &self.witnesses
    }

    /// How many witnesses the smallest quorum has. 0 means `quorum none`: nobody but the log vouches for the log, and
    /// whoever uses the policy has to say so.
    pub fn smallest_quorum(&self) -> usize {
        self.quorum.map_or(0, |member| self.smallest(member))
    }

    fn smallest(&self, member: Member) -> usize {
        let Some(group) = self.group(member) else { return 1 };
        let mut sizes: Vec<_> = group.members.iter().map(|member| self.smallest(*member)).collect();
        sizes.sort_unstable();
        sizes.iter().take(group.threshold).sum()
    }

    /// True if these witnesses, by position, are a quorum. Always true under `quorum none`.
    #[must_use]
    pub fn quorum_met(&self, witnesses: impl IntoIterator<Item = usize>) -> bool {
        let present: Vec<usize> = witnesses.into_iter().collect();
        self.quorum.is_none_or(|member| self.is_met(member, &present))
    }

    fn is_met(&self, member: Member, present: &[usize]) -> bool {
        match member {
            Member::Witness(index) => present.contains(&index),
            Member::Group(index) => self.groups.get(index).is_some_and(|group| {
                group.members.iter().filter(|member| self.is_met(**member, present)).count() >= group.threshold
            }),
        }
    }

    /// The earliest time t such that the witnesses with a time not after t are a quorum: from when on the checkpoint
    /// had its quorum. `None` if they are none, or under `quorum none`.
    pub fn quorum_time_not_after(&self, times: &[WitnessTime]) -> Option<u64> {
        let mut sorted: Vec<u64> = times.iter().map(|at| at.time).collect();
        sorted.sort_unstable();
        sorted.into_iter().find(|t| self.is_quorum_where(times, |time| time <= *t))
    }

    /// The latest time t such that the witnesses with a time not before t are a quorum: until when a quorum vouched for
    /// the checkpoint. `None` if they are none, or under `quorum none`.
    pub fn quorum_time_not_before(&self, times: &[WitnessTime]) -> Option<u64> {
        let mut sorted: Vec<u64> = times.iter().map(|at| at.time).collect();
        sorted.sort_unstable();
        sorted.into_iter().rev().find(|t| self.is_quorum_where(times, |time| time >= *t))
    }

    fn is_quorum_where(&self, times: &[WitnessTime], counts: impl Fn(u64) -> bool) -> bool {
        self.quorum.is_some() && self.quorum_met(times.iter().filter(|at| counts(at.time)).map(|at| at.witness))
    }

    fn group(&self, member: Member) -> Option<&Group> {
        match member {
            Member::Witness(_) => None,
            Member::Group(index) => self.groups.get(index),
        }
    }

    /// True if two sets of witnesses without a common one can both meet `member`. Exact, because no name is a member
    /// twice: a member that can be met twice over helps both sides, every other one helps one side.
    fn can_be_met_twice(&self, member: Member) -> bool {
        let Some(group) = self.group(member) else { return false };
        let twice = group.members.iter().filter(|member| self.can_be_met_twice(**member)).count();
        let once = group.members.len() - twice;
        2 * group.threshold.saturating_sub(twice) <= once
    }

    fn name(&self, member: Member) -> &str {
        match member {
            Member::Witness(index) => self.witnesses.get(index).map_or("", |witness| &witness.name),
            Member::Group(index) => self.groups.get(index).map_or("", |group| &group.name),
        }
    }
}

/// Writes the policy without comments, groups with their thresholds as numbers.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = |url: &Option<String>| url.as_ref().map(|url| format!(" {url}")).unwrap_or_default();
        for log in &self.logs {
            writeln!(f, "log {}{}", log.key, url(&log.url))?;
        }
        for witness in &self.witnesses {
            writeln!(f, "witness {} {}{}", witness.name, witness.key, url(&witness.url))?;
        }
        for group in &self.groups {
            write!(f, "group {} {}", group.name, group.threshold)?;
            group.members.iter().try_for_each(|member| write!(f, " {}", self.name(*member)))?;
            writeln!(f)?;
        }
        writeln!(f, "quorum {}", self.quorum.map_or("none", |member| self.name(member)))
    }
}

impl FromStr for Policy {
    type Err = PolicyError;
    fn from_str(text: &str) -> Result<Self, PolicyError> {
        if text.len() > MAX_POLICY_BYTES {
            return Err(PolicyError::TooLong { bytes: text.len() });
        }
        let mut parser = Parser::default();
        for (line, n) in text.split_inclusive('\n').zip(1..) {
            let content = line.strip_suffix('\n').ok_or(PolicyError::NotText { line: n })?;
            if content.contains(|c: char| c.is_ascii_control() && c != '\t') {
                return Err(PolicyError::NotText { line: n });
            }
            let words: Vec<&str> = content.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
            parser.line(&words, n)?;
        }
        let [quorum] = parser.quorums[..] else {
            return Err(PolicyError::QuorumLines { count: parser.quorums.len() });
        };
        let policy = Policy { quorum, ..parser.policy };
        if quorum.is_some_and(|member| policy.can_be_met_twice(member)) {
            return Err(PolicyError::NoIntersection);
        }
        Ok(policy)
    }
}

/// What the lines so far say.
struct Parser {
    policy: Policy,
    names: Vec<(String, Member)>,
    members: Vec<Member>,
    quorums: Vec<Option<Member>>,
}

impl Default for Parser {
    fn default() -> Self {
        let policy = Policy { logs: Vec::new(), witnesses: Vec::new(), groups: Vec::new(), quorum: None };
        Self { policy, names: Vec::new(), members: Vec::new(), quorums: Vec::new() }
    }
}

impl Parser {
    fn line(&mut self, words: &[&str], line: usize) -> Result<(), PolicyError> {
        match words {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key] => self.log(key, None, line),
            ["log", key, url] => self.log(key, Some(url), line),
            ["witness", name, key] => self.witness(name, key, None, line),
            ["witness", name, key, url] => self.witness(name, key, Some(url), line),
            ["group", name, threshold, members @ ..] => self.group(name, threshold, members, line),
            ["quorum", "none"] => {
                self.quorums.push(None);
                Ok(())
            }
            ["quorum", name] => {
                let member = self.find(name, line)?;
                self.quorums.push(Some(member));
                Ok(())
            }
            _ => Err(PolicyError::MalformedLine { line }),
        }
    }

    fn log(&mut self, key: &str, url: Option<&str>, line: usize) -> Result<(), PolicyError> {
        let key = parse_key(key, KeyKind::Ed25519, line)?;
        let logs = &mut self.policy.logs;
        if logs.iter().any(|log| log.key.public_key() == key.public_key()) {
            return Err(PolicyError::DuplicateKey { line });
        }
        push(logs, PolicyLog { key, url: url.map(str::to_owned) }, line).map(|_| ())
    }

    fn witness(&mut self, name: &str, key: &str, url: Option<&str>, line: usize) -> Result<(), PolicyError> {
        let key = parse_key(key, KeyKind::CosignatureV1, line)?;
        let witnesses = &mut self.policy.witnesses;
        if witnesses.iter().any(|witness| witness.key.public_key() == key.public_key()) {
            return Err(PolicyError::DuplicateKey { line });
        }
        let witness = PolicyWitness { name: name.to_owned(), key, url: url.map(str::to_owned) };
        let member = Member::Witness(push(witnesses, witness, line)?);
        self.define(name, member, line)
    }

    fn group(&mut self, name: &str, threshold: &str, names: &[&str], line: usize) -> Result<(), PolicyError> {
        let mut members = Vec::new();
        for name in names {
            let member = self.find(name, line)?;
            if self.members.contains(&member) {
                return Err(PolicyError::MemberTwice { line });
            }
            self.members.push(member);
            members.push(member);
        }
        let threshold = match threshold {
            "any" => 1,
            "all" => members.len(),
            number if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                number.parse().map_err(|_| PolicyError::MalformedLine { line })?
            }
            _ => return Err(PolicyError::MalformedLine { line }),
        };
        if threshold == 0 || threshold > members.len() {
            return Err(PolicyError::BadThreshold { line, threshold, members: members.len() });
        }
        let group = Group { name: name.to_owned(), threshold, members };
        let member = Member::Group(push(&mut self.policy.groups, group, line)?);
        self.define(name, member, line)
    }

    fn find(&self, name: &str, line: usize) -> Result<Member, PolicyError> {
        let found = self.names.iter().find(|(known, _)| known == name);
        found.map(|(_, member)| *member).ok_or(PolicyError::UnknownName { line })
    }

    fn define(&mut self, name: &str, member: Member, line: usize) -> Result<(), PolicyError> {
        if name == "none" || self.find(name, line).is_ok() {
            return Err(PolicyError::DuplicateName { line });
        }
        self.names.push((name.to_owned(), member));
        Ok(())
    }
}

fn parse_key(text: &str, kind: KeyKind, line: usize) -> Result<VerifierKey, PolicyError> {
    let key: VerifierKey = text.parse().map_err(|source| PolicyError::Key { line, source })?;
    if key.kind() != kind {
        return Err(PolicyError::Key { line, source: NoteError::WrongKeyKind { expected: kind } });
    }
    Ok(key)
}

/// Adds an item and gives its position.
fn push<T>(items: &mut Vec<T>, item: T, line: usize) -> Result<usize, PolicyError> {
    if items.len() >= MAX_ITEMS {
        return Err(PolicyError::TooMany { line });
    }
    items.push(item);
    Ok(items.len() - 1)
}

#[cfg(test)]
mod tests;
