//! Leaks that were located in the code, more or less surely.

use runner::record::*;

use crate::fixtures::dirty;

fn place(line: u32, text: &str, unit: &str, at_ms: f64, within: f64) -> PlaceRecord {
    let first = line - 4;
    let lines = (first..first + 9).map(|n| if n == line { format!("    {text}") } else { format!("    # line {n}") });
    PlaceRecord {
        file: "app.py".into(),
        line: Some(line),
        column: Some(5),
        function: "dirty".into(),
        text: text.into(),
        unit: unit.into(),
        request: Some(2),
        at_ms,
        within: Some(within),
        source: Some(SourceRecord { first, lines: lines.collect() }),
    }
}

/// As a probe would have it of each confidence.
pub fn location(confidence: Confidence) -> LocationRecord {
    let write = place(25, "shared.email = request.GET.get(\"email\")", "Task-10", 200.4, 0.01);
    let overwritten = place(25, "shared.email = request.GET.get(\"email\")", "Task-6", 0.4, 0.001);
    let read = place(27, "return JsonResponse({\"email\": shared.email})", "Task-6", 700.2, 0.99);
    let full = LocationRecord {
        confidence,
        reason: None,
        language: Some("python".into()),
        object: Some("app.shared.email".into()),
        type_name: Some("types.SimpleNamespace".into()),
        kind: Some(SharedKind::ModuleGlobal),
        write: Some(write),
        overwritten: None,
        read: Some(read),
        shown_with: ShownRecord { shown: 3, tries: 4 },
        shown_without: Some(ShownRecord { shown: 10, tries: 10 }),
    };
    match confidence {
        Confidence::Located => LocationRecord { overwritten: Some(overwritten), ..full },
        Confidence::SameCallee => LocationRecord {
            object: Some("profile".into()),
            type_name: None,
            kind: Some(SharedKind::StatefulCallee),
            ..full
        },
        Confidence::Probable => {
            LocationRecord { kind: Some(SharedKind::CacheEntry), language: Some("node".into()), ..full }
        }
        Confidence::Partly => LocationRecord { object: None, type_name: None, kind: None, write: None, ..full },
        Confidence::NotLocated => LocationRecord {
            reason: Some(NotLocated::NotShown),
            language: None,
            object: None,
            type_name: None,
            kind: None,
            write: None,
            read: None,
            shown_with: ShownRecord { shown: 0, tries: 20 },
            ..full
        },
    }
}

/// The dirty story with its first leak located.
pub fn story(located: LocationRecord) -> Record {
    let mut record = dirty();
    let check = record.variants[0].trials[0].dirty.as_mut().unwrap();
    check.evidence[0].located = Some(located);
    record
}

/// All of a location's texts are this one.
pub fn hostile(text: &str) -> LocationRecord {
    let hurt = |mut place: PlaceRecord| {
        (place.file, place.function, place.text, place.unit) = (text.into(), text.into(), text.into(), text.into());
        place.source.as_mut().unwrap().lines = vec![text.into(); 9];
        place
    };
    let full = location(Confidence::Located);
    LocationRecord {
        reason: Some(NotLocated::ServerFailed { message: text.into() }),
        language: Some(text.into()),
        object: Some(text.into()),
        type_name: Some(text.into()),
        write: full.write.map(hurt),
        overwritten: full.overwritten.map(hurt),
        read: full.read.map(hurt),
        ..full
    }
}
