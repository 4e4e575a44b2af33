//! What a process takes over from whoever started it, and must not: signals that are ignored, or that end it.

use std::fs;

use tokio::signal::unix::{SignalKind, signal};

/// `SIGXFSZ`: a file has grown as far as it may (`ulimit -f`).
const FILE_TOO_LARGE: i32 = 25;

/// Sees to it that the ends of children are told, also where the parent had that ignored: they would be reaped by nobody,
/// and never be known to have ended. And that a file that may not grow any more is an error of the write, not the end of
/// the process. Children have both as by default.
pub fn mend() -> std::io::Result<()> {
    catch(SignalKind::child())?;
    catch(SignalKind::from_raw(FILE_TOO_LARGE))
}

/// Does nothing at this signal from now on, where it was ignored or ended the process; what this process starts, or
/// becomes, has it as by default.
pub(super) fn catch(kind: SignalKind) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _inside = runtime.enter();
    // What is installed here stays; nobody listens.
    signal(kind).map(drop)
}

/// A socket that a supervisor, or its guard, held as well would take connections although the program has ended.
pub(super) fn let_go_of_the_input() -> std::io::Result<()> {
    Ok(rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?)
}

/// Whether the parent had this signal ignored, as `nohup` does; no where nobody can tell.
pub fn is_ignored(kind: SignalKind) -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, kind.as_raw_value()))
}

fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    (1..=64).contains(&signal) && mask >> (signal - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_their_mask() {
        let status = "Name:\trunner\nSigBlk:\t0000000000000003\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n";
        assert_eq!([1, 2, 13, 14, 64].map(|signal| ignores(status, signal)), [true, false, true, false, false]);
        assert!(!ignores("", 1) && !ignores("SigIgn:\tx\n", 1));
    }
}
