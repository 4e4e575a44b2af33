//! `report.html`: the same report as one file to click through. It asks nothing of the network, and without scripts it is whole.
//!
//! It is the Markdown report read again as what it says, so that both always say the same. Scripts add what paper cannot: tables
//! that sort, lines to copy, and charts of all variants that can be hovered over and zoomed (uPlot).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use ring::digest::{SHA256, digest};

use super::escape::html as escaped;
use super::markdown::LeakPicture;
use super::{ReportFile, ReportFormat, ReportLocation, chart, markdown};
use crate::record::{Record, Status};

mod series;

/// `report.html`
pub(super) const FORMAT: ReportFormat = ReportFormat { name: "html", main: MAIN, render };

const MAIN: &str = "report.html";
const STYLE: &str = include_str!("html/report.css");
const CHART_STYLE: &str = include_str!("html/uPlot.min.css");
const CHART_SCRIPT: &str = include_str!("html/uPlot.iife.min.js");
const SCRIPT: &str = include_str!("html/report.js");

fn render(record: &Record, _: ReportLocation<'_>, before: &[ReportFile]) -> Vec<ReportFile> {
    let Some(source) = before.iter().find(|file| file.name == markdown::FORMAT.main) else { return Vec::new() };
    vec![ReportFile { name: MAIN.to_owned(), content: page(record, &source.content, before) }]
}

fn page(record: &Record, markdown: &str, pictures: &[ReportFile]) -> String {
    let timelines: Vec<ReportFile> = LeakPicture::all(record).into_iter().map(timeline).collect();
    let body = Body::of(markdown, &[&timelines, pictures].concat());
    let data = series::of(record);
    let script = format!("{CHART_SCRIPT}\n{SCRIPT}");
    // Only these lines may run, wherever the page is looked at.
    let hash = STANDARD.encode(digest(&SHA256, script.as_bytes()));
    let title = escaped(&body.title);
    let scripts = format!("<script type=\"application/json\" id=\"data\">{data}</script>\n<script>{script}</script>\n");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'\">\n\
         <title>{title}</title>\n<style>\n{CHART_STYLE}\n{STYLE}</style>\n</head>\n<body class=\"{}\">\n\
         <nav aria-label=\"Contents\"><ul>{}</ul></nav>\n<main>\n{}</main>\n{scripts}</body>\n</html>\n",
        mood(record),
        body.contents,
        body.html
    )
}

/// In place of a leak's picture, what can be pointed at. It goes by the picture's name.
fn timeline(LeakPicture { name, title, leak }: LeakPicture<'_>) -> ReportFile {
    let id = name.strip_suffix(".svg").unwrap_or(&name);
    ReportFile { content: chart::leak_timeline(leak, &title, id), name }
}

/// Markdown without pictures as a page of its own, in the same style and without scripts.
pub(super) fn plain_page(markdown: &str) -> String {
    let Body { title, html, .. } = Body::of(markdown, &[]);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{html}</main>\n</body>\n</html>\n",
        escaped(&title)
    )
}

/// The colour of the page.
fn mood(record: &Record) -> &'static str {
    match record.status {
        Status::Passed => "good",
        Status::Failed | Status::CouldNotRun => "bad",
        Status::Inconclusive | Status::Interrupted | Status::NotStarted => "unsure",
    }
}

/// What stands between the ends of the page.
#[derive(Default)]
struct Body {
    title: String,
    html: String,
    /// Items of the contents.
    contents: String,
    sections: usize,
    /// Parts that are folded, and open in the text.
    folded: bool,
    in_evidence: bool,
    in_head: bool,
}

impl Body {
    fn of(markdown: &str, pictures: &[ReportFile]) -> Self {
        let mut body = Body::default();
        let mut events = Parser::new_ext(markdown, Options::ENABLE_TABLES).peekable();
        while let Some(event) = events.next() {
            match event {
                Event::Start(Tag::Image { dest_url, .. }) => {
                    let alt = text_until(&mut events, |end| matches!(end, TagEnd::Image));
                    body.picture(&dest_url, &alt, pictures);
                }
                Event::Start(Tag::Heading { level, .. }) => {
                    let inside: Vec<Event<'_>> =
                        std::iter::from_fn(|| events.next_if(|next| !matches!(next, Event::End(TagEnd::Heading(_)))))
                            .collect();
                    body.heading(level, &inside);
                }
                Event::Start(Tag::CodeBlock(kind)) => {
                    let text = text_until(&mut events, |end| matches!(end, TagEnd::CodeBlock));
                    body.code(&kind, &text);
                }
                other => body.event(other),
            }
        }
        body.unfold();
        if body.sections > 0 {
            body.html += "</section>\n";
        }
        // What a figure leaves of its paragraph.
        body.html = body.html.replace("<p></p>\n", "");
        // A head without a word is no head of its column.
        body.html = body.html.replace("<th scope=\"col\"></th>", "<td></td>");
        body
    }

    /// What has one element for one mark. Markup that the text holds is text.
    fn event(&mut self, event: Event<'_>) {
        let html = match event {
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => escaped(&text),
            Event::Code(text) => format!("<code>{}</code>", escaped(&text)),
            Event::SoftBreak => "\n".to_owned(),
            Event::HardBreak => "<br>".to_owned(),
            Event::Rule => "<hr>".to_owned(),
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            _ => String::new(),
        };
        self.html += &html;
    }

    fn start(&mut self, tag: Tag<'_>) -> String {
        match tag {
            Tag::Paragraph => "<p>".to_owned(),
            Tag::Strong => "<strong>".to_owned(),
            Tag::Emphasis => "<em>".to_owned(),
            Tag::List(None) => "<ul>\n".to_owned(),
            Tag::List(Some(_)) => "<ol>\n".to_owned(),
            Tag::Item => "<li>".to_owned(),
            Tag::BlockQuote(_) => "<blockquote>".to_owned(),
            Tag::Link { dest_url, .. } => format!("<a href=\"{}\">", escaped(&safe(&dest_url))),
            Tag::Table(_) => {
                "<div class=\"table\" role=\"group\" aria-label=\"table\" tabindex=\"0\"><table>\n".to_owned()
            }
            Tag::TableHead => {
                self.in_head = true;
                "<thead><tr>".to_owned()
            }
            Tag::TableRow => "<tr>".to_owned(),
            Tag::TableCell => if self.in_head { "<th scope=\"col\">" } else { "<td>" }.to_owned(),
            _ => String::new(),
        }
    }

    fn end(&mut self, tag: TagEnd) -> String {
        match tag {
            TagEnd::Paragraph => "</p>\n",
            TagEnd::Strong => "</strong>",
            TagEnd::Emphasis => "</em>",
            TagEnd::List(false) => "</ul>\n",
            TagEnd::List(true) => "</ol>\n",
            TagEnd::Item => "</li>\n",
            TagEnd::BlockQuote(_) => "</blockquote>\n",
            TagEnd::Link => "</a>",
            TagEnd::Table => "</tbody></table></div>\n",
            TagEnd::TableHead => {
                self.in_head = false;
                "</tr></thead>\n<tbody>"
            }
            TagEnd::TableRow => "</tr>\n",
            TagEnd::TableCell => {
                if self.in_head {
                    "</th>"
                } else {
                    "</td>"
                }
            }
            _ => "",
        }
        .to_owned()
    }

    /// A part of its own for each heading of the second level. Evidence is folded, leak by leak.
    fn heading(&mut self, level: HeadingLevel, inside: &[Event<'_>]) {
        let plain: String = inside.iter().map(text_of).collect();
        if level <= HeadingLevel::H3 {
            self.unfold();
        }
        if level == HeadingLevel::H2 {
            // Charts come in behind the answer, where there are scripts.
            self.html += if self.sections > 0 { "</section>\n" } else { "<div id=\"charts\" hidden></div>\n" };
            self.sections += 1;
            let id = format!("part-{}", self.sections);
            self.contents += &format!("<li><a href=\"#{id}\">{}</a></li>", escaped(&plain));
            self.html += &format!("<section id=\"{id}\">\n");
            self.in_evidence = plain == "Evidence";
        }
        if self.in_evidence && level == HeadingLevel::H3 {
            self.html += &format!("<details><summary>{}</summary>\n", escaped(&plain));
            self.folded = true;
            return;
        }
        let name = match level {
            HeadingLevel::H1 => "h1",
            HeadingLevel::H2 => "h2",
            HeadingLevel::H3 => "h3",
            _ => "h4",
        };
        self.html += &format!("<{name}>");
        inside.iter().cloned().for_each(|event| self.event(event));
        self.html += &format!("</{name}>\n");
        if level == HeadingLevel::H1 {
            self.title = plain;
        }
    }

    fn unfold(&mut self) {
        if std::mem::take(&mut self.folded) {
            self.html += "</details>\n";
        }
    }

    /// A picture of the report stands in the page itself. A figure takes the place of its paragraph.
    fn picture(&mut self, name: &str, alt: &str, pictures: &[ReportFile]) {
        match pictures.iter().find(|file| file.name == name) {
            Some(file) if file.content.starts_with("<figure") => {
                match self.html.strip_suffix("<p>") {
                    Some(before) => self.html.truncate(before.len()),
                    None => self.html += "</p>",
                }
                self.html += &format!("{}<p>", file.content);
            }
            Some(file) => {
                let svg = file.content.replacen("<svg ", &format!("<svg aria-label=\"{}\" ", escaped(alt)), 1);
                self.html += &format!("<span class=\"picture\">{svg}</span>");
            }
            None => self.html += &escaped(alt),
        }
    }

    fn code(&mut self, kind: &CodeBlockKind<'_>, text: &str) {
        let is_command = matches!(kind, CodeBlockKind::Fenced(language) if language.as_ref() == "sh");
        let class = if is_command { " class=\"command\"" } else { "" };
        self.html += &format!("<pre{class} tabindex=\"0\"><code>{}</code></pre>\n", escaped_lines(text));
    }
}

/// The text of what is inside an element.
fn text_until<'a>(events: &mut impl Iterator<Item = Event<'a>>, is_end: impl Fn(&TagEnd) -> bool) -> String {
    events.take_while(|event| !matches!(event, Event::End(end) if is_end(end))).map(|event| text_of(&event)).collect()
}

fn text_of(event: &Event<'_>) -> String {
    match event {
        Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => text.to_string(),
        Event::SoftBreak | Event::HardBreak => " ".to_owned(),
        _ => String::new(),
    }
}

/// Lines that stay lines.
fn escaped_lines(text: &str) -> String {
    text.trim_end().split('\n').map(escaped).collect::<Vec<_>>().join("\n")
}

/// An address that a page may lead to: none that runs anything.
fn safe(address: &str) -> String {
    let scheme = address.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        None | Some("http" | "https") => address.to_owned(),
        Some(scheme) if scheme.contains(['/', '?', '#']) => address.to_owned(),
        Some(_) => "#".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(markdown: &str) -> String {
        Body::of(markdown, &[ReportFile { name: "a.svg".to_owned(), content: "<svg width=\"1\"></svg>".to_owned() }])
            .html
    }

    #[test]
    fn markup_in_the_text_is_text() {
        let html =
            body("a <script>alert(1)</script> `<b>` [x](javascript:alert(1)) ![<i>](a.svg)\n\n<img src=x onerror=y>\n");
        assert!(
            !html.contains("<script")
                && !html.contains("<b>")
                && !html.contains("<img")
                && !html.contains("javascript"),
            "{html}"
        );
        assert!(html.contains("<svg aria-label=\"&lt;i&gt;\" width"), "{html}");
    }

    #[test]
    fn parts_tables_and_evidence_have_their_elements() {
        let page = Body::of(
            "# T: passed\n\n## One\n\n| a | b |\n| - | -: |\n| 1 | 2 |\n\n## Evidence\n\n### Leak 1\n\ntext\n\n```sh\nrunner <x>\n```\n\n## Last\n",
            &[],
        );
        assert_eq!(page.title, "T: passed");
        for expected in [
            "<section id=\"part-1\">\n<h2>One</h2>",
            "<thead><tr><th scope=\"col\">a</th>",
            "<tbody><tr><td>1</td>",
            "<details><summary>Leak 1</summary>\n<p>text</p>",
            "<pre class=\"command\" tabindex=\"0\"><code>runner &lt;x&gt;</code></pre>\n</details>\n</section>\n<section id=\"part-3\">",
        ] {
            assert!(page.html.contains(expected), "{expected} in\n{}", page.html);
        }
        assert!(page.contents.contains("<a href=\"#part-2\">Evidence</a>"));
    }

    #[test]
    fn a_figure_takes_the_place_of_its_paragraph() {
        let figure = ReportFile { name: "leak-1.svg".to_owned(), content: "<figure>bars</figure>\n".to_owned() };
        let page = Body::of("# T\n\nbefore\n\n![a leak](leak-1.svg)\n\nafter\n", &[figure]);
        assert!(page.html.ends_with("<p>before</p>\n<figure>bars</figure>\n<p>after</p>\n"), "{}", page.html);
    }

    #[test]
    fn only_harmless_addresses_are_led_to() {
        assert_eq!(
            ["record.json", "https://a/", "JavaScript:x", "data:x", "a/b:c"].map(safe),
            ["record.json", "https://a/", "#", "#", "a/b:c"]
        );
    }
}
