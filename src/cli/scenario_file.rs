//! Where the scenario of a record is.

use std::path::{Path, PathBuf};

use crate::record::Record;

/// So many folders above that of a record its scenario's path may count from.
const HIGHEST: usize = 5;

/// The scenario's file: as it was named, from here or from a folder above the record, which was read from `path`. One that is
/// nowhere counts from here.
pub(super) fn of(path: &Path, record: &Record) -> PathBuf {
    let named = Path::new(&record.scenario.file);
    let folder = std::path::absolute(path).and_then(|path| path.canonicalize());
    let above = folder.iter().flat_map(|folder| folder.ancestors().skip(1).take(HIGHEST));
    let places = std::iter::once(named.to_path_buf()).chain(above.map(|folder| folder.join(named)));
    places.into_iter().find(|place| place.is_file()).unwrap_or_else(|| named.to_path_buf())
}
