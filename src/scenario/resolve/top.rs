//! What holds for a scenario as a whole: its name, which servers, whether there is anything to do.

use std::path::Path;

use super::super::file;
use super::super::matrix::Matrix;
use super::super::problem::Problem;
use super::super::{LARGEST_SEED, suggest};
use super::Loading;
use crate::mode::Mode;

/// The longest name, in characters.
const LONGEST_NAME: usize = 100;

impl Loading<'_> {
    /// The name that the file gives, else its stem with what no folder should be called replaced.
    pub(super) fn name(&mut self, written: &file::RawScenario, path: &Path) -> String {
        let Some(name) = &written.name else {
            return safe(&path.file_stem().unwrap_or_default().to_string_lossy());
        };
        if safe(&name.value) != name.value {
            self.problems.add(
                Problem::new(format!("`{}` cannot name a scenario", name.value))
                    .at(&name.span, "not the name of a folder")
                    .help(format!("use letters, digits, `-`, `_` and `.`, as in \"{}\"", safe(&name.value))),
            );
        }
        name.value.clone()
    }

    fn check_seed(&mut self, written: &file::RawScenario) {
        if let Some(seed) = written.seed.as_ref().filter(|seed| seed.value > LARGEST_SEED) {
            let problem = Problem::new("`seed` is out of range").at(&seed.span, "other programs would round it");
            let help = "for `jq` and JavaScript, which read records too, this is the largest that they keep as it is";
            self.problems.add(problem.help(format!("write a whole number from 0 to {LARGEST_SEED}: {help}")));
        }
    }

    pub(super) fn check_top(&mut self, written: &file::RawScenario, matrix: &Matrix<'_>) {
        self.check_seed(written);
        self.check_servers(written, matrix);
        let varies = |section: &str| matrix.axes.iter().any(|axis| axis.key.starts_with(section));
        let has = |section: &str, given: bool| given || varies(section) || self.spoilt.covers(&[section]);
        if !has("load", written.load.is_some()) && !has("dirty", written.dirty.is_some()) {
            self.problems.add(
                Problem::new("nothing to do")
                    .at(&(0..0), "neither [load] nor [dirty] in this scenario")
                    .help("add [load] to drive a load, [dirty] to check for leaks between requests, or both"),
            );
        }
    }

    fn check_servers(&mut self, written: &file::RawScenario, matrix: &Matrix<'_>) {
        let axis = matrix.axes.iter().find(|axis| axis.key == "server");
        let varies = matrix.axes.iter().any(|axis| axis.key.starts_with("server."));
        // `server.workers` is a key of the server, and none that was meant to be `server`.
        let is_slip = |key: &str| key != "server" && !key.contains('.') && suggest::slip(key, ["server"]).is_some();
        match (&written.server, &written.servers) {
            (Some(server), Some(servers)) => {
                let problem = Problem::new("both [server] and [servers]").at(&server.span, "this one");
                let others =
                    servers.0.iter().fold(problem, |problem, (name, _)| problem.also(&name.span, "or this one"));
                self.problems.add(others.help("keep [server], or make it one more of [servers.NAME]"));
            }
            // A misspelt one is told of as an unknown key.
            (_, Some(_)) if matrix.axes.iter().any(|axis| is_slip(&axis.key)) => {
                self.spoilt.add_section("matrix.server")
            }
            (_, Some(servers)) if axis.is_none() && servers.0.len() != 1 => {
                let names: Vec<&str> = servers.0.iter().map(|(name, _)| name.value.as_str()).collect();
                let problem = Problem::new("no server is picked from [servers]");
                let problem = match servers.0.first() {
                    Some((first, _)) => problem.at(&first.span, format!("one of {}", names.len())),
                    None => problem.at(&(0..0), ""),
                };
                let all: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
                let help = format!("add [matrix] with server = [{}]", all.join(", "));
                self.missing(&["matrix", "server"], problem.help(help));
                self.spoilt.add_section("matrix.server");
            }
            (_, None) if axis.is_some() => {
                let span = axis.map_or(0..0, |axis| axis.span.clone());
                let problem =
                    Problem::new("the matrix picks servers, and there are none").at(&span, "no [servers.NAME]");
                let help = "declare each as [servers.NAME]; to vary a key of [server], write \"server.mode\" = [...]";
                self.missing(&["servers"], problem.help(help));
            }
            (None, None) if !varies && !self.spoilt.touches(&["servers"]) => {
                let problem = Problem::new("no server").at(&(0..0), "no [server] in this scenario");
                let help = "add [server] with mode = \"async\" (or another), command = [...] or url = \"http://...\"";
                self.missing(&["server"], problem.help(help));
            }
            _ => {}
        }
    }

    /// `threads` is wrong only where no variant has a use for it: a matrix of modes may list some that have none.
    pub(super) fn check_threads(&mut self) {
        for (span, _) in std::mem::take(&mut self.threads).into_iter().filter(|(_, used)| !used) {
            self.problems.add(
                Problem::new("`threads` has no effect in this mode")
                    .at(&span, "this mode has no threads")
                    .help(format!("remove it, or use mode {}", suggest::either(&Mode::names_with_threads()))),
            );
        }
    }
}

/// A text made into a name that is safe for a folder.
fn safe(name: &str) -> String {
    let keep = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let name: String = name.chars().take(LONGEST_NAME).map(keep).collect();
    let name = name.trim_start_matches(['.', '-']);
    if name.is_empty() { "scenario".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_safe_for_folders() {
        assert_eq!(safe("my scenario/2"), "my-scenario-2");
        assert_eq!(safe("../.."), "scenario");
        assert_eq!(safe("../up"), "up");
        assert_eq!(safe(".."), "scenario");
        assert_eq!(safe("café_1.2"), "café_1.2");
    }
}
