//! Loads whose every latency is known, also of the requests that were cut off, against what is said of them.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;
use crate::measured_value::MeasuredValue;
use crate::stats::Distribution;

/// How long answers take, in seconds.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Exponential,
    LogNormal,
    /// One of twenty takes thirty times as long.
    Bimodal,
    Constant,
}

const SHAPES: [Shape; 4] = [Shape::Exponential, Shape::LogNormal, Shape::Bimodal, Shape::Constant];

impl Shape {
    fn draw(self, random: &mut StdRng) -> f64 {
        let uniform = |random: &mut StdRng| 1.0 - random.random::<f64>();
        match self {
            Shape::Exponential => -0.7 * uniform(random).ln(),
            Shape::LogNormal => {
                let normal = (-2.0 * uniform(random).ln()).sqrt() * (std::f64::consts::TAU * uniform(random)).cos();
                0.2 * normal.exp()
            }
            Shape::Bimodal if random.random_bool(0.05) => 1.5 * (0.9 + 0.2 * uniform(random)),
            Shape::Bimodal => 0.05 * (0.9 + 0.2 * uniform(random)),
            Shape::Constant => 0.1,
        }
    }
}

/// A load, and how long each of its requests would have taken.
struct Simulated {
    latencies: Latencies,
    truth: Vec<f64>,
}

/// Closed if `users` are given, else open at 100/s. It lasts for `length` seconds, and ends `drain` seconds later.
fn simulate(shape: Shape, users: Option<usize>, length: f64, drain: f64, random: &mut StdRng) -> Simulated {
    let (mut latencies, mut truth) = (Latencies::default(), Vec::new());
    let mut one = |due: f64, random: &mut StdRng| {
        let takes = shape.draw(random);
        let half = if due < length / 2.0 { Half::First } else { Half::Second };
        match due + takes <= length + drain {
            true => latencies.answered(half, (takes * 1e9) as u64),
            false => latencies.cut(half, ((length + drain - due) * 1e9) as u64),
        }
        truth.push(takes);
        takes
    };
    for _ in 0..users.unwrap_or(0) {
        let mut now = random.random::<f64>() * 0.01;
        while now < length {
            now += one(now, random);
        }
    }
    if users.is_none() {
        let mut due = 0.0;
        while due < length {
            one(due, random);
            due += -(1.0 - random.random::<f64>()).ln() / 100.0;
        }
    }
    truth.sort_by(f64::total_cmp);
    Simulated { latencies, truth }
}

/// How often what is said of the quantiles of some loads holds.
#[derive(Debug, Default)]
struct Tally {
    loads: u32,
    most_cut: f64,
    estimated: u32,
    /// The interval holds the value that the same requests would have had.
    holds_theirs: u32,
    /// The interval holds the value of the shape that they were drawn from.
    holds_shape: u32,
}

/// What is said of `q` against what all of these requests would have taken, and what their shape says.
fn check(known: &Distribution, truth: &[f64], q: f64, of_shape: f64, tally: &mut Tally) {
    let theirs = truth[(q * truth.len() as f64 - 1e-9).ceil() as usize - 1];
    let seconds = |nanos: f64| nanos / 1e9;
    // A bucket of the histogram is 0.1 % wide.
    let no_more = |least: f64, most: f64| least <= most * 1.001;
    match known.quantile(q).unwrap() {
        MeasuredValue::Exactly(nanos) => {
            assert!((seconds(nanos) / theirs - 1.0).abs() < 0.001, "{q}: {nanos} {theirs}");
        }
        MeasuredValue::MoreThan(nanos) => assert!(no_more(seconds(nanos), theirs), "{q}: {nanos} {theirs}"),
        MeasuredValue::Within(bounds) => {
            assert!(no_more(seconds(bounds.at_least), theirs), "{q}: {bounds:?} {theirs}");
            assert!(bounds.at_most.is_none_or(|most| no_more(theirs, seconds(most))), "{q}: {bounds:?} {theirs}");
            let Some(low) = bounds.low else { return };
            let high = bounds.high.map_or(f64::INFINITY, seconds);
            let holds = |value: f64| no_more(seconds(low), value) && no_more(value, high);
            tally.estimated += 1;
            tally.holds_theirs += u32::from(holds(theirs));
            tally.holds_shape += u32::from(holds(of_shape));
        }
    }
}

#[test]
fn bounds_hold_for_certain_and_intervals_in_95_percent() {
    let mut random = StdRng::seed_from_u64(7);
    let mut tally = Tally::default();
    for shape in SHAPES {
        let mut many: Vec<f64> = (0..100_000).map(|_| shape.draw(&mut random)).collect();
        many.sort_by(f64::total_cmp);
        for (users, length) in [(None, 0.5), (None, 6.0), (Some(8), 1.5), (Some(40), 0.5), (Some(20), 6.0)] {
            for _ in 0..10 {
                let length = length * (1.0 + random.random::<f64>());
                let drain = if random.random_bool(0.5) { 0.0 } else { random.random::<f64>() };
                let load = simulate(shape, users, length, drain, &mut random);
                tally.loads += 1;
                tally.most_cut = tally.most_cut.max(load.latencies.cut_len() as f64 / load.latencies.len() as f64);
                let known = load.latencies.distribution();
                for q in [0.5, 0.75, 0.9, 0.95, 0.99] {
                    check(&known, &load.truth, q, many[(q * 1e5) as usize], &mut tally);
                }
            }
        }
    }
    assert!(tally.loads == 200 && tally.most_cut > 0.3 && tally.estimated > 300, "{tally:?}");
    let share = |holds: u32| f64::from(holds) / f64::from(tally.estimated);
    assert!(share(tally.holds_theirs) >= 0.95 && share(tally.holds_shape) >= 0.95, "{tally:?}");
}

#[test]
fn estimates_are_near_the_truth() {
    // 50 users for 10 s and all that is by default: 1 s to drain.
    let mut random = StdRng::seed_from_u64(8);
    let load = simulate(Shape::Exponential, Some(50), 10.0, 1.0, &mut random);
    let known = load.latencies.distribution();
    for q in [0.5, 0.75, 0.9, 0.95] {
        let truth = load.truth[(q * load.truth.len() as f64).ceil() as usize - 1];
        let said = known.quantile(q).unwrap().likely() / 1e9;
        assert!((said / truth - 1.0).abs() < 0.04, "{q}: {said} {truth}");
    }
    let lost = load.latencies.cut_len();
    assert!(lost > 5 && !matches!(known.quantile(0.95), Some(MeasuredValue::Exactly(_))), "{lost} were cut off");
}
