//! Reads what was typed. Options may come before the command, as in `runner -q check x.toml`.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Command, CommandFactory as _, Parser as _};

use super::arguments::Arguments;
use super::{Exit, print};

/// The arguments, or how the program ends without them: it was asked for help, or what was typed cannot be.
pub(super) fn arguments() -> Result<Arguments, Exit> {
    let mut all = Arguments::command();
    all.build();
    let typed = command_first(&all, std::env::args_os().collect());
    Arguments::try_parse_from(&typed).map_err(|error| {
        if let Some((message, advice)) = elsewhere(&all, &typed, &error) {
            print::error(&message, Some(&advice));
            return Exit::Invalid;
        }
        let text = error.render().ansi().to_string();
        if error.use_stderr() {
            print::note(text.trim_end());
            Exit::Invalid
        } else {
            print::out(&text)
        }
    })
}

/// Puts the command before the options that were typed in front of it.
fn command_first(all: &Command, typed: Vec<OsString>) -> Vec<OsString> {
    let mut at = 1;
    while let Some(word) = typed.get(at).and_then(|word| word.to_str()) {
        if word == "--" || !word.starts_with('-') {
            break;
        }
        at += if value_follows(all, word) { 2 } else { 1 };
    }
    let is_command = |word: &OsString| word.to_str().is_some_and(|word| all.find_subcommand(word).is_some());
    let mut typed = typed;
    if typed.get(at).is_some_and(is_command) {
        let command = typed.remove(at);
        // `help` takes no options.
        typed.drain(1..if command == "help" { at } else { 1 });
        typed.insert(1, command);
    }
    typed
}

/// Whether the value of an option, or of the last of several short ones, is the next word.
fn value_follows(all: &Command, word: &str) -> bool {
    if let Some(long) = word.strip_prefix("--") {
        return takes_value(all, |option| option.get_long() == Some(long));
    }
    let letters: Vec<char> = word.chars().skip(1).collect();
    let first = letters.iter().position(|letter| takes_value(all, |option| option.get_short() == Some(*letter)));
    first.is_some_and(|first| first + 1 == letters.len())
}

fn takes_value(all: &Command, is_meant: impl Fn(&clap::Arg) -> bool) -> bool {
    let mut options = commands(all).flat_map(Command::get_arguments);
    options.any(|option| is_meant(option) && matches!(option.get_action(), ArgAction::Set | ArgAction::Append))
}

/// Every command, and the program itself, which runs scenarios.
fn commands(all: &Command) -> impl Iterator<Item = &Command> {
    std::iter::once(all).chain(all.get_subcommands())
}

/// What is wrong, and the remedy, where an option of one command was given to another.
fn elsewhere(all: &Command, typed: &[OsString], error: &clap::Error) -> Option<(String, String)> {
    let Some(ContextValue::String(option)) =
        error.get(ContextKind::InvalidArg).filter(|_| error.kind() == ErrorKind::UnknownArgument)
    else {
        return None;
    };
    let command = all.find_subcommand(typed.get(1)?.to_str()?)?.get_name();
    let name = option.split('=').next().unwrap_or(option);
    let is_meant = |argument: &clap::Arg| {
        argument.get_long().is_some_and(|long| name.strip_prefix("--") == Some(long))
            || argument.get_short().is_some_and(|short| name.strip_prefix('-') == Some(short.to_string().as_str()))
    };
    let having = all.get_subcommands().filter(|command| command.get_arguments().any(is_meant));
    let having: Vec<String> = having.map(|command| format!("`runner {}`", command.get_name())).collect();
    let (last, before) = having.split_last()?;
    let having =
        if before.is_empty() { format!("{last} has") } else { format!("{} and {last} have", before.join(", ")) };
    Some((
        format!("`runner {command}` has no option `{name}`"),
        format!("{having} it; `runner {command} --help` lists the options of this one"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built() -> Command {
        let mut all = Arguments::command();
        all.build();
        all
    }

    fn ordered(typed: &str) -> String {
        let typed = std::iter::once("runner").chain(typed.split(' ')).map(OsString::from).collect();
        let ordered = command_first(&built(), typed);
        let words: Vec<String> = ordered.into_iter().skip(1).map(|word| word.into_string().unwrap()).collect();
        words.join(" ")
    }

    // fault: labels: an option before the command -> taken, or the message says which commands have it
    #[test]
    fn every_option_of_a_command_may_come_before_it() {
        let all = built();
        for command in all.get_subcommands() {
            let name = command.get_name();
            for option in command.get_arguments().filter(|option| !option.is_positional()) {
                let value =
                    if matches!(option.get_action(), ArgAction::Set | ArgAction::Append) { " check" } else { "" };
                let long = option.get_long().map(|long| format!("--{long}{value}"));
                let short = option.get_short().map(|short| format!("-{short}{value}"));
                for written in long.into_iter().chain(short) {
                    assert_eq!(ordered(&format!("{written} {name} x")), format!("{name} {written} x"));
                }
            }
        }
    }

    #[test]
    fn one_name_takes_a_value_everywhere_or_nowhere() {
        let all = built();
        for option in commands(&all).flat_map(Command::get_arguments).filter(|option| !option.is_positional()) {
            let takes = matches!(option.get_action(), ArgAction::Set | ArgAction::Append);
            let long = option.get_long().map(|long| value_follows(&all, &format!("--{long}")));
            let short = option.get_short().map(|short| value_follows(&all, &format!("-{short}")));
            assert!(long.into_iter().chain(short).all(|follows| follows == takes), "{option}");
        }
    }

    #[test]
    fn values_are_no_commands_and_files_stay_where_they_are() {
        for typed in [
            "check s.toml",
            "s.toml check",
            "--reports check s.toml",
            "-q -- check",
            "-qv s.toml",
            "--set=a=b s.toml",
            "--help",
            "-q",
        ] {
            assert_eq!(ordered(typed), typed);
        }
        assert_eq!(ordered("-qc 5 load u"), "load -qc 5 u");
        assert_eq!(ordered("-c5 load u"), "load -c5 u");
        assert_eq!(ordered("--set=a=b check s"), "check --set=a=b s");
        assert_eq!(ordered("-q help check"), "help check");
    }
}
