//! `runner new NAME`: a scenario and its script, to start from.

use std::fs::File;
use std::io::Write as _;

use super::arguments::New;
use super::{Exit, print};
use crate::scenario::sample;

pub(super) fn new(arguments: &New) -> Exit {
    let name = &arguments.name;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(fits) {
        print::error(&format!("`{name}` cannot name a scenario"), Some("use letters, digits, `-` and `_`"));
        return Exit::Invalid;
    }
    let (scenario, script) = sample::new_scenario(name);
    let scenario_path = arguments.folder.join(format!("{name}.toml"));
    let script_path = arguments.folder.join("handlers").join(format!("{name}.rhai"));
    for path in [&scenario_path, &script_path] {
        if path.exists() {
            let advice = "choose another name, or remove it first: nothing is overwritten";
            print::error(&format!("{} exists already", path.display()), Some(advice));
            return Exit::Invalid;
        }
    }
    for (path, text) in [(&scenario_path, &scenario), (&script_path, &script)] {
        let create = |path: &std::path::Path| {
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            File::create_new(path)?.write_all(text.as_bytes())
        };
        if let Err(error) = create(path) {
            // One without the other is of no use, and would refuse the next try. Neither was there before.
            for written in [&scenario_path, &script_path] {
                let _ = std::fs::remove_file(written);
            }
            print::error(
                &format!("cannot write {}: {error}", path.display()),
                Some("name another folder with `--folder DIR`"),
            );
            return Exit::CouldNotRun;
        }
    }
    let (scenario, script) = (scenario_path.display(), script_path.display());
    print::out(&format!("wrote {scenario}\nwrote {script}\n\nnext: runner check {scenario}\n      runner {scenario}\n"))
}
