//! Counts by status, of which most are none: written as a map of those that are.

use std::collections::BTreeMap;

use serde::{Deserialize as _, Deserializer, Serializer};

use crate::exchange::HIGHEST_STATUS;

pub fn serialize<S: Serializer>(counts: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(counts.iter().enumerate().filter(|(_, count)| **count > 0))
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    let counts = BTreeMap::<u16, u64>::deserialize(deserializer)?;
    match counts.keys().next_back() {
        Some(status) if *status > HIGHEST_STATUS => {
            Err(serde::de::Error::custom(format!("{status} is no status of a response")))
        }
        _ => Ok((0..=HIGHEST_STATUS).map(|status| counts.get(&status).copied().unwrap_or(0)).collect()),
    }
}
