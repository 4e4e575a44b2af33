//! Arrivals at the rate of the scenario: does the server keep up with them?

use std::io::Result;
use std::time::Duration;

use super::Inspector;
use crate::analysis::queue_growth::queue_growth;
use crate::record::{ArrivalsRecord, InspectionRecord};
use crate::scenario::{Level, LoadSpec, Model};

/// For so long, and for so many times the time of a request.
const LASTING: Duration = Duration::from_secs(3);
/// A growing queue is looked for in this many parts of it.
const PARTS: u32 = 12;

impl Inspector<'_> {
    /// Sends at the highest rate of an open load; nothing of a closed one.
    pub(super) fn arrivals(&self, record: &mut InspectionRecord) -> Result<()> {
        let Model::Open { .. } = self.plan.load.model else { return Ok(()) };
        if self.is_over() {
            return Ok(());
        }
        let rate = self.plan.load.peak();
        self.says("arrivals at the rate of the load");
        let levels = vec![Level { from: rate, to: rate, lasting: LASTING }];
        let load = LoadSpec {
            levels,
            duration: LASTING,
            requests: None,
            warmup: Duration::ZERO,
            drain: Duration::ZERO,
            ..self.plan.load.clone()
        };
        let (results, curve) = self.drive(&load)?;
        let lasted = results.duration.as_secs_f64();
        let in_flight = curve.in_flight(results.duration, PARTS);
        record.arrivals = Some(ArrivalsRecord {
            rate,
            duration_s: lasted,
            completed: results.measured.whole.completed,
            growth_per_s: queue_growth(&in_flight, lasted / f64::from(PARTS), rate),
            in_flight: in_flight.last().copied().unwrap_or(0.0) as u64,
        });
        Ok(())
    }
}
