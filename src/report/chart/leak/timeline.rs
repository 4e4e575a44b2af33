//! The same round for a page: bars that tell more of themselves when they are hovered over or reached by the keyboard. Styles do
//! that, so that it needs no script; all times stand beside the bars as well.

use super::super::scale::{Scale, number, ticks};
use super::touches::{CodeMark, Touch, code_marks};
use super::{Row, rows, span, times};
use crate::record::{LeakRecord, PlaceRecord};
use crate::report::escape::{clean, clip, html};
use crate::report::format::millis;
use crate::report::location;
use crate::report::sentence::{found_in, overlap_ms};
use crate::units::{counted, show_count};

/// The end of the last bar, in percent of the width: behind it is room for the last number of the axis.
const END: f64 = 97.0;
/// Marks of one bar that are closer than this, in percent, stand above and below it.
const CLOSE: f64 = 14.0;
/// Closer than this to an end, in percent, the name of a mark goes to the other side.
const EDGE: f64 = 12.0;
/// The longest line of a request and of code, and the longest excerpt, in characters.
const LONGEST_LINE: usize = 160;
const LONGEST_EXCERPT: usize = 240;

/// A leak's witnesses as elements of a page; ids in it begin with `id`.
pub(crate) fn timeline(leak: &LeakRecord, title: &str, id: &str) -> String {
    let (rows, left_out) = rows(leak);
    let (start, end) = span(&rows);
    let x = Scale::linear((start, end), (0.0, END));
    let marks = code_marks(leak);
    let bars: String = rows
        .iter()
        .enumerate()
        .map(|(index, row)| {
            let marks: Vec<&CodeMark<'_>> = marks.iter().filter(|mark| mark.row == index).collect();
            bar(leak, row, &marks, x, &format!("{id}-{index}"))
        })
        .collect();
    let left_out = match left_out {
        0 => String::new(),
        count => format!("<p>and {} of this round, not drawn</p>\n", counted(count, "more request")),
    };
    format!(
        "<figure class=\"timeline\" data-start=\"{start:.3}\" data-end=\"{end:.3}\" data-width=\"{END}\">\n\
         <figcaption>{}</figcaption>\n{}<div class=\"lanes\">\n{}<ol>\n{bars}</ol>\n</div>\n\
         <p class=\"unit\">milliseconds from the start of the round</p>\n{left_out}</figure>\n",
        html(title),
        keys(leak),
        ground(leak, x, end),
    )
}

/// What the colours and marks mean.
fn keys(leak: &LeakRecord) -> String {
    let mut keys = vec![("victim", "victim: its response leaked".to_owned())];
    if let Some(source) = &leak.source {
        keys.push(("source", "source: its canary turned up".to_owned()));
        if let Some((from, to)) = overlap_ms(&leak.victim, source) {
            keys.push(("both", format!("both in flight for {}", millis(to - from))));
        }
    }
    if !leak.bystanders.is_empty() {
        keys.push(("other", "others of the round".to_owned()));
    }
    keys.push(("first", "first byte".to_owned()));
    let keys: String = keys.iter().map(|(class, text)| format!("<span class=\"key {class}\">{text}</span>")).collect();
    format!("<p class=\"keys\">{keys}</p>\n")
}

/// What is behind the bars: the numbers of the axis, and the time in which both were in flight.
fn ground(leak: &LeakRecord, x: Scale, end: f64) -> String {
    let line = |tick: f64| format!("<i style=\"left:{:.2}%\"><b>{}</b></i>", x.at(tick), number(tick));
    let lines: String = ticks(end, 6.0).into_iter().filter(|tick| *tick <= end).map(line).collect();
    let both = leak.source.as_ref().and_then(|source| overlap_ms(&leak.victim, source));
    let both = both.map_or_else(String::new, |(from, to)| {
        let (left, right) = (x.at(from), x.at(to));
        format!("<i class=\"both\" style=\"left:{left:.2}%;width:{:.2}%\"></i>", right - left)
    });
    format!("<div class=\"ground\" aria-hidden=\"true\">{both}{lines}</div>\n")
}

fn bar(leak: &LeakRecord, row: &Row<'_>, marks: &[&CodeMark<'_>], x: Scale, id: &str) -> String {
    let witness = row.witness;
    let (left, right) = (x.at(witness.sent_ms), x.at(witness.done_ms));
    let first = witness.first_byte_ms.map(|ms| format!("<i class=\"first\" style=\"left:{:.2}%\"></i>", x.at(ms)));
    let part = if row.part.is_empty() { "other" } else { row.part };
    let (label, times) = (html(&row.label(14)), times(witness));
    let mut out = format!(
        "<li class=\"{part}{}\"><span class=\"who\">{label} <small>{times}</small></span><span class=\"lane\">\
         <button type=\"button\" class=\"bar\" style=\"left:{left:.2}%;width:{:.2}%\" \
         aria-label=\"{label}, {times}\" aria-describedby=\"{id}\"></button>{}{}",
        if marks.is_empty() { "" } else { " marked" },
        (right - left).max(0.0),
        tip(id, left, &of_request(leak, row)),
        first.unwrap_or_default()
    );
    let mut last = f64::NEG_INFINITY;
    for (index, mark) in marks.iter().enumerate() {
        let at = x.at(mark.at_ms);
        // The one before stands above.
        let low = at - last < CLOSE;
        last = if low { f64::NEG_INFINITY } else { at };
        out += &code_mark(mark, at, low, &format!("{id}-{index}"));
    }
    out + "</span></li>\n"
}

/// A line of code on a bar.
fn code_mark(mark: &CodeMark<'_>, at: f64, low: bool, id: &str) -> String {
    let (name, what) = match mark.touch {
        Touch::WroteOwn => ("wrote its own", "The victim's request wrote its own value here."),
        Touch::Wrote => ("wrote", "The source's request wrote its value here, to the same place."),
        Touch::Read => ("read", "The victim's request read the source's value here."),
    };
    let place = html(&location::at(mark.place));
    format!(
        "<button type=\"button\" class=\"mark{}\" style=\"left:{:.2}%\" aria-label=\"{name}: {place}\" \
         aria-describedby=\"{id}\"><span>{name}</span></button>{}",
        side(at, low),
        at,
        tip(id, at, &of_code(mark.place, what))
    )
}

/// Which way the name of a mark goes from where it stands.
fn side(at: f64, low: bool) -> &'static str {
    match (at < EDGE, at > 100.0 - EDGE, low) {
        (true, _, false) => " early",
        (true, _, true) => " early low",
        (_, true, false) => " late",
        (_, true, true) => " late low",
        (_, _, true) => " low",
        (_, _, false) => "",
    }
}

/// What is shown when the element before it is hovered over or has the focus: lines of HTML.
fn tip(id: &str, at: f64, lines: &[String]) -> String {
    let lines: String = lines.iter().map(|line| format!("<span>{line}</span>")).collect();
    format!("<span class=\"tip\" role=\"tooltip\" id=\"{id}\" style=\"--at:{at:.0}%\">{lines}</span>")
}

/// Times and bytes of a request, and what leaked of it or to it.
fn of_request(leak: &LeakRecord, row: &Row<'_>) -> Vec<String> {
    let witness = row.witness;
    let after = |ms: f64| format!("+{}", millis(ms));
    let mut when = vec![format!("sent {}", after(witness.sent_ms))];
    when.extend(witness.first_byte_ms.map(|ms| format!("first byte {}", after(ms))));
    when.push(format!("done {}", after(witness.done_ms)));
    let mut how = Vec::new();
    how.push(witness.status.map_or_else(|| "no response".to_owned(), |status| format!("status {status}")));
    how.extend(witness.response_bytes.map(|bytes| format!("{} bytes read", show_count(bytes))));
    how.push(format!("connection {}", witness.connection));
    how.extend(witness.worker.as_ref().map(|worker| format!("worker {}", html(&clip(worker, 40)))));
    let mut lines = vec![
        format!("<code>{}</code>", html(&clip(&witness.line, LONGEST_LINE))),
        format!("{}: {} in all", when.join(", "), millis((witness.done_ms - witness.sent_ms).max(0.0))),
        how.join(", "),
    ];
    match row.part {
        "victim" => {
            let within = if found_in(leak.oracle, &leak.place).is_some() { "in its " } else { "" };
            lines.push(format!("{within}{}: <code>{}</code>", html(&clip(&leak.place, 60)), excerpt(leak)));
        }
        "source" if !witness.canary.is_empty() => {
            lines.push(format!("its canary: <code>{}</code>", html(&clip(&witness.canary, LONGEST_LINE))));
        }
        _ => {}
    }
    lines
}

/// The text around the foreign canary, which stands out in it.
fn excerpt(leak: &LeakRecord) -> String {
    let text = clip(&leak.excerpt, LONGEST_EXCERPT);
    let canary = leak.source.as_ref().map(|source| clean(&source.canary)).filter(|canary| !canary.is_empty());
    match canary.as_deref().and_then(|canary| text.split_once(canary).map(|around| (canary, around))) {
        Some((canary, (before, after))) => {
            format!("{}<mark>{}</mark>{}", html(before), html(canary), html(after))
        }
        None => html(&text),
    }
}

/// Where a line of code stands, and the lines around it.
fn of_code(place: &PlaceRecord, what: &str) -> Vec<String> {
    let function = if place.function.is_empty() { String::new() } else { format!(" in {}", html(&place.function)) };
    let mut lines = vec![what.to_owned(), format!("<b>{}</b>{function}", html(&location::at(place)))];
    match &place.source {
        Some(source) if !source.lines.is_empty() => {
            let numbered = (source.first..).zip(&source.lines);
            lines.extend(numbered.map(|(number, line)| {
                let line = format!("{number:>4}  {}", indented(line));
                if Some(number) == place.line {
                    format!("<code><mark>{line}</mark></code>")
                } else {
                    format!("<code>{line}</code>")
                }
            }));
        }
        _ if !place.text.is_empty() => lines.push(format!("<code>{}</code>", html(&clip(&place.text, LONGEST_LINE)))),
        _ => {}
    }
    lines
}

/// A line of code with its indent, which is all that a tab of it is.
fn indented(line: &str) -> String {
    html(&clip(&line.replace('\t', "    "), LONGEST_LINE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Confidence, LeakClass, LeakOracle, LocationRecord, ShownRecord, SourceRecord, Witness};

    fn witness(request: u64, sent_ms: f64, done_ms: f64) -> Witness {
        Witness {
            request,
            canary: format!("cn{request}<b>"),
            role: "long<".to_owned(),
            line: format!("GET /?who=cn{request}<b>"),
            connection: 1,
            worker: None,
            sleep_ms: None,
            sent_ms,
            first_byte_ms: Some(done_ms),
            done_ms,
            status: Some(200),
            response_bytes: Some(1234),
            operation: None,
            trace_id: None,
        }
    }

    fn leak(located: Option<LocationRecord>) -> LeakRecord {
        LeakRecord {
            class: LeakClass::SharedSlot,
            alternatives: Vec::new(),
            oracle: LeakOracle::default(),
            overlapped: true,
            trigger: "overlap".to_owned(),
            round: 1,
            victim: witness(1, 0.0, 100.0),
            source: Some(witness(2, 60.0, 80.0)),
            place: "body".to_owned(),
            excerpt: "Hello, cn2<b>!".to_owned(),
            own_present: false,
            round_requests: 5,
            bystanders: vec![witness(3, 10.0, 20.0)],
            recipe: crate::dirty::recipe::Recipe::default(),
            shrunk: None,
            located,
        }
    }

    fn located() -> LocationRecord {
        let place = |line, within| PlaceRecord {
            file: "app.py".to_owned(),
            line: Some(line),
            function: "dirty".to_owned(),
            text: "shared.email = email".to_owned(),
            within: Some(within),
            source: Some(SourceRecord { first: line, lines: vec!["\tif a < b:".to_owned()] }),
            ..PlaceRecord::default()
        };
        LocationRecord {
            confidence: Confidence::Located,
            reason: None,
            language: None,
            object: None,
            type_name: None,
            kind: None,
            write: Some(place(25, 0.0)),
            overwritten: Some(place(25, 0.01)),
            read: Some(place(30, 0.99)),
            shown_with: ShownRecord::default(),
            shown_without: None,
        }
    }

    #[test]
    fn each_bar_tells_its_times_and_bytes_and_what_leaked() {
        let page = timeline(&leak(None), "Leak 1", "leak-1");
        for expected in [
            "<li class=\"victim\"><span class=\"who\">#1 long&lt; (victim) <small>+0 to +100 ms</small>",
            "sent +60 ms, first byte +80 ms, done +80 ms: 20 ms in all",
            "status 200, 1,234 bytes read, connection 1",
            "in its body: <code>Hello, <mark>cn2&lt;b&gt;</mark>!</code>",
            "its canary: <code>cn2&lt;b&gt;</code>",
            "both in flight for 20 ms",
            "aria-label=\"#3 long&lt;, +10 to +20 ms\" aria-describedby=\"leak-1-2\"",
            "id=\"leak-1-2\"",
            "and 2 more requests of this round, not drawn",
        ] {
            assert!(page.contains(expected), "{expected} in\n{page}");
        }
        assert!(!page.contains("<b>!") && !page.contains("class=\"mark"), "{page}");
    }

    #[test]
    fn lines_of_code_stand_on_the_bars_of_their_requests() {
        let page = timeline(&leak(Some(located())), "Leak 1", "leak-1");
        for expected in [
            "<li class=\"victim marked\">",
            "class=\"mark early\" style=\"left:0.97%\" aria-label=\"wrote its own: app.py:25\"",
            "aria-label=\"read: app.py:30\"",
            "<button type=\"button\" class=\"mark\" style=\"left:58.20%\" aria-label=\"wrote: app.py:25\"",
            "<b>app.py:25</b> in dirty",
            "<code><mark>  25      if a &lt; b:</mark></code>",
        ] {
            assert!(page.contains(expected), "{expected} in\n{page}");
        }
    }

    #[test]
    fn marks_that_would_cover_each_other_stand_above_and_below() {
        let mut located = located();
        located.read.as_mut().unwrap().within = Some(0.05);
        let page = timeline(&LeakRecord { source: None, ..leak(Some(located)) }, "Leak 1", "leak-1");
        assert!(page.contains("class=\"mark early\"") && page.contains("class=\"mark early low\""), "{page}");
    }
}
