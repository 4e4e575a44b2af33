//! Watching a load that several generators drive: what they tell, and who is lost.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::super::bus::Subscription;
use super::super::message::{PartReport, ProgressReport, decode, is_elsewhere, unpack};
use super::super::subjects::{self, RECORDS};
use super::super::{clock, store};
use super::OnLost;
use super::generator_state::GeneratorState;
use super::shared::{LOOK, SharedRun};
use crate::load::{LiveCounters, LoadProgress};
use crate::record::LostGenerator;
use crate::units::show_duration;

/// A generator that was not heard of for so long is lost.
const LOST_AFTER: Duration = Duration::from_millis(3_000);
/// How often the coordinator says that it is there.
const BEAT: Duration = Duration::from_millis(500);
/// How long a generator may take from its end to its last part.
const LAST_PART_WITHIN: Duration = Duration::from_secs(30);
/// A NATS server that is away for so long is not waited for any more: agents have ended their loads long before.
const AWAY_TOO_LONG: Duration = Duration::from_secs(60);
/// The same of a load that is to end.
const AWAY_AT_THE_END: Duration = Duration::from_secs(10);

impl SharedRun<'_> {
    /// Watches a load until every generator has sent its last part, or is lost.
    pub(super) fn watch(
        &self,
        progress: &Subscription,
        parts: &Subscription,
        (live, zero): (&LiveCounters, u64),
        cancel: &CancellationToken,
    ) -> Vec<GeneratorState> {
        let begun = clock::instant(zero);
        let mut states: Vec<GeneratorState> = (0..self.slices.len())
            .map(|_| GeneratorState {
                heard: begun,
                progress: BTreeMap::new(),
                last_progress: LoadProgress::default(),
                part: None,
                lost: None,
            })
            .collect();
        let mut watch = Watch { beat: Instant::now(), stopped: None, connected: Instant::now() };
        while !states.iter().all(GeneratorState::is_over) {
            while let Some(heard) = progress.next(LOOK) {
                self.take_progress(&heard.payload, &mut states);
            }
            while let Some(heard) = parts.next(Duration::from_millis(1)) {
                self.take_part(&heard.payload, &mut states);
            }
            self.show(&mut states, live);
            self.look(&mut states, &mut watch, begun, cancel);
        }
        self.show(&mut states, live);
        states
    }

    fn take_progress(&self, payload: &[u8], states: &mut [GeneratorState]) {
        let Some(report) = decode::<ProgressReport>(payload).filter(|report| report.load == self.number) else {
            return;
        };
        let Some(state) = states.get_mut(report.generator as usize) else { return };
        state.heard = Instant::now();
        state.progress.insert(report.tick, report.progress);
        state.last_progress = report.progress;
    }

    fn take_part(&self, payload: &[u8], states: &mut [GeneratorState]) {
        let kept = is_elsewhere(payload).and_then(|name| store::get(&self.coordinator.bus, RECORDS, name).ok());
        let Some(report) = unpack::<PartReport>(kept.as_deref().unwrap_or(payload)) else { return };
        let Some(state) = states.get_mut(report.generator as usize).filter(|_| report.load == self.number) else {
            return;
        };
        let newer = state.part.as_ref().is_none_or(|before| !before.last && before.at <= report.at);
        if newer {
            state.heard = Instant::now();
            state.last_progress = report.progress;
            state.part = Some(report);
        }
    }

    /// Shows what all have done up to the last time of which all have told: sums of one time, so that rules on rates mean something.
    fn show(&self, states: &mut [GeneratorState], live: &LiveCounters) {
        let open = || states.iter().filter(|state| !state.is_over());
        let common = open().map(|state| state.progress.keys().next_back().copied()).min().flatten();
        for (state, slice) in states.iter_mut().zip(&self.slices) {
            let known = match common {
                Some(common) if !state.is_over() => state.progress.get(&common).copied(),
                // Of those that are at their end the last word counts.
                _ if state.is_over() => Some(state.last_progress),
                _ => None,
            };
            if let Some(progress) = known {
                live.tell(slice.first, progress);
            }
            if let Some(common) = common {
                state.progress = state.progress.split_off(&common);
            }
        }
    }

    /// What is due: signs of life, the wish to stop, and who is lost.
    fn look(&self, states: &mut [GeneratorState], watch: &mut Watch, begun: Instant, cancel: &CancellationToken) {
        let now = Instant::now();
        let bus = &self.coordinator.bus;
        if bus.is_connected() {
            if !watch.was_connected(now) {
                // Nobody could be heard meanwhile.
                states.iter_mut().for_each(|state| state.heard = state.heard.max(now));
            }
            watch.connected = now;
        }
        if cancel.is_cancelled() {
            watch.stopped.get_or_insert(now);
        }
        if now.duration_since(watch.beat) >= BEAT {
            watch.beat = now;
            match watch.stopped {
                Some(_) => self.stop(),
                None => self.beat(),
            }
        }
        let plan = self.load.plan;
        let ends = begun + plan.warmup + plan.duration + plan.drain + LAST_PART_WITHIN;
        for (index, state) in states.iter_mut().enumerate().filter(|(_, state)| !state.is_over()) {
            let silent = now.saturating_duration_since(state.heard);
            let away = now.saturating_duration_since(watch.connected);
            let is_late = plan.requests.is_none() && now > ends
                || watch.stopped.is_some_and(|at| now > at + plan.drain + LAST_PART_WITHIN)
                // Without a connection nobody can be heard: agents end by themselves, and nobody waits for ever.
                || away > AWAY_TOO_LONG
                || away > AWAY_AT_THE_END && watch.stopped.is_some();
            if !is_late && (silent < LOST_AFTER || !watch.was_connected(now)) {
                continue;
            }
            let name = &self.coordinator.agents[index].name;
            warn!(generator = name, "lost: nothing was heard of it for {}", show_duration(silent));
            // Its last part may have come while nobody listened.
            let subject = subjects::part(&self.coordinator.run, self.number, index as u32);
            if watch.was_connected(now)
                && let Some(bytes) = store::last_part(bus, &subject)
                && let Some(report) = unpack::<PartReport>(&bytes)
            {
                let is_last = report.last;
                state.part = Some(report);
                if is_last {
                    continue;
                }
            }
            let since = |at: Instant| at.saturating_duration_since(begun).as_secs_f64();
            let measured_s = state.part.as_ref().map_or(0.0, |part| part.at as f64 / 1e9);
            state.lost = Some(self.lost(since(state.heard), measured_s, watch));
        }
        // One that ended by itself before its time is lost, too.
        for state in states.iter_mut().filter(|state| state.lost.is_none()) {
            let Some(part) = state.part.as_ref().filter(|part| part.last && part.cut.is_some()) else { continue };
            if watch.stopped.is_none() {
                let at = part.at as f64 / 1e9;
                state.lost = Some(self.lost(at, at, watch));
            }
        }
    }

    /// A generator is lost, and the load is ended for it unless it is to go on.
    fn lost(&self, heard_s: f64, measured_s: f64, watch: &mut Watch) -> LostGenerator {
        let ended_load = self.coordinator.options.on_lost == OnLost::Stop;
        if ended_load {
            watch.stopped.get_or_insert_with(Instant::now);
            self.stop();
        }
        LostGenerator { heard_s, measured_s, in_flight: 0, ended_load }
    }
}

/// What a coordinator remembers of the watch over a load.
struct Watch {
    /// When it said last that it is there.
    beat: Instant,
    /// When the load was asked to end.
    stopped: Option<Instant>,
    /// When the connection stood last.
    connected: Instant,
}

impl Watch {
    /// Whether the connection has stood at the last looks.
    fn was_connected(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.connected) < Duration::from_millis(500)
    }
}
