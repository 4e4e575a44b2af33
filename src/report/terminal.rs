//! To come.

use crate::record::Record;

/// To come.
pub fn summary(record: &Record, _width: usize, _color: bool) -> String {
    super::answer(record)
}
