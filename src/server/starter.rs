//! Becomes the program of a command, tied to its supervisor: the kernel kills it when the supervisor dies, whatever else was
//! killed. (That a process asks for itself, and takes along when it becomes another program.)

use std::ffi::{CString, OsString};
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitCode, Stdio};

use rustix::io::Errno;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use tokio::signal::unix::SignalKind;

use super::inherited_signals;
use super::role::{self, ProcessRole};
use super::supervision::LaunchPlan;

/// Whether the program is handed a socket, as the argument says it.
const HANDED: &str = "handed";
const NOTHING: &str = "nothing";

/// Starts the program of a plan; both of its outputs go to `output`.
pub(super) fn start(plan: &LaunchPlan, output: std::io::PipeWriter) -> std::io::Result<Child> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let mut child = ProcessRole::Starter
        .command(&role::what())
        .arg(std::process::id().to_string())
        .arg(if plan.handed { HANDED } else { NOTHING })
        .arg(&plan.cwd)
        .args(&plan.command)
        .envs(plan.env.clone())
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .spawn()?;
    // Nothing comes of one that has become the program.
    let mut refused = String::new();
    ours.read_to_string(&mut refused)?;
    match refused.parse() {
        Ok(number) => {
            child.wait()?;
            Err(std::io::Error::from_raw_os_error(number))
        }
        Err(_) => Ok(child),
    }
}

/// Becomes the program; returns only where that is refused.
pub fn main() -> ExitCode {
    let mut arguments = role::own_arguments();
    let (Some(supervisor), Some(handed), Some(cwd)) = (arguments.next(), arguments.next(), arguments.next()) else {
        return ExitCode::FAILURE;
    };
    // Closed when the program takes over.
    let Ok(report) = std::io::stdin().as_fd().try_clone_to_owned() else { return ExitCode::FAILURE };
    let tied = set_parent_process_death_signal(Some(Signal::KILL));
    let parent = getppid().map(|parent| parent.as_raw_nonzero().get().to_string());
    if tied.is_ok() && parent.is_some_and(|parent| *parent != *supervisor) {
        // Its supervisor died before it was tied to it.
        return ExitCode::FAILURE;
    }
    let error = become_program(&PathBuf::from(cwd), arguments.collect(), handed == HANDED);
    let number = error.raw_os_error().unwrap_or(Errno::INVAL.raw_os_error());
    let _ = UnixStream::from(report).write_all(number.to_string().as_bytes());
    ExitCode::FAILURE
}

/// As the system does it: no shell is tried where a file is no program.
fn become_program(cwd: &Path, words: Vec<OsString>, is_handed: bool) -> std::io::Error {
    let prepared = || -> std::io::Result<(PathBuf, Vec<CString>)> {
        std::env::set_current_dir(cwd)?;
        inherited_signals::let_go_of_the_input()?;
        // Rust has it ignored; the program gets it as by default.
        inherited_signals::catch(SignalKind::pipe())?;
        let program = PathBuf::from(words.first().cloned().unwrap_or_default());
        let words = words.into_iter().map(|word| CString::new(word.into_vec()));
        Ok((program, words.collect::<Result<_, _>>()?))
    };
    let (program, words) = match prepared() {
        Ok(prepared) => prepared,
        Err(error) => return error,
    };
    let environment = environment(is_handed);
    let mut refused = Errno::NOENT.raw_os_error();
    for place in places(&program, std::env::var_os("PATH")) {
        let Ok(path) = CString::new(place.into_os_string().into_vec()) else { continue };
        let Err(error) = nix::unistd::execve(&path, &words, &environment);
        match error {
            nix::Error::ENOENT | nix::Error::ENOTDIR => {}
            // Another of this name may be executable.
            nix::Error::EACCES => refused = error as i32,
            _ => return error.into(),
        }
    }
    std::io::Error::from_raw_os_error(refused)
}

/// The own; and for who is handed a socket, what systemd would say of it.
fn environment(is_handed: bool) -> Vec<CString> {
    let own = std::env::vars_os().filter(|(name, _)| !is_handed || !name.to_string_lossy().starts_with("LISTEN_"));
    let own = own.map(|(name, value)| [name.into_vec(), value.into_vec()].join(&b'='));
    let pid = std::process::id();
    let said = [format!("LISTEN_PID={pid}"), "LISTEN_FDS=1".to_owned()].into_iter().filter(|_| is_handed);
    own.chain(said.map(String::into_bytes)).filter_map(|entry| CString::new(entry).ok()).collect()
}

/// Where a program may be: a name without a slash is looked for on the path.
fn places(program: &Path, path: Option<OsString>) -> Vec<PathBuf> {
    if program.as_os_str().as_encoded_bytes().contains(&b'/') {
        return vec![program.to_owned()];
    }
    let path = path.unwrap_or_else(|| "/bin:/usr/bin".into());
    std::env::split_paths(&path).map(|folder| Path::new(".").join(folder).join(program)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_looked_for_on_the_path_unless_it_says_where_it_is() {
        let of = |program: &str, path: Option<&str>| places(Path::new(program), path.map(Into::into));
        assert_eq!(of("./serve", Some("/bin")), [Path::new("./serve")]);
        assert_eq!(of("serve", Some("/a::b")), ["/a/serve", "./serve", "./b/serve"].map(Path::new));
        assert_eq!(of("serve", None), ["/bin/serve", "/usr/bin/serve"].map(Path::new));
    }
}
