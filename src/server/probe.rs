//! Probes: code inside the server's own processes that writes down what happens to canaries there. See `docs/locate.md`.
//!
//! They are part of runner, and are unpacked once a run, into a folder of this run alone, which is gone with it. There the code
//! that they have rewritten is kept, too, so that each module is rewritten once. A command is told of them by its environment;
//! built-in servers have their own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::scratch::{PROBE_FOLDERS, PROBE_MARKS, Scratch};
use super::worker_channel::WorkerProbe;

mod command;

pub use command::{application, is_known};

/// Every file of the probes: its path below `probes`, and its text.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/probes.rs"));

/// The most files of events, one a process, and the most bytes of each that are read.
const MOST_FILES: usize = 64;
const MOST_BYTES: u64 = 80 * 1024 * 1024;

/// The probes of a run: unpacked when the first is needed.
#[derive(Debug, Default)]
pub struct Probes(Mutex<Option<Arc<Scratch>>>);

/// A probe with a folder of its own for its events, and what it is to look for. Removed when dropped.
#[derive(Debug)]
pub struct Probe {
    scripts: Arc<Scratch>,
    folder: Scratch,
    canary: String,
}

/// How far the events of each process have been read.
#[derive(Debug, Clone, Default)]
pub struct EventsRead(BTreeMap<PathBuf, u64>);

impl Probes {
    /// A probe for servers. `canary` is a regular expression for what canaries look like.
    pub fn probe(&self, canary: &str) -> io::Result<Probe> {
        let mut unpacked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let scripts = match &*unpacked {
            Some(scripts) => scripts.clone(),
            None => unpacked.insert(Arc::new(unpack()?)).clone(),
        };
        let folder = Scratch::for_probes(&std::env::temp_dir())?;
        owners(&folder.path().join(PROBE_FOLDERS[0]))?;
        let probe = Probe { scripts, folder, canary: canary.to_owned() };
        probe.look_for(&[])?;
        Ok(probe)
    }
}

/// The scripts, and a folder for the code that they have rewritten.
fn unpack() -> io::Result<Scratch> {
    let folder = Scratch::for_probes(&std::env::temp_dir())?;
    owners(&folder.path().join(PROBE_FOLDERS[1]))?;
    for (name, text) in FILES {
        let path = folder.path().join(name);
        path.parent().map_or(Ok(()), owners)?;
        write(&path, text.as_bytes())?;
    }
    Ok(folder)
}

/// Makes a folder that only its owner can open, and those that it is in.
fn owners(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

impl Probe {
    /// Values that count as canaries too: what the server makes for one user.
    pub fn look_for(&self, values: &[String]) -> io::Result<()> {
        let lines = values.iter().filter(|value| !value.trim().is_empty() && !value.contains(['\n', '\r']));
        let text: String = lines.flat_map(|value| [value.as_str(), "\n"]).collect();
        write(&self.folder.path().join(PROBE_MARKS), text.as_bytes())
    }

    /// Where the events are written.
    pub fn events(&self) -> PathBuf {
        self.folder.path().join(PROBE_FOLDERS[0])
    }

    /// What canaries look like.
    pub fn canary(&self) -> &str {
        &self.canary
    }

    /// What the workers of a built-in server are told.
    pub(super) fn of_workers(&self) -> WorkerProbe {
        let marks = Some(self.folder.path().join(PROBE_MARKS));
        WorkerProbe { folder: self.events(), canary: self.canary.clone(), marks }
    }

    /// How far the events have come: what is written later is new.
    pub fn so_far(&self) -> EventsRead {
        EventsRead(self.files().into_iter().collect())
    }

    /// The events that came since, a text for each process: the first line of its file, and what is new. What cannot be
    /// read is not there.
    pub fn since(&self, before: &EventsRead) -> Vec<Vec<u8>> {
        let read = |(path, _): (PathBuf, u64)| new_events(&path, before.0.get(&path).copied().unwrap_or(0)).ok();
        self.files().into_iter().filter_map(read).collect()
    }

    fn files(&self) -> Vec<(PathBuf, u64)> {
        let entries = fs::read_dir(self.events()).into_iter().flatten().flatten();
        let file = |entry: fs::DirEntry| {
            let is_events = entry.file_name().to_string_lossy().ends_with(".jsonl");
            let metadata = entry.metadata().ok().filter(|metadata| is_events && metadata.is_file())?;
            Some((entry.path(), metadata.len()))
        };
        let mut files: Vec<_> = entries.filter_map(file).collect();
        files.sort();
        files.truncate(MOST_FILES);
        files
    }

    /// Where rewritten code is kept.
    fn cache(&self) -> PathBuf {
        self.scripts.path().join(PROBE_FOLDERS[1])
    }

    fn scripts(&self, language: &str) -> PathBuf {
        self.scripts.path().join(language)
    }
}

/// The first line, and what follows after so many bytes.
fn new_events(path: &Path, from: u64) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut file = File::open(path)?;
    if from > 0 {
        let mut head = vec![0; usize::try_from(from.min(4096)).unwrap_or(0)];
        file.read_exact(&mut head)?;
        let end = head.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        text.extend_from_slice(&head[..end]);
        file.seek(SeekFrom::Start(from))?;
    }
    file.take(MOST_BYTES).read_to_end(&mut text)?;
    Ok(text)
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_probes_are_unpacked_for_their_owner_alone_and_gone_afterwards() {
        let probes = Probes::default();
        let probe = probes.probe("zq").unwrap();
        let (scripts, folder) = (probe.scripts.path().to_path_buf(), probe.folder.path().to_path_buf());
        for path in [scripts.clone(), folder.clone(), probe.events(), probe.cache()] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
        }
        for (name, text) in FILES {
            assert_eq!(fs::read_to_string(scripts.join(name)).unwrap(), *text, "{name}");
            assert!(PROBE_FOLDERS.contains(&name.split('/').next().unwrap()), "{name}");
        }
        let another = probes.probe("zq").unwrap();
        assert_eq!(another.cache(), probe.cache(), "what was rewritten serves the next one");
        assert_ne!(another.events(), probe.events());
        probe.look_for(&["Zoe".to_owned(), " ".to_owned(), "two\nlines".to_owned()]).unwrap();
        assert_eq!(fs::read_to_string(folder.join(PROBE_MARKS)).unwrap(), "Zoe\n");
        drop((probe, another));
        assert!(!folder.exists() && scripts.exists());
        drop(probes);
        assert!(!scripts.exists());
    }

    #[test]
    fn only_what_is_new_is_read_and_the_first_line() {
        let probe = Probes::default().probe("zq").unwrap();
        let file = probe.events().join("events-7.jsonl");
        let hello = "{\"e\":\"hello\"}\n";
        write(&file, format!("{hello}old\n").as_bytes()).unwrap();
        write(&probe.events().join("other"), b"no events").unwrap();
        assert_eq!(probe.since(&EventsRead::default()), [format!("{hello}old\n").into_bytes()]);
        let before = probe.so_far();
        write(&file, format!("{hello}old\nnew\n").as_bytes()).unwrap();
        write(&probe.events().join("events-8.jsonl"), b"another\n").unwrap();
        assert_eq!(probe.since(&before), [format!("{hello}new\n").into_bytes(), b"another\n".to_vec()]);
    }
}
