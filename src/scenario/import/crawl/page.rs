//! The links and forms of a page, as browsers read it.

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{StartTag, Token, Tokenizer};

/// What of a page leads elsewhere.
#[derive(Debug, Default)]
pub(super) struct CrawlPage {
    /// What relative links count from, if the page says so.
    pub base: Option<String>,
    pub links: Vec<String>,
    pub forms: Vec<HtmlForm>,
}

/// A form.
#[derive(Debug, Default)]
pub(super) struct HtmlForm {
    pub action: Option<String>,
    /// `get` if not given.
    pub method: String,
    /// Those that are sent with it, in their order.
    pub fields: Vec<HtmlField>,
}

/// A field of a form.
#[derive(Debug, Default, Clone)]
pub(super) struct HtmlField {
    pub name: String,
    /// `text`, `hidden`, `select`, `textarea`, ...
    pub kind: String,
    pub value: String,
    /// The least number that it takes.
    pub least: Option<String>,
}

impl CrawlPage {
    /// Reads a page; what is no HTML has no links.
    pub fn read(page: &[u8]) -> CrawlPage {
        let mut emitter = DefaultEmitter::default();
        emitter.naively_switch_states(true);
        let mut reading = Reading::default();
        for token in Tokenizer::new_with_emitter(page, emitter).flatten() {
            match token {
                Token::StartTag(tag) => reading.begin(&tag),
                Token::EndTag(tag) => reading.end(&tag.name),
                Token::String(text) => {
                    if let Some(area) = &mut reading.area {
                        area.value.push_str(&String::from_utf8_lossy(&text));
                    }
                }
                _ => {}
            }
        }
        reading.end(b"form");
        reading.page
    }
}

#[derive(Debug, Default)]
struct Reading {
    page: CrawlPage,
    form: Option<HtmlForm>,
    /// A text area that is open.
    area: Option<HtmlField>,
    /// A list that is open: the value of its first option, and of the one that is selected.
    list: Option<(HtmlField, Option<String>, Option<String>)>,
}

impl Reading {
    fn begin(&mut self, tag: &StartTag<()>) {
        match &**tag.name {
            b"base" => self.page.base = self.page.base.take().or_else(|| attribute(tag, "href")),
            b"a" | b"area" => self.page.links.extend(attribute(tag, "href")),
            b"iframe" | b"frame" => self.page.links.extend(attribute(tag, "src")),
            b"form" => {
                self.end(b"form");
                self.form = Some(HtmlForm {
                    action: attribute(tag, "action"),
                    method: attribute(tag, "method").unwrap_or_else(|| "get".to_owned()),
                    fields: Vec::new(),
                });
            }
            b"input" => self.input(tag),
            b"textarea" => {
                let name = attribute(tag, "name").unwrap_or_default();
                self.area = Some(HtmlField { name, kind: "textarea".to_owned(), ..HtmlField::default() });
            }
            b"select" => {
                let name = attribute(tag, "name").unwrap_or_default();
                self.list = Some((HtmlField { name, kind: "select".to_owned(), ..HtmlField::default() }, None, None));
            }
            b"option" => {
                let value = attribute(tag, "value");
                if let (Some((_, first, selected)), Some(value)) = (&mut self.list, value) {
                    if attribute(tag, "selected").is_some() {
                        *selected = selected.take().or_else(|| Some(value.clone()));
                    }
                    *first = first.take().filter(|first| !first.is_empty()).or(Some(value));
                }
            }
            _ => {}
        }
    }

    fn input(&mut self, tag: &StartTag<()>) {
        let Some(form) = &mut self.form else { return };
        let kind = attribute(tag, "type").unwrap_or_else(|| "text".to_owned()).to_ascii_lowercase();
        let name = attribute(tag, "name").unwrap_or_default();
        let is_checked = attribute(tag, "checked").is_some();
        let is_required = attribute(tag, "required").is_some();
        let is_sent = match kind.as_str() {
            "submit" | "button" | "reset" | "image" => false,
            "checkbox" => is_checked || is_required,
            "radio" => {
                let has_one = form.fields.iter().any(|known| known.name == name);
                is_checked || !has_one
            }
            _ => true,
        };
        if !is_sent || name.is_empty() || attribute(tag, "disabled").is_some() {
            return;
        }
        if kind == "radio" {
            form.fields.retain(|known| known.name != name);
        }
        let value = attribute(tag, "value").unwrap_or_default();
        form.fields.push(HtmlField { name, kind, value, least: attribute(tag, "min") });
    }

    fn end(&mut self, name: &[u8]) {
        match name {
            b"textarea" => {
                if let (Some(mut area), Some(form)) = (self.area.take(), &mut self.form) {
                    area.value = area.value.strip_prefix('\n').unwrap_or(&area.value).to_owned();
                    form.fields.push(area);
                }
            }
            b"select" => {
                if let (Some((list, first, selected)), Some(form)) = (self.list.take(), &mut self.form) {
                    form.fields.push(HtmlField { value: selected.or(first).unwrap_or_default(), ..list });
                }
            }
            b"form" => self.page.forms.extend(self.form.take()),
            _ => {}
        }
    }
}

fn attribute(tag: &StartTag<()>, name: &str) -> Option<String> {
    tag.attributes.get(name.as_bytes()).map(|value| String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_would_send_is_sent() {
        let page = CrawlPage::read(
            b"<base href=/app/><a href=one><form method=POST action=x><input name=a value=1><input type=checkbox name=b>
              <input type=radio name=c value=1><input type=radio name=c value=2 checked><select name=d><option value=''>
              <option value=x></select><textarea name=e>\nt</textarea><input type=submit name=f></form><form><input name=g>",
        );
        assert_eq!((page.base.as_deref(), page.links), (Some("/app/"), vec!["one".to_owned()]));
        let fields: Vec<(&str, &str)> =
            page.forms[0].fields.iter().map(|field| (field.name.as_str(), field.value.as_str())).collect();
        assert_eq!(fields, [("a", "1"), ("c", "2"), ("d", "x"), ("e", "t")]);
        assert_eq!(page.forms[1].fields[0].name, "g", "a form that is never closed");
    }

    #[test]
    fn scripts_and_comments_hold_no_links() {
        let page = CrawlPage::read(b"<script>'<a href=/x>'</script><!-- <a href=/y> --><a>z</a>");
        assert!(page.links.is_empty() && page.forms.is_empty());
    }
}
