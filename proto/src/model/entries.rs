//! Maps whose keys are structures, as lists of pairs where they are written: JSON's keys are texts.
//!
//! For `#[serde(with = "…::entries")]`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// As a list of pairs, in the keys' order.
///
/// # Errors
/// The serializer's own.
pub fn serialize<K: Serialize, V: Serialize, S: Serializer>(
    map: &BTreeMap<K, V>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(map)
}

/// From a list of pairs; of two with the same key the last counts.
///
/// # Errors
/// The deserializer's own.
pub fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    K: Deserialize<'de> + Ord,
    V: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
}
