//! From a location to what the record says of it, with the lines around each place.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::locate::{Location, Moment};
use crate::record::{LocationRecord, PlaceRecord, ShownRecord, SourceRecord};

/// Lines before and after the one in question.
const AROUND: u32 = 4;
/// The longest of them, in characters, and the largest file that is read.
const LONGEST: usize = 200;
const LARGEST: u64 = 8 * 1024 * 1024;

/// The record of a location; `code` is the application's folder.
pub(super) fn record(
    location: Location,
    code: &Path,
    shown_with: ShownRecord,
    shown_without: Option<ShownRecord>,
) -> LocationRecord {
    let place = |moment: Option<Moment>| moment.map(|moment| place(moment, code));
    let (object, type_name, kind) = match location.object {
        Some(object) => (object.path, object.type_name, Some(object.kind)),
        None => (None, None, None),
    };
    LocationRecord {
        confidence: location.confidence,
        reason: location.reason,
        language: location.language,
        object,
        type_name,
        kind,
        write: place(location.write),
        overwritten: place(location.overwritten),
        read: place(location.read),
        shown_with,
        shown_without,
    }
}

fn place(moment: Moment, code: &Path) -> PlaceRecord {
    let Moment { place, unit, request, at_ms, within } = moment;
    let source = place.line.and_then(|line| around(&within_code(code, &place.file)?, line));
    PlaceRecord {
        file: place.file,
        line: place.line,
        column: place.column,
        function: place.function,
        text: place.text,
        unit,
        request,
        at_ms,
        within,
        source,
    }
}

/// A file of the application: no other is read, whatever a process says, and none that has no end.
fn within_code(code: &Path, file: &str) -> Option<PathBuf> {
    let code = code.canonicalize().ok()?;
    // A script of a built-in server is named as it is found from here.
    let mut places = [code.join(file), PathBuf::from(file)].into_iter().filter_map(|path| path.canonicalize().ok());
    places.find(|path| path.starts_with(&code) && path.is_file())
}

/// The lines around one, if the file has that.
fn around(path: &Path, line: u32) -> Option<SourceRecord> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LARGEST).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let first = line.saturating_sub(AROUND).max(1);
    let count = (line + AROUND - first + 1) as usize;
    let clipped = |line: &str| line.chars().take(LONGEST).collect::<String>();
    let lines: Vec<String> = text.lines().skip(first as usize - 1).take(count).map(clipped).collect();
    (lines.len() > (line - first) as usize).then_some(SourceRecord { first, lines })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_around_a_place_are_read_from_the_application_alone() {
        let folder = tempfile::tempdir().unwrap();
        let code = folder.path().join("code");
        std::fs::create_dir(&code).unwrap();
        let text: String = (1..=20).map(|line| format!("line {line}\n")).collect();
        std::fs::write(code.join("app.py"), &text).unwrap();
        std::fs::write(folder.path().join("other.py"), &text).unwrap();
        let of = |file: &str, line| around(&within_code(&code, file)?, line);
        let shown = |line| of("app.py", line).map(|source| (source.first, source.lines.len(), source.lines[0].clone()));
        assert_eq!(shown(10), Some((6, 9, "line 6".to_owned())));
        assert_eq!(shown(1), Some((1, 5, "line 1".to_owned())));
        assert_eq!(shown(20), Some((16, 5, "line 16".to_owned())));
        assert_eq!(shown(21), None, "the file has no such line");
        let outside = folder.path().join("other.py");
        assert_eq!((of("../other.py", 1), of(outside.to_str().unwrap(), 1), of("none.py", 1)), (None, None, None));
        assert!(of(code.join("app.py").to_str().unwrap(), 1).is_some());
        assert!(std::process::Command::new("mkfifo").arg(code.join("pipe.py")).status().unwrap().success());
        assert_eq!(of("pipe.py", 1), None, "nobody writes to it");
    }
}
