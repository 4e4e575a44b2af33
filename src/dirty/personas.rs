//! Personas: a few identities that ask again and again, so that their responses can be told apart also where none shows a canary.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{RngExt as _, SeedableRng as _};

use super::addresses;
use super::baseline::{self, Accusation, Baseline, PageText, PersonaNumber, ResponsePart, Sign};
use super::client::CheckClient;
use super::declared::{DeclaredValues, ValueQuestion};
use super::events;
use super::evidence::{Evidence, FoundBy};
use super::hypothesis::Hypothesis;
use super::identity::Identity;
use super::judge::{self, Foreign};
use super::login;
use super::observation::{Observation, Role, Seen};
use super::oracle::LeakOracle;
use super::place;
use super::recipe::{Line, Recipe, RecipeRequest};
use super::text;
use crate::net::sink::BufferedResponse;
use crate::scenario;

mod hypotheses;

/// How often each is asked alone to learn from, and at most to verify. See the module `baseline` on what this proves.
pub(super) const SOLO: usize = 4;
pub(super) const MOST_SOLO: usize = 16;
/// If chance explains with more than this what tells personas apart, they are asked alone a few times more.
const MUCH_DOUBT: f64 = 1e-5;
/// Suspicions of one part that are kept: bounds memory.
const MOST_SUSPICIONS: usize = 1000;

/// A shorter value of a persona is a language or a number, which says nothing of where it comes from, in bytes.
const LEAST_VERBATIM: usize = 3;
/// Where the path of a value is followed, its own places tell where it comes from: a language will do.
const LEAST_GIVEN: usize = 2;

/// How many personas there are, where the scenario does not name them; a login is worth more of them.
const UNNAMED: usize = 4;
const LOGGED_IN: usize = 6;

/// How many a scenario wants.
pub(super) fn wanted(plan: &scenario::DirtySpec) -> usize {
    match plan.identities.len() {
        0 if plan.login.is_some() => LOGGED_IN,
        0 => UNNAMED,
        named => named,
    }
}

/// Personas, numbered by their index; the one after the last is nobody.
#[derive(Debug, Default)]
pub(super) struct Personas {
    pub all: Vec<Identity>,
    baseline: Option<Baseline>,
    declared: DeclaredValues,
    /// An address that all lone responses to personas hold, those to nobody left out, and that none of them gave.
    named_to_all: Option<String>,
    /// Those who must not see each other's data and cannot be told apart.
    alike: Vec<(PersonaNumber, PersonaNumber)>,
    /// For each, nobody included: whether a response to it that is another persona's could be told from its own.
    told: Vec<bool>,
    pub suspicions: Vec<Suspicion>,
    /// Suspicions that further solo responses have left standing.
    hypotheses: Vec<Hypothesis>,
    /// In how many rounds of each trigger personas have asked.
    asked: BTreeMap<FoundBy, u64>,
    /// Rounds of lone requests until now: no two have the same order.
    rounds: u64,
    solo: RefCell<Vec<(PersonaNumber, Observation)>>,
}

/// A response that may hold another persona's data, until more solo responses have refuted or confirmed that.
#[derive(Debug)]
pub(super) struct Suspicion {
    pub evidence: Evidence,
    pub ground: Ground,
}

impl Suspicion {
    /// It goes by a value that the scenario gives to another.
    pub fn is_by_value(&self) -> bool {
        matches!(self.ground, Ground::Value(_))
    }
}

/// What a suspicion goes by.
#[derive(Debug, Clone)]
pub(super) enum Ground {
    /// What lone requests get.
    Solo(Accusation),
    /// The value with this index, which the scenario gives to another.
    Value(usize),
}

impl Personas {
    /// Two who must not see what is the other's; `None` where all may.
    pub fn two_apart(&self, client: Option<&CheckClient>) -> Option<Vec<Identity>> {
        let (client, baseline) = (client?, self.baseline.as_ref()?);
        let pairs = (0..self.all.len()).flat_map(|one| (0..one).map(move |other| (one, other)));
        let apart = |one: usize, other: usize| !self.may_share(one, other, client) && baseline.tells_apart(one, other);
        let (one, other) = pairs.into_iter().find(|(one, other)| apart(*one, *other))?;
        Some(vec![self.all[one].clone(), self.all[other].clone()])
    }

    /// What lone requests get has been learned.
    pub fn is_learned(&self) -> bool {
        self.baseline.is_some()
    }

    /// What of an accusation remains when that is left out which may be shared: text declared public, identities of one
    /// group, and what nobody gets. A page for nobody is no person's: a server that is too busy, or has forgotten a
    /// session, may show it to anybody.
    fn accused(
        &self,
        mut accusation: Accusation,
        seen: &Seen,
        reply: &BufferedResponse,
        client: &CheckClient,
    ) -> Option<Accusation> {
        let text = |place: &ResponsePart| if *place == ResponsePart::Body { &reply.body } else { &reply.head };
        let before = accusation.signs.len();
        accusation.signs.retain(|sign| !client.is_public(text(&sign.place), &sign.range));
        if accusation.signs.len() < before {
            accusation.oracle = baseline::Mismatch::Learned;
        }
        let may_share = |number: u64| seen.identity.is_some_and(|own| client.may_share(own, number));
        accusation.of.retain(|persona| self.all.get(*persona).is_some_and(|identity| !may_share(identity.number)));
        (!accusation.signs.is_empty() && !accusation.of.is_empty()).then_some(accusation)
    }

    /// Which persona asked.
    fn number(&self, seen: &Seen) -> Option<PersonaNumber> {
        match seen.identity {
            None => Some(self.all.len()),
            Some(_) => seen.persona,
        }
    }

    /// Whether a leak would show in this response: the persona's can be told from another's, and this one is like them.
    pub fn tells(&self, observation: &Observation) -> bool {
        let told = self.number(&observation.seen).is_some_and(|number| self.told.get(number) == Some(&true));
        let marked = || self.baseline.as_ref().is_some_and(|baseline| baseline.is_marked(reply(observation)));
        let known = observation.seen.role != Role::Elsewhere;
        known && told && (observation.seen.identity.is_none() || marked())
    }

    /// Whether responses to any of them can be told apart.
    pub fn can_tell(&self) -> bool {
        self.told.iter().take(self.all.len()).any(|told| *told)
    }

    /// What is wrong with a response, going by what lone requests get.
    pub fn judge(&self, observation: &Observation) -> Option<Accusation> {
        let number = self.number(&observation.seen)?;
        self.baseline.as_ref()?.judge(number, reply(observation))
    }

    /// Another persona's data in a response, going by what lone requests get, and as whose it may be taken; not what a canary
    /// tells already. Whose it is, `owner` says of those who come into question.
    pub fn foreign(
        &self,
        observation: &Observation,
        client: &CheckClient,
        owner: impl Fn(&[u64]) -> Option<u64>,
    ) -> Option<(Accusation, Foreign)> {
        let (seen, reply) = (&observation.seen, &observation.reply);
        // A spoilt request may well be taken for another's, and another page is not known.
        let accusation = self.judge(observation).filter(|_| seen.is_well_behaved())?;
        let accusation = self.accused(accusation, seen, reply, client)?;
        if judge::judge(observation, client).is_some() {
            return None;
        }
        let sign = accusation.signs.first()?;
        let text = if sign.place == ResponsePart::Body { &reply.body } else { &reply.head };
        let may_be: Vec<u64> =
            accusation.of.iter().filter_map(|persona| Some(self.all.get(*persona)?.number)).collect();
        let foreign = Foreign {
            oracle: match accusation.oracle {
                baseline::Mismatch::Swap => LeakOracle::Swap,
                baseline::Mismatch::Learned => LeakOracle::Learned,
            },
            owner: owner(&may_be),
            place: format!("{}, as \"{}\"", sign.place, sign.text),
            excerpt: judge::excerpt(text, sign.range.clone()),
            verbatim: self.is_verbatim(&accusation, reply),
        };
        Some((accusation, foreign))
    }

    /// Whether something that an accusation goes by is what the scenario says of the accused alone.
    fn is_verbatim(&self, accusation: &Accusation, reply: &BufferedResponse) -> bool {
        let stands = |value: &str, sign: &Sign| {
            let text = if sign.place == ResponsePart::Body { &reply.body } else { &reply.head };
            memchr::memmem::find_iter(text, value).any(|at| at < sign.range.end && sign.range.start < at + value.len())
        };
        let holders = |value: &str| self.all.iter().filter(|one| one.fields.values().any(|its| its == value)).count();
        let mut fields =
            accusation.of.iter().filter_map(|persona| self.all.get(*persona)).flat_map(|it| it.fields.values());
        fields.any(|value| {
            let own = value.len() >= LEAST_VERBATIM && holders(value) == 1;
            own && accusation.signs.iter().any(|sign| stands(value, sign))
        })
    }

    /// What a response holds that the scenario gives to another identity alone, where it holds none of its own; with the index
    /// of that value. Not what a canary or lone requests tell already.
    pub fn given(&self, observation: &Observation, client: &CheckClient) -> Option<(usize, Foreign)> {
        let (seen, reply) = (&observation.seen, &observation.reply);
        let asker = self.number(seen).filter(|_| seen.is_well_behaved())?;
        let text = |in_head: bool| if in_head { &reply.head } else { &reply.body };
        let found = self.declared.sighting(observation, asker, |sighting| {
            !self.may_share(asker, sighting.owner, client) && !client.is_public(text(sighting.in_head), &sighting.range)
        })?;
        if judge::judge(observation, client).is_some() {
            return None;
        }
        let place = if found.in_head { place::header_at(&reply.head, found.range.start) } else { "body".to_owned() };
        let foreign = Foreign {
            oracle: LeakOracle::Value,
            owner: self.all.get(found.owner).map(|owner| owner.number),
            place: format!("{place}, as \"{}\"", found.text),
            excerpt: judge::excerpt(text(found.in_head), found.range),
            verbatim: true,
        };
        Some((found.value, foreign))
    }

    /// Values that tell this persona from the others: what the scenario gives to it alone, and what only its lone responses hold.
    pub fn values_of(&self, persona: PersonaNumber) -> Vec<String> {
        let Some(identity) = self.all.get(persona) else { return Vec::new() };
        let alone =
            |value: &&String| self.all.iter().filter(|one| one.fields.values().any(|its| its == *value)).count() == 1;
        let given = identity.fields.values().filter(alone).filter(|value| value.len() >= LEAST_GIVEN).cloned();
        let others = (0..self.all.len()).filter(|other| *other != persona);
        let accusations = others.filter_map(|other| self.baseline.as_ref()?.example(other, persona));
        let shown = accusations.flat_map(|accusation| accusation.signs).map(|sign| sign.text);
        let all: BTreeSet<String> = given.chain(shown.filter(|value| value.len() >= LEAST_VERBATIM)).collect();
        all.into_iter().collect()
    }

    fn may_share(&self, asker: PersonaNumber, owner: PersonaNumber, client: &CheckClient) -> bool {
        let number = |persona: PersonaNumber| self.all.get(persona).map(|identity| identity.number);
        number(asker).zip(number(owner)).is_some_and(|(asker, owner)| client.may_share(asker, owner))
    }

    /// Counts which values of others stand in responses.
    pub fn take_note(&mut self, observations: &[Observation], client: &CheckClient) {
        let mut declared = std::mem::take(&mut self.declared);
        let number = |observation: &Observation| self.number(&observation.seen);
        declared.take(observations, number, |asker, owner| self.may_share(asker, owner, client));
        self.declared = declared;
    }

    /// The server at hand has just been started: nobody has asked it.
    pub fn start_anew(&mut self) {
        self.declared.start_anew();
    }

    /// What is to be asked next to find out of the suspicions by values whether they stand.
    pub fn question(&self, owned: bool) -> Option<ValueQuestion> {
        let by_value = |suspicion: &Suspicion| match suspicion.ground {
            Ground::Value(value) => self.declared.question(value, owned),
            Ground::Solo(_) => None,
        };
        self.suspicions.iter().find_map(by_value)
    }

    /// An e-mail address that everybody is shown who says who asks, and that none of them gave.
    pub fn named_to_all(&self) -> Option<&str> {
        self.named_to_all.as_deref()
    }

    /// The names of those whom the scenario names who must not see each other's data, and whose lone responses cannot be told
    /// apart.
    pub fn alike(&self) -> Vec<(String, String)> {
        let name =
            |persona: PersonaNumber| self.all.get(persona).filter(|one| !one.fields.is_empty()).map(Identity::name);
        self.alike.iter().filter_map(|(one, other)| name(*one).zip(name(*other))).collect()
    }

    /// The scenario gives values to them by which they can be told apart.
    pub fn has_values(&self) -> bool {
        !self.declared.is_empty()
    }

    /// A value of an identity that everybody is shown, also before that identity asks.
    pub fn shown_to_all(&self) -> Option<&str> {
        self.declared.shown_to_all()
    }

    /// Whether an accusation is beyond doubt.
    pub fn stands(&self, accusation: &Accusation) -> bool {
        self.baseline.as_ref().is_some_and(|baseline| baseline.stands(accusation))
    }

    /// One request of each, alone and over a connection of its own, in an order drawn anew in each round. In every other round,
    /// by chance, one of them asks twice: what a server alternates between then goes by no persona's place in the order.
    pub fn solo_round(&mut self, seed: u64) -> (Recipe, Vec<Identity>) {
        let mut order = self.all.clone();
        self.rounds += 1;
        let mut random = rand::rngs::StdRng::seed_from_u64(seed.wrapping_add(self.rounds));
        if let Some(again) = self.all.choose(&mut random)
            && random.random_bool(0.5)
        {
            order.push(again.clone());
        }
        order.shuffle(&mut random);
        (Recipe::of(vec![Line::of(vec![RecipeRequest::plain(); order.len()])]), order)
    }

    /// Requests that do not say who asks, one after the other.
    pub fn nobody_alone(times: usize) -> Recipe {
        Recipe::of(vec![Line::of(vec![RecipeRequest::anonymous(); times])])
    }

    /// Takes the responses of a solo round. What they set for a persona to be known by is kept.
    pub fn take_solo(&mut self, observations: Vec<Observation>) {
        for observation in observations {
            let Some(number) = self.number(&observation.seen) else { continue };
            if let Some(persona) = self.all.get_mut(number) {
                let hops = observation.hops.iter().map(|hop| (&hop.url, &hop.reply));
                for (url, reply) in hops.chain([(&observation.url, &observation.reply)]) {
                    url.iter().for_each(|url| persona.session.take_cookies(url, &reply.head));
                }
            }
            match &mut self.baseline {
                Some(baseline) => baseline.refine(number, reply(&observation)),
                None => self.solo.borrow_mut().push((number, observation)),
            }
        }
    }

    /// Who was never answered but as a stranger, in words.
    pub fn shut_out(&self) -> Vec<String> {
        let solo = self.solo.borrow();
        login::shut_out(&self.all, solo.iter().map(|(number, observation)| (*number, observation)))
    }

    /// Learns from all solo responses until now. That a response to a persona differs from what nobody gets tells nothing of which
    /// persona it is for: a page that is the same for all who are logged in is no proof of anything.
    pub fn learn(&mut self, client: &CheckClient) {
        let solo = self.solo.take();
        let replies: Vec<(PersonaNumber, PageText<'_>)> =
            solo.iter().map(|(number, observation)| (*number, reply(observation))).collect();
        let people = self.all.len();
        let baseline = Baseline::learn_beside(&replies, Some(people));
        let of_people = || replies.iter().filter(|(number, _)| *number < people).map(|(_, reply)| *reply);
        let usual = |address: &String| {
            let given = self.all.iter().flat_map(|one| one.fields.values()).any(|value| value == address);
            let nobodys = replies.iter().filter(|(number, _)| *number == people);
            given
                || nobodys.flat_map(|(_, reply)| addresses::addresses(reply.body)).any(|one| one == address.as_bytes())
        };
        self.named_to_all = addresses::common_address(of_people()).filter(|address| !usual(address));
        self.baseline = Some(baseline);
        self.tell(client);
    }

    /// Finds out who can be told from whom, going by all solo responses until now.
    pub fn tell(&mut self, client: &CheckClient) {
        let Some(baseline) = &self.baseline else { return };
        let people = self.all.len();
        let strangers = |one: usize, other: usize| !self.may_share(one, other, client);
        let is_told = |one: usize| (0..people).any(|other| strangers(one, other) && baseline.tells_apart(one, other));
        let mut told: Vec<bool> = (0..people).map(is_told).collect();
        told.push((0..people).any(|other| told[other] && baseline.tells_apart(people, other)));
        let pairs = (0..people).flat_map(|one| (0..one).map(move |other| (other, one)));
        let alike =
            pairs.filter(|(one, other)| strangers(*one, *other) && !baseline.tells_apart(*one, *other)).collect();
        (self.told, self.alike) = (told, alike);
    }

    /// Whether more solo responses would show nothing new of that: nobody can be told from others, or somebody can without
    /// much doubt.
    pub fn is_sure(&self) -> bool {
        let surely = |baseline: &Baseline| baseline.tells_beyond(MUCH_DOUBT, self.all.len());
        !self.can_tell() || self.baseline.as_ref().is_some_and(surely)
    }

    pub fn suspect(&mut self, suspicion: Suspicion) {
        if self.suspicions.len() < MOST_SUSPICIONS {
            events::suspicion(&suspicion.evidence, suspicion.is_by_value());
            self.suspicions.push(suspicion);
        }
    }

    /// Forgets what is suspected, and says how many that were.
    pub fn shelve(&mut self) -> u64 {
        std::mem::take(&mut self.suspicions).len() as u64
    }

    /// Whether further solo responses would change nothing: each suspicion stands, or is refuted.
    pub fn are_settled(&self) -> bool {
        self.unsettled() == 0
    }

    /// How many suspicions neither stand nor are refuted.
    pub fn unsettled(&self) -> usize {
        let Some(baseline) = &self.baseline else { return 0 };
        let open = |suspicion: &&Suspicion| match &suspicion.ground {
            Ground::Solo(accusation) => !baseline.stands(accusation) && baseline.doubt(accusation) < 1.0,
            Ground::Value(_) => false,
        };
        self.suspicions.iter().filter(open).count()
    }

    /// Those suspicions by a value that stand. The others are gone. `owned`: servers can be started anew.
    pub fn resolve_values(&mut self, owned: bool) -> Vec<Evidence> {
        let (by_value, by_solo) = std::mem::take(&mut self.suspicions).into_iter().partition(Suspicion::is_by_value);
        self.suspicions = by_solo;
        let stands = |suspicion: &Suspicion| match suspicion.ground {
            Ground::Solo(_) => false,
            Ground::Value(value) => self.declared.stands(value, owned),
        };
        let told = |suspicion: &Suspicion| {
            let stands = stands(suspicion);
            let why = match stands {
                true => "others were shown it only after its owner had asked",
                false => "others are shown it without its owner too, or were not shown it again",
            };
            events::suspicion_settled(&suspicion.evidence, stands, why);
            stands
        };
        let standing = Vec::into_iter(by_value).filter(told);
        standing.map(|suspicion| suspicion.evidence).collect()
    }

    /// One request of `first`, then of each of the others but for one, in an order drawn anew; each alone.
    pub fn others_after(&mut self, first: Option<usize>, without: usize, seed: u64) -> (Recipe, Vec<Identity>) {
        let mut order: Vec<Identity> = first.and_then(|first| self.all.get(first)).cloned().into_iter().collect();
        let (_, all) = self.solo_round(seed);
        order.extend(all.into_iter().filter(|one| one.persona != Some(without)));
        (Recipe::of(vec![Line::of(vec![RecipeRequest::plain(); order.len()])]), order)
    }

    /// As many as are wanted: canaries of differing lengths, so that a length tells too.
    pub fn gather(&mut self, client: &CheckClient, wanted: usize) {
        const TRIES: usize = 40;
        let before = self.all.len();
        while self.all.len() < wanted {
            let differs =
                |identity: &Identity| self.all.iter().all(|other| other.canary.len() != identity.canary.len());
            let mut identity = client.persona(self.all.len());
            for _ in 0..TRIES {
                if differs(&identity) {
                    break;
                }
                identity = client.persona(self.all.len());
            }
            self.all.push(identity);
        }
        if self.all.len() > before {
            self.declared = DeclaredValues::of(&self.all);
        }
    }
}

/// A response as it is compared with others: of a body that is no text, nothing is.
fn reply(observation: &Observation) -> PageText<'_> {
    let BufferedResponse { head, body, .. } = &observation.reply;
    PageText { head, body: if text::is_text(&observation.reply) { body } else { &[] } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_persona_is_named_by_what_only_it_is_given_and_shown() {
        let fields = |name: &str| {
            BTreeMap::from([("name", name), ("team", "red"), ("lang", "en")].map(|(k, v)| (k.to_owned(), v.to_owned())))
        };
        let all = ["ann", "zoe"].map(|name| Identity { fields: fields(name), ..Identity::default() }).to_vec();
        let shown = ["Hello 7f3a9c21d4 !", "Hello 0b8e64aa10 !"];
        let head = b"HTTP/1.1 200 OK\r\n\r\n";
        let solo: Vec<(usize, PageText<'_>)> =
            (0..12).map(|n| (n % 2, PageText { head, body: shown[n % 2].as_bytes() })).collect();
        let personas = Personas { all, baseline: Some(Baseline::learn(&solo)), ..Personas::default() };
        assert_eq!(personas.values_of(0), ["7f3a9c21d4", "ann"]);
        assert_eq!(personas.values_of(1), ["0b8e64aa10", "zoe"]);
        assert!(personas.values_of(2).is_empty());
    }

    #[test]
    fn a_value_that_the_scenario_gives_to_one_persona_alone_is_no_derived_one() {
        let reply = |text: &str| BufferedResponse {
            head: b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
            body: format!("<p>{text}</p>").into_bytes(),
            ..BufferedResponse::default()
        };
        let found = |values: [&str; 4], shown: fn(&str) -> String| {
            let fields = |value: &str| BTreeMap::from([("name".to_owned(), value.to_owned())]);
            let all = values.iter().map(|value| Identity { fields: fields(value), ..Identity::default() }).collect();
            let replies: Vec<(usize, BufferedResponse)> =
                (0..16).map(|n| (n % 4, reply(&shown(values[n % 4])))).collect();
            let solo: Vec<(usize, PageText<'_>)> =
                replies.iter().map(|(who, kept)| (*who, PageText { head: &kept.head, body: &kept.body })).collect();
            let baseline = Baseline::learn(&solo);
            let swapped = reply(&shown(values[1]));
            let accusation = baseline.judge(0, PageText { head: &swapped.head, body: &swapped.body }).unwrap();
            Personas { all, ..Personas::default() }.is_verbatim(&accusation, &swapped)
        };
        let names = ["ann@shop.test", "zoe@shop.test", "ivy@shop.test", "max@shop.test"];
        assert!(found(names, str::to_owned));
        assert!(!found(names, |name| format!("{:x}", name.bytes().fold(7_u64, |h, b| h * 31 % 65_521 + u64::from(b)))));
        assert!(!found(["en", "de", "fr", "it"], str::to_owned), "a language is what was made of somebody");
        assert!(!found(["free", "gold", "free", "gold"], str::to_owned), "others have it, too");
    }
}
