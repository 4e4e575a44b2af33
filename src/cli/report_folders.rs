//! What there is in a folder of reports: `<scenario>/<UTC time>`.

use std::path::{Path, PathBuf};

/// A report's folder.
pub(super) struct RunFolder {
    pub path: PathBuf,
    /// From the folder of reports.
    pub name: String,
    /// `latest` leads to it.
    pub is_latest: bool,
}

/// All reports with a record, in the order of their names.
pub(super) fn all(reports: &Path) -> Vec<RunFolder> {
    folders(reports).into_iter().flat_map(|scenario| of_scenario(&reports.join(scenario))).collect()
}

/// Those of one scenario, in the folder of its reports.
pub(super) fn of_scenario(home: &Path) -> Vec<RunFolder> {
    let latest = std::fs::read_link(home.join("latest")).ok();
    let scenario = home.file_name().unwrap_or_default().to_string_lossy();
    let runs = folders(home).into_iter().map(|run| RunFolder {
        path: home.join(&run),
        name: format!("{scenario}/{run}"),
        is_latest: latest.as_ref().and_then(|latest| latest.file_name()) == Some(run.as_ref()),
    });
    runs.filter(|run| run.path.join("record.json").is_file()).collect()
}

/// The names of the folders in a folder, in their order. A link is none.
pub(super) fn folders(of: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(of).into_iter().flatten().flatten();
    let is_folder = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let mut names: Vec<String> =
        entries.filter(is_folder).filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}
