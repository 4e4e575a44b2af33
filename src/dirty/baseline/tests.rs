//! What a baseline finds, and what it never accuses, on simulated servers.

use proptest::prelude::{any, prop_assert, proptest};
use rand::seq::SliceRandom as _;

use super::simulated::{CLEAN, DERIVED, Noise, PERSONAS, Page, SimulatedServer, hmac, ok, page};
use super::{Accusation, Baseline, Mismatch, PageText, PersonaNumber, ResponsePart, significance};

/// Asks each persona `rounds` times, in an order that is drawn anew in each round.
fn ask_alone(server: SimulatedServer, rounds: usize, noise: &mut Noise) -> Vec<(PersonaNumber, Page)> {
    let mut replies = Vec::new();
    for _ in 0..rounds {
        let mut order: Vec<PersonaNumber> = (0..PERSONAS.len()).collect();
        order.shuffle(&mut noise.random);
        for who in order {
            noise.count += 1;
            replies.push((who, server(who, noise)));
        }
    }
    replies
}

fn learn(server: SimulatedServer, noise: &mut Noise) -> Baseline {
    let replies = ask_alone(server, 4, noise);
    let solo: Vec<_> = replies.iter().map(|(who, page)| (*who, page.reply())).collect();
    Baseline::learn(&solo)
}

fn refine(baseline: &mut Baseline, server: SimulatedServer, noise: &mut Noise) {
    for (who, page) in ask_alone(server, 4, noise) {
        baseline.refine(who, page.reply());
    }
}

/// The accusations among 100 clean replies: how many there were, and how many stood after further solo replies.
fn accusations_of_clean(server: SimulatedServer, seed: u64) -> (usize, Vec<Accusation>) {
    let mut noise = Noise::new(seed);
    let mut baseline = learn(server, &mut noise);
    let replies = ask_alone(server, 25, &mut noise);
    let accusations: Vec<_> = replies.iter().filter_map(|(who, page)| baseline.judge(*who, page.reply())).collect();
    refine(&mut baseline, server, &mut noise);
    let standing = accusations.iter().filter(|accusation| baseline.stands(accusation)).cloned().collect();
    (accusations.len(), standing)
}

#[test]
fn clean_servers_are_never_accused() {
    for (kind, server) in CLEAN {
        for seed in 0..100 {
            let (_, standing) = accusations_of_clean(server, seed);
            assert!(standing.is_empty(), "a server that {kind}, seed {seed}: {:?}", standing[0]);
        }
    }
}

/// The replies to `to` of a server that mistakes it for `of`, judged, and all asked again up to 16 times.
fn found(server: SimulatedServer, to: PersonaNumber, of: PersonaNumber, seed: u64) -> Option<Accusation> {
    let mut noise = Noise::new(seed);
    let mut baseline = learn(server, &mut noise);
    let accusation = (0..3).find_map(|_| baseline.judge(to, server(of, &mut noise).reply()))?;
    for _ in 0..4 {
        refine(&mut baseline, server, &mut noise);
        if baseline.stands(&accusation) {
            return Some(accusation);
        }
    }
    None
}

/// Whether a server can show the difference at all, without noise.
fn differ(kind: &str, a: PersonaNumber, b: PersonaNumber) -> bool {
    let (a, b) = (&PERSONAS[a], &PERSONAS[b]);
    match kind {
        "a length" => a.name.len() != b.name.len(),
        "a language" | "a page of another language altogether" => a.language != b.language,
        "a plan" | "a header" | "a cookie" | "a member of JSON in random order" | "a redirect" => a.plan != b.plan,
        "a status" => (a.plan == "free") != (b.plan == "free"),
        _ => a.name != b.name,
    }
}

#[test]
fn every_derived_form_of_another_persona_is_found_and_named() {
    for (kind, server) in DERIVED {
        let (mut missed, mut trials) = (Vec::new(), 0);
        for seed in 0..10 {
            for (to, of) in (0..4).flat_map(|to| (0..4).map(move |of| (to, of))).filter(|(to, of)| to != of) {
                let accusation = found(server, to, of, seed);
                if !differ(kind, to, of) {
                    assert!(accusation.is_none(), "{kind}: {to} and {of} are the same");
                    continue;
                }
                trials += 1;
                match accusation {
                    None => missed.push((seed, to, of)),
                    Some(accusation) => {
                        assert!(accusation.of.contains(&of), "{kind}: {of} for {to}: {accusation:?}");
                        // Where things stand in random order, a slot that seems to tell may contradict by chance.
                        let is_swap = accusation.oracle == Mismatch::Swap || kind.contains("random list");
                        assert!(is_swap, "{kind}: {of} for {to}: {accusation:?}");
                        let length = ResponsePart::Header("content-length".to_owned());
                        assert!(accusation.signs.iter().all(|sign| sign.place != length), "{kind}: {accusation:?}");
                    }
                }
            }
        }
        assert!(missed.is_empty(), "{kind}: {missed:?} of {trials}");
    }
}

/// Repeats the name as it came, beside what it made of it.
fn echo(own: &str, who: PersonaNumber, noise: &mut Noise) -> Page {
    let id = noise.id();
    let hash = hmac(PERSONAS[who].name, 9);
    ok(&[format!("X-Request-Id: {id}")], format!("Hello {own}, your key is {hash}, you have 3 news"), noise)
}

#[test]
fn a_foreign_hash_beside_the_own_name_is_learned_not_swapped() {
    let server: SimulatedServer = |who, noise| echo(PERSONAS[who].name, who, noise);
    let mut noise = Noise::new(1);
    let baseline = learn(server, &mut noise);
    let page = echo("tobias", 2, &mut noise);
    let accusation = baseline.judge(0, page.reply()).unwrap();
    assert_eq!((accusation.oracle, accusation.of.as_slice()), (Mismatch::Learned, &[2][..]));
    let sign = &accusation.signs[0];
    assert_eq!((sign.text.as_str(), &sign.place), (hmac("konstantin", 9).as_str(), &ResponsePart::Body));
    assert_eq!(&page.reply().body[sign.range.clone()], sign.text.as_bytes());
}

#[test]
fn a_foreign_hash_in_an_error_page_is_found() {
    let server: SimulatedServer = |who, noise| echo(PERSONAS[who].name, who, noise);
    let mut noise = Noise::new(1);
    let baseline = learn(server, &mut noise);
    let error = format!("cannot read key {} of nobody", hmac("oliver", 9));
    let accusation = baseline.judge(0, page("500 Oops", &[], error, &noise).reply()).unwrap();
    assert_eq!((accusation.oracle, accusation.of.as_slice()), (Mismatch::Learned, &[3][..]));
}

#[test]
fn a_hash_that_error_pages_rightly_show_to_its_owner_still_tells() {
    fn oops(who: PersonaNumber, noise: &Noise) -> Page {
        page("500 Oops", &[], format!("cannot read key {}", hmac(PERSONAS[who].name, 9)), noise)
    }
    let flaky: SimulatedServer = |who, noise| match noise.count % 3 {
        0 => oops(who, noise),
        _ => echo(PERSONAS[who].name, who, noise),
    };
    let mut noise = Noise::new(1);
    let mut baseline = learn(flaky, &mut noise);
    (0..3).for_each(|_| refine(&mut baseline, flaky, &mut noise));
    let accusation = baseline.judge(0, oops(3, &noise).reply()).unwrap();
    assert!(accusation.of == [3] && baseline.stands(&accusation), "{accusation:?}");
    assert!(baseline.judge(3, oops(3, &noise).reply()).is_none());
}

#[test]
fn personas_of_one_plan_are_not_told_apart_and_accused_together() {
    let mut noise = Noise::new(1);
    let (_, server) = DERIVED.iter().find(|(kind, _)| *kind == "a header").unwrap();
    let baseline = learn(*server, &mut noise);
    assert!(!baseline.tells_apart(1, 3) && baseline.tells_apart(0, 1) && baseline.tells_apart(3, 0));
    let example = baseline.example(0, 1).unwrap();
    assert_eq!((example.of.as_slice(), example.signs[0].text.as_str()), (&[1, 3][..], "pro"));
    assert_eq!(example.signs[0].place.to_string(), "header x-plan");
}

#[test]
fn a_server_that_says_the_same_to_all_tells_nobody() {
    let mut noise = Noise::new(1);
    let baseline = learn(CLEAN[0].1, &mut noise);
    assert!((0..5).all(|persona| (0..5).all(|other| !baseline.tells_apart(persona, other))));
}

#[test]
fn an_accusation_falls_when_a_solo_reply_shows_the_same() {
    let plan = |plan: &str| ok(&[], format!("<p>plan: {plan}</p>"), &Noise::new(0));
    let (free, pro) = (plan("free"), plan("pro"));
    let mut baseline = Baseline::learn(&[(0, free.reply()), (1, pro.reply()), (0, free.reply()), (1, pro.reply())]);
    let accusation = baseline.judge(0, pro.reply()).unwrap();
    assert!(!baseline.stands(&accusation), "two replies each prove little");
    for _ in 0..10 {
        baseline.refine(0, free.reply());
        baseline.refine(1, pro.reply());
    }
    assert!(baseline.stands(&accusation));
    baseline.refine(0, pro.reply());
    assert!((baseline.doubt(&accusation) - 1.0).abs() < 1e-12);
    assert!(baseline.judge(0, pro.reply()).is_none());
}

#[test]
fn the_more_varies_the_more_doubt() {
    let doubt = |coins: u64| {
        let mut noise = Noise::new(3);
        let mut show = |who: PersonaNumber| {
            let coins: String = (0..coins).map(|coin| format!("c{coin}:{} ", noise.below(2))).collect();
            ok(&[], format!("plan: {} {coins}", PERSONAS[who].plan), &noise)
        };
        let pages: Vec<_> = (0..16).map(|index| (index % 4, show(index % 4))).collect();
        let baseline = Baseline::learn(&pages.iter().map(|(who, page)| (*who, page.reply())).collect::<Vec<_>>());
        baseline.doubt(&baseline.example(0, 1).unwrap())
    };
    assert!((doubt(20) / doubt(0) - 20.0).abs() < 1e-6);
}

#[test]
fn what_an_error_page_showed_to_another_is_never_held_against_anybody() {
    let mut noise = Noise::new(1);
    let server: SimulatedServer = |who, noise| echo("somebody", who, noise);
    let mut baseline = learn(server, &mut noise);
    assert!(baseline.judge(0, server(2, &mut noise).reply()).is_some());
    let oops = page("500 Oops", &[], format!("cannot read key {}", hmac("konstantin", 9)), &noise);
    baseline.refine(1, oops.reply());
    let accusation = baseline.judge(0, oops.reply());
    assert!(accusation.is_none(), "{accusation:?}");
}

proptest! {
    #[test]
    fn no_bytes_are_accused_of_what_was_learnt_from_themselves(
        bytes in proptest::collection::vec("[ab:=\"<7\r\n ]{0,30}", 2..9),
        heads in proptest::collection::vec(any::<Vec<u8>>(), 9),
    ) {
        let solo: Vec<(PersonaNumber, PageText<'_>)> = bytes
            .iter()
            .zip(&heads)
            .enumerate()
            .map(|(index, (body, head))| (index % 3, PageText { head, body: body.as_bytes() }))
            .collect();
        let baseline = Baseline::learn(&solo);
        for (persona, reply) in &solo {
            prop_assert!(baseline.judge(*persona, *reply).is_none());
        }
    }
}

/// What the bound in [`super::chance`] promises, where chance is worst: a value that one reply in four shows.
#[test]
fn chance_makes_a_baseline_err_no_more_often_than_the_bound_says() {
    let server: SimulatedServer = |_, noise| {
        let side = if noise.below(4) == 0 { "left" } else { "right" };
        ok(&[], format!("<p>turn {side}</p>"), noise)
    };
    const BASELINES: u64 = 1000;
    let errs = |seed: &u64| (0..3).any(|other| learn_twice(server, *seed).tells_apart(other, 3));
    let erring = (0..BASELINES).filter(errs).count() as f64;
    let group = |personas| significance::Group { personas, replies: 2 * personas };
    let bound: f64 = [[1, 3], [2, 2], [3, 1]]
        .iter()
        .map(|[a, b]| significance::of_looking_like_identity(&[group(*a), group(*b)]))
        .sum();
    assert!(erring > 0.0 && erring <= bound * BASELINES as f64);
}

fn learn_twice(server: SimulatedServer, seed: u64) -> Baseline {
    let replies = ask_alone(server, 2, &mut Noise::new(seed));
    Baseline::learn(&replies.iter().map(|(who, page)| (*who, page.reply())).collect::<Vec<_>>())
}
