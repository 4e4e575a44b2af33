//! The loads of a search for the capacity: the scenario's own requests, but who sends when is the search's.

use std::time::Duration;

use crate::scenario::{CapacitySpec, Level, LoadSpec, Model, Protocol, Spacing};

/// A load of users takes at least this long, and as many times the latency of a request alone; its warm-up a quarter of it.
const SATURATION: Duration = Duration::from_millis(800);
const SATURATION_LATENCIES: f64 = 8.0;
/// A rate is tried for this share of the time that there is, but at least for so long, for as many arrivals, and for as many
/// times the latency of a request alone; at most for a fifth of the time.
const PROBE_SHARE: f64 = 0.08;
const PROBE_LEAST: Duration = Duration::from_millis(1200);
const PROBE_ARRIVALS: f64 = 30.0;
const PROBE_LATENCIES: f64 = 12.0;
const PROBE_MOST: f64 = 0.2;
/// Of that, the share that is left out of the figures.
const WARMUP: f64 = 0.2;
/// Parts of a probe whose latencies are compared.
const SEGMENTS: u32 = 10;
/// Connections where the scenario does not say how many there may be.
const LEAST_CONNECTIONS: u32 = 1000;
const MOST_CONNECTIONS: u32 = 20_000;
/// Three times as many as there are while nothing queues are there for what queues.
const SPARE: f64 = 3.0;

/// Makes the loads of a search.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProbeLoads<'a> {
    pub plan: &'a CapacitySpec,
    pub load: &'a LoadSpec,
    /// Users who have logged in; none without a login.
    pub users: usize,
}

impl ProbeLoads<'_> {
    /// So many requests, one after another.
    pub fn alone(self, requests: u32) -> LoadSpec {
        // Each ends by its time-out, if by nothing else.
        let lasting = self.load.timeout * requests;
        let levels = vec![Level { from: 1.0, to: 1.0, lasting }];
        LoadSpec { model: Model::Closed, levels, duration: lasting, requests: Some(requests.into()), ..self.base() }
    }

    /// So many users who each wait for their response.
    pub fn users(self, users: u32, alone: Duration) -> LoadSpec {
        let lasting = SATURATION.max(alone.mul_f64(SATURATION_LATENCIES)).min(self.plan.time.mul_f64(PROBE_MOST));
        let levels = vec![Level { from: users.into(), to: users.into(), lasting }];
        LoadSpec { model: Model::Closed, levels, duration: lasting, warmup: lasting / 4, ..self.base() }
    }

    /// Arrivals at a rate, in stages of one length, so that a latency that grows is seen.
    pub fn arrivals(self, rate: f64, alone: Duration) -> LoadSpec {
        let lasting = self.lasting(rate, alone);
        let level = Level { from: rate, to: rate, lasting: lasting.mul_f64(1.0 - WARMUP) / SEGMENTS };
        LoadSpec {
            model: Model::Open { spacing: self.spacing(), max_concurrency: self.connections(rate, alone) },
            levels: vec![level; SEGMENTS as usize],
            duration: level.lasting * SEGMENTS,
            warmup: lasting.mul_f64(WARMUP),
            drain: self.load.timeout.min(Duration::from_secs(1).max(alone * 3)),
            ..self.base()
        }
    }

    /// How long a rate is tried, warm-up included.
    pub fn lasting(self, rate: f64, alone: Duration) -> Duration {
        let wanted = self.plan.time.mul_f64(PROBE_SHARE).max(PROBE_LEAST).max(alone.mul_f64(PROBE_LATENCIES));
        let arrivals = Duration::from_secs_f64((PROBE_ARRIVALS / rate.max(1e-3)).min(3600.0));
        wanted.max(arrivals).min(self.plan.time.mul_f64(PROBE_MOST))
    }

    /// Slower growth of the latency, in seconds a second, is none: a rate so little above the capacity is as good as it. What
    /// comes by chance queues by chance, the less so the more comes.
    pub fn least_growth(self, rate: f64, alone: Duration) -> f64 {
        let chance = match self.spacing() {
            Spacing::Uniform => 0.0,
            Spacing::Poisson => 2.0 / (rate * self.lasting(rate, alone).as_secs_f64()).max(1.0).sqrt(),
        };
        chance.max(self.plan.precision / 6.0)
    }

    /// How requests are spaced.
    pub fn spacing(self) -> Spacing {
        match self.load.model {
            Model::Open { spacing, .. } => spacing,
            Model::Closed => Spacing::Uniform,
        }
    }

    /// The most users. Where users must log in, it is those who have.
    pub fn max_users(self) -> u32 {
        match self.load.model {
            _ if self.users > 0 => u32::try_from(self.users).unwrap_or(MOST_CONNECTIONS),
            Model::Open { max_concurrency, .. } => max_concurrency,
            Model::Closed => MOST_CONNECTIONS,
        }
    }

    /// The most requests at once at a rate.
    fn connections(self, rate: f64, alone: Duration) -> u32 {
        match self.load.model {
            Model::Closed if self.users == 0 => {
                ((rate * alone.as_secs_f64() * SPARE) as u32).clamp(LEAST_CONNECTIONS, MOST_CONNECTIONS)
            }
            _ => self.max_users(),
        }
    }

    /// What all have in common.
    fn base(self) -> LoadSpec {
        let protocol = match self.load.protocol {
            Protocol::Http1 { .. } => Protocol::Http1 { pipeline: 1 },
            http2 @ Protocol::Http2 { .. } => http2,
        };
        LoadSpec { protocol, requests: None, pause: Duration::ZERO, warmup: Duration::ZERO, ..self.load.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tests::plan as load;

    fn plan() -> CapacitySpec {
        CapacitySpec { rules: Vec::new(), time: Duration::from_secs(40), precision: 0.03, max_rate: None }
    }

    const ALONE: Duration = Duration::from_millis(20);

    #[test]
    fn a_rate_is_tried_in_ten_stages_of_one_length_behind_a_warm_up() {
        let (plan, load) = (plan(), load());
        let spec = ProbeLoads { plan: &plan, load: &load, users: 0 }.arrivals(400.0, ALONE);
        assert_eq!((spec.levels.len(), spec.duration), (10, spec.levels.iter().map(|level| level.lasting).sum()));
        assert!(spec.levels.iter().all(|level| level.from == 400.0 && level.to == 400.0));
        assert_eq!(spec.warmup + spec.duration, Duration::from_millis(3200));
        assert_eq!(spec.users(), 1000, "there is room for what queues");
    }

    #[test]
    fn a_slow_rate_and_a_slow_server_take_longer_but_never_most_of_the_time() {
        let (plan, load) = (plan(), load());
        let loads = ProbeLoads { plan: &plan, load: &load, users: 0 };
        assert_eq!(loads.lasting(10.0, ALONE), Duration::from_millis(3200));
        assert_eq!(loads.lasting(5.0, ALONE), Duration::from_secs(6));
        assert_eq!(loads.lasting(0.5, ALONE), Duration::from_secs(8));
        assert_eq!(loads.lasting(400.0, Duration::from_millis(500)), Duration::from_secs(6));
    }

    #[test]
    fn what_comes_by_chance_may_queue_by_chance() {
        let (plan, closed) = (plan(), load());
        let model = Model::Open { spacing: Spacing::Poisson, max_concurrency: 50 };
        let open = LoadSpec { model, ..load() };
        let least = |load: &LoadSpec| ProbeLoads { plan: &plan, load, users: 0 }.least_growth(400.0, ALONE);
        assert_eq!(least(&closed), 0.005);
        assert!(least(&open) > 0.05, "{}", least(&open));
        assert_eq!(ProbeLoads { plan: &plan, load: &open, users: 0 }.arrivals(400.0, ALONE).users(), 50);
    }

    #[test]
    fn users_who_have_logged_in_are_all_that_there_are() {
        let (plan, load) = (plan(), load());
        let loads = ProbeLoads { plan: &plan, load: &load, users: 7 };
        assert_eq!((loads.max_users(), loads.arrivals(400.0, ALONE).users()), (7, 7));
    }
}
