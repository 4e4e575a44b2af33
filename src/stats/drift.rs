//! Whether waits changed while they were measured.

use super::curve::Step;

/// Two groups of one distribution differ by more than this in 1 of 370 cases.
const DEVIATIONS: f64 = 3.0;

/// Whether answers came at another pace in one group than in the other, beyond what is chance.
///
/// The log-rank test: at each time at which a response came, it would have come to either group in proportion to those of it
/// that still waited; so requests that were cut off count for as long as they waited. Source: Mantel (1966), "Evaluation of
/// survival data and two new rank order statistics arising in its consideration".
pub(super) fn differ(one: &[Step], other: &[Step]) -> bool {
    let ended = |steps: &[Step]| steps.iter().map(|step| step.answered + step.cut + step.failed).sum::<u64>();
    let (mut left_of_one, mut left_of_other) = (ended(one), ended(other));
    let (mut difference, mut variance) = (0.0, 0.0);
    let (mut ones, mut others) = (one.iter().peekable(), other.iter().peekable());
    while let Some(at) = [ones.peek(), others.peek()].into_iter().flatten().map(|step| step.at).min() {
        let a = ones.next_if(|step| step.at == at).copied().unwrap_or_default();
        let b = others.next_if(|step| step.at == at).copied().unwrap_or_default();
        let answered = (a.answered + b.answered) as f64;
        let waiting = (left_of_one + left_of_other) as f64;
        if answered > 0.0 && waiting > 1.0 {
            let share = left_of_one as f64 / waiting;
            difference += a.answered as f64 - answered * share;
            variance += answered * share * (1.0 - share) * (waiting - answered) / (waiting - 1.0);
        }
        left_of_one -= a.answered + a.cut + a.failed;
        left_of_other -= b.answered + b.cut + b.failed;
    }
    difference.abs() > DEVIATIONS * f64::sqrt(variance)
}

#[cfg(test)]
mod tests {
    use super::super::curve::tests::REMISSION;
    use super::*;

    fn steps(all: &[(u64, u64, u64)]) -> Vec<Step> {
        all.iter().map(|(at, answered, cut)| Step { at: *at, answered: *answered, cut: *cut, failed: 0 }).collect()
    }

    #[test]
    fn a_textbook_case_comes_out_as_in_the_book() {
        // Remission of leukaemia, 6-MP against placebo (Freireich et al. 1963): the log-rank chi-square is 16.8, as R's
        // survdiff prints, so 4.1 deviations.
        let treated = steps(&REMISSION.map(|(at, answered, cut, _)| (at, answered, cut)));
        let placebo = steps(&[
            (1, 2, 0),
            (2, 2, 0),
            (3, 1, 0),
            (4, 2, 0),
            (5, 2, 0),
            (8, 4, 0),
            (11, 2, 0),
            (12, 2, 0),
            (15, 1, 0),
            (17, 1, 0),
            (22, 1, 0),
            (23, 1, 0),
        ]);
        assert!(differ(&treated, &placebo) && differ(&placebo, &treated));
        assert!(!differ(&treated, &treated));
    }

    #[test]
    fn those_who_only_waited_less_do_not_differ() {
        let early: Vec<Step> = steps(&(1..=100).map(|at| (at, 1, 0)).collect::<Vec<_>>());
        // One in a hundred was answered at each time, of those that were still waiting; half were cut off at 50.
        let late = steps(&(1..=50).map(|at| (at, 1, if at == 50 { 50 } else { 0 })).collect::<Vec<_>>());
        assert!(!differ(&early, &late) && !differ(&early, &[]));
        let slower = steps(&(1..=50).map(|at| (at, 0, 2)).collect::<Vec<_>>());
        assert!(differ(&early, &slower));
    }
}
