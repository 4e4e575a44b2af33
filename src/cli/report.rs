//! `runner report RECORD`: renders again what a run has recorded.

use std::path::{Path, PathBuf};

use super::arguments::Report;
use super::{Exit, print};
use crate::record::upgrade::{NotReadable, upgraded};
use crate::record::{FORMAT, Record};
use crate::report::ReportLocation;
use crate::run;

pub(super) fn report(arguments: &Report) -> Exit {
    let record = match read(&arguments.record) {
        Ok(record) => record,
        Err((message, advice)) => {
            print::error(&message, Some(advice));
            return Exit::Invalid;
        }
    };
    let home = home(&arguments.record);
    let folder = arguments.output.as_ref().unwrap_or(&home);
    let files = crate::report::render(&record, ReportLocation { folder: &home, beside: is_one(folder, &home) });
    let written = std::fs::create_dir_all(folder).and_then(|()| run::write_report(folder, &files));
    if let Err(error) = written {
        let advice = "choose a folder that can be written with `--output DIR`";
        print::error(&format!("cannot write the report to {}: {error}", folder.display()), Some(advice));
        return Exit::CouldNotRun;
    }
    print::out(&format!("report: {}\n", folder.join(crate::report::FORMATS[0].main).display()))
}

/// The folder of a record. `latest` leads to another one after the next run: it is what it leads to that is named.
fn home(record: &Path) -> PathBuf {
    let folder = if record.is_dir() { record } else { record.parent().unwrap_or(Path::new("")) };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match std::fs::read_link(folder) {
        Ok(target) => folder.parent().unwrap_or(Path::new("")).join(target),
        Err(_) => folder.to_path_buf(),
    }
}

/// Whether two paths lead to one folder; one that is still to be made is another.
fn is_one(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

/// Reads a record, by its path or that of its folder; the error is a message with advice.
pub(super) fn read(path: &Path) -> Result<Record, (String, &'static str)> {
    let path = if path.is_dir() { &path.join("record.json") } else { path };
    let advice = "name the record.json of a run, or the folder that holds it, as in reports/dirty/latest";
    let text =
        crate::input::read(path).map_err(|error| (format!("cannot read {}: {error}", path.display()), advice))?;
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| (format!("{} is not JSON: {error}", path.display()), advice))?;
    let value = upgraded(value).map_err(|why| match why {
        NotReadable::NoFormat => (format!("{} is not a record: {why}", path.display()), advice),
        NotReadable::OtherFormat(format) => (
            format!("{} is a record of format {format}; this version reads formats 1 to {FORMAT}", path.display()),
            "use the version of runner that wrote it",
        ),
    })?;
    serde_json::from_value(value)
        .map_err(|error| (format!("{} is not a whole record: {error}", path.display()), advice))
}
