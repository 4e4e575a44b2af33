//! The command line: arguments, exit codes, and the only place that prints.

use std::process::ExitCode;
use std::time::Instant;

use crate::record::Status;
use crate::server::{self, ProcessRole};

mod arguments;
mod baseline;
mod check;
mod compare;
mod definitions;
#[cfg(feature = "fleet")]
mod fleet;
#[cfg(feature = "fleet")]
mod fleet_runs;
mod index;
mod inspect;
mod live;
mod load;
mod log_format;
mod logging;
mod merge;
mod new;
mod night;
mod print;
mod progress;
mod prune;
mod read;
mod replay;
mod report;
mod report_folders;
mod run;
mod scenario_file;
mod select;
mod serve;
mod signals;
#[cfg(feature = "fleet")]
mod status_line;
mod sweep;
mod system_context;
mod unknown;

use arguments::{Arguments, Command};
use logging::EventLog;

/// What a process ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    Passed,
    /// Neither passed nor failed.
    Inconclusive,
    /// An assertion failed.
    Failed,
    /// The server, the port or the disk refused.
    CouldNotRun,
    /// The arguments or a scenario are invalid.
    Invalid,
    /// Ended by a signal; the report is written.
    Interrupted,
}

impl Exit {
    /// The code of the process.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Passed => 0,
            Exit::Failed => 1,
            Exit::Invalid => 2,
            Exit::CouldNotRun => 3,
            Exit::Inconclusive => 4,
            Exit::Interrupted => 130,
        }
    }

    /// The one of a code.
    fn of_code(code: u8) -> Exit {
        let all = [Exit::Passed, Exit::Inconclusive, Exit::Failed, Exit::Invalid, Exit::Interrupted];
        all.into_iter().find(|exit| exit.code() == code).unwrap_or(Exit::CouldNotRun)
    }
}

impl From<Status> for Exit {
    fn from(status: Status) -> Self {
        match status {
            Status::Passed => Exit::Passed,
            Status::Failed => Exit::Failed,
            Status::Inconclusive => Exit::Inconclusive,
            Status::CouldNotRun => Exit::CouldNotRun,
            Status::Interrupted | Status::NotStarted => Exit::Interrupted,
        }
    }
}

/// The program.
pub fn main() -> ExitCode {
    let began = Instant::now();
    if let Some(role) = ProcessRole::of_this_process() {
        return server::run_as(role);
    }
    let exit = match read::arguments() {
        Ok(arguments) => obey(arguments, began),
        Err(exit) => exit,
    };
    ExitCode::from(exit.code())
}

fn obey(arguments: Arguments, began: Instant) -> Exit {
    let manner = arguments.manner;
    arguments.color.apply();
    let with_log = |export: bool, command: &dyn Fn(&EventLog) -> Exit| {
        EventLog::start(manner, began, export).map_or_else(|exit| exit, |log| command(&log))
    };
    match arguments.command {
        Some(Command::Run(options)) => with_log(true, &|log| run::run(&options, log, began)),
        Some(Command::Load(options)) => with_log(true, &|log| load::load(&options, log, manner.quiet, began)),
        Some(Command::Inspect(options)) => with_log(true, &|log| inspect::inspect(&options, log, began)),
        Some(Command::Sweep(options)) => with_log(true, &|log| sweep::sweep(&options, log, began)),
        Some(Command::Check(options)) => check::check(&options),
        Some(Command::Serve(options)) => with_log(false, &|log| serve::serve(&options, log)),
        Some(Command::Compare(options)) => compare::compare(&options),
        Some(Command::Report(options)) => report::report(&options),
        Some(Command::Replay(options)) => with_log(true, &|log| replay::run(&options, log)),
        Some(Command::New(options)) => new::new(&options),
        Some(Command::Definitions(options)) => definitions::definitions(&options),
        Some(Command::Index(options)) => index::index(&options),
        Some(Command::Merge(options)) => merge::merge(&options),
        Some(Command::Prune(options)) => prune::prune(&options),
        Some(Command::Baseline(command)) => baseline::baseline(&command),
        #[cfg(feature = "fleet")]
        Some(Command::Agent(options)) => with_log(false, &|log| fleet::agent(&options, log)),
        #[cfg(feature = "fleet")]
        Some(Command::Submit(options)) => with_log(false, &|log| fleet_runs::submit(&options, log)),
        #[cfg(feature = "fleet")]
        Some(Command::Wait(options)) => with_log(false, &|log| fleet_runs::wait(&options, log)),
        #[cfg(feature = "fleet")]
        Some(Command::Agents(options)) => fleet::agents(&options),
        Some(Command::Schema { draft }) => print_schema(&draft),
        Some(Command::Completions { shell }) => arguments::print_completions(shell),
        None => unknown::command(&arguments.run.files)
            .unwrap_or_else(|| with_log(true, &|log| run::run(&arguments.run, log, began))),
    }
}

fn print_schema(draft: &str) -> Exit {
    let schema = match draft {
        "4" => crate::scenario::schema::draft_4(),
        "7" => crate::scenario::schema::draft_7(),
        _ => crate::scenario::schema::json(),
    };
    print::out(&format!("{schema:#}\n"))
}
