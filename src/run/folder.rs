//! A run's folder: written beside its final place, then moved there in one step. Whole or not at all.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::latest::{NotLatest, point_latest};
use super::private::Private;
use crate::record::Record;
use crate::report::ReportFile;
use crate::scenario::Secrets;
use crate::server::NOT_KEPT;

/// How the name of a folder in the making begins.
const UNFINISHED: &str = ".unfinished-";
/// So much of a log is looked at in one go, in bytes.
const CHUNK: u64 = 1 << 20;

/// Why a report cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write reports to {}: {source}", path.display())]
pub struct FolderError {
    pub path: PathBuf,
    pub source: io::Error,
}

impl FolderError {
    /// What to do about it. The text fits after "help: ".
    pub fn advice(&self) -> String {
        let there = self.path.ancestors().find(|path| path.symlink_metadata().is_ok()).unwrap_or(Path::new("."));
        let there = there.display();
        let remedy = match self.source.kind() {
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
                format!("{there} is not a folder: move it away")
            }
            ErrorKind::PermissionDenied => {
                format!("you have no permission to write there: `ls -ld {there}` shows who has")
            }
            ErrorKind::ReadOnlyFilesystem => "that file system is read-only: mount it for writing".to_owned(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                format!("the disk, or your share of it, is full: make room (`df -h {there}` shows how much there is)")
            }
            ErrorKind::FileTooLarge => "files may not grow so large here: `ulimit -f` shows the limit".to_owned(),
            ErrorKind::NotFound => {
                "it has vanished, or cannot be made there: leave it in its place during a run".to_owned()
            }
            _ => "it must exist or be creatable".to_owned(),
        };
        format!("{remedy}, or choose another folder with `--reports DIR`")
    }
}

/// A report in its place.
#[derive(Debug)]
pub struct Published {
    /// `reports/<scenario>/<UTC time>`.
    pub place: PathBuf,
    pub not_latest: Option<NotLatest>,
}

/// The folder in the making. Dropped before it is published, it leaves nothing behind.
#[derive(Debug)]
pub struct Folder {
    staging: TempDir,
    /// What servers say, as they say it.
    log: Private,
    /// The events of the run.
    run_log: Private,
    /// Held as long as the folder is in the making, so that nobody takes it for abandoned.
    _lock: File,
    /// `reports/<scenario>`.
    home: PathBuf,
    /// The UTC time that names it.
    name: String,
}

impl Folder {
    /// Makes sure that a report can be written before anything is started. Removes what killed runs have left.
    pub fn create(reports: &Path, scenario: &str, started: jiff::Timestamp) -> Result<Self, FolderError> {
        let home = reports.join(scenario);
        let failed = |source| FolderError { path: home.clone(), source };
        fs::create_dir_all(&home).map_err(failed)?;
        sweep(&home);
        let (staging, lock) = stage(&home).map_err(failed)?;
        let log = Private::inside(staging.path()).map_err(failed)?;
        let run_log = Private::inside(staging.path()).map_err(failed)?;
        let name = started.strftime("%Y-%m-%dT%H-%M-%SZ").to_string();
        Ok(Folder { staging, log, run_log, _lock: lock, name, home })
    }

    /// The folder of the scenario's reports.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Where the events of the run go. It is as private as the server's log.
    pub fn run_log(&self) -> io::Result<File> {
        File::options().append(true).open(self.run_log.path())
    }

    /// The log of the run. Nobody else can open it, as it may hold secrets: the report gets one without.
    pub fn server_log(&self) -> PathBuf {
        self.log.path().to_owned()
    }

    /// Writes all files, moves the folder to its place and points `latest` at it. `render` makes the report of that place.
    pub fn publish(
        self,
        record: &Record,
        secrets: &Secrets,
        render: impl Fn(&Path) -> Vec<ReportFile>,
    ) -> Result<Published, FolderError> {
        let log = |name: &str, from: &Private| write_without(secrets, from.path(), &self.staging.path().join(name));
        let logs = log("server.log", &self.log).and_then(|()| log("run.log", &self.run_log));
        match logs.and_then(|()| self.write(record)) {
            Ok(()) => self.place(render),
            Err(source) => Err(FolderError { path: self.home.clone(), source }),
        }
    }

    /// The same of a report that is whole but for what `render` makes: the files of `from`, as they are.
    pub fn publish_copy(
        self,
        from: &Path,
        render: impl Fn(&Path) -> Vec<ReportFile>,
    ) -> Result<Published, FolderError> {
        let copied = copy_files(from, self.staging.path())
            .and_then(|()| fs::set_permissions(self.staging.path(), fs::Permissions::from_mode(0o755)));
        match copied {
            Ok(()) => self.place(render),
            Err(source) => Err(FolderError { path: self.home.clone(), source }),
        }
    }

    /// The folder of a report with these very bytes as its record, if there is one.
    pub fn known(&self, record: &[u8]) -> Option<PathBuf> {
        let names = (2..).map(|number| format!("{}-{number}", self.name));
        let places = std::iter::once(self.name.clone()).chain(names).map(|name| self.home.join(name));
        let mut there = places.take_while(|place| place.is_dir());
        there.find(|place| fs::read(place.join("record.json")).is_ok_and(|known| known == record))
    }

    fn place(self, render: impl Fn(&Path) -> Vec<ReportFile>) -> Result<Published, FolderError> {
        let placed = self.settle(|place| write_report(self.staging.path(), &render(place)));
        let place = placed.map_err(|source| FolderError { path: self.home.clone(), source })?;
        // It has moved: there is nothing left to clean up.
        let _ = self.staging.keep();
        let not_latest = point_latest(&self.home, &place).err();
        Ok(Published { place, not_latest })
    }

    fn write(&self, record: &Record) -> io::Result<()> {
        let folder = self.staging.path();
        fs::write(folder.join("record.json"), serde_json::to_vec_pretty(record)?)?;
        fs::write(folder.join("effective.toml"), &record.scenario.effective)?;
        // A temporary folder is for its owner's eyes only; a report is like any other file.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
    }

    /// Moves the folder to its place, once `report` has written for that place. Of the runs of one second, the second and
    /// later ones get a number.
    fn settle(&self, report: impl Fn(&Path) -> io::Result<()>) -> io::Result<PathBuf> {
        let mut place = self.home.join(&self.name);
        let mut number = 1;
        report(&place)?;
        // Asking first whether the place is free would leave another run the time to take it.
        while let Err(error) = fs::rename(self.staging.path(), &place) {
            if place.symlink_metadata().is_err() {
                return Err(error);
            }
            number += 1;
            place = self.home.join(format!("{}-{number}", self.name));
            report(&place)?;
        }
        Ok(place)
    }
}

/// A new folder in the making, locked where the file system knows locks.
fn stage(home: &Path) -> io::Result<(TempDir, File)> {
    loop {
        let owners = fs::Permissions::from_mode(0o700);
        let staging = tempfile::Builder::new().prefix(UNFINISHED).permissions(owners).tempdir_in(home)?;
        // Until it is locked, another run may sweep it away: then there is a next one.
        let lock = match File::open(staging.path()) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            opened => opened?,
        };
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => {}
            Ok(()) if !staging.path().exists() => {}
            Ok(()) | Err(TryLockError::Error(_)) => return Ok((staging, lock)),
        }
    }
}

/// Removes the unfinished folders of runs that are no more. A lock ends with its process, however that ends.
fn sweep(home: &Path) {
    let Ok(entries) = fs::read_dir(home) else { return };
    let unfinished = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(UNFINISHED));
    for path in unfinished.map(|entry| entry.path()) {
        let Ok(lock) = File::open(&path) else { continue };
        if lock.try_lock().is_ok() {
            // What cannot be removed is in nobody's way.
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// Writes the files of a report into a folder, what is opened first last.
pub fn write_report(folder: &Path, files: &[ReportFile]) -> io::Result<()> {
    files.iter().rev().try_for_each(|file| fs::write(folder.join(&file.name), &file.content))
}

/// Copies the files of a folder, without those of folders in it.
fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Writes a log anew without secrets. Servers print what they are asked, and how they were started.
fn write_without(secrets: &Secrets, from: &Path, to: &Path) -> io::Result<()> {
    let (mut from, mut to) = (File::open(from)?, File::create(to)?);
    if secrets.is_empty() {
        return io::copy(&mut from, &mut to).map(drop);
    }
    let mut held = Vec::new();
    loop {
        let more = (&mut from).take(CHUNK).read_to_end(&mut held)?;
        if let Some(end) = memchr::memmem::find(&held, NOT_KEPT.as_bytes()) {
            let cut = secrets.cover_cut(&held[..end]);
            held.splice(..end, cut);
        }
        let (out, rest) = secrets.cover(&held);
        // A value may begin at the end of what was read.
        let most = secrets.longest().max(NOT_KEPT.len());
        let open = if more == 0 { 0 } else { rest.len().min(most.saturating_sub(1)) };
        let (clear, open) = rest.split_at(rest.len() - open);
        to.write_all(&out)?;
        to.write_all(clear)?;
        if more == 0 {
            return Ok(());
        }
        held = open.to_vec();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;
    use std::sync::Barrier;

    use super::*;

    fn create(reports: &Path) -> Folder {
        Folder::create(reports, "scenario", jiff::Timestamp::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn runs_of_one_second_never_take_each_others_place() {
        const RUNS: usize = 16;
        for _ in 0..20 {
            let reports = tempfile::tempdir().unwrap();
            let folders: Vec<Folder> = (0..RUNS).map(|_| create(reports.path())).collect();
            let start = Barrier::new(RUNS);
            let settle = |folder: &Folder| {
                fs::write(folder.server_log(), "").unwrap();
                start.wait();
                let named = |place: &Path| fs::write(folder.staging.path().join("place"), place.as_os_str().as_bytes());
                let place = folder.settle(named).unwrap();
                assert_eq!(fs::read(place.join("place")).unwrap(), place.as_os_str().as_bytes());
                place
            };
            let mut places: Vec<PathBuf> = std::thread::scope(|scope| {
                let running: Vec<_> = folders.iter().map(|folder| scope.spawn(|| settle(folder))).collect();
                running.into_iter().map(|run| run.join().unwrap()).collect()
            });
            places.sort();
            places.dedup();
            assert_eq!(places.len(), RUNS);
        }
    }

    #[test]
    fn what_a_dead_run_left_is_swept_and_what_a_live_one_makes_is_not() {
        let reports = tempfile::tempdir().unwrap();
        let live = create(reports.path());
        let left = reports.path().join("scenario/.unfinished-left");
        fs::create_dir(&left).unwrap();
        fs::write(left.join("server.log"), "").unwrap();
        let next = create(reports.path());
        assert!(!left.exists());
        assert!(live.staging.path().exists() && next.staging.path().exists());
    }

    #[test]
    fn a_log_of_any_length_loses_its_secrets_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("server.log");
        let secrets = crate::scenario::tests::secrets("API_KEY", "s3cret-s3cret");
        for before in [0, 5, CHUNK as usize - 5, CHUNK as usize, 2 * CHUNK as usize - 1] {
            let around = |middle: &str| [vec![0xff; before], middle.into(), b" and s3cret-".to_vec()].concat();
            fs::write(&log, around("s3cret-s3cret")).unwrap();
            write_without(&secrets, &log, &folder.path().join("shown")).unwrap();
            assert!(fs::read(folder.path().join("shown")).unwrap() == around("${API_KEY}"), "after {before} bytes");
        }
    }

    // fault: secrets: the limit of the log cuts a secret in half -> the half is hidden
    #[test]
    fn a_secret_that_the_end_of_the_log_cuts_is_hidden_to_its_first_letters() {
        let folder = tempfile::tempdir().unwrap();
        let (log, shown) = (folder.path().join("server.log"), folder.path().join("shown"));
        let secrets = crate::scenario::tests::secrets("API_KEY", "s3cret-s3cret");
        for (said, expected) in [
            ("key s3cre", "key ${API_KEY}"),
            ("s3cret-s3cret s3cret-s3cre", "${API_KEY} ${API_KEY}"),
            ("key s3", "key s3"),
        ] {
            for before in [0, CHUNK as usize - 3, CHUNK as usize + 3] {
                let text = |said: &str| [vec![b'.'; before], said.into(), NOT_KEPT.into()].concat();
                fs::write(&log, text(said)).unwrap();
                write_without(&secrets, &log, &shown).unwrap();
                assert!(fs::read(&shown).unwrap() == text(expected), "{said} after {before} bytes");
            }
        }
    }

    #[test]
    fn nobody_else_can_read_a_report_under_way_and_no_log_stays_when_it_is_given_up() {
        let reports = tempfile::tempdir().unwrap();
        let folder = create(reports.path());
        fs::write(folder.server_log(), "s3cret").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(folder.staging.path()), mode(&folder.server_log())), (0o700, 0o600));
        assert_eq!(mode(folder.run_log.path()), 0o600);
        // As it is for a run that is killed: nothing is taken down, and nothing is there.
        assert_eq!(fs::read_dir(folder.staging.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_advice_is_about_what_went_wrong() {
        let reports = tempfile::tempdir().unwrap();
        let file = reports.path().join("taken");
        fs::write(&file, "").unwrap();
        let advice = |kind: ErrorKind| FolderError { path: file.join("scenario"), source: kind.into() }.advice();
        let all = [
            (ErrorKind::NotADirectory, format!("{} is not a folder", file.display())),
            (ErrorKind::AlreadyExists, format!("{} is not a folder", file.display())),
            (ErrorKind::PermissionDenied, "no permission".to_owned()),
            (ErrorKind::ReadOnlyFilesystem, "read-only".to_owned()),
            (ErrorKind::StorageFull, "is full".to_owned()),
            (ErrorKind::QuotaExceeded, "is full".to_owned()),
            (ErrorKind::FileTooLarge, "ulimit -f".to_owned()),
            (ErrorKind::NotFound, "vanished".to_owned()),
            (ErrorKind::Other, "creatable".to_owned()),
        ];
        for (kind, expected) in all {
            let advice = advice(kind);
            assert!(advice.contains(&expected) && advice.contains("--reports DIR"), "{kind:?}: {advice}");
        }
    }
}
