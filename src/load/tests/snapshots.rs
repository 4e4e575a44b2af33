//! Copies of what a load has measured, while it is under way.

use super::*;
use crate::load::snapshot::Snapshot;
use crate::scenario::Spacing;

const PATIENCE: Duration = Duration::from_secs(5);

/// Drives a load, and meanwhile does something else.
fn meanwhile<T>(
    address: SocketAddr,
    load: &LoadSpec,
    live: &Arc<LiveCounters>,
    look: impl FnOnce() -> T,
) -> (Results, T) {
    let target = Target::tcp(address, None);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run(load, None, &[], &target, 1, &CancellationToken::new(), live).unwrap());
        let looked = look();
        (running.join().unwrap(), looked)
    })
}

fn answers(listener: TcpListener) {
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        std::thread::spawn(move || {
            while hear(&mut stream) {
                std::thread::sleep(Duration::from_millis(1));
                let _ = stream.write_all(OK);
            }
        });
    }
}

/// Waits until so many requests were started.
fn until_started(live: &LiveCounters, started: u64) {
    while live.progress().started < started {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn completed(snapshots: &[Snapshot]) -> u64 {
    snapshots.iter().map(|snapshot| snapshot.measured.whole.completed).sum()
}

#[test]
fn the_copies_of_a_load_grow_until_the_last_which_is_all_of_it() {
    let load = LoadSpec {
        levels: vec![Level { from: 8.0, to: 8.0, lasting: Duration::from_millis(400) }],
        duration: Duration::from_millis(400),
        threads: Some(2),
        kinds: ["GET /", "again"]
            .map(|name| WeightedRequest { name: name.to_owned(), ..plan().kinds[0].clone() })
            .into(),
        ..plan()
    };
    let live = Arc::new(LiveCounters::new(threads(&load)));
    let (results, ()) = meanwhile(server(answers), &load, &live, || {
        until_started(&live, 20);
        let first = live.ask_for_snapshots().wait(PATIENCE);
        assert_eq!(first.iter().map(|snapshot| snapshot.thread).collect::<Vec<_>>(), [0, 1]);
        assert!(first.iter().all(|snapshot| snapshot.pending.len() <= 4 && snapshot.measured.connections.opened == 4));
        let second = live.ask_for_snapshots().wait(PATIENCE);
        assert!(completed(&first) > 0 && completed(&first) <= completed(&second));
        assert!(first[0].at < second[0].at);
        let of_kinds = |of: &Snapshot| of.measured.kinds.iter().map(|kind| kind.completed).sum::<u64>();
        assert!(second.iter().all(|of| (1..=of.measured.whole.completed).contains(&of_kinds(of))));
    });
    let last = live.ask_for_snapshots().wait(PATIENCE);
    let merged = last.into_iter().map(Snapshot::cut_off).reduce(|mut all, one| {
        all.merge(&one);
        all
    });
    let merged = merged.unwrap();
    assert_eq!((&merged.whole, merged.connections), (&results.measured.whole, results.measured.connections));
    assert_eq!((merged.kinds.len(), merged.kinds), (2, results.measured.kinds));
}

#[test]
fn nobody_who_did_not_ask_while_it_went_on_costs_a_copy() {
    let live = Arc::new(LiveCounters::new(1));
    let target = Target::tcp(server(answers), None);
    run(&plan(), None, &[], &target, 1, &CancellationToken::new(), &live).unwrap();
    assert_eq!(live.ask_for_snapshots().poll(), Some(Vec::new()));
}

#[test]
fn what_a_server_leaves_unanswered_is_in_the_copy_with_its_wait() {
    let silent = |listener: TcpListener| {
        let open: Vec<_> = listener.incoming().collect();
        drop(open);
    };
    let load = LoadSpec {
        model: Model::Open { spacing: Spacing::Uniform, max_concurrency: 2 },
        levels: vec![Level { from: 50.0, to: 50.0, lasting: Duration::from_millis(300) }],
        duration: Duration::from_millis(300),
        drain: Duration::from_millis(10),
        ..plan()
    };
    let live = Arc::new(LiveCounters::new(threads(&load)));
    let (_, snapshots) = meanwhile(server(silent), &load, &live, || {
        until_started(&live, 8);
        live.ask_for_snapshots().wait(PATIENCE)
    });
    let [snapshot] = &snapshots[..] else { panic!("{snapshots:?}") };
    assert_eq!((snapshot.pending.len(), snapshot.measured.whole.started()), (2, 0));
    assert!(snapshot.queued.len() >= 5, "{:?}", snapshot.queued);
    let begun = (snapshot.pending.len() + snapshot.queued.len()) as u64;
    assert_eq!(snapshot.clone().cut_off().whole.unanswered, begun);
    assert_eq!(snapshot.clone().latency().cut_len(), begun);
}
