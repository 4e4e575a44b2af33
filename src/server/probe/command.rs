//! What a command is told of the probes, and whether there is one for what it starts.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::{PROBE_MARKS, Probe};
use crate::scenario::CommandSpec;

/// Programs that run Python or Node, by the beginning of their names.
const PROGRAMS: [&str; 30] = [
    "python",
    "pypy",
    "gunicorn",
    "uvicorn",
    "hypercorn",
    "daphne",
    "granian",
    "waitress-serve",
    "flask",
    "fastapi",
    "django-admin",
    "uwsgi",
    "sanic",
    "quart",
    "celery",
    "poetry",
    "pipenv",
    "uv",
    "pdm",
    "node",
    "nodejs",
    "npm",
    "npx",
    "yarn",
    "pnpm",
    "tsx",
    "ts-node",
    "nodemon",
    "pm2",
    "next",
];
/// Their files.
const SCRIPTS: [&str; 7] = [".py", ".pyz", ".js", ".cjs", ".mjs", ".ts", ".mts"];
/// The longest first line of a script.
const LONGEST_LINE: u64 = 256;

/// Whether a command starts, as far as its words tell, what there is a probe for.
pub fn is_known(plan: &CommandSpec) -> bool {
    let words = words(plan);
    words.iter().any(|word| is_program(word) || is_script(word))
        || words
            .first()
            .is_some_and(|program| first_line(&plan.cwd, program).is_some_and(|line| is_program_line(&line)))
}

impl Probe {
    /// The variables for a command, in the environment that it would have without them.
    pub(in crate::server) fn environment(
        &self,
        plan: &CommandSpec,
        known: &dyn Fn(&str) -> Option<String>,
    ) -> Vec<(String, String)> {
        let text = |path: &Path| path.display().to_string();
        let before = |name: &str, first: String, between: &str| match known(name).filter(|value| !value.is_empty()) {
            Some(rest) => format!("{first}{between}{rest}"),
            None => first,
        };
        let script = quoted(&text(&self.scripts("node").join("probe.cjs")));
        vec![
            ("RUNNER_PROBE_DIR".to_owned(), text(&self.events())),
            ("RUNNER_PROBE_CACHE".to_owned(), text(&self.cache())),
            ("RUNNER_PROBE_CANARY".to_owned(), self.canary.clone()),
            ("RUNNER_PROBE_MARKS".to_owned(), text(&self.folder.path().join(PROBE_MARKS))),
            ("RUNNER_PROBE_APP".to_owned(), text(&application(plan))),
            ("PYTHONPATH".to_owned(), before("PYTHONPATH", text(&self.scripts("python")), ":")),
            ("NODE_OPTIONS".to_owned(), before("NODE_OPTIONS", format!("--require {script}"), " ")),
        ]
    }
}

/// Options that say where the application is.
const FOLDERS: [&str; 5] = ["--app-dir", "--chdir", "--pythonpath", "--working-dir", "--working-directory"];

/// The folder of the application: where the command runs; or, if that is elsewhere, what an option names, or where its
/// script is.
pub fn application(plan: &CommandSpec) -> PathBuf {
    let absolute = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let cwd = absolute(if plan.cwd.as_os_str().is_empty() { Path::new(".") } else { &plan.cwd });
    let words = words(plan);
    let named = named_folders(&words).map(|word| cwd.join(word)).filter(|path| path.is_dir());
    let scripts = words.iter().filter(|word| is_script(word)).map(|word| cwd.join(word)).filter(|path| path.is_file());
    let of_scripts = scripts.filter_map(|path| Some(path.parent()?.to_path_buf()));
    let mut all = named.chain(of_scripts).map(|path| absolute(&path));
    all.find(|path| !path.starts_with(&cwd)).unwrap_or(cwd)
}

/// What those options name, as the next word or after an equals sign.
fn named_folders(words: &[String]) -> impl Iterator<Item = &str> {
    words.iter().enumerate().filter_map(|(index, word)| match word.split_once('=') {
        Some((option, folder)) => FOLDERS.contains(&option).then_some(folder),
        None if FOLDERS.contains(&word.as_str()) => words.get(index + 1).map(String::as_str),
        None => None,
    })
}

/// All words of the command, also those within the words that a shell is given.
fn words(plan: &CommandSpec) -> Vec<String> {
    let all = plan.command.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    all.split(|c: char| c.is_whitespace() || ";&|()\"'`".contains(c))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn is_program(word: &str) -> bool {
    let name = word.rsplit('/').next().unwrap_or(word);
    // `python3.11` is one as well.
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    PROGRAMS.contains(&bare)
}

fn is_script(word: &str) -> bool {
    SCRIPTS.iter().any(|end| word.ends_with(end))
}

/// `#!/usr/bin/env python3`.
fn is_program_line(line: &str) -> bool {
    line.strip_prefix("#!").is_some_and(|rest| rest.split_whitespace().any(is_program))
}

fn first_line(cwd: &Path, program: &str) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(cwd.join(program)).ok()?.take(LONGEST_LINE).read_to_end(&mut bytes).ok()?;
    String::from_utf8_lossy(&bytes).lines().next().map(str::to_owned)
}

/// As Node splits its options.
fn quoted(path: &str) -> String {
    if path.contains([' ', '"', '\\']) {
        format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        path.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::tests::command;

    #[test]
    fn a_command_of_python_or_node_is_known_by_its_words() {
        for line in [
            "python3.11 -m app",
            ".venv/bin/gunicorn -b {host}:{port} app:wsgi",
            "node server.js",
            "./serve.py",
            "sh -c 'exec uvicorn app:app'",
            "env A=b node x",
        ] {
            assert!(is_known(&command(line)), "{line}");
        }
        for line in ["./serve {port}", "java -jar app.jar", "caddy run", "pythonic", "sh -c 'exec ./server'"] {
            assert!(!is_known(&command(line)), "{line}");
        }
    }

    #[test]
    fn a_script_without_an_ending_is_known_by_its_first_line() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("serve"), "#!/usr/bin/env python3\nprint()").unwrap();
        let plan = CommandSpec { cwd: folder.path().to_path_buf(), ..command("./serve {port}") };
        assert!(is_known(&plan));
    }

    #[test]
    fn the_environment_goes_before_what_is_there() {
        let probe = crate::server::probe::Probes::default().probe("zq").unwrap();
        let known = |name: &str| (name == "PYTHONPATH").then(|| "lib".to_owned());
        let all = probe.environment(&command("python3 app.py"), &known);
        let of = |wanted: &str| all.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone()).unwrap();
        assert!(of("PYTHONPATH").ends_with("/python:lib"));
        assert_eq!(of("RUNNER_PROBE_CANARY"), "zq");
        assert_eq!(Path::new(&of("RUNNER_PROBE_APP")), std::env::current_dir().unwrap().canonicalize().unwrap());
        assert_eq!((quoted("/a/b.cjs"), quoted("/a b/c.cjs")), ("/a/b.cjs".to_owned(), "\"/a b/c.cjs\"".to_owned()));
    }

    #[test]
    fn the_application_is_where_its_script_is() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(folder.join("work")).unwrap();
        std::fs::create_dir_all(folder.join("servers")).unwrap();
        std::fs::write(folder.join("servers/app.py"), "").unwrap();
        let plan = |line: &str| CommandSpec { cwd: folder.join("work"), ..command(line) };
        assert_eq!(application(&plan("python3 ../servers/app.py")), folder.join("servers"));
        assert_eq!(application(&plan("python3 app.py")), folder.join("work"));
        assert_eq!(application(&plan("uvicorn --app-dir ../servers app:asgi")), folder.join("servers"));
        assert_eq!(application(&plan("gunicorn --chdir=../servers app:wsgi")), folder.join("servers"));
        assert_eq!(application(&plan("gunicorn --chdir ../none app:wsgi")), folder.join("work"));
    }
}
