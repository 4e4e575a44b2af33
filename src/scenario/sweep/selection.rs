//! Which operations of a document are asked, and why others are not.

use std::collections::BTreeSet;

use super::super::file::Methods;
use super::super::import::{CredentialPlace, Effect, Imported, Operation};
use super::super::request::Parameter;
use super::super::template::{Piece, Placeholder, Template};
use super::{Omission, OmissionReason, SweepOperation, SweepSpec};

/// What of a document is asked.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Those that the scenario names first, then those of the document, in its order.
    pub operations: Vec<SweepOperation>,
    pub omitted: Vec<Omission>,
}

/// Chooses among the operations of a document, beside those that the scenario names. `has_login`: identities log in, so that
/// secured operations get what a login gave.
pub fn select(sweep: &SweepSpec, imported: &Imported, has_login: bool) -> Selection {
    let mut selection = Selection { operations: sweep.operations.clone(), omitted: sweep.omitted.clone() };
    for left_out in &imported.left_out {
        let reason = OmissionReason::NotImported(left_out.reason.clone(), left_out.remedy());
        selection.omit(&left_out.name, reason);
    }
    let logins = [&imported.login, &imported.signup];
    let is_login =
        |index: usize| has_login && logins.iter().any(|login| login.as_ref().is_some_and(|it| it.operation == index));
    for (index, operation) in imported.operations.iter().enumerate() {
        if sweep.operations.iter().any(|given| is_same(&given.operation, operation)) {
            continue;
        }
        match refusal(sweep, operation).or(is_login(index).then_some(OmissionReason::Login)) {
            Some(reason) => selection.omit(&operation.name, reason),
            None => selection.operations.push(taken(sweep, operation, imported, has_login)),
        }
    }
    selection.without_the_unfillable(sweep);
    selection
}

/// Why an operation by itself is not asked.
fn refusal(sweep: &SweepSpec, operation: &Operation) -> Option<OmissionReason> {
    let policy = &sweep.policy;
    if let Some(pattern) = policy.leave_out.iter().find(|pattern| pattern.matches(&operation.name)) {
        return Some(OmissionReason::LeftOut(pattern.to_string()));
    }
    match (operation.effect, policy.methods) {
        (Effect::Read, _) | (Effect::Write, Methods::Write | Methods::Delete) | (Effect::Delete, Methods::Delete) => {}
        // What the sweep has created it may remove.
        (Effect::Delete, Methods::Write) if operation.deletes.is_some() => {}
        (effect, _) => return Some(OmissionReason::Method(effect)),
    }
    if let Some(danger) = &operation.danger {
        return Some(OmissionReason::Danger(danger.word.clone()));
    }
    (operation.effect == Effect::Delete && operation.deletes.is_none()).then_some(OmissionReason::NotCreated)
}

/// An operation with what all requests carry, and with what the login gave.
fn taken(sweep: &SweepSpec, operation: &Operation, imported: &Imported, has_login: bool) -> SweepOperation {
    let mut operation = operation.clone();
    let cleanup = operation.effect == Effect::Delete;
    operation.request = sweep.common.added_to(&operation.request);
    if operation.secured {
        let bearer = |place: &CredentialPlace| matches!(place, CredentialPlace::Header(_, value) if is_bearer(value));
        let has_bearer = imported.credentials.iter().any(bearer);
        for place in &imported.credentials {
            // What the login gave goes where a bearer's token does, if there is such a place. Any other place says who asks: of a
            // server that only believes it, a canary will do.
            match (has_login, bearer(place)) {
                (true, true) => add_credential(&mut operation, place, true),
                (true, false) => add_credential(&mut operation, place, !has_bearer),
                (false, true) => {}
                (false, false) => add_credential(&mut operation, place, false),
            }
        }
    }
    SweepOperation { operation, is_given: false, cleanup, plain: Vec::new() }
}

/// Whether it is the token of a bearer, as the header `authorization` has it.
fn is_bearer(value: &Template) -> bool {
    value.text().to_ascii_lowercase().starts_with("bearer")
}

/// Puts the login's token, or a canary, where the document says that it belongs.
fn add_credential(operation: &mut Operation, place: &CredentialPlace, is_token: bool) {
    let request = &mut operation.request;
    let hole = if is_token { Placeholder::Token } else { Placeholder::Canary };
    let only = || Template { pieces: vec![Piece::Hole(hole.clone())] };
    match place {
        CredentialPlace::Header(name, value) => {
            if !request.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                request.headers.push((name.clone(), if is_token { value.clone() } else { only() }));
            }
        }
        CredentialPlace::Query(name) => {
            if !request.query.iter().any(|known| known.name.as_deref() == Some(name)) {
                request.query.push(Parameter { name: Some(name.clone()), value: only() });
            }
        }
        CredentialPlace::Cookie(name) => {
            // What a login gave is in the jar.
            if !is_token && !request.cookies.iter().any(|(known, _)| known == name) {
                request.cookies.push((name.clone(), only()));
            }
        }
    }
}

/// Whether two operations have the same method and the same path, whatever fills its holes.
fn is_same(one: &Operation, other: &Operation) -> bool {
    let shape = |operation: &Operation| {
        let parts = operation.request.path.split('/').into_iter();
        let parts = parts.map(|part| if part.varies() { "{}".to_owned() } else { part.text() });
        (operation.request.method.clone(), parts.collect::<Vec<_>>())
    };
    one.name == other.name || shape(one) == shape(other)
}

impl Selection {
    fn omit(&mut self, name: &str, reason: OmissionReason) {
        self.omitted.push(Omission { name: name.to_owned(), reason });
    }

    /// Takes out what needs a capture that nothing gives, until all that is left can be filled. What only a login gives, and
    /// what the scenario names, was checked before.
    fn without_the_unfillable(&mut self, sweep: &SweepSpec) {
        loop {
            let given: BTreeSet<&str> = self
                .operations
                .iter()
                .filter(|operation| !operation.cleanup)
                .flat_map(|operation| operation.operation.captures.iter().map(|capture| capture.name.as_str()))
                .collect();
            let lacks = |operation: &SweepOperation| {
                let needs = operation.operation.needs.iter();
                needs.filter(|_| !operation.is_given).find(|name| !given.contains(name.as_str())).cloned()
            };
            // Only what has been created is removed.
            let created: BTreeSet<&str> =
                self.operations.iter().filter_map(|operation| operation.operation.creates.as_deref()).collect();
            let is_idle = |operation: &SweepOperation| {
                let deletes = operation.operation.deletes.as_deref();
                operation.cleanup && !operation.is_given && deletes.is_none_or(|name| !created.contains(name))
            };
            let wrong = self.operations.iter().position(|one| lacks(one).is_some() || is_idle(one));
            let Some(at) = wrong else { return };
            let reason = match (self.operations[at].cleanup, lacks(&self.operations[at])) {
                (true, _) | (_, None) if sweep.policy.methods == Methods::Write => {
                    OmissionReason::Method(Effect::Delete)
                }
                (true, _) | (_, None) => OmissionReason::NotCreated,
                (false, Some(name)) => OmissionReason::NoCapture(name),
            };
            let gone = self.operations.remove(at);
            self.omit(&gone.operation.name, reason);
        }
    }
}
