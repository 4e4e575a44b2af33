//! Carries out a recipe: every line as a task of its own, until all have ended.

use tokio::sync::Barrier;
use tokio_util::sync::CancellationToken;

use super::client::{Ask, CheckClient, Wire};
use super::identity::Identity;
use super::observation::{RecipePlace, Role};
use super::recipe::{Line, Principal, Recipe, RecipeRequest, Start};

/// A round: a recipe, and who takes part.
pub(super) struct Round<'a> {
    pub client: &'a CheckClient,
    pub recipe: &'a Recipe,
    /// Those who ask, in turn; fresh ones if there are none.
    pub personas: &'a [Identity],
    /// Its number: where in `personas` it begins, and what is the same in all requests of a round that wants that.
    pub number: u64,
    /// What all requests are, if not what their shots say.
    pub role: Option<Role>,
}

/// What the lines of a round tell each other.
struct Shared {
    ended: Vec<CancellationToken>,
    gate: Barrier,
    next_persona: std::cell::Cell<usize>,
    /// What all requests go over, if they share a connection.
    wire: Option<Wire>,
}

impl Shared {
    /// A wire for the next requests of a line.
    fn wire(&self) -> Wire {
        self.wire.as_ref().map(Wire::sharing).unwrap_or_default()
    }
}

impl Round<'_> {
    /// All of it; afterwards the client has observed it.
    pub async fn perform(&self) {
        let lines = self.within_limit();
        let gated = lines.iter().filter(|line| line.start == Start::Gate).count();
        let wire = if self.recipe.one_connection { Some(self.client.shared().await) } else { None };
        let shared = Shared {
            wire,
            ended: lines.iter().map(|_| CancellationToken::new()).collect(),
            gate: Barrier::new(gated.max(1)),
            next_persona: std::cell::Cell::new(self.number as usize),
        };
        if gated > 0 {
            self.client.keep_to_limit(gated as u64).await;
        }
        futures::future::join_all((0..lines.len()).map(|index| self.line(&lines[index], index, &shared))).await;
    }

    /// Its lines, without those at the gate that are more than the server's limit lets through at once.
    fn within_limit(&self) -> Vec<Line> {
        let at_once = self.client.at_once().map_or(usize::MAX, |most| most.max(2) as usize);
        let kept = |line: &Line, before: &mut usize| {
            let gated = line.start == Start::Gate;
            *before += usize::from(gated);
            // Later lines may wait for it by its index.
            if gated && *before > at_once {
                Line { shots: Vec::new(), start: Start::At(0.0), ..line.clone() }
            } else {
                line.clone()
            }
        };
        self.recipe.lines.iter().scan(0, |before, line| Some(kept(line, before))).collect()
    }

    async fn line(&self, line: &Line, index: usize, shared: &Shared) {
        match line.start {
            Start::At(millis) if millis > 0.0 => sleep(millis).await,
            Start::After(other) => match shared.ended.get(other) {
                Some(ended) => ended.cancelled().await,
                None => return,
            },
            Start::At(_) | Start::Gate => {}
        }
        let mut wire = shared.wire();
        if line.pipelined {
            self.pipeline(line, index, shared, &mut wire).await;
        } else {
            self.one_by_one(line, index, shared, &mut wire).await;
        }
        self.client.look_for_strays(&mut wire);
        shared.ended[index].cancel();
    }

    async fn one_by_one(&self, line: &Line, index: usize, shared: &Shared, wire: &mut Wire) {
        let turns = line.until.map_or(1, |until| until.most.max(1));
        for turn in 0..turns {
            for (position, shot) in line.shots.iter().enumerate() {
                if shot.pause_ms > 0.0 {
                    sleep(shot.pause_ms).await;
                }
                if !line.reuse {
                    self.client.look_for_strays(wire);
                    *wire = shared.wire();
                }
                let identity = self.sender(shot, shared);
                let gate = (line.start == Start::Gate && turn == 0 && position == 0).then_some(&shared.gate);
                let ask = self.ask(shot, RecipePlace { line: index, shot: position }, identity.as_ref(), gate);
                self.client.send(wire, &ask).await;
            }
            let over =
                line.until.is_some_and(|until| shared.ended.get(until.line).is_none_or(|end| end.is_cancelled()));
            if over {
                break;
            }
        }
    }

    async fn pipeline(&self, line: &Line, index: usize, shared: &Shared, wire: &mut Wire) {
        let who: Vec<Option<Identity>> = line.shots.iter().map(|shot| self.sender(shot, shared)).collect();
        let asks: Vec<Ask<'_>> = line
            .shots
            .iter()
            .zip(&who)
            .enumerate()
            .map(|(position, (shot, identity))| {
                self.ask(shot, RecipePlace { line: index, shot: position }, identity.as_ref(), None)
            })
            .collect();
        self.client.send_together(wire, &asks).await;
    }

    fn ask<'a>(
        &self,
        shot: &RecipeRequest,
        place: RecipePlace,
        identity: Option<&'a Identity>,
        gate: Option<&'a Barrier>,
    ) -> Ask<'a> {
        let role = self.role.unwrap_or_else(|| Role::of(shot, self.client.is_sweeping()));
        let variation = self.recipe.same_url.then_some(self.number);
        Ask { shot: *shot, role, place, identity, variation, own_url: self.recipe.own_url, gate }
    }

    /// Who sends a shot.
    fn sender(&self, shot: &RecipeRequest, shared: &Shared) -> Option<Identity> {
        match shot.who {
            Principal::Nobody => return None,
            Principal::Persona(index) => {
                return self.personas.iter().find(|known| known.persona == Some(index)).cloned();
            }
            Principal::Another if self.personas.is_empty() => {
                return Some(self.client.somebody_for(shot.page, shot.twist));
            }
            Principal::Another => {}
        }
        let next = shared.next_persona.get();
        shared.next_persona.set(next + 1);
        Some(self.personas[next % self.personas.len()].clone())
    }
}

async fn sleep(millis: f64) {
    tokio::time::sleep(std::time::Duration::from_secs_f64(millis / 1e3)).await;
}
