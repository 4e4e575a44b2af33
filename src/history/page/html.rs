//! The page as one HTML file: no script, nothing from elsewhere, light and dark, for a wall and for a telephone.

use super::markdown::unread;
use super::words::{answer, day, figure, is_better, leaks, name, new_series, regression, signed, since, state};
use crate::history::index::{Headline, Index, IndexRow};
use crate::record::Status;
use crate::report::html_text;
use crate::units::{counted, show_duration};

const STYLE: &str = include_str!("page.css");
/// The size of a line of figures.
const WIDTH: f64 = 180.0;
const HEIGHT: f64 = 40.0;

/// The page of an index. Links lead from the folder of reports.
pub fn html(index: &Index) -> String {
    let (stale, tonight): (Vec<&IndexRow>, Vec<&IndexRow>) = index.rows.iter().partition(|row| row.stale);
    let urgent: Vec<&IndexRow> = tonight.iter().copied().filter(|row| row.needs_a_look()).collect();
    let answer = answer(index);
    let title = html_text(&answer);
    let mood = mood(&urgent);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>runner: {title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header class=\"{mood}\">\n<h1>{title}</h1>\n<p>{}</p>\n</header>\n<main>\n",
        about(index, &tonight)
    );
    if !urgent.is_empty() {
        out += "<section aria-labelledby=\"look\">\n<h2 id=\"look\">Needs a look</h2>\n<div class=\"cards\">\n";
        urgent.iter().for_each(|row| out += &card(row));
        out += "</div>\n</section>\n";
    }
    for (id, title, rows) in [("all", "All scenarios", &tonight), ("old", "Not run in the last night", &stale)] {
        if !rows.is_empty() {
            out += &format!(
                "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>\n{}</section>\n",
                table(rows)
            );
        }
    }
    out + "</main>\n</body>\n</html>\n"
}

/// When, how many and how long.
fn about(index: &Index, tonight: &[&IndexRow]) -> String {
    if index.night.is_empty() {
        return "history.jsonl has no runs yet: <code>runner scenarios/</code> makes some".to_owned();
    }
    // The time of a run is that of all its variants together.
    let took: std::collections::BTreeMap<&str, f64> =
        tonight.iter().map(|row| (row.scenario.as_str(), row.took_s)).collect();
    let seconds: f64 = took.values().sum();
    let (variants, time) = (counted(tonight.len() as u64, "variant"), in_whole_seconds(seconds));
    let unread = unread(index).map(|text| format!(" · {text}")).unwrap_or_default();
    html_text(&format!("last run {} UTC · {variants} in {time}{unread}", day(&index.night)))
}

/// A time that a night took: `12m4s`.
fn in_whole_seconds(seconds: f64) -> String {
    let time = std::time::Duration::try_from_secs_f64(seconds.ceil()).unwrap_or_default();
    show_duration(time)
}

/// The colour of the page.
fn mood(urgent: &[&IndexRow]) -> &'static str {
    let fails =
        |row: &&IndexRow| matches!(row.status, Status::Failed | Status::CouldNotRun) || row.fails_by_regression();
    match urgent {
        [] => "good",
        rows if rows.iter().any(fails) => "bad",
        _ => "unsure",
    }
}

/// The colour of a row.
fn class(row: &IndexRow) -> &'static str {
    if row.needs_a_look() { mood(&[row]) } else { "good" }
}

fn card(row: &IndexRow) -> String {
    let mut out = format!(
        "<article class=\"{}\">\n<h3>{}</h3>\n<p class=\"state\">{}{}</p>\n",
        class(row),
        html_text(&name(row)),
        html_text(state(row)),
        since(row).map(|since| format!(" · {}", html_text(&since))).unwrap_or_default()
    );
    let lines = row.problems.iter().cloned().chain(row.regressions.iter().map(regression));
    let lines: String = lines.map(|line| format!("<li>{}</li>\n", html_text(&line))).collect();
    if !lines.is_empty() {
        out += &format!("<ul>\n{lines}</ul>\n");
    }
    if let Some(headline) = &row.headline {
        out += &format!("<p class=\"line\">{}</p>\n", sparkline(headline));
    }
    out += &link(row).map(|link| format!("<p>{link}</p>\n")).unwrap_or_default();
    out + "</article>\n"
}

fn table(rows: &[&IndexRow]) -> String {
    let mut out = "<table>\n<thead><tr><th scope=\"col\">Scenario</th><th scope=\"col\">Verdict</th>\
        <th scope=\"col\">Headline</th><th scope=\"col\">Change</th><th scope=\"col\">Nights</th>\
        <th scope=\"col\">Leaks</th><th scope=\"col\">Report</th></tr></thead>\n<tbody>\n"
        .to_owned();
    for row in rows {
        let cell = |label: &str, content: String| match content.is_empty() {
            true => "<td class=\"none\"></td>".to_owned(),
            false => format!("<td data-label=\"{label}\">{content}</td>"),
        };
        let headline = row.headline.as_ref();
        let shown = headline.map(|of| {
            format!(
                "<strong>{}</strong> <small>{}</small>",
                html_text(&figure(&of.metric, of.value)),
                html_text(&of.metric)
            )
        });
        let note = new_series(row).map(|text| format!("<small class=\"note\">{}</small>", html_text(&text)));
        out += &format!(
            "<tr class=\"{}\"><th scope=\"row\">{}{}</th>{}{}{}{}{}{}</tr>\n",
            class(row),
            html_text(&name(row)),
            note.unwrap_or_default(),
            cell("Verdict", format!("<span class=\"state\">{}</span>", html_text(state(row)))),
            cell("Headline", shown.unwrap_or_default()),
            cell("Change", headline.map(change).unwrap_or_default()),
            cell("Nights", headline.map(sparkline).unwrap_or_default()),
            cell("Leaks", leaks(row).map(|text| html_text(&text)).unwrap_or_default()),
            cell("Report", link(row).unwrap_or_default()),
        );
    }
    out + "</tbody>\n</table>\n"
}

fn change(headline: &Headline) -> String {
    let Some(change) = headline.change else { return "<small>first</small>".to_owned() };
    // What lies within a few percent is the noise of every night.
    let class = match is_better(&headline.metric, change) {
        Some(better) if change.abs() >= 0.05 => {
            if better {
                "up"
            } else {
                "down"
            }
        }
        _ => "same",
    };
    format!("<span class=\"{class}\">{}</span>", html_text(&signed(change)))
}

fn link(row: &IndexRow) -> Option<String> {
    let path: String = row.report.as_ref()?.split('/').map(url_part).collect::<Vec<_>>().join("/");
    Some(format!("<a href=\"{path}/report.html\">report of {}</a>", html_text(&day(&row.night))))
}

/// A part of a path of a URL; what is not plain is percent-encoded.
fn url_part(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The last nights as a line: a gap for a night without a figure, a rule where a series begins, and the part that is worse in
/// another colour.
fn sparkline(headline: &Headline) -> String {
    let known = || headline.nights.iter().flatten();
    let (low, high) =
        known().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), figure| (low.min(*figure), high.max(*figure)));
    if !(low.is_finite() && high.is_finite()) {
        return String::new();
    }
    // What is within 10 % is drawn as the noise that it mostly is.
    let span = (high - low).max(high.abs() * 0.1).max(f64::MIN_POSITIVE);
    let middle = (low + high) / 2.0;
    let x = |index: usize| 4.0 + index as f64 * (WIDTH - 8.0) / (headline.nights.len().max(2) - 1) as f64;
    let y = |figure: f64| HEIGHT / 2.0 - (figure - middle) / span * (HEIGHT - 10.0);
    let points: Vec<(usize, f64)> =
        headline.nights.iter().enumerate().filter_map(|(index, figure)| Some((index, (*figure)?))).collect();
    let path = |points: &[(usize, f64)]| -> String {
        let gap = |pair: &[(usize, f64)]| pair[1].0 != pair[0].0 + 1;
        let mut path = String::new();
        for (number, (index, figure)) in points.iter().enumerate() {
            let jumps = number == 0 || gap(&points[number - 1..=number]) || *index == headline.series_from;
            path += &format!("{}{:.1} {:.1}", if jumps { "M" } else { "L" }, x(*index), y(*figure));
        }
        path
    };
    let worse = headline
        .changed_at
        .map(|at| points.iter().filter(|point| point.0 + 1 >= at.max(1)).copied().collect::<Vec<_>>());
    let worse = worse.map(|points| format!("<path class=\"worse\" d=\"{}\"/>", path(&points))).unwrap_or_default();
    let begins = (headline.series_from > 0).then(|| {
        let at = x(headline.series_from) - (WIDTH - 8.0) / (headline.nights.len().max(2) - 1) as f64 / 2.0;
        format!("<line class=\"series\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"0\" y2=\"{HEIGHT}\"/>")
    });
    let last = points.last().map(|(index, figure)| {
        format!(
            "<circle class=\"{}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"/>",
            if worse.is_empty() { "" } else { "worse" },
            x(*index),
            y(*figure)
        )
    });
    let label = format!(
        "{} over {}: from {} to {}",
        headline.metric,
        counted(points.len() as u64, "night"),
        figure(&headline.metric, low),
        figure(&headline.metric, high)
    );
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\"><title>{}</title>{}<path d=\"{}\"/>{worse}{}</svg>",
        html_text(&label),
        html_text(&label),
        begins.unwrap_or_default(),
        path(&points),
        last.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::index;
    use crate::history::series::tests::entry;

    #[test]
    fn whatever_the_history_holds_is_text_on_the_page() {
        let hostile = "<script>alert(1)</script>\"'&\u{1b}[31m";
        let mut entry = entry(hostile, 3, 1.0);
        entry.variant = hostile.to_owned();
        entry.status = Status::Failed;
        entry.problems = vec![hostile.to_owned()];
        entry.report = Some(format!("{hostile}/\"><b>"));
        entry.night = hostile.to_owned();
        entry.headline = Some(hostile.to_owned());
        entry.metrics = [(hostile.to_owned(), f64::MAX)].into();
        entry.conditions.kernel = hostile.to_owned();
        let page = html(&index(&[entry], 0));
        assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains('\u{1b}'), "{page}");
        assert!(page.contains("&lt;script&gt;"));
    }

    #[test]
    fn an_empty_history_has_a_page_too() {
        assert!(html(&Index::default()).contains("no scenario has run"));
    }
}
