//! What the figures of a record mean: pure functions between the record and the verdict. They decide; reports say it.

pub mod abandonment;
pub mod caveats;
pub mod comparison;
pub mod coverage;
pub mod exposures;
pub mod median_trial;
pub mod observed;
pub mod records;
pub mod responses;
pub mod server_use;
