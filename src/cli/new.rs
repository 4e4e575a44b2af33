//! `runner new NAME`: a scenario and its script, to start from; or a scenario of what a team already has.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};

use super::arguments::New;
use super::{Exit, print};
use crate::scenario::import::{ImportFormat, Imported, import, to_toml};
use crate::scenario::sample;

/// How large a document may be.
const LARGEST: u64 = 256 << 20;

pub(super) fn new(arguments: &New) -> Exit {
    let name = &arguments.name;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(fits) {
        print::error(&format!("`{name}` cannot name a scenario"), Some("use letters, digits, `-` and `_`"));
        return Exit::Invalid;
    }
    let scenario_path = arguments.folder.join(format!("{name}.toml"));
    let Some(from) = &arguments.from else {
        let (scenario, script) = sample::new_scenario(name);
        let script_path = arguments.folder.join("handlers").join(format!("{name}.rhai"));
        return write(&[(&scenario_path, &scenario), (&script_path, &script)], "");
    };
    let imported = match read(from) {
        Ok(imported) => imported,
        Err(exit) => return exit,
    };
    let source = shown_source(from, &imported, &arguments.folder);
    let scenario = to_toml(&imported, name, &source);
    write(&[(&scenario_path, &scenario)], &summary(&imported))
}

/// Writes new files, all or none.
fn write(files: &[(&PathBuf, &String)], summary: &str) -> Exit {
    for (path, _) in files {
        if path.exists() {
            let advice = "choose another name, or remove it first: nothing is overwritten";
            print::error(&format!("{} exists already", path.display()), Some(advice));
            return Exit::Invalid;
        }
    }
    for (path, text) in files {
        let create = |path: &Path| {
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            File::create_new(path)?.write_all(text.as_bytes())
        };
        if let Err(error) = create(path) {
            // One without the other is of no use, and would refuse the next try. None was there before.
            for (written, _) in files {
                let _ = std::fs::remove_file(written);
            }
            print::error(
                &format!("cannot write {}: {error}", path.display()),
                Some("name another folder with `--folder DIR`"),
            );
            return Exit::CouldNotRun;
        }
    }
    let mut text: String = files.iter().map(|(path, _)| format!("wrote {}\n", path.display())).collect();
    text.push_str(summary);
    if let Some((scenario, _)) = files.first() {
        let scenario = scenario.display();
        text.push_str(&format!("\nnext: runner check {scenario}\n      runner {scenario}\n"));
    }
    print::out(&text)
}

/// What a file, standard input or a line of curl gives.
fn read(from: &str) -> Result<Imported, Exit> {
    let is_curl = from.trim_start().starts_with("curl ") && !Path::new(from).exists();
    let bytes = if is_curl { Ok(from.as_bytes().to_vec()) } else { bytes(from) };
    let bytes = bytes.map_err(|error| {
        print::error(
            &format!("cannot read {from}: {error}"),
            Some("name a file, `-` or a line that begins with `curl`"),
        );
        Exit::Invalid
    })?;
    import(&bytes, None).map_err(|error| {
        let name = if is_curl { "the line" } else { from };
        print::error(&format!("{name}: {error}"), Some(error.remedy));
        Exit::Invalid
    })
}

fn bytes(from: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if from == "-" {
        io::stdin().lock().take(LARGEST).read_to_end(&mut bytes)?;
    } else {
        File::open(from)?.take(LARGEST).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// The document as a scenario in `folder` names it. OpenAPI is read for each run; other documents are in the scenario.
fn shown_source(from: &str, imported: &Imported, folder: &Path) -> String {
    if imported.format == ImportFormat::OpenApi && from != "-" {
        return between(folder, Path::new(from)).unwrap_or_else(|| from.to_owned());
    }
    match imported.format {
        ImportFormat::Curl if from.trim_start().starts_with("curl ") => "a line".to_owned(),
        _ => from.to_owned(),
    }
}

/// The way from a folder to a file: a path that begins with a slash would be one of the server.
fn between(folder: &Path, file: &Path) -> Option<String> {
    let here = std::env::current_dir().ok()?;
    let plain = |path: &Path| {
        let mut parts: Vec<String> = Vec::new();
        for part in here.join(path).components() {
            match part {
                Component::Normal(part) => parts.push(part.to_str()?.to_owned()),
                Component::ParentDir => drop(parts.pop()),
                _ => {}
            }
        }
        Some(parts)
    };
    let (folder, file) = (plain(folder)?, plain(file)?);
    let common = folder.iter().zip(&file).take_while(|(one, other)| one == other).count();
    let up = std::iter::repeat_n("..", folder.len() - common);
    let down = file[common..].iter().map(String::as_str);
    Some(up.chain(down).collect::<Vec<_>>().join("/"))
}

fn summary(imported: &Imported) -> String {
    let (taken, left_out) = (imported.operations.len(), imported.left_out.len());
    let dangerous = imported.operations.iter().filter(|operation| operation.danger.is_some()).count();
    let mut text = format!("\n{}: {taken} taken, {left_out} left out", imported.format);
    if dangerous > 0 {
        text.push_str(&format!("; {dangerous} of those taken may do harm, and are sent only if you say so"));
    }
    text.push('\n');
    if !imported.variables.is_empty() {
        text.push_str(&format!("set before a run: {}\n", imported.variables.join(", ")));
    }
    text
}
