//! What a check and a sweep have in common for who runs them: phases, each on a server of its own or on the one at hand.

use tokio_util::sync::CancellationToken;

use super::stopwatch::Stopwatch;
use crate::net::target::Target;

/// Runs in phases: ask for [`Phased::next_phase`], give that a server, [`Phased::run`] it, and so on to the end.
pub trait Phased {
    type Phase: Copy + Send + Sync;

    /// What comes next; `None` at the end.
    fn next_phase(&self) -> Option<Self::Phase>;

    /// Whether a phase goes on with the server at hand.
    fn shares(&self, phase: Self::Phase) -> bool;

    /// What a phase does, if that may go on when the time is up.
    fn doing(phase: Self::Phase) -> Option<&'static str>;

    /// Runs a phase to its end or until `cancel`; blocks meanwhile. `Err` only if the machine refuses.
    fn run(&mut self, phase: Self::Phase, target: &Target, cancel: &CancellationToken) -> std::io::Result<()>;

    /// The time that it has had, which stands still while a server starts.
    fn time(&self) -> Stopwatch;
}
