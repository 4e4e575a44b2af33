//! The files that agents need for a scenario: its folder, or its project's, as one archive.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use ring::digest::{SHA256, digest};

use crate::scenario::PROJECT_FILE;

/// A larger folder is not one of scenarios.
const LARGEST: u64 = 64 << 20;
/// An archive that unpacks to more is not taken.
const LARGEST_UNPACKED: u64 = 4 * LARGEST;
/// Folders that are made from others, or for one machine only, besides those whose names begin with a dot.
const LEFT_OUT: [&str; 5] = ["node_modules", "target", "reports", "__pycache__", "venv"];

/// The files of a folder.
#[derive(Debug, Clone)]
pub(super) struct Bundle {
    /// A tar archive, compressed with gzip.
    pub bytes: Vec<u8>,
    /// Its SHA-256, in hexadecimal.
    pub digest: String,
    /// The folder that was bundled.
    pub root: PathBuf,
}

/// Why a folder cannot be bundled, or a bundle not be unpacked.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct BundleError {
    pub message: String,
    pub advice: String,
}

impl BundleError {
    fn new(message: String, advice: &str) -> Self {
        BundleError { message, advice: advice.to_owned() }
    }
}

/// The folder that a scenario's paths are taken to stay in: that of its project, or its own.
pub(super) fn root_of(file: &Path) -> PathBuf {
    let absolute = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let own = absolute.parent().unwrap_or(Path::new("/")).to_owned();
    let project = own.ancestors().find(|folder| folder.join(PROJECT_FILE).is_file()).map(Path::to_owned);
    project.unwrap_or(own)
}

impl Bundle {
    /// The regular files below a folder. Links to files are taken for what they lead to; links to folders are left out.
    pub fn of(root: &Path) -> Result<Bundle, BundleError> {
        let mut files = Vec::new();
        let mut size = 0;
        collect(root, &mut files, &mut size).map_err(|error| {
            BundleError::new(
                format!("cannot read {}: {error}", root.display()),
                "agents need the files of a scenario's folder",
            )
        })?;
        if size > LARGEST {
            let message =
                format!("{} holds {} MB, and agents are sent {} MB at most", root.display(), size >> 20, LARGEST >> 20);
            let advice = format!(
                "put scenarios and what they need into a folder of their own, or a {PROJECT_FILE} into a folder further down: \
                 the folder with that file is sent"
            );
            return Err(BundleError { message, advice });
        }
        // The same files make the same archive: in order, and without times and owners.
        files.sort();
        let archive = || -> io::Result<Vec<u8>> {
            let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
            archive.mode(tar::HeaderMode::Deterministic);
            for path in &files {
                let name = path.strip_prefix(root).unwrap_or(path);
                archive.append_path_with_name(path, name)?;
            }
            archive.into_inner()?.finish()
        };
        let bytes = archive().map_err(|error| {
            BundleError::new(format!("cannot bundle {}: {error}", root.display()), "is a file being written there?")
        })?;
        Ok(Bundle { digest: sha256(&bytes), bytes, root: root.to_owned() })
    }

    /// Where a scenario's file is in it.
    pub fn place_of(&self, file: &Path) -> Result<String, BundleError> {
        let absolute = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        let place = absolute.strip_prefix(&self.root).ok().and_then(Path::to_str).map(str::to_owned);
        place.ok_or_else(|| {
            BundleError::new(
                format!("{} is not in {}", file.display(), self.root.display()),
                "submit the folder that holds all scenarios",
            )
        })
    }
}

/// The SHA-256 of bytes, in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>, size: &mut u64) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || LEFT_OUT.contains(&name.as_ref()) || *size > LARGEST {
            continue;
        }
        let (kind, path) = (entry.file_type()?, entry.path());
        if kind.is_dir() {
            collect(&path, files, size)?;
        } else if let Some(found) = fs::metadata(&path).ok().filter(fs::Metadata::is_file) {
            *size += found.len();
            files.push(path);
        }
    }
    Ok(())
}

/// Unpacks an archive into a folder, if it is the one of this digest. Nothing is written outside of the folder.
pub(super) fn unpack(bytes: &[u8], wanted: &str, into: &Path) -> Result<(), BundleError> {
    if sha256(bytes) != wanted {
        return Err(BundleError::new(
            "the files of the scenario did not arrive as they were sent".to_owned(),
            "submit it again",
        ));
    }
    let unpacked = || -> io::Result<()> {
        let mut archive = tar::Archive::new(GzDecoder::new(bytes).take(LARGEST_UNPACKED));
        for entry in archive.entries()? {
            let mut entry = entry?;
            let name = entry.path()?.into_owned();
            let plain = name.components().all(|part| matches!(part, Component::Normal(_)));
            if !plain || !entry.header().entry_type().is_file() {
                return Err(io::Error::other(format!("{} is no plain file", name.display())));
            }
            let place = into.join(&name);
            place.parent().map_or(Ok(()), fs::create_dir_all)?;
            entry.unpack(&place)?;
        }
        Ok(())
    };
    unpacked().map_err(|error| {
        BundleError::new(
            format!("cannot unpack the files of the scenario: {error}"),
            "is there room in the agent's folder for temporary files?",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn the_files_of_a_folder_arrive_and_what_is_private_or_made_stays() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in ["a.toml", "data/b.csv", ".env", ".git/config", "node_modules/x.js", "reports/a/record.json"] {
            write(from.path(), name, name);
        }
        let bundle = Bundle::of(from.path()).unwrap();
        assert_eq!(bundle.digest, Bundle::of(from.path()).unwrap().digest, "it depends on the files alone");
        unpack(&bundle.bytes, &bundle.digest, to.path()).unwrap();
        assert_eq!(fs::read_to_string(to.path().join("data/b.csv")).unwrap(), "data/b.csv");
        let mut found: Vec<_> = fs::read_dir(to.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        found.sort();
        assert_eq!(found, ["a.toml", "data"]);
    }

    #[test]
    fn an_archive_that_is_not_the_one_or_reaches_outside_is_refused() {
        let to = tempfile::tempdir().unwrap();
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
        let mut header = tar::Header::new_gnu();
        header.set_size(1);
        header.as_mut_bytes()[..7].copy_from_slice(b"../evil");
        header.set_cksum();
        archive.append(&header, &b"x"[..]).unwrap();
        let bytes = archive.into_inner().unwrap().finish().unwrap();
        assert!(unpack(&bytes, "0", to.path()).unwrap_err().message.contains("did not arrive"));
        assert!(unpack(&bytes, &sha256(&bytes), to.path()).unwrap_err().message.contains("no plain file"));
        assert!(!to.path().parent().unwrap().join("evil").exists());
    }

    #[test]
    fn a_folder_with_a_project_is_sent_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        write(&root, "scenarios/deep/a.toml", "");
        assert_eq!(root_of(&root.join("scenarios/deep/a.toml")), root.join("scenarios/deep"));
        write(&root, PROJECT_FILE, "");
        assert_eq!(root_of(&root.join("scenarios/deep/a.toml")), root);
        let bundle = Bundle::of(&root).unwrap();
        assert_eq!(bundle.place_of(&root.join("scenarios/deep/a.toml")).unwrap(), "scenarios/deep/a.toml");
        assert!(bundle.place_of(Path::new("/etc/hostname")).is_err());
    }
}
