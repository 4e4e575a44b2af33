use super::dirty;
use super::generator::*;
use super::load::*;
use super::of;
use crate::measured_value::{Bounds, MeasuredValue};
use crate::record::{Checks, DirtyRecord, Generator, LoadRecord, OpenLoadRecord, Second, Silence, Trial};

#[test]
fn what_speaks_of_the_end_is_no_caveat_before_it() {
    assert!(super::WHILE_UNDER_WAY.iter().all(|kind| super::OF_LOAD.iter().any(|(known, _)| known == kind)));
    let load = LoadRecord { started: 1000, completed: 500, unanswered: 500, duration_s: 5.0, ..steady() };
    let kinds = |caveats: Vec<crate::record::Caveat>| caveats.into_iter().map(|caveat| caveat.kind).collect::<Vec<_>>();
    assert!(kinds(of(&[Trial { load: Some(load.clone()), ..Trial::default() }])).contains(&"no_response".to_owned()));
    assert_eq!(kinds(super::so_far(&load)), ["rate_not_met", "few_samples"]);
}

#[test]
fn a_few_lost_requests_of_many_are_no_caveat() {
    let load = |failed| LoadRecord { started: 100_000, failed, ..LoadRecord::default() };
    assert!(no_response(&load(99)).is_none() && no_response(&LoadRecord::default()).is_none());
    let message = no_response(&load(123)).map(|caveat| caveat.message).unwrap_or_default();
    assert!(message.starts_with("0.12 % of requests") && message.contains("beyond 99.88 % are"), "{message}");
}

/// 1,000/s for 10 s at 20 ms.
fn steady() -> LoadRecord {
    let open = OpenLoadRecord {
        rate: 1000.0,
        spacing: "uniform".to_owned(),
        in_flight_mean: 20.0,
        ..OpenLoadRecord::default()
    };
    let mut load =
        LoadRecord { started: 10_000, completed: 10_000, duration_s: 10.0, open: Some(open), ..LoadRecord::default() };
    (load.latency_us.mean, load.latency_us.p50) =
        (Some(MeasuredValue::Exactly(2e4)), Some(MeasuredValue::Exactly(2e4)));
    load.generator = Generator {
        descriptors_needed: 1064,
        descriptors_limit: Some(1064),
        connections_opened: 10_000,
        time_wait: Some(10_000),
        ports: Some(28_000),
        clock_ns: Some(1),
        ..Generator::default()
    };
    load
}

#[test]
fn each_flaw_of_a_load_has_a_caveat_and_a_load_without_one_has_none() {
    let trial = |load| [Trial { load: Some(load), ..Trial::default() }];
    let found = |load| of(&trial(load)).into_iter().map(|caveat| caveat.message).collect::<Vec<_>>().join("; ");
    assert_eq!(found(steady()), "");
    type Flaw = fn(&mut LoadRecord, &mut OpenLoadRecord);
    let flaws: [(Flaw, &str); 9] = [
        (
            |_, open| (open.late_share, open.late_max_us, open.missed) = (0.5, 5e5, 4000),
            "at worst by 500 ms, 4,000 of them too late to be sent at all: the load threads were not there",
        ),
        (
            |_, open| (open.late_share, open.late_max_us) = (0.02, 5e3),
            "2.00 % of requests were sent more than 1 ms late, at worst by 5.00 ms",
        ),
        (|_, open| open.queued = 7, "7 requests were due while all"),
        (|_, open| open.rate = 1020.0, "1,000/s were sent where 1,020/s were asked for"),
        (|_, open| open.in_flight_mean = 40.0, "makes 20.0 users in flight, but there are 40"),
        (|load, _| load.generator.descriptors_limit = Some(1024), "may have 1,024 descriptors open"),
        (
            |load, _| load.generator.time_wait = Some(27_000),
            "27,000 sockets of connections to the server are in TIME_WAIT",
        ),
        (|load, _| load.generator.clock_ns = Some(1_000_000), "the clock ticks every 1.00 ms"),
        (|load, _| load.generator.cpu_max = 0.9, "used 90.0 % of a core"),
    ];
    for (flaw, said) in flaws {
        let mut load = steady();
        let mut open = load.open.take().unwrap();
        flaw(&mut load, &mut open);
        load.open = Some(open);
        let found = found(load);
        assert!(found.contains(said), "{said:?} is not in {found:?}");
    }
}

#[test]
fn a_server_that_falls_silent_is_told_from_one_that_is_slow() {
    // A row a second: how many were answered, and the longest latency, in microseconds.
    let message = |rows: &[(u64, f64)]| {
        let row = |(index, (completed, longest)): (usize, &(u64, f64))| Second {
            t_s: index as f64,
            length_s: 1.0,
            started: 10,
            completed: *completed,
            latency_max_us: (*completed > 0).then_some(*longest),
            ..Second::default()
        };
        let timeline = rows.iter().enumerate().map(row).collect();
        fell_silent(&LoadRecord { timeline, failed: 1, duration_s: rows.len() as f64, ..LoadRecord::default() })
            .map(|caveat| caveat.message)
    };
    let silent = message(&[(100, 1e3), (60, 1e3), (0, 0.0), (0, 0.0)]).unwrap();
    assert!(silent.starts_with("nothing was answered in the last 2.00 s of 4.00 s"), "{silent}");
    assert_eq!(message(&[(100, 1e3), (60, 1e3)]), None);
    assert_eq!(message(&[(0, 0.0), (0, 0.0), (1, 2.9e6), (0, 0.0), (0, 0.0)]), None, "each answer takes as long");
    assert_eq!(message(&[(0, 0.0), (0, 0.0)]), None, "it never answered: that is told elsewhere");
}

#[test]
fn a_server_that_answered_everything_or_works_for_those_who_gave_up_is_not_silent() {
    let row = |(t_s, completed): (usize, u64)| Second {
        t_s: t_s as f64,
        length_s: 1.0,
        started: 9,
        completed,
        ..Second::default()
    };
    let timeline: Vec<Second> = [9, 0, 0].into_iter().enumerate().map(row).collect();
    let silent =
        LoadRecord { timeline, duration_s: 3.0, started: 27, completed: 9, failed: 18, ..LoadRecord::default() };
    assert!(fell_silent(&silent).is_some());
    assert!(
        fell_silent(&LoadRecord { completed: 27, failed: 0, ..silent.clone() }).is_none(),
        "the rest came after the end"
    );
    let errors = [("timeout".to_owned(), 18)].into();
    assert!(fell_silent(&LoadRecord { errors, ..silent }).is_none());
}

#[test]
fn requests_sent_again_are_told_of_where_they_are_many() {
    let load = |retries| {
        let generator = Generator { retries, ..Generator::default() };
        LoadRecord { started: 10_000, generator, ..LoadRecord::default() }
    };
    assert!(retried(&load(9)).is_none() && retried(&LoadRecord::default()).is_none());
    assert!(
        retried(&load(10))
            .is_some_and(|caveat| caveat.message.starts_with("requests were sent again 10 times (0.10 % of all)"))
    );
}

#[test]
fn a_single_connection_on_which_something_came_unasked_is_told_of() {
    assert!(unsolicited(&LoadRecord::default()).is_none() && dirty::unsolicited(&DirtyRecord::default()).is_none());
    let load = unsolicited(&LoadRecord { unsolicited: 1, ..LoadRecord::default() }).unwrap();
    assert!(load.message.starts_with("on 1 connection something came"), "{}", load.message);
    let check = dirty::unsolicited(&DirtyRecord { unsolicited: 2, ..DirtyRecord::default() }).unwrap();
    assert!(check.message.starts_with("on 2 connections of the dirty check"), "{}", check.message);
}

#[test]
fn ten_of_a_hundred_are_enough_for_p90() {
    let caveat = |started| few_samples(&LoadRecord { started, ..LoadRecord::default() }).map(|caveat| caveat.message);
    assert!(caveat(100).is_some_and(|message| message.starts_with("p99.9, p99 rest on")));
    assert!(caveat(99).is_some_and(|message| message.starts_with("p99.9, p99, p90 rest on")));
    assert_eq!(caveat(10_000), None);
}

#[test]
fn a_server_that_hangs_makes_no_more_users_than_there_are() {
    // Some of the last answers took a second beyond the end.
    let load = |mean_us| {
        let mut load = users_who_also_wait(0.0);
        load.latency_us.mean = Some(MeasuredValue::Exactly(mean_us));
        load
    };
    assert!(littles_law(&load(1.3e3)).is_none() && littles_law(&load(0.7e3)).is_some());
}

/// 10 users for 10 s: 1 ms an answer, and so much more from one answer to the next request.
fn users_who_also_wait(wait_s: f64) -> LoadRecord {
    let started = (10.0 * 10.0 / (0.001 + wait_s)) as u64;
    let mut load =
        LoadRecord { started, completed: started, concurrency: 10, duration_s: 10.0, ..LoadRecord::default() };
    load.latency_us.mean = Some(MeasuredValue::Exactly(1e3));
    load
}

#[test]
fn one_lost_request_in_many_does_not_silence_littles_law() {
    assert!(littles_law(&users_who_also_wait(0.0)).is_none());
    let load = |failed| {
        let mut load = users_who_also_wait(0.001);
        load.latency_us.mean = Some(MeasuredValue::MoreThan(1e3));
        LoadRecord { failed, completed: load.started - failed, ..load }
    };
    assert!(littles_law(&load(1)).is_some() && littles_law(&load(load(0).started / 1000 + 1)).is_none());
    let mut load = LoadRecord { failed: 1, completed: 9_999, ..steady() };
    load.latency_us.mean = Some(MeasuredValue::MoreThan(2e4));
    load.open = load.open.map(|open| OpenLoadRecord { in_flight_mean: 40.0, ..open });
    assert!(littles_law(&load).is_some());
}

#[test]
fn users_who_think_break_no_law() {
    let idle = users_who_also_wait(0.02);
    assert!(littles_law(&idle).is_some());
    let of_script = |thought_s| LoadRecord { checks: Some(Checks { thought_s, ..Checks::default() }), ..idle.clone() };
    assert!(littles_law(&of_script(0.0)).is_some() && littles_law(&of_script(95.0)).is_none());
    assert!(littles_law(&LoadRecord { pause_s: 0.02, ..idle }).is_none());
}

#[test]
fn a_check_that_did_not_search_all_of_a_response_says_so() {
    let trial = |cut| [Trial { dirty: Some(DirtyRecord { cut, ..DirtyRecord::default() }), ..Trial::default() }];
    assert!(of(&trial(0)).is_empty());
    let caveats = of(&trial(3));
    assert!(caveats[0].message.starts_with("the end of 3 responses was not searched"), "{}", caveats[0].message);
}

#[test]
fn arrivals_by_chance_may_be_fewer_by_chance() {
    let mut load = steady();
    load.open = load.open.map(|open| OpenLoadRecord { rate: 1015.0, spacing: "poisson".to_owned(), ..open });
    assert!(rate_not_met(&load).is_none());
    load.open = load.open.map(|open| OpenLoadRecord { rate: 1050.0, ..open });
    assert!(rate_not_met(&load).is_some());
}

#[test]
fn quantiles_that_are_open_without_an_estimate_have_a_caveat_that_says_why() {
    let load = |at_most, estimate| {
        let open = Bounds { at_least: 4e6, at_most, estimate, low: estimate, high: estimate };
        let mut load = LoadRecord { started: 100, unanswered: 10, ..LoadRecord::default() };
        load.latency_us.p90 = Some(MeasuredValue::Within(open));
        load
    };
    assert!(drifted(&load(Some(6e6), None)).is_some());
    assert!(drifted(&load(Some(6e6), Some(5e6))).is_none() && drifted(&load(None, None)).is_none());
    assert!(drifted(&load(Some(4.01e6), None)).is_none(), "nobody sees that it is open");
    let message = no_response(&load(Some(6e6), None)).map(|caveat| caveat.message).unwrap_or_default();
    assert!(message.contains("have an interval beside them"), "{message}");
}

/// 50 users for 10 s at 10 ms an answer, but for a while in which nothing was answered.
fn with_silence(length_s: f64) -> LoadRecord {
    let silence = Some(Silence { t_s: 3.2, length_s, waiting: 50 });
    let mut load =
        LoadRecord { started: 45_000, completed: 45_000, duration_s: 10.0, silence, ..LoadRecord::default() };
    load.latency_us.p50 = Some(MeasuredValue::Exactly(1e4));
    load
}

#[test]
fn a_stall_of_a_closed_load_is_named_as_few_requests_show_it() {
    let message = stalled(&with_silence(1.0)).map(|caveat| caveat.message).unwrap();
    assert!(
        message.starts_with("nothing was answered for 1.00 s from 3.20 s on, while 50 requests waited"),
        "{message}"
    );
    assert!(message.ends_with("5,000 more would have been due"), "{message}");
    assert!(stalled(&with_silence(0.2)).is_none() && stalled(&LoadRecord::default()).is_none());
    let open = Some(OpenLoadRecord::default());
    assert!(stalled(&LoadRecord { open, ..with_silence(1.0) }).is_none(), "those that were due waited, and show it");
    let mut slow = with_silence(1.0);
    slow.latency_us.p50 = Some(MeasuredValue::Exactly(2e5));
    assert!(stalled(&slow).is_none(), "each answer takes about as long");
    assert!(stalled(&LoadRecord { completed: 100, ..with_silence(1.0) }).is_none(), "few ask, and few were due");
    assert!(stalled(&LoadRecord { duration_s: 3600.0, ..with_silence(1.0) }).is_none(), "one second of an hour");
}

#[test]
fn a_runner_that_stood_still_says_so() {
    let load = |stopped_s| LoadRecord {
        duration_s: 4.0,
        generator: Generator { stopped_s, ..Generator::default() },
        ..LoadRecord::default()
    };
    let message = stood_still(&load(2.0)).map(|caveat| caveat.message).unwrap();
    assert!(message.starts_with("runner itself stood still for 2.00 s of 4.00 s"), "{message}");
    assert!(stood_still(&load(0.04)).is_none() && stood_still(&LoadRecord::default()).is_none());
}
