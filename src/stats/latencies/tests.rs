use super::*;
use crate::measured_value::Bounds;

const MS: u64 = 1_000_000;

fn millis(values: impl IntoIterator<Item = u64>, cut: impl IntoIterator<Item = u64>) -> Latencies {
    let mut latencies = Latencies::default();
    values.into_iter().for_each(|ms| latencies.answered(Half::First, ms * MS));
    cut.into_iter().for_each(|ms| latencies.cut(Half::First, ms * MS));
    latencies
}

fn near(a: u64, b: u64) -> bool {
    (a as f64 - b as f64).abs() <= b as f64 * 0.001
}

fn near_f(a: f64, b: u64) -> bool {
    (a - b as f64).abs() <= b as f64 * 0.001
}

fn exactly(quantile: Option<MeasuredValue>, nanos: u64) -> bool {
    matches!(quantile, Some(MeasuredValue::Exactly(value)) if near_f(value, nanos))
}

fn more_than(quantile: Option<MeasuredValue>, nanos: u64) -> bool {
    matches!(quantile, Some(MeasuredValue::MoreThan(bound)) if near_f(bound, nanos))
}

fn open(quantile: Option<MeasuredValue>) -> Bounds {
    match quantile {
        Some(MeasuredValue::Within(bounds)) => bounds,
        other => panic!("{other:?} is not open"),
    }
}

#[test]
fn the_median_of_the_lucky_is_not_the_median() {
    // 500 users on one blocking worker at 100 ms: 100 answers in 10 s, 400 users never answered.
    let latencies = millis((1..=100).map(|n| n * 100), std::iter::repeat_n(10_000, 400));
    assert!(exactly(latencies.quantile(0.1), 5_000 * MS));
    assert!(more_than(latencies.quantile(0.5), 10_000 * MS));
    assert!(near(latencies.distribution().median_of_answered().unwrap(), 5_000 * MS));
}

#[test]
fn a_mean_is_never_outside_of_what_it_is_of() {
    for nanos in [3_113_000, 3_120_001, 99, 123_456_789] {
        let mut one = Latencies::default();
        one.answered(Half::First, nanos);
        assert_eq!(one.mean(), one.distribution().min());
        one.cut(Half::First, nanos);
        let known = one.distribution();
        let (min, mean, max) = (known.min().unwrap(), one.mean().unwrap(), known.max().unwrap());
        assert!((min.likely()..=max.likely()).contains(&mean.likely()), "{min:?} {mean:?} {max:?}");
    }
}

#[test]
fn a_quantile_at_the_edge_of_the_answered_is_exact() {
    let latencies = millis(std::iter::repeat_n(100, 99), [100]);
    assert!(exactly(latencies.quantile(0.99), 100 * MS));
    assert!(more_than(latencies.quantile(0.999), 100 * MS));
}

#[test]
fn one_that_only_just_started_bounds_nothing_by_more_than_its_wait() {
    let latencies = millis([10, 20, 30], [1]);
    let max = open(latencies.distribution().max());
    assert!(near_f(max.at_least, 30 * MS) && (max.at_most, max.estimate) == (None, None), "{max:?}");
    assert!(matches!(latencies.mean(), Some(MeasuredValue::MoreThan(_))));
    let median = open(latencies.quantile(0.5));
    assert!(near_f(median.at_least, 10 * MS) && near_f(median.at_most.unwrap(), 20 * MS), "{median:?}");
}

#[test]
fn a_time_out_fails_the_rules_that_it_is_for() {
    // Cut off at their time-out, after all that were answered.
    let latencies = millis(1..=40, std::iter::repeat_n(2_000, 60));
    assert!(exactly(latencies.quantile(0.4), 40 * MS));
    assert!(matches!(latencies.quantile(0.5), Some(MeasuredValue::MoreThan(nanos)) if nanos >= (2_000 * MS) as f64));
}

#[test]
fn requests_of_a_constant_server_take_that_long_however_soon_they_were_cut_off() {
    // 1,000 answers of 10 users after 100 ms; at the end each user waited for one more, so and so long.
    let mut latencies = millis(std::iter::repeat_n(100, 999), (0..10).map(|n| n * 10));
    latencies.answered(Half::First, 129 * MS);
    for q in [0.5, 0.9, 0.99] {
        let quantile = latencies.quantile(q).unwrap();
        assert!(near_f(quantile.likely(), 100 * MS), "{q}: {quantile:?}");
    }
    let max = open(latencies.distribution().max());
    assert!(near_f(max.at_least, 129 * MS), "129 ms or more: {max:?}");
}

#[test]
fn a_higher_quantile_is_never_shorter_however_soon_requests_failed() {
    let refused = || std::iter::repeat_n(100_000, 100);
    let mut latencies = millis(1..=100, []);
    refused().for_each(|nanos| latencies.failed(nanos));
    let at = |q: f64| latencies.quantile(q);
    assert!(exactly(at(0.5), 100 * MS));
    let nanos = (0..=1000).map(|permille| at(f64::from(permille) / 1e3).unwrap().likely());
    assert!(nanos.is_sorted(), "a quantile is below one before it");
    assert!(more_than(at(0.75), 100 * MS));
    assert!(more_than(latencies.distribution().max(), 100 * MS));
    let mut none_answered = Latencies::default();
    refused().for_each(|nanos| none_answered.failed(nanos));
    assert!(more_than(none_answered.quantile(0.5), 100_000));
}

#[test]
fn the_failed_rank_above_the_cut_and_nothing_is_estimated_of_them() {
    let mut latencies = millis((1..=60).chain(61..=80), [5, 50, 75]);
    (0..17).for_each(|_| latencies.failed(MS));
    let bounds = |q: f64| match latencies.quantile(q).unwrap() {
        MeasuredValue::Exactly(nanos) | MeasuredValue::MoreThan(nanos) => (nanos, nanos),
        MeasuredValue::Within(bounds) => (bounds.at_least, bounds.at_most.unwrap_or(f64::INFINITY)),
    };
    let all: Vec<(f64, f64)> = (0..=100).map(|percent| bounds(f64::from(percent) / 100.0)).collect();
    assert!(all.iter().map(|both| both.0).is_sorted() && all[..84].iter().map(|both| both.1).is_sorted(), "{all:?}");
    assert!(near_f(all[83].0, 80 * MS) && all[83].1 == f64::INFINITY && all[84] == all[99]);
    assert!(matches!(latencies.quantile(0.84), Some(MeasuredValue::MoreThan(_))));
}

#[test]
fn nothing_has_no_quantile() {
    assert_eq!(Latencies::default().quantile(0.5), None);
    assert_eq!(Latencies::default().mean(), None);
    assert_eq!(Latencies::default().distribution().median_of_answered(), None);
}

#[test]
fn encoding_keeps_every_count_and_all_that_is_known() {
    let mut latencies = millis([1, 2, 3000], [4, 1]);
    latencies.answered(Half::Second, 7 * MS);
    latencies.cut(Half::Second, 5 * MS);
    latencies.failed(MS);
    let back = Latencies::decode(&latencies.encode()).unwrap();
    assert_eq!((back.len(), back.answered_len(), back.cut_len()), (8, 4, 3));
    for q in [0.1, 0.5, 0.9, 1.0] {
        assert_eq!(back.quantile(q), latencies.quantile(q));
    }
    let text = |answered: &str, unanswered: &str| Encoded {
        answered: answered.to_owned(),
        unanswered: unanswered.to_owned(),
        ..Encoded::default()
    };
    assert!(Latencies::decode(&text("no", "no")).is_none());
    let all = latencies.encode();
    let old = Latencies::decode(&text(&all.answered, &all.unanswered)).unwrap();
    assert_eq!((old.len(), old.cut_len()), (8, 4), "a record that does not tell the failed from the cut");
}

#[test]
fn what_was_not_cut_off_needs_no_halves() {
    let mut latencies = millis(1..=3, []);
    latencies.answered(Half::Second, MS);
    let text = latencies.encode();
    assert_eq!((text.failed, text.late_answered, text.late_cut), Default::default());
}

#[test]
fn merging_and_halves_change_no_quantile() {
    let whole = millis(1..=100, (1..=30).map(|n| n * 3));
    let mut parts = millis((1..=100).filter(|n| n % 2 == 0), []);
    let mut other = Latencies::default();
    (1..=100).filter(|n| n % 2 == 1).for_each(|ms| other.answered(Half::Second, ms * MS));
    (1..=30).for_each(|n| other.cut(if n % 2 == 0 { Half::First } else { Half::Second }, n * 3 * MS));
    parts.merge(&other);
    for q in [0.2, 0.5, 0.9] {
        assert_eq!(parts.quantile(q), whole.quantile(q));
    }
}

#[test]
fn a_queue_that_grows_says_nothing_of_those_that_still_stand_in_it() {
    // 20 arrivals a second for 10 s, 10 of which are served: one that comes at t waits t. The load ends after 11 s.
    let mut latencies = Latencies::default();
    for arrival in 1..=200 {
        let due = arrival * 50;
        let half = if due < 5_000 { Half::First } else { Half::Second };
        match due {
            waits if due + waits <= 11_000 => latencies.answered(half, waits * MS),
            _ => latencies.cut(half, (11_000 - due) * MS),
        }
    }
    let median = open(latencies.quantile(0.5));
    assert_eq!(median.estimate, None, "Kaplan-Meier makes it 4.1 s, the truth is 5 s");
    assert!(median.at_least < (5_000 * MS) as f64 && median.at_most.unwrap() >= (5_000 * MS) as f64, "{median:?}");
    let upper = open(latencies.quantile(0.75));
    assert!((upper.at_most, upper.estimate) == (None, None) && upper.at_least < (7_500 * MS) as f64, "{upper:?}");
}

#[test]
fn what_hardly_changed_is_estimated_all_the_same() {
    // Each answer of the second half takes 0.5 % longer: that is no chance, and no matter.
    let mut latencies = Latencies::default();
    for n in 0..5_000 {
        latencies.answered(Half::First, if n % 50 == 0 { 1_200 } else { 1_000 } * MS);
        latencies.answered(Half::Second, if n % 50 == 0 { 1_206 } else { 1_005 } * MS);
    }
    (0..60).for_each(|n| latencies.cut(Half::Second, n * 10 * MS));
    let within = open(latencies.quantile(0.978));
    assert!(near_f(within.at_least, 1_005 * MS) && near_f(within.at_most.unwrap(), 1_200 * MS), "{within:?}");
    assert!(within.estimate.is_some_and(|value| near_f(value, 1_005 * MS)), "{within:?}");
}

#[test]
fn two_million_are_as_exact_and_as_little_as_two_thousand() {
    let mut latencies = Latencies::default();
    (0..2_000).for_each(|n| latencies.answered(Half::First, 100_000 + n * 1_000_003));
    (0..10).for_each(|n| latencies.cut(Half::Second, n * 10_000));
    let (known, text) = (latencies.distribution(), latencies.encode());
    (0..10).for_each(|_| latencies.merge(&latencies.clone()));
    assert_eq!(latencies.len(), 2_010 * 1_024);
    for q in [0.5, 0.9, 0.99, 0.999] {
        assert!(near_f(latencies.quantile(q).unwrap().likely(), known.quantile(q).unwrap().likely() as u64), "{q}");
    }
    assert!(latencies.encode().answered.len() < 2 * text.answered.len());
}

#[test]
fn what_is_written_and_read_again_is_the_same_in_each_half() {
    let mut latencies = millis([1, 20, 300], [4_000]);
    latencies.answered(Half::Second, 50 * MS);
    latencies.cut(Half::Second, 60_000 * MS);
    latencies.failed(7 * MS);
    for latencies in [latencies, Latencies::default()] {
        let text = serde_json::to_string(&latencies).unwrap();
        assert_eq!(serde_json::from_str::<Latencies>(&text).unwrap(), latencies);
    }
    let spoiled = serde_json::to_string(&millis([1], [])).unwrap().replace('=', "!");
    assert!(serde_json::from_str::<Latencies>(&spoiled).is_err(), "{spoiled}");
}

// fault: labels: nothing is answered -> not even the least latency is known
#[test]
fn where_nothing_was_answered_the_least_is_a_bound_too() {
    let mut latencies = Latencies::default();
    (1..=30).for_each(|n| latencies.cut(Half::First, n * 100_000_000));
    let known = latencies.distribution();
    let Some(MeasuredValue::MoreThan(least)) = known.min() else { panic!("{:?}", known.min()) };
    assert!((least - 1e8).abs() < 1e6, "{least}");
    for q in [0.0, 0.5, 1.0] {
        assert!(matches!(known.quantile(q), Some(MeasuredValue::MoreThan(_))), "{q}");
    }
}

#[test]
fn the_same_waits_are_the_same_text_however_they_came_together() {
    let whole = millis([3, 70, 900, 20_000], [5]);
    let mut merged = millis([20_000], []);
    merged.merge(&millis([70, 3], [5]));
    merged.merge(&millis([900], []));
    assert_eq!(merged.encode(), whole.encode());
    let read = Latencies::decode(&whole.encode()).unwrap();
    assert_eq!(read.encode(), whole.encode(), "also once it was read again");
}
