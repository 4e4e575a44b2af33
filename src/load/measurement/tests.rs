use proptest::prelude::*;

use super::*;
use crate::exchange::{Failure, Outcome};
use crate::load::client_script::HookSample;
use crate::load::tests::plan;
use crate::scenario::{Level, LoadSpec, WeightedRequest};

#[test]
fn every_request_counts_in_the_whole_in_its_stage_and_in_its_kind() {
    let level = |seconds| Level { from: 1.0, to: 1.0, lasting: Duration::from_secs(seconds) };
    let plan = plan();
    let kinds = ["a", "b"].map(|name| WeightedRequest { name: name.to_owned(), ..plan.kinds[0].clone() }).to_vec();
    let load = LoadSpec { levels: vec![level(1), level(2)], duration: Duration::from_secs(3), kinds, ..plan };
    let mut measured = Measurement::new(&load);
    for (kind, millis) in [(0, 0), (1, 999), (1, 1000), (1, 2500)] {
        let intended = Duration::from_millis(millis);
        let done = intended + Duration::from_millis(5);
        let outcome = Outcome::Answered(200);
        measured.record(kind, &Exchange { intended, sent: Some(intended), first_byte: None, done, outcome }, 1);
    }
    let started = |parts: &[Recorder]| parts.iter().map(Recorder::started).collect::<Vec<_>>();
    assert_eq!(
        (measured.whole.started(), started(&measured.stages), started(&measured.kinds)),
        (4, vec![2, 2], vec![1, 3])
    );
}

/// A load of three seconds, with two stages and two kinds.
fn load() -> LoadSpec {
    let level = |seconds| Level { from: 1.0, to: 1.0, lasting: Duration::from_secs(seconds) };
    let kinds = ["a", "b"].map(|name| WeightedRequest { name: name.to_owned(), ..plan().kinds[0].clone() }).to_vec();
    LoadSpec { levels: vec![level(1), level(2)], duration: Duration::from_secs(3), kinds, ..plan() }
}

/// A request as a load thread sees it, and which thread that is.
#[derive(Debug, Clone)]
struct Seen {
    thread: usize,
    kind: usize,
    intended: u64,
    waited: u64,
    outcome: Outcome,
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        (100u16..=999).prop_map(Outcome::Answered),
        (0..Failure::ALL.len()).prop_map(|index| Outcome::Failed(Failure::ALL[index])),
        Just(Outcome::Unanswered),
    ]
}

fn seen() -> impl Strategy<Value = Seen> {
    (0..3usize, 0..2usize, 0..3_000_000_000u64, 0..20_000_000_000u64, outcomes())
        .prop_map(|(thread, kind, intended, waited, outcome)| Seen { thread, kind, intended, waited, outcome })
}

/// Takes one as a load thread does; `number` makes its texts its own.
fn take(measured: &mut Measurement, seen: &Seen, number: usize) {
    let intended = Duration::from_nanos(seen.intended);
    let done = intended + Duration::from_nanos(seen.waited);
    let exchange = Exchange { intended, sent: Some(intended), first_byte: None, done, outcome: seen.outcome };
    measured.record(seen.kind, &exchange, 10);
    let bytes = format!("GET /{number} HTTP/1.1\r\ntraceparent: 00-{number:032x}-b7ad6b7169203331-01\r\n\r\n");
    measured.slowest.keep(&exchange, Duration::ZERO, bytes.as_bytes());
    measured.sent_after(Duration::from_nanos(seen.waited % 3_000_000));
    measured.queued += seen.waited % 2;
    measured.missed += seen.waited % 3;
    measured.connections.opened += 1;
    measured.connections.retried += seen.waited % 2;
    measured.generator.cpu += Duration::from_nanos(seen.waited);
    measured.generator.busiest = measured.generator.busiest.max((seen.waited % 100) as f64 / 100.0);
    measured.generator.ended = measured.generator.ended.max(done);
    match seen.outcome {
        Outcome::Answered(status) => {
            measured.samples.keep_error(status, done, number.to_string().as_bytes());
            let wrong = HookSample::new(number as u32, 0, done, "wrong".to_owned());
            measured.findings.get_or_insert_default().checked((status >= 500).then_some(wrong));
        }
        Outcome::Failed(failure) => measured.samples.keep(failure, done, || number.to_string()),
        Outcome::Unanswered => {}
    }
}

fn merged<'a>(parts: impl IntoIterator<Item = &'a Measurement>) -> Measurement {
    let mut all = Measurement::new(&load());
    parts.into_iter().for_each(|part| all.merge(part));
    all
}

proptest! {
    // Each case makes and compares dozens of histograms.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn parts_merged_in_any_order_are_the_whole_and_all_of_it_is_written(mut seen in prop::collection::vec(seen(), 0..60)) {
        // A thread sees them come to their end one after the other.
        seen.sort_by_key(|seen| seen.intended + seen.waited);
        let mut whole = Measurement::new(&load());
        let mut parts = [(); 3].map(|()| Measurement::new(&load()));
        for (number, seen) in seen.iter().enumerate() {
            take(&mut whole, seen, number);
            take(&mut parts[seen.thread], seen, number);
        }
        let [a, b, c] = &parts;
        for order in [[a, b, c], [c, b, a], [b, a, c]] {
            prop_assert_eq!(&merged(order), &whole);
        }
        prop_assert_eq!(&merged([a, &merged([b, c])]), &whole, "parts of parts");
        let text = serde_json::to_string(&whole).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Measurement>(&text).unwrap(), &whole, "{}", text);
    }
}

#[test]
fn what_requests_that_were_cut_off_had_waited_is_written_with_the_rest() {
    let mut measured = Measurement::new(&load());
    let seen = |outcome| Seen { thread: 0, kind: 0, intended: 0, waited: 5_000_000, outcome };
    [Outcome::Failed(Failure::Timeout), Outcome::Unanswered, Outcome::Answered(200)]
        .iter()
        .enumerate()
        .for_each(|(number, outcome)| take(&mut measured, &seen(*outcome), number));
    let read: Measurement = serde_json::from_str(&serde_json::to_string(&measured).unwrap()).unwrap();
    assert_eq!((read.whole.latency.cut_len(), read.whole.latency.len()), (2, 3));
    assert_eq!(read.whole.latency.quantile(0.5), measured.whole.latency.quantile(0.5));
}
