//! The command line: arguments, exit codes, and the only place that prints.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser as _;

use crate::record::Status;
use crate::server::{keeper, worker};

mod arguments;
mod check;
mod definitions;
mod load;
mod new;
mod progress;
mod replay;
mod report;
mod run;
mod serve;
mod signals;
mod surroundings;
mod unknown;

use arguments::{Arguments, Command};

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
}

impl From<Status> for Exit {
    fn from(status: Status) -> Self {
        match status {
            Status::Passed => Exit::Passed,
            Status::Failed => Exit::Failed,
            Status::Inconclusive => Exit::Inconclusive,
            Status::CouldNotRun => Exit::CouldNotRun,
            Status::Interrupted => Exit::Interrupted,
        }
    }
}

/// The program.
pub fn main() -> ExitCode {
    let began = Instant::now();
    match std::env::args_os().nth(1) {
        Some(argument) if argument == worker::ARGUMENT => return worker::main(),
        Some(argument) if argument == keeper::ARGUMENT => return keeper::main(),
        _ => {}
    }
    let arguments = Arguments::parse();
    arguments.color.apply();
    let exit = match arguments.command {
        Some(Command::Run(options)) => run::run(&options, began),
        Some(Command::Load(options)) => load::load(&options, began),
        Some(Command::Check(options)) => check::check(&options),
        Some(Command::Serve(options)) => serve::serve(&options),
        Some(Command::Report(options)) => report::report(&options),
        Some(Command::Replay(options)) => replay::run(&options),
        Some(Command::New(options)) => new::new(&options),
        Some(Command::Definitions(options)) => definitions::definitions(&options),
        Some(Command::Schema) => print_schema(),
        Some(Command::Completions { shell }) => arguments::print_completions(shell),
        None => unknown::command(&arguments.run.files).unwrap_or_else(|| run::run(&arguments.run, began)),
    };
    ExitCode::from(exit.code())
}

fn print_schema() -> Exit {
    let schema = crate::scenario::schema::json();
    print_out(&format!("{schema:#}\n"))
}

/// Prints to standard output. A reader that has left (`| head`) is no error.
fn print_out(text: &str) -> Exit {
    use std::io::Write as _;
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            print_error(&format!("cannot write to standard output: {error}"), None);
            Exit::CouldNotRun
        }
        _ => Exit::Passed,
    }
}

/// `error: message`, and `help: advice` where there is some.
fn print_error(message: &str, advice: Option<&str>) {
    print_label("error", anstyle::AnsiColor::Red, message, advice);
}

/// `warning: message`, and `help: advice` where there is some.
fn print_warning(message: &str, advice: Option<&str>) {
    print_label("warning", anstyle::AnsiColor::Yellow, message, advice);
}

fn print_label(label: &str, color: anstyle::AnsiColor, message: &str, advice: Option<&str>) {
    let (color, cyan) = (color.on_default().bold(), anstyle::AnsiColor::Cyan.on_default().bold());
    let bold = anstyle::Style::new().bold();
    anstream::eprintln!("{color}{label}{color:#}{bold}: {message}{bold:#}");
    if let Some(advice) = advice {
        anstream::eprintln!("{cyan}help{cyan:#}: {advice}");
    }
}
