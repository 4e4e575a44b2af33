//! What a rate above the capacity runs into.

use crate::record::{BrokenBy, CapacityRecord, LimitingResource, ProbeRecord};

/// A server that uses so much of the cores that it could use has none to spare.
const BUSY: f64 = 0.8;
/// A smaller share of errors is not what limits.
const ERRORS: f64 = 0.001;

/// What the server has of cores, and the scenario of rates.
#[derive(Debug, Clone, Copy)]
pub struct LimitContext {
    pub machine_cores: usize,
    /// Where it is known. A process of an interpreter with a global lock uses no more than one core.
    pub workers: Option<u32>,
    pub max_rate: Option<f64>,
}

/// What a higher rate than that of the record runs into; `None` where nothing tells.
pub fn limiting_resource(record: &CapacityRecord, context: LimitContext) -> Option<LimitingResource> {
    let Some(high) = record.high else {
        let at_most = record.rate.zip(context.max_rate).is_some_and(|(rate, most)| rate >= most);
        return at_most.then_some(LimitingResource::MaxRate);
    };
    let broken = record.probes.iter().filter(|probe| probe.rate == high && probe.broken != Some(BrokenBy::Disturbed));
    let (probe, why) = broken.filter_map(|probe| Some((probe, probe.broken.as_ref()?))).next_back()?;
    Some(match why {
        BrokenBy::Generator => LimitingResource::Generator,
        BrokenBy::Disturbed => return None,
        _ if probe.queued > 0 || probe.not_connected > 0 => LimitingResource::Connections,
        _ if probe.error_rate - probe.timeout_rate > ERRORS => LimitingResource::Errors,
        BrokenBy::Rule { .. } if probe.growth.is_none_or(|growth| growth < record.precision / 2.0) => {
            LimitingResource::Rule
        }
        BrokenBy::Rule { .. } | BrokenBy::GrowingQueue if is_busy(probe, context) => LimitingResource::Cpu,
        // Nobody could look whether cores were idle.
        _ if probe.cores.is_none() => return None,
        BrokenBy::Rule { .. } | BrokenBy::GrowingQueue => LimitingResource::Pool,
    })
}

/// Whether the server had no core to spare: of those that its workers can use, or of those that runner left it.
fn is_busy(probe: &ProbeRecord, context: LimitContext) -> bool {
    let machine = context.machine_cores as f64;
    let Some(cores) = probe.cores else { return false };
    let usable = context.workers.map_or(machine, |workers| f64::from(workers).min(machine));
    cores >= BUSY * usable || cores + probe.generator_cores >= BUSY * machine
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(probe: ProbeRecord) -> Option<LimitingResource> {
        let probes = vec![ProbeRecord { rate: 410.0, ..probe }];
        let record = CapacityRecord {
            rate: Some(400.0),
            high: Some(410.0),
            precision: 0.03,
            probes,
            ..CapacityRecord::default()
        };
        limiting_resource(&record, LimitContext { machine_cores: 8, workers: Some(2), max_rate: None })
    }

    #[test]
    fn a_queue_grows_before_busy_cores_or_before_a_pool() {
        let queue = |cores| ProbeRecord {
            broken: Some(BrokenBy::GrowingQueue),
            growth: Some(0.02),
            cores,
            ..ProbeRecord::default()
        };
        assert_eq!(told(queue(Some(1.8))), Some(LimitingResource::Cpu));
        assert_eq!(told(queue(Some(0.1))), Some(LimitingResource::Pool));
        assert_eq!(told(queue(None)), None);
        let shared = ProbeRecord { generator_cores: 6.0, ..queue(Some(1.0)) };
        assert_eq!(told(shared), Some(LimitingResource::Cpu), "of the machine's cores none is left");
    }

    #[test]
    fn errors_and_connections_are_told_apart_from_a_rule() {
        let rule = || Some(BrokenBy::Rule { rule: "errors.rate < 0.1%".to_owned(), observed: None });
        let probe = || ProbeRecord { broken: rule(), growth: Some(0.0), cores: Some(0.5), ..ProbeRecord::default() };
        assert_eq!(told(probe()), Some(LimitingResource::Rule));
        assert_eq!(told(ProbeRecord { error_rate: 0.2, ..probe() }), Some(LimitingResource::Errors));
        assert_eq!(
            told(ProbeRecord { error_rate: 0.2, not_connected: 9, ..probe() }),
            Some(LimitingResource::Connections)
        );
        let timeouts = ProbeRecord { error_rate: 0.2, timeout_rate: 0.2, growth: Some(0.2), ..probe() };
        assert_eq!(told(timeouts), Some(LimitingResource::Pool), "who waits too long is queued");
        assert_eq!(
            told(ProbeRecord { broken: Some(BrokenBy::Generator), ..probe() }),
            Some(LimitingResource::Generator)
        );
    }

    #[test]
    fn without_a_rate_that_broke_only_the_highest_allowed_limits() {
        let record = CapacityRecord { rate: Some(400.0), ..CapacityRecord::default() };
        let context = |max_rate| LimitContext { machine_cores: 8, workers: None, max_rate };
        assert_eq!(limiting_resource(&record, context(Some(400.0))), Some(LimitingResource::MaxRate));
        assert_eq!(limiting_resource(&record, context(None)), None);
    }
}
