//! Which recorded request creates what another deletes. What nothing here has created is somebody's: to delete it does harm.

use std::collections::BTreeSet;

use super::{Danger, Effect, Operation};

/// A request that deletes what a capture names at the end of its path, and the one whose response gave it.
pub(super) fn pair_recorded(operations: &mut [Operation]) {
    let mut deleted: BTreeSet<String> = BTreeSet::new();
    for at in 0..operations.len() {
        let operation = &operations[at];
        let last = operation.request.path.split('/').pop().unwrap_or_default();
        let Some(capture) = last.holes().find_map(|hole| hole.captured()).map(str::to_owned) else { continue };
        let gives = |other: &Operation| {
            other.effect == Effect::Write && other.captures.iter().any(|known| known.name == capture)
        };
        if operation.effect == Effect::Delete && operations.iter().any(gives) {
            deleted.insert(capture.clone());
            operations[at].deletes = Some(capture);
        }
    }
    let created: BTreeSet<String> = operations
        .iter()
        .filter(|operation| operation.effect == Effect::Write)
        .flat_map(|operation| operation.captures.iter().map(|capture| capture.name.clone()))
        .collect();
    for operation in operations.iter_mut().filter(|operation| operation.effect == Effect::Delete) {
        let path = operation.request.path.clone();
        let mut of_path = path.holes().filter_map(|hole| hole.captured()).peekable();
        let is_somebodys = of_path.peek().is_none() || of_path.any(|capture| !created.contains(capture));
        if operation.danger.is_none() && is_somebodys {
            let last = operation.name.rsplit('/').next().unwrap_or_default();
            operation.danger = Some(Danger { word: format!("DELETE .../{last}") });
        }
    }
    for operation in operations.iter_mut().filter(|operation| operation.effect == Effect::Write) {
        let capture = operation.captures.iter().map(|capture| &capture.name).find(|name| deleted.contains(*name));
        operation.creates = capture.cloned();
    }
}
