//! Finished trials, kept as they end, so that a run that was cut off, by whatever, can be taken up again.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::record::{Environment, FORMAT, ResumedRecord, RoundsRecord, Trial, redacted};
use crate::scenario::Scenario;

/// In the folder of the scenario's reports; gone once a run has come to its end.
const NAME: &str = ".finished-trials.jsonl";

/// What trials must have in common to be of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Header {
    format: u32,
    version: String,
    effective: String,
    environment: Environment,
    seed: u64,
    started: String,
    /// `None` where it is of all.
    #[serde(default)]
    rounds: Option<RoundsRecord>,
}

/// A line behind the header.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// By its index in the scenario.
    variant: usize,
    trial: Trial,
}

/// Why a run cannot be taken up. The text fits after "error: ".
#[derive(Debug, thiserror::Error)]
#[error("the run that was cut off cannot be taken up, as {0} changed since")]
pub struct NotResumable(&'static str);

impl NotResumable {
    /// What to do about it. The text fits after "help: ".
    pub fn advice(&self) -> &'static str {
        "run it without `--resume`: trials that were measured otherwise cannot stand beside new ones"
    }
}

/// What an earlier run left.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// By variant, in their order.
    pub trials: Vec<Vec<Trial>>,
    pub seed: Option<u64>,
    pub resumed: Option<ResumedRecord>,
}

/// Where finished trials go. What cannot be written is not kept, and the run goes on.
#[derive(Debug, Default)]
pub(super) struct TrialStore {
    /// The file, and what it begins with; `None` where nothing is kept.
    place: Option<(PathBuf, Header)>,
    /// Open, and locked, from the first trial on.
    file: Option<File>,
}

impl TrialStore {
    /// The store of a scenario in the folder of its reports. To `resume` is to begin with what an earlier run left in it. Nothing
    /// is kept where there is one trial, and where another run of the scenario is under way.
    pub fn open(
        home: &Path,
        (scenario, rounds): (&Scenario, RoundsRecord),
        environment: &Environment,
        (seed, started): (u64, &str),
        resume: bool,
    ) -> Result<(Self, Earlier), NotResumable> {
        let mut earlier = Earlier { trials: vec![Vec::new(); scenario.variants.len()], ..Earlier::default() };
        if scenario.variants.len() < 2 && rounds.count < 2 {
            return Ok((TrialStore::default(), earlier));
        }
        let path = home.join(NAME);
        let header = Header {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            effective: scenario.effective.clone(),
            environment: environment.clone(),
            seed,
            started: started.to_owned(),
            rounds: (rounds.count < rounds.of).then_some(rounds),
        };
        let mut store = TrialStore { place: Some((path.clone(), header.clone())), file: None };
        let left = resume.then(|| File::options().read(true).append(true).open(&path).ok()).flatten();
        let Some(file) = left.filter(|file| file.try_lock().is_ok()) else { return Ok((store, earlier)) };
        if let Some((was, trials)) = read(&file) {
            comparable(&was, &header)?;
            let mut kept = 0;
            for Kept { variant, trial } in trials {
                let room = earlier.trials.get_mut(variant).filter(|of| of.len() < rounds.count as usize);
                if let Some(of) = room {
                    of.push(trial);
                    kept += 1;
                }
            }
            (earlier.seed, earlier.resumed) =
                (Some(was.seed), Some(ResumedRecord { trials: kept, started: was.started }));
            store.file = Some(file);
        }
        Ok((store, earlier))
    }

    /// Keeps a trial that ran to its end.
    pub fn add(&mut self, variant: usize, trial: &Trial, scenario: &Scenario) {
        let ran = !trial.interrupted && trial.failure.is_none();
        let Some((path, header)) = self.place.as_ref().filter(|_| ran) else { return };
        if self.file.is_none() {
            self.file = begin(path, header).ok();
        }
        let kept = redacted(trial.clone(), &scenario.secrets).map_err(std::io::Error::other);
        let file = self.file.as_mut().ok_or(std::io::ErrorKind::NotFound.into());
        let written = file.and_then(|file| line(file, &Kept { variant, trial: kept? }));
        if written.is_err() {
            *self = TrialStore::default();
        }
    }

    /// The run came to its end: there is nothing to take up.
    pub fn done(self) {
        if let (Some((path, _)), Some(_)) = (self.place, self.file) {
            // One that stays is told apart by its scenario, or begun anew.
            let _ = fs::remove_file(path);
        }
    }
}

/// An empty store with its header, locked for as long as it is open.
fn begin(path: &Path, header: &Header) -> std::io::Result<File> {
    let mut file = File::options().read(true).append(true).create(true).open(path)?;
    file.try_lock().map_err(std::io::Error::from)?;
    file.set_len(0)?;
    line(&mut file, header)?;
    Ok(file)
}

fn line<T: Serialize>(file: &mut File, value: &T) -> std::io::Result<()> {
    let mut text = serde_json::to_string(value)?;
    text.push('\n');
    file.write_all(text.as_bytes())
}

/// The header and the whole lines behind it: the last may have been cut off.
fn read(file: &File) -> Option<(Header, Vec<Kept>)> {
    let mut lines = BufReader::new(file).lines().map_while(Result::ok);
    let header = serde_json::from_str(&lines.next()?).ok()?;
    Some((header, lines.map_while(|line| serde_json::from_str(&line).ok()).collect()))
}

fn comparable(was: &Header, is: &Header) -> Result<(), NotResumable> {
    if was.effective != is.effective {
        return Err(NotResumable("the scenario has"));
    }
    if (was.format, &was.version) != (is.format, &is.version) {
        return Err(NotResumable("the version of runner has"));
    }
    if was.rounds != is.rounds {
        return Err(NotResumable("which of its rounds are to run has"));
    }
    if was.environment != is.environment {
        return Err(NotResumable("the machine has"));
    }
    Ok(())
}
