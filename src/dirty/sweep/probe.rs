//! Each operation alone, by one principal: how it is answered, what of the request it shows, and which of its places take a
//! canary at all.

use super::super::evidence::FoundBy;
use super::super::sweep_order::SweepOrder;
use super::{Sweep, forms, orders, principals};
use crate::net::target::Target;

/// Tries for one operation whose requests are refused for what is in them.
const MOST_TRIES: usize = 12;
/// How often an operation is asked again that fails.
const AGAIN: usize = 3;
/// Refusals that do not go by what is in a request.
const NOT_FOR_ITS_VALUES: [u16; 9] = [401, 403, 405, 406, 429, 501, 502, 503, 504];

impl Sweep<'_> {
    /// Asks each operation alone, those first that give what others need.
    pub(super) async fn probe(&mut self, target: &Target) {
        if let Some(client) = &self.client {
            client.only_principal(Some(0));
        }
        let first = principals::providers(&self.spec.operations);
        let rest = (0..self.spec.operations.len()).filter(|page| !first.contains(page));
        let order: Vec<usize> = first.iter().copied().chain(rest).collect();
        for page in order {
            if self.is_out_of_time() {
                break;
            }
            if !self.ledger.operations[page].is_asked {
                continue;
            }
            if let Some(name) = self.missing_capture(page) {
                self.findings.unfilled.insert(page, name);
                continue;
            }
            self.ask_alone(page).await;
            // A server may refuse some requests at random.
            for _ in 0..AGAIN {
                if self.ledger.operations[page].alone.is_some_and(|status| status < 500 && status != 429) {
                    break;
                }
                self.ask_alone(page).await;
            }
            if self.is_refused_for_its_values(page) {
                self.find_fitting_places(page, target).await;
            }
        }
        if let Some(client) = &self.client {
            client.only_principal(None);
        }
    }

    /// One request for an operation, alone.
    pub(super) async fn ask_alone(&mut self, page: usize) {
        self.round(FoundBy::Sweep(SweepOrder::Alone), orders::sequence(&[page], false)).await;
    }

    /// A capture that an operation needs, and that the first principal has not got.
    fn missing_capture(&self, page: usize) -> Option<String> {
        let session = self.client.as_ref()?.principal(0)?.session;
        let needs = &self.spec.operations.get(page)?.operation.needs;
        needs.iter().find(|name| session.captured(name).is_none()).cloned()
    }

    fn is_refused_for_its_values(&self, page: usize) -> bool {
        let carriers = &self.spec.operations[page].operation.carriers;
        let refused = |status: u16| (400..600).contains(&status) && !NOT_FOR_ITS_VALUES.contains(&status);
        !carriers.is_empty() && self.ledger.operations[page].alone.is_some_and(refused)
    }

    /// Finds the places of a request in which the server takes a canary, halving them; all of them stay if it refuses the request
    /// without any canary too.
    async fn find_fitting_places(&mut self, page: usize, target: &Target) {
        let count = self.spec.operations[page].operation.carriers.len();
        let all = vec![true; count];
        let mut tries = 0;
        if !self.is_answered_with(page, vec![false; count], target, &mut tries).await {
            self.keep(page, all, target);
            return;
        }
        let mut fitting = vec![false; count];
        let mut open: Vec<Vec<usize>> = vec![(0..count).collect()];
        while let Some(part) = open.pop() {
            let mut tried = fitting.clone();
            part.iter().for_each(|index| tried[*index] = true);
            // All of them were tried at first.
            let is_all = tried == all;
            if !is_all && tries >= MOST_TRIES {
                break;
            }
            if !is_all && self.is_answered_with(page, tried.clone(), target, &mut tries).await {
                fitting = tried;
            } else if part.len() > 1 {
                let (one, other) = part.split_at(part.len() / 2);
                open.extend([other.to_vec(), one.to_vec()]);
            }
        }
        self.keep(page, fitting, target);
        self.ask_alone(page).await;
    }

    /// Whether a request with canaries in these places is answered well.
    async fn is_answered_with(&mut self, page: usize, keeps: Vec<bool>, target: &Target, tries: &mut usize) -> bool {
        *tries += 1;
        self.keep(page, keeps, target);
        self.ledger.operations[page].alone = None;
        self.ask_alone(page).await;
        self.ledger.operations[page].alone.is_some_and(|status| status < 400)
    }

    fn keep(&mut self, page: usize, keeps: Vec<bool>, target: &Target) {
        if let Some(client) = &mut self.client {
            client.forms.set_page(page, &forms::request(&self.spec.operations[page], &keeps), target);
        }
        self.ledger.operations[page].keeps = keeps;
    }
}
