//! What runner is when it has started itself again, and how such a process shows itself to people (`ps`, `top`).
//!
//! The title of a process is its first argument, so that nothing else stands in its command line:
//! `runner: worker async 1/2 of dirty.toml`. Whatever else it has to know comes through its channel, never as an argument.

use std::ffi::{CString, OsString};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use super::proc;

/// A part that a process of runner plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessRole {
    /// Serves in one of the built-in modes.
    Worker,
    /// Looks after a supervisor.
    Guard,
    /// Looks after a launched server.
    Supervisor,
    /// Becomes the program of a launched server.
    Starter,
}

const ALL: [ProcessRole; 4] = [ProcessRole::Worker, ProcessRole::Guard, ProcessRole::Supervisor, ProcessRole::Starter];

impl ProcessRole {
    const fn name(self) -> &'static str {
        match self {
            ProcessRole::Worker => "worker",
            ProcessRole::Guard => "guard",
            ProcessRole::Supervisor => "supervisor",
            ProcessRole::Starter => "starter",
        }
    }

    /// What the title of such a process starts with.
    fn title(self) -> String {
        format!("runner: {} ", self.name())
    }

    /// The argument that says the same where a process has no title.
    fn argument(self) -> String {
        format!("__{}", self.name())
    }

    /// The role of this process, unless people have started it.
    pub fn of_this_process() -> Option<ProcessRole> {
        ProcessRole::of(&arguments())
    }

    /// The role of the process with these arguments.
    pub(super) fn of(arguments: &[String]) -> Option<ProcessRole> {
        let first = arguments.first()?;
        let is_it = |role: &ProcessRole| first.starts_with(&role.title()) || arguments.get(1) == Some(&role.argument());
        ALL.into_iter().find(is_it)
    }

    /// The command that starts runner in this role. `what` says for whom: `of dirty.toml`.
    pub(super) fn command(self, what: &str) -> Command {
        let program = proc::this_program();
        let mut command = Command::new(&program);
        if program.as_os_str() == proc::THIS_PROGRAM {
            let what = what.replace(char::is_control, "?");
            command.arg0(format!("{}{what}", self.title()));
        } else {
            // It finds itself by its first argument, should it have to start another.
            command.arg(self.argument());
        }
        command
    }

    /// Gives this process the name that `top` and `ps -o comm` show; the kernel keeps 15 bytes of it.
    pub(super) fn name_process(self) {
        if let Ok(name) = CString::new(format!("runner:{}", self.name())) {
            // It is only for people to read.
            let _ = nix::sys::prctl::set_name(&name);
        }
    }
}

/// For whom this process is, as its title says it.
pub(super) fn what() -> String {
    let arguments = arguments();
    let title = arguments.first().map(String::as_str).unwrap_or_default();
    let what = ALL.iter().find_map(|role| title.strip_prefix(&role.title()));
    what.unwrap_or_default().to_owned()
}

/// What follows in the command line of this process after what says its role.
pub(super) fn own_arguments() -> impl Iterator<Item = OsString> {
    let of_role = |argument: OsString| ALL.iter().any(|role| argument.to_str() == Some(role.argument().as_str()));
    let has_argument = std::env::args_os().nth(1).is_some_and(of_role);
    std::env::args_os().skip(if has_argument { 2 } else { 1 })
}

fn arguments() -> Vec<String> {
    std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(arguments: &[&str]) -> Option<ProcessRole> {
        ProcessRole::of(&arguments.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn a_role_is_told_by_the_title_and_where_there_is_none_by_the_argument() {
        assert_eq!(of(&["runner: worker async 1/2 of dirty.toml"]), Some(ProcessRole::Worker));
        assert_eq!(of(&["runner: starter of a.toml", "12", "nothing"]), Some(ProcessRole::Starter));
        assert_eq!(of(&["./runner", "__supervisor"]), Some(ProcessRole::Supervisor));
        for others in [&["runner", "a.toml"][..], &["./runner:", "worker"], &["runner", "a.toml", "__worker"], &[]] {
            assert_eq!(of(others), None, "{others:?}");
        }
    }

    #[test]
    fn a_command_carries_its_title_and_no_control_character() {
        let command = ProcessRole::Guard.command("of a\n\u{1b}[31m.toml");
        assert_eq!(command.get_args().count(), 0);
        assert!(format!("{command:?}").contains("runner: guard of a??[31m.toml"), "{command:?}");
    }
}
