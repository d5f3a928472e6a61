//! What changed from one kit to another, for people and as JSON values.

use serde_json::{Map, Value};

use super::{Kit, KitError};

/// One field that differs: what was removed and what was added. A single value counts as a list of one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// The field.
    pub field: String,
    /// What only the older kit has.
    pub removed: Vec<Value>,
    /// What only the newer kit has.
    pub added: Vec<Value>,
}

/// The changes from `older` to `newer`, by field.
///
/// # Errors
/// [`KitError::Json`]
pub fn changes(older: &Kit, newer: &Kit) -> Result<Vec<Change>, KitError> {
    let (before, after) = (fields(older)?, fields(newer)?);
    let mut changes = Vec::new();
    for (field, new) in &after {
        let (old, new) = (items(before.get(field)), items(Some(new)));
        let only = |these: &[Value], those: &[Value]| these.iter().filter(|item| !those.contains(item)).cloned().collect::<Vec<_>>();
        let (removed, added) = (only(&old, &new), only(&new, &old));
        if !removed.is_empty() || !added.is_empty() {
            changes.push(Change { field: field.clone(), removed, added });
        }
    }
    Ok(changes)
}

/// The fields of a kit; the trusted root's lists stand for it.
fn fields(kit: &Kit) -> Result<Map<String, Value>, KitError> {
    let value: Value = sealtrace_json::parse_value(&kit.encode()?, super::MAX_KIT_BYTES).map_err(KitError::Json)?;
    let Value::Object(mut map) = value else { return Ok(Map::new()) };
    if let Some(Value::Object(root)) = map.remove("trustedRoot") {
        map.extend(root.into_iter().map(|(key, value)| (format!("trustedRoot.{key}"), value)));
    }
    Ok(map)
}

fn items(value: Option<&Value>) -> Vec<Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
    }
}
