//! A fluent harness: `Runner::with(scenario).set("load.duration=1s").run().exit(0).stdout_has("passed")`.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub mod nats;
pub mod raw_server;

/// Waiting longer than this for something that must happen is a failure. Never asserted on as a measure.
const PATIENCE: Duration = Duration::from_secs(60);

/// Held by a test that measures time: those that hold it run one after another. One that failed does not end the others.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Cases of one test that mostly wait, a few at once: each takes the time that it would take alone, and not all of them the
/// sum. The first that fails fails the test.
pub fn a_few_at_once<T: Sync>(cases: &[T], test: impl Fn(&T) + Sync) {
    const AT_ONCE: usize = 3;
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            test(case);
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
}

/// A run in the making: a folder of its own with a scenario in it.
pub struct Runner {
    folder: TempDir,
    command: Command,
}

/// What came of a run.
pub struct Outcome {
    pub folder: TempDir,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A run that is under way.
pub struct Running {
    folder: TempDir,
    child: Child,
    stderr: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

/// The path of a file of the repository.
pub fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

impl Runner {
    /// `runner` with these arguments, in an empty folder.
    pub fn new(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_runner"));
        command.args(arguments).current_dir(folder.path()).stdin(Stdio::null());
        command.env_remove("RUNNER_REPORTS").env_remove("RUNNER_LOG").env("NO_COLOR", "1");
        Runner { folder, command }
    }

    /// The same, with what a shell redirects, as in `2>/dev/full`.
    pub fn redirected(arguments: &[&str], redirects: &str) -> Self {
        Runner::under("sh", &["-c", &format!("exec \"$0\" \"$@\" {redirects}")], arguments)
    }

    /// The same, started by another program, which takes runner and its arguments after its own.
    pub fn under(program: &str, own: &[&str], arguments: &[&str]) -> Self {
        let mut runner = Runner::new(&[]);
        let mut command = Command::new(program);
        command.args(own).arg(env!("CARGO_BIN_EXE_runner")).args(arguments);
        command.current_dir(runner.folder.path()).stdin(Stdio::null());
        command.env_remove("RUNNER_REPORTS").env_remove("RUNNER_LOG").env("NO_COLOR", "1");
        runner.command = command;
        runner
    }

    /// A scenario given as text, `scenario.toml`.
    pub fn with(scenario: &str) -> Self {
        let runner = Runner::new(&["scenario.toml"]);
        runner.file("scenario.toml", scenario)
    }

    /// A scenario of the repository.
    pub fn shipped(name: &str) -> Self {
        let path = shipped(&format!("scenarios/{name}.toml"));
        Runner::new(&[path.to_str().unwrap()])
    }

    pub fn file(self, name: &str, text: &str) -> Self {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub fn set(self, key_value: &str) -> Self {
        self.arguments(&["--set", key_value])
    }

    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The same, started by another program: the first of `words`, which gets the rest and then `runner` with its arguments.
    pub fn started_by(mut self, words: &[&str]) -> Self {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(self.command.get_program()).args(self.command.get_args());
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        self.command = command;
        self
    }

    pub fn run(self) -> Outcome {
        let Runner { folder, mut command } = self;
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Outcome { folder, code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    pub fn start(self) -> Running {
        let Runner { folder, mut command } = self;
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let stderr = Arc::new(Mutex::new(String::new()));
        let collected = Arc::clone(&stderr);
        let reader = std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| *collected.lock().unwrap() += &(line + "\n"));
        });
        Running { folder, child, stderr, reader }
    }
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The processes that runner has started.
    pub fn workers(&self) -> Vec<u32> {
        children(self.pid())
    }

    /// Waits until so many workers have been started.
    pub fn wait_for_workers(&self, count: usize) -> Vec<u32> {
        wait_for("workers", || Some(self.workers()).filter(|workers| workers.len() == count))
    }

    /// Waits until the load, or the dirty check, has begun.
    pub fn wait_for_requests(&self) {
        wait_for("the first request", || self.stderr.lock().unwrap().contains(" GET /").then_some(()));
    }

    /// What has come on standard error so far.
    pub fn said(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    pub fn wait(mut self) -> Outcome {
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        let code = self.child.wait().unwrap().code();
        self.reader.join().unwrap();
        let stderr = self.stderr.lock().unwrap().clone();
        Outcome { folder: self.folder, code, stdout, stderr }
    }
}

impl Outcome {
    /// `runner` with these arguments, in the same folder.
    pub fn then(self, arguments: &[&str]) -> Runner {
        let mut next = Runner::new(arguments);
        next.command.current_dir(self.folder.path());
        next.folder = self.folder;
        next
    }

    #[track_caller]
    pub fn exit(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn stdout_has(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "no `{text}` in stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn stderr_has(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no `{text}` in stderr:\n{}", self.stderr);
        self
    }

    /// Nothing was written: no report, whole or in part.
    #[track_caller]
    pub fn no_report(self) -> Self {
        let reports = self.folder.path().join("reports");
        let left: Vec<_> = walk(&reports).into_iter().filter(|path| path.is_file()).collect();
        assert!(left.is_empty(), "left behind: {left:?}");
        self
    }

    /// The folder of the latest report of a scenario.
    #[track_caller]
    pub fn latest(&self, scenario: &str) -> PathBuf {
        let latest = self.folder.path().join("reports").join(scenario).join("latest");
        assert!(latest.join("record.json").is_file(), "no report; stderr:\n{}", self.stderr);
        latest
    }

    #[track_caller]
    pub fn record(&self, scenario: &str) -> Value {
        serde_json::from_slice(&fs::read(self.latest(scenario).join("record.json")).unwrap()).unwrap()
    }

    #[track_caller]
    pub fn report(&self, scenario: &str) -> String {
        fs::read_to_string(self.latest(scenario).join("report.md")).unwrap()
    }
}

/// Everything below a folder.
pub fn walk(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| {
            let below = if path.is_dir() && !path.is_symlink() { walk(&path) } else { Vec::new() };
            std::iter::once(path).chain(below)
        })
        .collect()
}

/// The live children of a process, by its threads.
pub fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
    let pids: Vec<u32> =
        lists.flat_map(|list| list.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>()).collect();
    pids.into_iter().filter(|pid| is_running(*pid)).collect()
}

/// Whether a process exists and has not ended (a zombie has).
pub fn is_running(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    !stat.rsplit(')').next().unwrap().trim_start().starts_with(['Z', 'X'])
}

pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().unwrap();
    assert!(status.success(), "kill -{name} {pid}");
}

/// Asks again until there is an answer.
#[track_caller]
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until none of these processes runs.
#[track_caller]
pub fn wait_until_gone(pids: &[u32]) {
    wait_for("the end of the workers", || pids.iter().all(|pid| !is_running(*pid)).then_some(()));
}
