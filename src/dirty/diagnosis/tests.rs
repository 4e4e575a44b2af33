use super::*;

#[test]
fn a_burst_is_clean_below_only_if_fewer_were_tried_and_never_showed_it() {
    assert!(clean_below(&[(2, 0), (2, 0), (3, 0), (5, 2)], 5));
    assert!(!clean_below(&[(2, 1), (3, 0), (5, 2)], 5), "two showed it once");
    assert!(!clean_below(&[(3, 2), (5, 0)], 3), "more that showed nothing say nothing");
    assert!(!clean_below(&[(5, 2)], 5), "nothing was tried with fewer");
}

fn series(shown: u64, tries: u64) -> Series {
    Series { tries, shown, ..Series::default() }
}

#[test]
fn urls_that_differ_end_a_leak_only_where_chance_does_not() {
    let ended = |counted: (u64, u64), busted: (u64, u64)| {
        Case { busted: series(busted.0, busted.1), ..case() }.ended_by_own_urls(counted)
    };
    assert!(ended((10, 10), (0, 4)));
    assert!(ended((5, 5), (0, 4)));
    assert!(!ended((3, 10), (0, 4)), "a race that shows in 30 % of tries");
    assert!(!ended((10, 10), (1, 4)));
    assert!(!ended((10, 10), (0, 0)), "no time to see");
}

fn case() -> Case {
    Case {
        evidence: 0,
        stages: VecDeque::new(),
        best: None,
        phase: Phase::Search,
        at_once: Vec::new(),
        busted: Series::default(),
        tail: false,
        firm: false,
        counted: Series::default(),
    }
}
