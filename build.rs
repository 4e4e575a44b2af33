//! Makes a table of the probes' files, by which they are part of the program: path below `probes`, and text.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const FOLDER: &str = "probes";
/// What interpreters run, and what must go with it.
const ENDS: [&str; 6] = [".py", ".js", ".cjs", ".mjs", ".json", "LICENSE"];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut files = Vec::new();
    collect(&root.join(FOLDER), &mut files)?;
    files.sort();
    let mut table = String::from("&[\n");
    for file in &files {
        // Not the folder: what Python caches in it is no reason to build again.
        println!("cargo::rerun-if-changed={}", file.display());
        let name = file.strip_prefix(root.join(FOLDER)).unwrap_or(file).display().to_string();
        let _ = writeln!(table, "    ({name:?}, include_str!({:?})),", file.display().to_string());
    }
    table += "]\n";
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("probes.rs"), table)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    // Without the folder there is nothing to embed.
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let hidden = name.starts_with('.') || name == "__pycache__" || name == "node_modules";
        match entry.file_type()?.is_dir() {
            _ if hidden => {}
            true => collect(&entry.path(), files)?,
            false if ENDS.iter().any(|end| name.ends_with(end)) || name.starts_with("LICENSE") => {
                files.push(entry.path())
            }
            false => {}
        }
    }
    Ok(())
}
