//! `tlog-policy` files (C2SP tlog-policy): known logs, known log witnesses, groups of them, and the quorum. Bytes in, a policy out.
//!
//! Names are opaque bytes. *Operators* are ours: see [`Operator`] and docs/formats/tlog-policy.md. Not here: whether a checkpoint meets
//! the quorum (`quorum`).

use std::collections::BTreeMap;

use crate::cosignature::CosignerKey;
use crate::note_key::{NoteKey, NoteKeyError, SignatureType};

/// The most bytes of a policy (ours; 32 logs and 32 log witnesses with ML-DSA-44 keys have about 120 KB).
pub const MAX_POLICY_BYTES: usize = 1 << 20;
/// The most logs (ours; C2SP recommends at least 32).
pub const MAX_POLICY_LOGS: usize = 256;
/// The most log witnesses and groups together (ours; C2SP recommends at least 32 of each).
pub const MAX_POLICY_MEMBERS: usize = 512;
/// The quorum that needs no cosignature; no member may have this name.
const NONE: &[u8] = b"none";
/// A group whose name begins so names one operator.
const OPERATOR_PREFIX: &str = "operator-";

/// Who runs a log witness. A quorum of k needs k distinct ones, or all that its group has.
///
/// The outermost group around the log witness whose name begins with `operator-` names its operator by the rest of the name. Without one,
/// the operator is the host of the key's name, the part before the first `/`, in lower case; for `oid/…` names it is the whole name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operator(String);

impl Operator {
    /// The operator's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of_key_name(name: &str) -> Self {
        let host = if name.starts_with("oid/") { name } else { name.split('/').next().unwrap_or(name) };
        Self(host.to_ascii_lowercase())
    }
}

impl std::fmt::Display for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A log witness of a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyWitness {
    pub(crate) key: CosignerKey,
    pub(crate) operator: Operator,
    pub(crate) url: Option<String>,
}

impl PolicyWitness {
    /// Its key.
    pub fn key(&self) -> &CosignerKey {
        &self.key
    }

    /// Who runs it.
    pub fn operator(&self) -> &Operator {
        &self.operator
    }

    /// Where it takes requests, if the policy says so.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }
}

/// A place in [`TlogPolicy::members`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MemberIndex(pub(crate) usize);

/// A log witness or a group, by its name in the file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    /// As messages show it.
    pub(crate) name: String,
    pub(crate) kind: MemberKind,
    /// The group it is a member of: at most one.
    parent: Option<MemberIndex>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum MemberKind {
    Witness(Box<PolicyWitness>),
    Group { threshold: usize, members: Vec<MemberIndex> },
}

/// A parsed policy. Groups name earlier members only, so members in order are members before their groups.
#[derive(Debug, Clone, PartialEq)]
pub struct TlogPolicy {
    logs: Vec<NoteKey>,
    pub(crate) members: Vec<Member>,
    /// `None` is `quorum none`.
    pub(crate) quorum: Option<MemberIndex>,
}

/// Why bytes are no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Larger than [`MAX_POLICY_BYTES`].
    #[error("tlog-policy of {found} bytes exceeds the limit of {MAX_POLICY_BYTES}")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// The last line is not ended: the file may have been cut.
    #[error("tlog-policy does not end with a newline")]
    Cut,
    /// No `quorum` line.
    #[error("tlog-policy has no quorum line")]
    NoQuorum,
    /// A line that is wrong.
    #[error("tlog-policy line {line}: {problem}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong.
        problem: PolicyProblem,
    },
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyProblem {
    /// A control character other than tab and newline.
    #[error("contains a control character")]
    ControlCharacter,
    /// Not `log`, `witness`, `group` or `quorum`.
    #[error("unknown keyword {found:?}")]
    Keyword {
        /// The first word.
        found: String,
    },
    /// Too few or too many words.
    #[error("expected {expected}")]
    Shape {
        /// The form of the line.
        expected: &'static str,
    },
    /// Not a vkey.
    #[error(transparent)]
    Key(#[from] NoteKeyError),
    /// A vkey that is not UTF-8.
    #[error("the key is not UTF-8")]
    KeyEncoding,
    /// A log key of type 0x04, whose signatures are a log witness's.
    #[error("{name} is the key of a log witness, not of a log")]
    NotALogKey {
        /// The key's name.
        name: String,
    },
    /// A public key that stands in the file already, under this name or another, as log or as log witness.
    #[error("the public key of {name} stands in the policy already")]
    DuplicateKey {
        /// The key's name.
        name: String,
    },
    /// Two keys that signature lines cannot tell apart.
    #[error("another key has the name and the key id of {name}")]
    Ambiguous {
        /// The key's name.
        name: String,
    },
    /// A name that is taken, or `none`.
    #[error("the name {name:?} is taken")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// A name that no earlier line defines.
    #[error("{name:?} is not defined by an earlier line")]
    Undefined {
        /// The name.
        name: String,
    },
    /// A member of two groups, or twice of one.
    #[error("{name:?} is a member already")]
    MemberTwice {
        /// The name.
        name: String,
    },
    /// Not `all`, `any`, or a decimal number from 1 to the number of members.
    #[error("threshold {found:?} is not all, any or 1 to {members}")]
    Threshold {
        /// As written.
        found: String,
        /// Number of members.
        members: usize,
    },
    /// A second `quorum` line.
    #[error("a second quorum line")]
    SecondQuorum,
    /// More than [`MAX_POLICY_LOGS`] or [`MAX_POLICY_MEMBERS`].
    #[error("more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

impl TlogPolicy {
    /// Parses a policy.
    ///
    /// # Errors
    /// [`PolicyError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        if bytes.len() > MAX_POLICY_BYTES {
            return Err(PolicyError::TooLarge { found: bytes.len() });
        }
        let lines = bytes.strip_suffix(b"\n").ok_or(PolicyError::Cut)?;
        let mut parser = Parser::default();
        for (number, line) in (1..).zip(lines.split(|&byte| byte == b'\n')) {
            parser.line(line).map_err(|problem| PolicyError::Line { line: number, problem })?;
        }
        let quorum = match parser.quorum.ok_or(PolicyError::NoQuorum)? {
            Quorum::None => None,
            Quorum::Of(member) => Some(member),
        };
        let mut policy = Self { logs: parser.logs, members: parser.members, quorum };
        policy.name_operators();
        Ok(policy)
    }

    /// The logs; empty where the log is known otherwise.
    pub fn logs(&self) -> &[NoteKey] {
        &self.logs
    }

    /// Every log witness with its name in the file, in the order of the lines.
    pub fn witnesses(&self) -> impl Iterator<Item = (&str, &PolicyWitness)> {
        self.members.iter().filter_map(|member| match &member.kind {
            MemberKind::Witness(witness) => Some((member.name.as_str(), witness.as_ref())),
            MemberKind::Group { .. } => None,
        })
    }

    /// Whether the policy asks for cosignatures at all.
    pub fn needs_witnesses(&self) -> bool {
        self.quorum.is_some()
    }

    pub(crate) fn member(&self, index: MemberIndex) -> Option<&Member> {
        self.members.get(index.0)
    }

    /// Groups named `operator-…` override the operators that the keys' names give.
    fn name_operators(&mut self) {
        let named: Vec<Option<Operator>> = self.members.iter().map(|member| self.operator_group(member)).collect();
        for (member, named) in self.members.iter_mut().zip(named) {
            if let (MemberKind::Witness(witness), Some(operator)) = (&mut member.kind, named) {
                witness.operator = operator;
            }
        }
    }

    /// The outermost operator group around a member. A group stands after its members, so the walk ends.
    fn operator_group(&self, member: &Member) -> Option<Operator> {
        let mut found = None;
        let mut around = member.parent;
        while let Some(group) = around.and_then(|index| self.member(index)) {
            found = group.name.strip_prefix(OPERATOR_PREFIX).map(|name| Operator(name.to_owned())).or(found);
            around = group.parent;
        }
        found
    }
}

/// What the lines so far define.
#[derive(Default)]
struct Parser {
    logs: Vec<NoteKey>,
    members: Vec<Member>,
    names: BTreeMap<Vec<u8>, MemberIndex>,
    quorum: Option<Quorum>,
}

/// What the one `quorum` line says.
#[derive(Clone, Copy)]
enum Quorum {
    None,
    Of(MemberIndex),
}

impl Parser {
    fn line(&mut self, line: &[u8]) -> Result<(), PolicyProblem> {
        if line.iter().any(|&byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
            return Err(PolicyProblem::ControlCharacter);
        }
        let words: Vec<&[u8]> = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with(b"#") => Ok(()),
            [b"log", key] | [b"log", key, _] => self.log(key),
            [b"log", ..] => Err(PolicyProblem::Shape { expected: "log <vkey> [<url>]" }),
            [b"witness", name, key] => self.witness(name, key, None),
            [b"witness", name, key, url] => self.witness(name, key, Some(shown(url))),
            [b"witness", ..] => Err(PolicyProblem::Shape { expected: "witness <name> <vkey> [<url>]" }),
            [b"group", name, threshold, members @ ..] if !members.is_empty() => self.group(name, threshold, members),
            [b"group", ..] => Err(PolicyProblem::Shape { expected: "group <name> all|any|<k> <name>..." }),
            [b"quorum", name] => self.quorum(name),
            [b"quorum", ..] => Err(PolicyProblem::Shape { expected: "quorum <name>|none" }),
            [found, ..] => Err(PolicyProblem::Keyword { found: shown(found).chars().take(80).collect() }),
        }
    }

    fn log(&mut self, key: &[u8]) -> Result<(), PolicyProblem> {
        if self.logs.len() >= MAX_POLICY_LOGS {
            return Err(PolicyProblem::TooMany { what: "logs", limit: MAX_POLICY_LOGS });
        }
        let key = self.key(key)?;
        if key.signature_type() == SignatureType::CosignatureV1 {
            return Err(PolicyProblem::NotALogKey { name: key.name().to_string() });
        }
        self.logs.push(key);
        Ok(())
    }

    fn witness(&mut self, name: &[u8], key: &[u8], url: Option<String>) -> Result<(), PolicyProblem> {
        let key = CosignerKey::new(self.key(key)?)?;
        let operator = Operator::of_key_name(key.key().name().as_str());
        self.define(name, MemberKind::Witness(Box::new(PolicyWitness { key, operator, url })))?;
        Ok(())
    }

    /// A key that stands in the file for the first time. A log that is its own log witness would vouch for itself, so logs and log
    /// witnesses are compared with each other too (ours).
    fn key(&self, vkey: &[u8]) -> Result<NoteKey, PolicyProblem> {
        let key = NoteKey::parse(std::str::from_utf8(vkey).map_err(|_invalid| PolicyProblem::KeyEncoding)?)?;
        for other in self.keys() {
            if other.key().spki() == key.key().spki() {
                return Err(PolicyProblem::DuplicateKey { name: key.name().to_string() });
            }
            if other.name() == key.name() && other.id() == key.id() {
                return Err(PolicyProblem::Ambiguous { name: key.name().to_string() });
            }
        }
        Ok(key)
    }

    fn keys(&self) -> impl Iterator<Item = &NoteKey> {
        let witnesses = self.members.iter().filter_map(|member| match &member.kind {
            MemberKind::Witness(witness) => Some(witness.key.key()),
            MemberKind::Group { .. } => None,
        });
        self.logs.iter().chain(witnesses)
    }

    fn group(&mut self, name: &[u8], threshold: &[u8], members: &[&[u8]]) -> Result<(), PolicyProblem> {
        let threshold = parse_threshold(threshold, members.len())?;
        let place = MemberIndex(self.members.len());
        let mut indexes = Vec::new();
        for member in members {
            let index = self.defined(member)?;
            let twice = || PolicyProblem::MemberTwice { name: shown(member) };
            let found = self.members.get_mut(index.0).filter(|found| found.parent.is_none()).ok_or_else(twice)?;
            found.parent = Some(place);
            indexes.push(index);
        }
        self.define(name, MemberKind::Group { threshold, members: indexes })
    }

    fn quorum(&mut self, name: &[u8]) -> Result<(), PolicyProblem> {
        if self.quorum.is_some() {
            return Err(PolicyProblem::SecondQuorum);
        }
        self.quorum = Some(if name == NONE { Quorum::None } else { Quorum::Of(self.defined(name)?) });
        Ok(())
    }

    fn defined(&self, name: &[u8]) -> Result<MemberIndex, PolicyProblem> {
        self.names.get(name).copied().ok_or_else(|| PolicyProblem::Undefined { name: shown(name) })
    }

    fn define(&mut self, name: &[u8], kind: MemberKind) -> Result<(), PolicyProblem> {
        if self.members.len() >= MAX_POLICY_MEMBERS {
            return Err(PolicyProblem::TooMany { what: "log witnesses and groups", limit: MAX_POLICY_MEMBERS });
        }
        let place = MemberIndex(self.members.len());
        if name == NONE || self.names.insert(name.to_vec(), place).is_some() {
            return Err(PolicyProblem::NameTaken { name: shown(name) });
        }
        self.members.push(Member { name: shown(name), kind, parent: None });
        Ok(())
    }
}

fn parse_threshold(text: &[u8], members: usize) -> Result<usize, PolicyProblem> {
    let wrong = || PolicyProblem::Threshold { found: shown(text), members };
    match text {
        b"any" => Ok(1),
        b"all" => Ok(members),
        _ => {
            let text = std::str::from_utf8(text).map_err(|_invalid| wrong())?;
            let number = text.parse::<usize>().ok().filter(|number| number.to_string() == text);
            number.filter(|number| (1..=members).contains(number)).ok_or_else(wrong)
        }
    }
}

/// A name as messages show it; the bytes themselves are what is compared.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
