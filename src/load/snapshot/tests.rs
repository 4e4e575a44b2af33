use super::*;
use crate::load::tests::plan;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// After a request of each 10 ms up to `at`, answered in 5 ms.
fn snapshot(thread: u32, at: u64) -> Snapshot {
    let mut measured = Measurement::new(&plan());
    for due in (0..at).step_by(10) {
        let outcome = Outcome::Answered(200);
        let exchange =
            Exchange { intended: ms(due), sent: Some(ms(due)), first_byte: None, done: ms(due + 5), outcome };
        measured.record(0, &exchange, 100);
    }
    Snapshot { thread, at: ms(at), measured, pending: Vec::new(), queued: Vec::new() }
}

#[test]
fn all_who_were_asked_are_awaited_and_come_in_their_order() {
    let desks = [SnapshotDesk::default(), SnapshotDesk::default()];
    let mut request = ask(desks.iter());
    assert!(request.poll().is_none());
    desks[1].answer(|| snapshot(1, 40));
    assert!(request.poll().is_none(), "one is missing");
    desks[0].answer(|| snapshot(0, 50));
    assert_eq!(request.poll().unwrap(), [snapshot(0, 50), snapshot(1, 40)]);
}

#[test]
fn each_who_asks_gets_a_copy_and_it_is_made_once() {
    let desk = SnapshotDesk::default();
    let requests = [ask([&desk].into_iter()), ask([&desk].into_iter())];
    let mut made = 0;
    desk.answer(|| {
        made += 1;
        snapshot(0, 30)
    });
    assert_eq!(requests.map(|request| request.wait(ms(0))), [[snapshot(0, 30)], [snapshot(0, 30)]]);
    desk.answer(|| unreachable!("nobody asks"));
    assert_eq!(made, 1);
}

#[test]
fn one_that_hangs_is_left_out_and_one_that_has_gone_is_not_awaited() {
    let desks = [SnapshotDesk::default(), SnapshotDesk::default(), SnapshotDesk::default()];
    desks[2].close(|| unreachable!("nobody ever asked"));
    let request = ask(desks.iter());
    desks[0].answer(|| snapshot(0, 30));
    assert_eq!(request.wait(ms(10)), [snapshot(0, 30)]);
}

#[test]
fn the_last_copy_of_a_thread_that_ended_stays_if_anybody_had_asked() {
    let desk = SnapshotDesk::default();
    let mut before = ask([&desk].into_iter());
    desk.close(|| snapshot(0, 200));
    assert_eq!(before.poll().unwrap(), [snapshot(0, 200)]);
    assert_eq!(ask([&desk].into_iter()).poll().unwrap(), [snapshot(0, 200)]);
}

#[test]
fn what_is_pending_counts_with_what_it_has_waited() {
    let pending = vec![PendingRequest { kind: 0, intended: ms(10), sent: Some(ms(12)) }];
    let copy = Snapshot { pending, queued: vec![ms(60)], ..snapshot(0, 100) };
    let text = serde_json::to_string(&copy).unwrap();
    assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), copy, "it travels");
    let measured = copy.clone().cut_off();
    assert_eq!((measured.whole.completed, measured.whole.unanswered, measured.never_sent), (10, 2, 1));
    assert_eq!(measured.generator.in_flight, ms(90 + 40));
    let longest = measured.whole.latency.quantile(1.0).unwrap().likely();
    assert!((longest / 90e6 - 1.0).abs() < 0.01, "the longest wait goes on: {longest}");
    assert_eq!(copy.latency(), measured.whole.latency);
}
