//! The one way to print. What cannot be printed is no reason to end: what was measured is written to the disk first, and the
//! rest of the scenarios runs.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::time::Duration;

use super::Exit;

/// How long to wait before a stream that takes nothing at the moment is tried again.
const PAUSE: Duration = Duration::from_millis(1);
/// How often a note is tried. A run is not held up by those who do not read.
const TRIES: u32 = 50;

/// Prints results to standard output. A reader that has left (`| head`) is no error; a full disk is one.
pub(super) fn out(text: &str) -> Exit {
    let color = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
    match write(io::stdout().lock(), &plain_unless(color, text), None) {
        Err(failed) if failed.kind() != ErrorKind::BrokenPipe => {
            error(&format!("cannot write to standard output: {failed}"), None);
            Exit::CouldNotRun
        }
        _ => Exit::Passed,
    }
}

/// Prints a line to standard error. Where that takes nothing there is no place left to say so: it is left out.
pub(super) fn note(line: impl Display) {
    let text = format!("{line}\n");
    let _ = write(io::stderr().lock(), &plain_unless(notes_have_color(), &text), Some(TRIES));
}

/// `error: message`, and `help: advice` where there is some.
pub(super) fn error(message: &str, advice: Option<&str>) {
    labelled("error", anstyle::AnsiColor::Red, message, advice);
}

/// `warning: message`, and `help: advice` where there is some.
pub(super) fn warning(message: &str, advice: Option<&str>) {
    labelled("warning", anstyle::AnsiColor::Yellow, message, advice);
}

/// The text of a warning, for whoever prints it between other lines.
pub(super) fn warning_text(message: &str, advice: Option<&str>) -> String {
    let text = label("warning", anstyle::AnsiColor::Yellow, message, advice);
    plain_unless(notes_have_color(), &text).into_owned()
}

fn labelled(name: &str, color: anstyle::AnsiColor, message: &str, advice: Option<&str>) {
    note(label(name, color, message, advice));
}

fn label(label: &str, color: anstyle::AnsiColor, message: &str, advice: Option<&str>) -> String {
    let (color, cyan) = (color.on_default().bold(), anstyle::AnsiColor::Cyan.on_default().bold());
    let bold = anstyle::Style::new().bold();
    let advice = advice.map(|advice| format!("\n{cyan}help{cyan:#}: {advice}")).unwrap_or_default();
    format!("{color}{label}{color:#}{bold}: {message}{bold:#}{advice}")
}

/// Whether notes go to a terminal.
pub(super) fn notes_are_on_a_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Whether notes are in colour.
pub(super) fn notes_have_color() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

fn plain_unless(color: bool, text: &str) -> Cow<'_, str> {
    if color { text.into() } else { anstream::adapter::strip_str(text).to_string().into() }
}

/// Writes a text to its end. A stream that somebody has made not to block is tried again, so often at most.
fn write(mut to: impl Write, text: &str, tries: Option<u32>) -> io::Result<()> {
    let (mut rest, mut tried) = (text.as_bytes(), 0);
    loop {
        let wrote = if rest.is_empty() { to.flush().map(|()| 0) } else { to.write(rest) };
        match wrote {
            Ok(0) if rest.is_empty() => return Ok(()),
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => rest = &rest[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock && tries.is_none_or(|most| tried < most) => {
                tried += 1;
                std::thread::sleep(PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
}

/// How wide the terminal is, in columns; one that does not know says 0.
pub(super) fn columns() -> Option<usize> {
    comfy_table::Table::new().width().filter(|width| *width > 0).map(usize::from)
}
