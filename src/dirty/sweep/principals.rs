//! Who asks in a sweep: a few principals, each signed up and logged in where the scenario says how, and each with what it has
//! created or was given before.

use std::time::Duration;

use futures::future::join_all;

use super::super::client::{Ask, CheckClient, Wire};
use super::super::evidence::FoundBy;
use super::super::identity::Identity;
use super::super::observation::{Observation, Role};
use super::super::recipe::{Anomaly, Recipe, RecipeRequest};
use super::super::sweep_order::SweepOrder;
use super::Sweep;
use super::ledger::Ledger;
use crate::net::target::Target;
use crate::scenario::{DirtySpec, SweepOperation};
use crate::session;

/// How many there are: where nothing is done for them beforehand, where they create something, and where they log in.
const FREE: usize = 64;
const WITH_CAPTURES: usize = 8;
const WITH_LOGIN: usize = 16;
/// So many are enough, where logging in is slow: a tenth of the time is for more.
const ENOUGH: usize = 4;
const LOGIN_SHARE: u32 = 10;
/// So many are got ready at once.
const AT_ONCE: usize = 8;

/// How many principals a sweep has.
pub(super) fn wanted(plan: &DirtySpec, operations: &[SweepOperation]) -> usize {
    let logs_in = plan.login.is_some() || plan.sweep.as_ref().is_some_and(|sweep| sweep.signup.is_some());
    match (plan.identities.len(), logs_in) {
        (0, false) if providers(operations).is_empty() => FREE,
        (0, false) => WITH_CAPTURES,
        (0, true) => WITH_LOGIN,
        (named, _) => named,
    }
}

/// The operations that give what others need, in an order in which each has what it needs itself; by their index.
pub(super) fn providers(operations: &[SweepOperation]) -> Vec<usize> {
    let needed = |name: &String| operations.iter().any(|one| one.operation.needs.contains(name));
    let gives =
        |one: &SweepOperation| !one.cleanup && one.operation.captures.iter().any(|capture| needed(&capture.name));
    let mut known: Vec<&String> = Vec::new();
    let mut order: Vec<usize> = Vec::new();
    let given_by_none = |name: &String| {
        !operations.iter().any(|one| one.operation.captures.iter().any(|capture| capture.name == *name))
    };
    loop {
        let next = operations.iter().enumerate().find(|(index, one)| {
            let is_new = one.operation.captures.iter().any(|capture| !known.contains(&&capture.name));
            let is_ready = one.operation.needs.iter().all(|name| known.contains(&name) || given_by_none(name));
            gives(one) && is_new && is_ready && !order.contains(index)
        });
        let Some((index, one)) = next else { return order };
        order.push(index);
        known.extend(one.operation.captures.iter().map(|capture| &capture.name));
    }
}

/// Makes as many principals as are wanted, if there are none yet, and logs them in to the server at hand. The error says who
/// was refused, and how. `until`: no more than are enough after that.
pub(super) async fn gather(client: &CheckClient, wanted: usize, until: Option<Duration>) -> Result<(), Vec<String>> {
    while client.principals() < wanted {
        client.add_principal();
    }
    let logs_in = client.forms.login.is_some() || client.forms.signup.is_some();
    if !logs_in {
        return Ok(());
    }
    let count = client.principals();
    for begin in (0..count).step_by(AT_ONCE) {
        if begin >= ENOUGH && until.is_some_and(|until| client.clock.now() > until) {
            client.drop_principals_from(begin);
            break;
        }
        let these: Vec<Identity> =
            (begin..count.min(begin + AT_ONCE)).filter_map(|index| client.principal(index)).collect();
        let log_in = |mut one: Identity| async move {
            let done = client.log_in(std::slice::from_mut(&mut one)).await;
            done.map(|()| one)
        };
        for done in join_all(these.into_iter().map(log_in)).await {
            let one = done?;
            if let Some(index) = one.principal {
                client.set_principal(index, one);
            }
        }
    }
    Ok(())
}

/// Gives a principal what the operations need that others give: asks these for it, one after the other.
pub(super) async fn fill(client: &CheckClient, operations: &[SweepOperation], order: &[usize], principal: usize) {
    for page in order {
        let Some(asker) = client.principal(principal) else { return };
        let captures = &operations[*page].operation.captures;
        if captures.iter().all(|capture| asker.session.captured(&capture.name).is_some()) {
            continue;
        }
        let identity = client.on_behalf_of(&asker, client.stranger(Anomaly::None));
        let ask = Ask { shot: RecipeRequest::of_page(*page), role: Role::Probe, ..Ask::alone(&identity) };
        client.send(&mut Wire::default(), &ask).await;
        // What was captured is noted by whoever takes the observations; the next request needs it now.
        client.with_last_observation(&mut |observation| {
            take_captures(client, operations, principal, observation);
        });
    }
}

/// Takes from a response what it gives to its principal, unless that has it already.
pub(super) fn take_captures(
    client: &CheckClient,
    operations: &[SweepOperation],
    principal: usize,
    observation: &Observation,
) {
    let Some(operation) = operations.get(observation.seen.page) else { return };
    if operation.operation.captures.is_empty() || observation.seen.status().is_none_or(|status| status >= 400) {
        return;
    }
    let Some(mut asker) = client.principal(principal) else { return };
    // A token may belong to a cookie that came with it.
    if let Some(url) = session::url_of(&observation.request, client.is_secure()) {
        asker.session.take_cookies(&url, &observation.reply.head);
    }
    for capture in &operation.operation.captures {
        if asker.session.captured(&capture.name).is_none() {
            // What is not there is missed by the operation that needs it.
            let _ = asker.session.capture(capture, &observation.reply.head, &observation.reply.body);
        }
    }
    client.set_principal(principal, asker);
}

/// For a replay: a few principals, logged in, and with what the operations need.
pub(in crate::dirty) async fn equip(
    client: &mut CheckClient,
    plan: &DirtySpec,
    target: &Target,
) -> Result<(), Vec<String>> {
    let Some(spec) = &plan.sweep else { return Ok(()) };
    Ledger::new(&spec.operations).prepare_forms(spec, client, target);
    gather(client, wanted(plan, &spec.operations).min(AT_ONCE), None).await?;
    let order = providers(&spec.operations);
    let (client, operations) = (&*client, &spec.operations);
    join_all((0..client.principals()).map(|one| fill(client, operations, &order, one))).await;
    drop((client.take_observations(), client.take_strays()));
    Ok(())
}

impl Sweep<'_> {
    /// Gathers the principals. False if one was refused: then there is nobody to ask for.
    pub(super) async fn gather(&mut self) -> bool {
        let wanted = wanted(self.plan, &self.spec.operations);
        let until = self.clock.now() + self.plan.budget.time / LOGIN_SHARE;
        let Some(client) = &self.client else { return false };
        let refused = gather(client, wanted, Some(until)).await.err().unwrap_or_default();
        let signs_up = client.forms.signup.is_some();
        for principal in (0..client.principals()).filter_map(|index| client.principal(index)).filter(|_| signs_up) {
            self.ledger.note_signed_up(principal.number);
        }
        self.findings.principals = client.principals() as u64;
        let fine = refused.is_empty();
        self.findings.problems.extend(refused);
        fine
    }

    /// Gives all principals what the operations need, several at once.
    pub(super) async fn fill_captures(&mut self) {
        let order = providers(&self.spec.operations);
        let count = self.client.as_ref().map_or(0, CheckClient::principals);
        for begin in (0..count).step_by(AT_ONCE).filter(|_| !order.is_empty()) {
            let Some(client) = &self.client else { return };
            self.current = Some((FoundBy::Sweep(SweepOrder::Mix), Recipe::default(), self.clock.now()));
            let operations = &self.spec.operations;
            join_all((begin..count.min(begin + AT_ONCE)).map(|one| fill(client, operations, &order, one))).await;
            self.conclude_round();
        }
    }
}
