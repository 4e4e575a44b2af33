//! A first word that is neither a command nor a file: most likely a slip.

use std::path::{Path, PathBuf};

use clap::CommandFactory as _;

use super::arguments::Arguments;
use super::{Exit, print};

/// Says so if the first of the files to run looks like a command that is not there.
pub(super) fn command(files: &[PathBuf]) -> Option<Exit> {
    let word = files.first()?.to_str().filter(|word| looks_like_a_command(word))?;
    let advice = match nearest(word) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            "`runner --help` lists the commands; a scenario is named by its file, as in scenarios/dirty.toml".to_owned()
        }
    };
    print::error(&format!("there is no command `{word}`"), Some(&advice));
    Some(Exit::Invalid)
}

fn looks_like_a_command(word: &str) -> bool {
    !word.contains(['.', '/']) && !Path::new(word).exists()
}

/// The command that is written almost like this: one letter in three may differ.
fn nearest(word: &str) -> Option<String> {
    let commands = Arguments::command();
    let names = commands.get_subcommands().map(clap::Command::get_name);
    let distances = names.map(|name| (strsim::damerau_levenshtein(word, name), name));
    let near = distances.filter(|(distance, name)| distance * 3 <= name.len().max(word.len()));
    near.min().map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_told_from_a_command_that_is_not_there() {
        let near = |word| nearest(word).unwrap_or_default();
        assert_eq!(["reprot", "chekc", "laod", "nwe", "serv"].map(near), ["report", "check", "load", "new", "serve"]);
        assert_eq!(["html", "log", "dirty"].map(near), ["", "", ""]);
    }
}
