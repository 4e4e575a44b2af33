//! From written to meant.
use super::{Problems, Scenario, Surroundings};
pub(super) fn load(_: &std::path::Path, _: &[String], _: &dyn Surroundings) -> Result<Scenario, Problems> {
    todo!()
}
