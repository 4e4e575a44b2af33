//! The one way to print. What cannot be printed is no reason to end: what was measured is written to the disk first, and the
//! rest of the scenarios runs.

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal as _, Write};

use super::Exit;

/// Prints results to standard output. A reader that has left (`| head`) is no error; a full disk is one.
pub(super) fn out(text: &str) -> Exit {
    match write(anstream::stdout().lock(), text) {
        Err(failed) if failed.kind() != ErrorKind::BrokenPipe => {
            error(&format!("cannot write to standard output: {failed}"), None);
            Exit::CouldNotRun
        }
        _ => Exit::Passed,
    }
}

/// Prints a line to standard error. Where that takes nothing there is no place left to say so: it is left out.
pub(super) fn note(line: impl Display) {
    let _ = write(anstream::stderr().lock(), &format!("{line}\n"));
}

/// `error: message`, and `help: advice` where there is some.
pub(super) fn error(message: &str, advice: Option<&str>) {
    labelled("error", anstyle::AnsiColor::Red, message, advice);
}

/// `warning: message`, and `help: advice` where there is some.
pub(super) fn warning(message: &str, advice: Option<&str>) {
    labelled("warning", anstyle::AnsiColor::Yellow, message, advice);
}

fn labelled(label: &str, color: anstyle::AnsiColor, message: &str, advice: Option<&str>) {
    let (color, cyan) = (color.on_default().bold(), anstyle::AnsiColor::Cyan.on_default().bold());
    let bold = anstyle::Style::new().bold();
    let advice = advice.map(|advice| format!("\n{cyan}help{cyan:#}: {advice}")).unwrap_or_default();
    note(format_args!("{color}{label}{color:#}{bold}: {message}{bold:#}{advice}"));
}

/// Whether notes go to a terminal.
pub(super) fn notes_are_on_a_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Whether notes are in colour.
pub(super) fn notes_have_color() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

fn write(mut to: impl Write, text: &str) -> io::Result<()> {
    to.write_all(text.as_bytes())?;
    to.flush()
}
