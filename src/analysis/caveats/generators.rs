//! Reasons to trust a load less that several generators drove.

use crate::record::{Caveat, GeneratorRecord, LoadRecord};
use crate::units::{counted, show_percentage, show_time};

/// Clocks that may be so far apart show in figures, in seconds; or such a share of the load.
const CLOCK_ERROR_S: f64 = 0.05;
const CLOCK_ERROR_SHARE: f64 = 0.01;
/// A generator that is so much busier than the least busy one has another machine, or a neighbour.
const UNEVEN: f64 = 1.5;
/// Below this no generator is near its limit, in cores.
const BUSY: f64 = 0.5;

/// One of them was not there to the end.
pub(super) fn lost_generator(load: &LoadRecord) -> Option<Caveat> {
    let lost: Vec<&GeneratorRecord> = load.generators.iter().filter(|generator| generator.lost.is_some()).collect();
    let first = lost.first()?;
    let why = first.lost.as_ref()?;
    let others = match lost.len() {
        1 => String::new(),
        n => format!(", and {} more", n - 1),
    };
    let gap = (why.heard_s - why.measured_s).max(0.0);
    let missing = match gap {
        gap if gap > 0.0 => format!(", without its last {}", show_time(gap)),
        _ => String::new(),
    };
    let in_flight: u64 = lost.iter().filter_map(|generator| generator.lost.as_ref()).map(|lost| lost.in_flight).sum();
    let unanswered = match in_flight {
        0 => String::new(),
        n => format!(", and {} that it had in flight then count as unanswered", counted(n, "request")),
    };
    let message = format!(
        "generator {}{others} was lost {} after the start: what it had measured by {} is in the figures{missing}{unanswered}",
        first.name,
        show_time(why.heard_s),
        show_time(why.measured_s)
    );
    Some(Caveat::new(message, "see what its machine says of the agent, and run the load again"))
}

/// Nobody knows precisely enough when one of them began.
pub(super) fn clocks_apart(load: &LoadRecord) -> Option<Caveat> {
    let worst = load.generators.iter().max_by(|one, other| one.clock_error_us.total_cmp(&other.clock_error_us))?;
    let error = worst.clock_error_us / 1e6;
    let message = format!(
        "the clock of generator {} is known to {} only: it may have begun so much earlier or later than the others",
        worst.name,
        show_time(error)
    );
    (error > CLOCK_ERROR_S || error > CLOCK_ERROR_SHARE * load.duration_s)
        .then(|| Caveat::new(message, "use generators that are nearer to each other, or a longer load"))
}

/// The same work takes one of them much more.
pub(super) fn uneven_generators(load: &LoadRecord) -> Option<Caveat> {
    let by_cpu = |one: &&GeneratorRecord, other: &&GeneratorRecord| one.cpu_max.total_cmp(&other.cpu_max);
    let most = load.generators.iter().max_by(by_cpu)?;
    let least = load.generators.iter().filter(|generator| generator.lost.is_none()).min_by(by_cpu)?;
    let message = format!(
        "the busiest thread of generator {} used {} of a core, that of {} {}: they are not alike, and the latencies of one may be its own",
        most.name,
        show_percentage(most.cpu_max),
        least.name,
        show_percentage(least.cpu_max)
    );
    (most.cpu_max > BUSY && most.cpu_max > UNEVEN * least.cpu_max)
        .then(|| Caveat::new(message, "drive it by machines of one kind that have nothing else to do"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::LostGenerator;

    fn load(generators: Vec<GeneratorRecord>) -> LoadRecord {
        LoadRecord { duration_s: 10.0, generators, ..LoadRecord::default() }
    }

    fn generator(name: &str, cpu_max: f64, clock_error_us: f64) -> GeneratorRecord {
        GeneratorRecord { name: name.to_owned(), cpu_max, clock_error_us, ..GeneratorRecord::default() }
    }

    #[test]
    fn generators_that_are_alike_and_stay_are_no_reason() {
        let load = load(vec![generator("a", 0.6, 90.0), generator("b", 0.5, 40_000.0)]);
        assert!([lost_generator, clocks_apart, uneven_generators].iter().all(|rule| rule(&load).is_none()));
        let load = self::load(Vec::new());
        assert!([lost_generator, clocks_apart, uneven_generators].iter().all(|rule| rule(&load).is_none()));
    }

    #[test]
    fn one_that_is_lost_slow_or_far_away_is_named() {
        let lost = LostGenerator { heard_s: 5.2, measured_s: 4.0, in_flight: 7, ended_load: true };
        let gone = GeneratorRecord { lost: Some(lost), ..generator("b", 0.2, 10.0) };
        let told = lost_generator(&load(vec![generator("a", 0.2, 10.0), gone])).unwrap().message;
        assert!(told.contains("generator b") && told.contains("7 requests") && told.contains("last 1.20 s"), "{told}");
        let told = clocks_apart(&load(vec![generator("a", 0.2, 60_000.0), generator("b", 0.2, 10.0)])).unwrap().message;
        assert!(told.contains("generator a is known to 60.0 ms"), "{told}");
        let told = uneven_generators(&load(vec![generator("a", 0.9, 1.0), generator("b", 0.4, 1.0)])).unwrap().message;
        assert!(told.contains("generator a used 90"), "{told}");
    }
}
