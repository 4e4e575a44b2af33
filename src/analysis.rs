//! What the figures of a record mean: pure functions between the record and the verdict. They decide; reports say it.

pub mod abandonment;
pub mod backlog;
pub mod capacity;
pub mod caveats;
pub mod ceiling;
pub mod comparison;
pub mod coverage;
pub mod exposures;
pub mod limiting_resource;
pub mod median_trial;
pub mod observed;
pub mod parallelism;
pub mod pooled;
pub mod queue_growth;
pub mod records;
pub mod responses;
pub mod scalability;
pub mod seconds;
pub mod server_use;
pub mod signature;
pub mod undisturbed;
