//! The judging as a whole on simulated servers: lone replies, rounds of a trigger, the verification of suspicions, what would
//! have been shown without their owners, the verdict. Clean servers with noise of every kind are never accused, those that
//! tell nothing of who asks never pass, and those that leak are found.

use std::time::Duration;

use super::super::Premises;
use super::super::client::{CheckClient, tests::plan};
use super::super::evidence::FoundBy;
use super::super::hypothesis::Hypothesis;
use super::super::identity::Identity;
use super::super::observation::{CanariesFound, Observation, RecipePlace, Role, Seen};
use super::super::personas::{self, Personas};
use super::super::recipe::{Line, Recipe, RecipeRequest};
use super::super::stopwatch::Stopwatch;
use super::super::totals::{FinishedRound, JudgeContext, Totals};
use crate::exchange::{Exchange, Outcome};
use crate::net::target::Target;
use crate::scenario::{RequestSpec, Template};
use crate::session::Captured;
use crate::trigger::Trigger;
use site::{Kind, Site};

mod noise;
mod site;

/// Rounds of the trigger in all, and before the server is started anew.
const ROUNDS: u64 = 24;
const ROUNDS_A_LIFE: u64 = 8;
/// What of a hypothesis' rounds a check has time for, in copies of a round.
const MOST_WITHOUT: usize = 160;
const MOST_WITH: usize = 50;

/// Wrong verdicts that are told of.
const MOST_TOLD: usize = 10;

/// What a check says of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Clean,
    /// What was seen, and where.
    Leaks(String),
    /// Nobody can be told from others, or a suspicion stayed open.
    Inconclusive,
}

/// A check of a site under way.
struct Trial {
    site: Site,
    client: CheckClient,
    personas: Personas,
    totals: Totals,
    requests: u64,
}

impl Trial {
    fn new(site: Site) -> Self {
        let request = RequestSpec::get(&Template::parse("/?q={canary}").unwrap());
        let target = Target::tcp("127.0.0.1:9".parse().unwrap(), Some(4));
        let client = CheckClient::new(&plan(request), &target, site.seed, Stopwatch::start());
        let mut personas = Personas::default();
        personas.gather(&client, site.people());
        Trial { site, client, personas, totals: Totals::default(), requests: 0 }
    }

    /// One request, with others in flight if there is a crowd.
    fn ask(&mut self, who: Option<&Identity>, crowd: &[Option<usize>], place: usize) -> Observation {
        self.requests += 1;
        let persona = who.and_then(|identity| identity.persona);
        let answer = self.site.answer(persona, crowd);
        let at = Duration::from_millis(self.requests);
        let outcome = Outcome::Answered(answer.status);
        let exchange = Exchange { intended: at, sent: Some(at), first_byte: Some(at), done: at * 2, outcome };
        let seen = Seen {
            request: self.requests,
            identity: who.map(|identity| identity.number),
            persona,
            principal: None,
            page: 0,
            canary: String::new(),
            role: Role::Short,
            place: RecipePlace { line: place, shot: 0 },
            line: String::new(),
            connection: self.requests,
            worker: None,
            sleep: None,
            exchange,
            bytes: 0,
            tells: false,
            own: false,
        };
        Observation {
            seen,
            request: Vec::new(),
            reply: answer.reply,
            url: None,
            hops: Vec::new(),
            captured: Captured::default(),
            canaries: CanariesFound::default(),
        }
    }

    fn ask_nobody(&mut self, times: usize) {
        let alone = (0..times).map(|_| self.ask(None, &[], 0)).collect();
        self.personas.take_solo(alone);
    }

    fn ask_alone(&mut self) {
        let (_, order) = self.personas.solo_round(self.site.seed);
        let alone = order.iter().map(|who| self.ask(Some(who), &[], 0)).collect();
        self.personas.take_solo(alone);
    }

    fn get_to_know(&mut self) {
        self.ask_nobody(personas::SOLO);
        (0..personas::SOLO).for_each(|_| self.ask_alone());
        self.personas.learn(&self.client);
        for _ in personas::SOLO..personas::MOST_SOLO {
            if self.personas.is_sure() {
                break;
            }
            self.ask_alone();
            self.personas.tell(&self.client);
        }
    }

    /// All of these at once, as many requests as if everybody asked twice, and nobody with them: the server is as busy without
    /// some of the personas as with them.
    fn together(&mut self, who: &[Identity], number: u64) -> Vec<Observation> {
        let requests = 2 * self.personas.all.len();
        let mut asking: Vec<Option<Identity>> = who.iter().cycle().take(requests).cloned().map(Some).collect();
        asking.resize(requests, None);
        asking.rotate_left(number as usize % requests);
        asking.push(None);
        let crowd: Vec<Option<usize>> =
            asking.iter().map(|who| who.as_ref().and_then(|identity| identity.persona)).collect();
        asking.iter().enumerate().map(|(place, who)| self.ask(who.as_ref(), &crowd, place)).collect()
    }

    /// A round of the trigger: what raises a suspicion is kept.
    fn round(&mut self, number: u64) {
        let everybody = self.personas.all.clone();
        let observations = self.together(&everybody, number);
        self.personas.notice(Trigger::Overlap, &observations);
        let recipe = Recipe::of(vec![Line::of(vec![RecipeRequest::plain()]); observations.len()]);
        let finished = FinishedRound {
            found_by: FoundBy::Trigger(Trigger::Overlap),
            overlapping: true,
            recipe: &recipe,
            observations,
            strays: Vec::new(),
            took: Duration::from_millis(1),
        };
        let (client, personas) = (&self.client, &self.personas);
        let premises = Premises::default();
        let context = JudgeContext { client, premises, personas, can_tell: true, personal: true, echoes: false };
        let suspicions = self.totals.add_round(finished, &context);
        suspicions.into_iter().for_each(|suspicion| self.personas.suspect(suspicion));
    }

    fn verify(&mut self) {
        self.site.restart();
        self.ask_nobody(2 * personas::SOLO);
        for _ in 0..personas::MOST_SOLO {
            self.ask_alone();
            if self.personas.are_settled() {
                break;
            }
        }
        self.personas.resolve();
    }

    /// As the check does it; with a bound on rounds for that on time.
    fn hypothesis(&mut self, mut hypothesis: Hypothesis) {
        self.site.restart();
        let bystanders = hypothesis.bystanders(&self.personas.all);
        let everybody = self.personas.all.clone();
        for _ in 0..MOST_WITHOUT {
            if !hypothesis.wants_without() {
                break;
            }
            let observations = self.together(&bystanders, hypothesis.rounds());
            hypothesis.take(&observations, 1, false, |observation| self.personas.judge(observation));
        }
        for _ in 0..MOST_WITH {
            if !hypothesis.wants_with() {
                break;
            }
            let observations = self.together(&everybody, hypothesis.rounds());
            hypothesis.take(&observations, 1, true, |observation| self.personas.judge(observation));
        }
        for evidence in self.personas.close(hypothesis, true) {
            self.totals.confirm(evidence);
        }
    }

    fn run(mut self) -> Verdict {
        self.get_to_know();
        if !self.personas.can_tell() || self.personas.two_apart(Some(&self.client)).is_none() {
            return Verdict::Inconclusive;
        }
        for number in 0..ROUNDS {
            if number % ROUNDS_A_LIFE == 0 {
                self.site.restart();
            }
            self.round(number);
            if !self.personas.suspicions.is_empty() {
                self.verify();
                while let Some(hypothesis) = self.personas.take_hypothesis() {
                    self.hypothesis(hypothesis);
                }
                self.site.restart();
            }
            if let Some(found) = self.totals.evidence.first() {
                return Verdict::Leaks(format!("{}: {}", found.leak.place, found.leak.excerpt));
            }
        }
        // Asked again at the end, they may no longer be told apart.
        self.personas.tell(&self.client);
        if self.personas.undecided() > 0 || !self.personas.can_tell() {
            return Verdict::Inconclusive;
        }
        Verdict::Clean
    }
}

/// Counts over sites of a kind: clean, leaking, inconclusive; with the first few of which the verdict is `wrong`.
fn verdicts(kind: Kind, seeds: std::ops::Range<u64>, wrong: fn(&Verdict) -> bool) -> ([usize; 3], Vec<String>) {
    let (mut counts, mut told) = ([0; 3], Vec::new());
    for seed in seeds {
        let site = Site::new(kind, seed);
        let described = site.describe();
        let verdict = Trial::new(site).run();
        if wrong(&verdict) && told.len() < MOST_TOLD {
            told.push(format!("{described}: {verdict:?}"));
        }
        counts[match verdict {
            Verdict::Clean => 0,
            Verdict::Leaks(_) => 1,
            Verdict::Inconclusive => 2,
        }] += 1;
    }
    (counts, told)
}

/// The claims, over this many sites of each kind.
fn hold(clean: u64, silent: u64, leaking: u64) {
    let ([passed, accused, open], told) =
        verdicts(Kind::Clean, 0..clean, |verdict| matches!(verdict, Verdict::Leaks(_)));
    println!("of {clean} clean servers {passed} passed, {open} stayed open, {accused} were accused");
    assert_eq!(accused, 0, "{told:#?}");
    assert!(passed * 2 > clean as usize, "most of the clean ones pass: {passed} of {clean}");
    let ([passed, accused, open], told) =
        verdicts(Kind::Silent, 0..silent, |verdict| *verdict != Verdict::Inconclusive);
    println!("of {silent} servers that tell nothing {passed} passed, {open} stayed open, {accused} were accused");
    assert_eq!((passed, accused), (0, 0), "{told:#?}");
    let ([missed, found, open], told) =
        verdicts(Kind::Leaking, 0..leaking, |verdict| !matches!(verdict, Verdict::Leaks(_)));
    println!("of {leaking} leaking servers {found} were found, {open} stayed open, {missed} passed");
    assert!(found * 100 >= leaking as usize * 90, "nearly all leaking ones are found: {found} of {leaking}: {told:#?}");
}

#[test]
fn the_judging_holds_on_simulated_servers() {
    hold(60, 20, 20);
}

#[test]
#[ignore = "takes minutes: `make nightly.simulated`"]
fn the_judging_holds_on_ten_thousand_simulated_servers() {
    hold(10_000, 1_000, 500);
}
