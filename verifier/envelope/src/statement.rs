//! in-toto Statement v1: subjects named by SHA-256 and one predicate.

use sealtrace_json::JsonError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The `_type` of every statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The most bytes of a statement: 64 MiB, about 80,000 frames, so that its base64 fits a bundle's limit with room for the proof (ours).
pub const MAX_STATEMENT_BYTES: usize = 64 << 20;
/// The most subjects of a statement (ours).
const MAX_SUBJECTS: usize = 1024;

/// What a signature says about what.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Statement {
    #[serde(rename = "_type")]
    type_: String,
    /// What is spoken of; never empty.
    pub subject: Vec<Subject>,
    /// What kind of predicate follows.
    pub predicate_type: String,
    /// What is said, as it stands in the statement: most statements are all predicate, and whoever reads it knows its type.
    predicate: Box<RawValue>,
}

/// One subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// A name for people.
    pub name: String,
    /// Its digest.
    pub digest: SubjectDigest,
}

/// The digest set of a subject; SHA-256 only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectDigest {
    /// 64 lower-case hex digits.
    pub sha256: String,
}

/// Why bytes are no statement.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// Not strict JSON of the right shape, or too large.
    #[error("not an in-toto statement: {0}")]
    Json(JsonError),
    /// Another `_type`.
    #[error("statement type: expected {STATEMENT_TYPE}, found {found}")]
    Type {
        /// Type found.
        found: String,
    },
    /// No subject, or too many.
    #[error("statement has {found} subjects, expected 1 to {MAX_SUBJECTS}")]
    Subjects {
        /// How many.
        found: usize,
    },
    /// A subject digest that is not 64 lower-case hex digits.
    #[error("statement subject digest is not 64 lower-case hex digits")]
    SubjectDigest,
}

impl Statement {
    /// A statement about one subject.
    ///
    /// # Errors
    /// [`JsonError`] when the predicate has no canonical form.
    pub fn new(subject_name: &str, subject_sha256: &[u8; 32], predicate_type: &str, predicate: &impl Serialize) -> Result<Self, JsonError> {
        let canonical = sealtrace_json::canonical(predicate)?;
        let sha256 = sealtrace_digest::FileSha256::from_bytes(*subject_sha256).hex();
        Ok(Self {
            type_: STATEMENT_TYPE.to_owned(),
            subject: vec![Subject { name: subject_name.to_owned(), digest: SubjectDigest { sha256 } }],
            predicate_type: predicate_type.to_owned(),
            predicate: serde_json::from_slice(&canonical).map_err(JsonError::Shape)?,
        })
    }

    /// The predicate as a `T`.
    ///
    /// # Errors
    /// [`JsonError::Shape`]
    pub fn predicate<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        serde_json::from_str(self.predicate.get()).map_err(JsonError::Shape)
    }

    /// Parses a statement: strict JSON, type v1, at least one subject, SHA-256 digests only.
    ///
    /// # Errors
    /// [`StatementError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        let statement: Self = sealtrace_json::parse(bytes, MAX_STATEMENT_BYTES).map_err(StatementError::Json)?;
        if statement.type_ != STATEMENT_TYPE {
            return Err(StatementError::Type { found: statement.type_.chars().take(120).collect() });
        }
        if statement.subject.is_empty() || statement.subject.len() > MAX_SUBJECTS {
            return Err(StatementError::Subjects { found: statement.subject.len() });
        }
        let lower_hex = |text: &str| sealtrace_digest::FileSha256::parse_hex(text).is_ok();
        if !statement.subject.iter().all(|subject| lower_hex(&subject.digest.sha256)) {
            return Err(StatementError::SubjectDigest);
        }
        Ok(statement)
    }

    /// The canonical bytes: the payload to sign.
    ///
    /// # Errors
    /// [`StatementError::Json`] when the predicate has no canonical form.
    pub fn encode(&self) -> Result<Vec<u8>, StatementError> {
        let value = serde_json::to_value(self).map_err(|error| StatementError::Json(JsonError::Encode(error)))?;
        sealtrace_json::canonical(&value).map_err(StatementError::Json)
    }
}

/// Equal are statements that say the same, however it is written.
impl PartialEq for Statement {
    fn eq(&self, other: &Self) -> bool {
        self.encode().ok().zip(other.encode().ok()).is_some_and(|(own, others)| own == others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_round_trips_and_other_shapes_are_refused() {
        let statement = Statement::new("n", &[7; 32], "https://example.org/p", &serde_json::json!({"b": 1, "a": []})).unwrap();
        let bytes = statement.encode().unwrap();
        assert_eq!(Statement::parse(&bytes).unwrap(), statement);
        let text = String::from_utf8(bytes).unwrap();
        for (from, to) in [
            ("Statement/v1", "Statement/v2"),
            ("\"sha256\":\"0", "\"sha256\":\"G"),
            ("\"sha256\"", "\"sha512\""),
            ("\"predicate\"", "\"extra\":1,\"predicate\""),
            ("\"subject\":[{", "\"subject\":[],\"x\":[{"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            assert!(Statement::parse(changed.as_bytes()).is_err(), "{changed} was accepted");
        }
    }
}
