//! More than one machine: a load that several generators drive, and scenarios that agents share, over NATS JetStream.
//!
//! A generator is a slice of the threads of a load, so that there is no second way to drive one. It begins at a time that is told in
//! its own monotonic clock, and what it measured is merged without loss.

mod agent;
mod bundle;
mod bus;
mod clock;
mod coordinator;
mod block_ledger;
mod message;
mod store;
mod subjects;
mod submission;
mod waiting;

pub use agent::{Agent, AgentOptions};
pub use bus::{BusError, NatsOptions};
pub use coordinator::{Coordinator, CoordinatorOptions, KeepPart, OnLost, agents};
pub use message::AgentInfo;
pub use subjects::refuse_name;
pub use submission::{SubmitOptions, Submitted, submit};
pub use waiting::{BlockOutcome, RunProgress, Waiting};
