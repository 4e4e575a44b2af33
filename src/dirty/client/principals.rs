//! For whom the requests of a sweep are sent: a few principals, each with a session of its own, in turn.
//!
//! Each request has a canary of its own, so that a response names the very request whose data it holds. Where a server must
//! know who asks, as with what somebody has created, all requests of a principal carry the canary of that.

use std::collections::BTreeMap;

use super::CheckClient;
use crate::canary::{CanaryShape, Length};
use crate::dirty::identity::Identity;
use crate::dirty::observation::Observation;
use crate::dirty::recipe::Recipe;
use crate::scenario::CaptureSpec;
use crate::session::Session;

/// Those who ask, in turn.
#[derive(Debug, Default)]
pub(super) struct Principals {
    all: Vec<Identity>,
    next: usize,
    order: AskOrder,
}

/// Which principal a request is sent for; by their indices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::dirty) enum AskOrder {
    #[default]
    InTurn,
    Only(usize),
    /// By operation; in turn for what is not named.
    ByPage(BTreeMap<usize, usize>),
}

/// Something that a request has created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::dirty) struct Created {
    /// By which operation.
    pub page: usize,
    /// The capture that names it, and its value.
    pub capture: String,
    pub value: String,
    /// The index of the principal who created it.
    pub principal: usize,
}

/// What operations create, and what was created.
#[derive(Debug, Default)]
pub(super) struct Creations {
    /// By operation: where its response names what it has created.
    pub by: Vec<Option<CaptureSpec>>,
    pub made: Vec<Created>,
}

impl CheckClient {
    /// By operation: where a response names what was created. Whatever is sent from now on, what it creates is noted.
    pub fn note_creations_of(&self, by: Vec<Option<CaptureSpec>>) {
        self.creations.borrow_mut().by = by;
    }

    /// What was created since the last call.
    pub fn take_created(&self) -> Vec<Created> {
        std::mem::take(&mut self.creations.borrow_mut().made)
    }

    /// Whether a recipe asks for what creates something.
    pub fn creates(&self, recipe: &Recipe) -> bool {
        let by = &self.creations.borrow().by;
        recipe.shots().any(|(_, shot)| by.get(shot.page).is_some_and(Option::is_some))
    }

    /// Notes what a response says was created.
    pub(super) fn note_created(&self, observation: &Observation) {
        let mut creations = self.creations.borrow_mut();
        let seen = &observation.seen;
        let Some(Some(capture)) = creations.by.get(seen.page).cloned() else { return };
        let Some(principal) = seen.principal.and_then(|owner| self.principal_of(owner)) else { return };
        if seen.status().is_none_or(|status| status >= 400) {
            return;
        }
        let mut session = Session::default();
        if session.capture(&capture, &observation.reply.head, &observation.reply.body).is_ok()
            && let Some(value) = session.captured(&capture.name)
        {
            let value = value.to_owned();
            creations.made.push(Created { page: seen.page, capture: capture.name, value, principal });
        }
    }

    /// Somebody who asks for others from now on, known by a canary of its own; its index.
    pub fn add_principal(&self) -> usize {
        let number = self.identities.get() + 1;
        self.identities.set(number);
        let index = self.principals.borrow().all.len();
        let fields = match self.identities_named.len() {
            0 => Default::default(),
            named => self.identities_named.get(index % named).cloned().unwrap_or_default(),
        };
        let canary = self.canary_of(number, Length::Any);
        let identity = Identity { number, canary, fields, principal: Some(index), ..Identity::default() };
        self.join(&identity);
        self.principals.borrow_mut().all.push(identity);
        index
    }

    /// How many there are.
    pub fn principals(&self) -> usize {
        self.principals.borrow().all.len()
    }

    /// A principal as it is known now.
    pub fn principal(&self, index: usize) -> Option<Identity> {
        self.principals.borrow().all.get(index).cloned()
    }

    /// What a principal was given by the server.
    pub fn set_principal(&self, index: usize, identity: Identity) {
        if let Some(known) = self.principals.borrow_mut().all.get_mut(index) {
            *known = identity;
        }
    }

    /// The index of the principal who is known by a canary of this owner.
    pub fn principal_of(&self, owner: u64) -> Option<usize> {
        self.principals.borrow().all.iter().position(|one| one.number == owner)
    }

    /// Shows what was observed last.
    pub fn with_last_observation(&self, look: &mut dyn FnMut(&Observation)) {
        let last = self.observations.borrow().last().cloned();
        if let Some(mut last) = last {
            last.reply.decode();
            look(&last);
        }
    }

    /// Only this one asks, until `None` is given.
    pub fn only_principal(&self, index: Option<usize>) {
        self.let_ask(index.map_or(AskOrder::InTurn, AskOrder::Only));
    }

    /// Those who ask from now on.
    pub fn let_ask(&self, order: AskOrder) {
        self.principals.borrow_mut().order = order;
    }

    /// Nobody asks for anybody any more from this one on.
    pub fn drop_principals_from(&self, index: usize) {
        self.principals.borrow_mut().all.truncate(index);
    }

    /// Whether requests are those of a sweep.
    pub fn is_sweeping(&self) -> bool {
        self.forms.is_sweep
    }

    /// The identity of a request for a page, for the principal whose turn it is, if there are any.
    pub(super) fn for_a_principal(&self, identity: Identity, page: usize) -> Identity {
        let asker = {
            let mut principals = self.principals.borrow_mut();
            if principals.all.is_empty() {
                return identity;
            }
            let named = match &principals.order {
                AskOrder::InTurn => None,
                AskOrder::Only(index) => Some(*index),
                AskOrder::ByPage(by_page) => by_page.get(&page).copied(),
            };
            let index = named.unwrap_or(principals.next % principals.all.len());
            principals.next += 1;
            principals.all.get(index).cloned()
        };
        match asker {
            Some(asker) => self.on_behalf_of(&asker, identity),
            None => identity,
        }
    }

    /// A request's identity, for this principal.
    pub fn on_behalf_of(&self, asker: &Identity, identity: Identity) -> Identity {
        let one = Identity {
            known_as: Some((asker.number, asker.canary.clone())),
            principal: asker.principal,
            fields: asker.fields.clone(),
            session: asker.session.clone(),
            logged_in: asker.logged_in,
            ..identity
        };
        self.join(&one);
        one
    }

    /// What belongs to one principal, or to one group of them, accuses none of its requests.
    fn join(&self, identity: &Identity) {
        let Some(principal) = identity.principal else { return };
        let group = self.group.as_ref().and_then(|group| identity.fields.get(group)).cloned();
        let named = self.identities_named.len();
        let own = if named > 0 { principal % named } else { principal };
        let group = group.unwrap_or_else(|| format!("principal {own}"));
        self.groups.borrow_mut().insert(identity.number, group);
    }

    /// Those who may see each other's data go by one name.
    pub fn group_of(&self, owner: u64) -> String {
        self.groups.borrow().get(&owner).cloned().unwrap_or_else(|| format!("owner {owner}"))
    }

    /// Principals forget what they were given by earlier responses, but not who they are.
    pub fn forget_captures(&self, names: &[&str]) {
        for one in &mut self.principals.borrow_mut().all {
            names.iter().for_each(|name| one.session.forget_captured(name));
        }
    }

    /// A further canary of this owner, in a shape of its own.
    pub(super) fn canary_shaped(&self, owner: u64, shape: CanaryShape) -> String {
        self.canaries.borrow_mut().make(owner, shape, Length::Any)
    }

    /// What others have stored may be shown there from now on.
    pub fn permit(&self, page: usize, place: String) {
        self.permitted.borrow_mut().insert((page, place));
    }

    /// Whether anything may be shown by a page that others have stored.
    pub fn permits_any(&self, page: usize) -> bool {
        self.permitted.borrow().iter().any(|(known, _)| *known == page)
    }

    /// Whether what others have stored may be shown there.
    pub fn permits(&self, page: usize, place: &str) -> bool {
        self.permitted.borrow().contains(&(page, place.to_owned()))
    }
}
