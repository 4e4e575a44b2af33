//! A run's folder: written beside its final place, then moved there in one step. Whole or not at all.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::record::Record;
use crate::report::Page;

/// Why a report cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write reports to {}: {source}", path.display())]
pub struct FolderError {
    pub path: PathBuf,
    pub source: io::Error,
}

/// The folder in the making. Dropped before it is published, it leaves nothing behind.
#[derive(Debug)]
pub struct Folder {
    staging: TempDir,
    /// `reports/<scenario>`.
    home: PathBuf,
    /// The UTC time that names it.
    name: String,
}

impl Folder {
    /// Makes sure that a report can be written before anything is started.
    pub fn create(reports: &Path, scenario: &str, started: jiff::Timestamp) -> Result<Self, FolderError> {
        let home = reports.join(scenario);
        let failed = |source| FolderError { path: home.clone(), source };
        fs::create_dir_all(&home).map_err(failed)?;
        let staging = tempfile::Builder::new().prefix(".unfinished-").tempdir_in(&home).map_err(failed)?;
        Ok(Folder { staging, name: started.strftime("%Y-%m-%dT%H-%M-%SZ").to_string(), home })
    }

    pub fn server_log(&self) -> PathBuf {
        self.staging.path().join("server.log")
    }

    /// Writes all files, moves the folder to its place and points `latest` at it. Returns that place.
    pub fn publish(self, record: &Record, page: &Page) -> Result<PathBuf, FolderError> {
        let path = self.home.clone();
        self.write(record, page).map_err(|source| FolderError { path, source })
    }

    fn write(self, record: &Record, page: &Page) -> io::Result<PathBuf> {
        let folder = self.staging.path();
        fs::write(folder.join("record.json"), serde_json::to_vec_pretty(record)?)?;
        fs::write(folder.join("effective.toml"), &record.scenario.effective)?;
        write_page(folder, page)?;
        // A temporary folder is for its owner's eyes only; a report is like any other file.
        fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let place = self.place();
        fs::rename(folder, &place)?;
        // It has moved: there is nothing left to clean up.
        let _ = self.staging.keep();
        point_latest(&self.home, &place)?;
        Ok(place)
    }

    /// A second run within one second gets a number.
    fn place(&self) -> PathBuf {
        let numbered = (2..).map(|number| self.home.join(format!("{}-{number}", self.name)));
        let candidates = std::iter::once(self.home.join(&self.name)).chain(numbered);
        candidates.into_iter().find(|path| !path.exists()).unwrap_or_else(|| self.home.join(&self.name))
    }
}

/// Writes a report and its charts into a folder.
pub fn write_page(folder: &Path, page: &Page) -> io::Result<()> {
    for (name, content) in &page.files {
        fs::write(folder.join(name), content)?;
    }
    fs::write(folder.join("report.md"), &page.markdown)
}

/// Replaces the link in one step.
fn point_latest(home: &Path, place: &Path) -> io::Result<()> {
    let Some(name) = place.file_name() else { return Ok(()) };
    let fresh = home.join(format!(".latest-{}", std::process::id()));
    let _ = fs::remove_file(&fresh);
    symlink(name, &fresh)?;
    fs::rename(&fresh, home.join("latest"))
}
