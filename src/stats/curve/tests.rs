use super::*;

fn steps(all: &[(u64, u64, u64, u64)]) -> Vec<Step> {
    let step = |(at, answered, cut, failed): &(u64, u64, u64, u64)| Step {
        at: *at,
        answered: *answered,
        cut: *cut,
        failed: *failed,
    };
    all.iter().map(step).collect()
}

/// Remission of leukaemia under 6-MP, in weeks (Freireich et al. 1963): the textbook case of Kaplan and Meier.
pub const REMISSION: [(u64, u64, u64, u64); 16] = [
    (6, 3, 1, 0),
    (7, 1, 0, 0),
    (9, 0, 1, 0),
    (10, 1, 1, 0),
    (11, 0, 1, 0),
    (13, 1, 0, 0),
    (16, 1, 0, 0),
    (17, 0, 1, 0),
    (19, 0, 1, 0),
    (20, 0, 1, 0),
    (22, 1, 0, 0),
    (23, 1, 0, 0),
    (25, 0, 1, 0),
    (32, 0, 2, 0),
    (34, 0, 1, 0),
    (35, 0, 1, 0),
];

#[test]
fn a_textbook_case_comes_out_as_in_the_book() {
    let curve = Curve::of(&steps(&REMISSION));
    let left = |at: u64| curve.points.iter().find(|point| point.at == at).map(|point| 1.0 - point.share.value).unwrap();
    // As R's survfit prints.
    for (at, expected) in [(6, 0.857), (7, 0.807), (10, 0.753), (13, 0.690), (16, 0.627), (22, 0.538), (23, 0.448)] {
        assert!((left(at) - expected).abs() < 5e-4, "{at}: {}", left(at));
    }
    // survfit(conf.type = "log-log"): 0.620 to 0.952 at 6, 0.188 to 0.680 at 23; the median is 23, from 13 on.
    let at = |at: u64| curve.points.iter().find(|point| point.at == at).unwrap().share;
    let near = |a: f64, b: f64| (a - b).abs() < 1e-3;
    assert!(near(1.0 - at(6).high, 0.620) && near(1.0 - at(6).low, 0.952), "{:?}", at(6));
    assert!(near(1.0 - at(23).high, 0.188) && near(1.0 - at(23).low, 0.680), "{:?}", at(23));
    assert_eq!(curve.estimate(0.5), Some(Estimate { value: 23, low: 13, high: None }));
}

#[test]
fn without_failures_the_variance_is_greenwoods() {
    let mut waiting = 21.0;
    let mut sum = 0.0;
    let mut shares = Shares::of(21);
    for step in steps(&REMISSION) {
        let share = shares.after(&step);
        let (answered, all) = (step.answered as f64, step.answered + step.cut);
        sum += answered / (waiting * (waiting - answered));
        waiting -= all as f64;
        let left: f64 = 1.0 - share.value;
        let end = left.powf((NORMAL_95 * sum.sqrt() / left.ln().abs()).exp());
        assert!((1.0 - share.high - end).abs() < 1e-9, "{share:?}");
    }
}

#[test]
fn those_that_failed_at_once_are_a_share_that_is_never_answered() {
    let answered = [(10, 20, 0, 0), (20, 20, 0, 0), (30, 20, 5, 0), (40, 10, 0, 0), (50, 5, 0, 0)];
    let alone = Curve::of(&steps(&answered));
    let mut all = steps(&answered);
    all.insert(0, Step { at: 1, failed: 80, ..Step::default() });
    let with_failed = Curve::of(&all);
    for (one, other) in alone.points.iter().zip(&with_failed.points[1..]) {
        assert!((one.share.value / 2.0 - other.share.value).abs() < 1e-9);
    }
    assert_eq!(with_failed.estimate(0.51), None);
    // Binomial, as nothing was cut off until then: 40 of 160.
    let share = with_failed.points[2].share;
    let deviation = (0.25f64 * 0.75 / 160.0).sqrt() / (0.75 * 0.75f64.ln().abs());
    assert!((1.0 - share.high - 0.75f64.powf((NORMAL_95 * deviation).exp())).abs() < 1e-9, "{share:?}");
}

#[test]
fn a_share_that_comes_to_all_is_as_uncertain_as_those_it_rests_on() {
    let curve = Curve::of(&steps(&[(100, 1_000, 0, 0)]));
    // The rule of three, two-sided: up to 3.7 of 1,000 might be longer.
    assert_eq!(curve.estimate(0.99), Some(Estimate { value: 100, low: 100, high: Some(100) }));
    assert_eq!(curve.estimate(0.997), Some(Estimate { value: 100, low: 100, high: None }));
}
