//! Reports of merged records, and of those that stay as they are, in another folder of reports.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::folder::{Folder, FolderError, Published};
use crate::record::Record;
use crate::report::{self, ReportLocation};
use crate::scenario::Secrets;

/// Writes the report of a merged record, with the logs from the folders of those that it was made of. A report that is there
/// already stays.
pub fn write_merged(
    record: &Record,
    secrets: &Secrets,
    reports: &Path,
    parts: &[PathBuf],
) -> Result<Published, FolderError> {
    let folder = create(record, reports)?;
    let text = serde_json::to_vec_pretty(record).unwrap_or_default();
    if let Some(place) = folder.known(&text) {
        return Ok(Published { place, not_latest: None });
    }
    let failed = |source| FolderError { path: folder.home().to_owned(), source };
    let server_log = File::options().append(true).open(folder.server_log()).map_err(failed)?;
    join_logs(parts, "server.log", server_log).map_err(failed)?;
    folder.run_log().and_then(|log| join_logs(parts, "run.log", log)).map_err(failed)?;
    folder.publish(record, secrets, render(record))
}

/// Takes a report as it is into another folder of reports: its files, and what is rendered of its record for that place. One
/// that is there already stays.
pub fn adopt(record: &Record, from: &Path, reports: &Path) -> Result<Published, FolderError> {
    let folder = create(record, reports)?;
    let known = fs::read(from.join("record.json")).ok().and_then(|text| folder.known(&text));
    match known {
        Some(place) => Ok(Published { place, not_latest: None }),
        None => folder.publish_copy(from, render(record)),
    }
}

fn create(record: &Record, reports: &Path) -> Result<Folder, FolderError> {
    let started = record.started.parse().unwrap_or_else(|_| jiff::Timestamp::now());
    Folder::create(reports, &record.scenario.name, started)
}

fn render(record: &Record) -> impl Fn(&Path) -> Vec<report::ReportFile> {
    move |place| report::render(record, ReportLocation { folder: place, beside: true })
}

/// Writes the logs of this name one behind the other, each under its folder.
fn join_logs(parts: &[PathBuf], name: &str, mut to: File) -> io::Result<()> {
    for part in parts {
        let path = part.join(name);
        // A part that was kept without it has none.
        let Ok(mut log) = File::open(&path) else { continue };
        io::Write::write_all(&mut to, format!("==> {} <==\n", path.display()).as_bytes())?;
        io::copy(&mut log, &mut to)?;
    }
    Ok(())
}
