//! Bodies of forms with files (RFC 7578), and the canaries of raw bodies.

use super::made::MadeText;
use super::{Carrier, CarrierPlace};
use crate::canary::CanaryShape;
use crate::scenario::template::{Piece, Placeholder, Template};

/// No value holds it: what is written here is made here, or looked through for it.
const BOUNDARY: &str = "----runner-part-7d1f4c";

/// A part of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub name: String,
    /// The name of a file, if it is one.
    pub file: Option<String>,
    pub media_type: Option<String>,
    pub text: MadeText,
}

/// The body, its content type and its carriers.
pub(super) fn write(parts: Vec<Part>) -> (Template, String, Vec<Carrier>) {
    let boundary = boundary(&parts);
    let mut body = Template::default();
    let mut carriers = Vec::new();
    for part in parts {
        let name = quoted(&part.name);
        body.push_text(&format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\""));
        if let Some(file) = &part.file {
            body.push_text(&format!("; filename=\"{}\"", quoted(file)));
        }
        let media_type = part.media_type.or_else(|| part.file.map(|_| "text/plain".to_owned()));
        if let Some(media_type) = media_type {
            body.push_text(&format!("\r\nContent-Type: {media_type}"));
        }
        body.push_text("\r\n\r\n");
        body.append(&part.text.text, str::to_owned);
        body.push_text("\r\n");
        let canaries = part.text.text.holes().filter(|hole| hole.is_canary()).count();
        // A part stays a part without its canary.
        let own = part.text.carrier(CarrierPlace::Text(carriers.len()), &part.name).filter(|_| canaries == 1);
        match own.filter(|own| own.instead.is_some()) {
            Some(own) => carriers.push(own),
            None => carriers.extend(self::carriers(&part.text.text, carriers.len(), &part.name)),
        }
    }
    body.push_text(&format!("--{boundary}--\r\n"));
    (body, format!("multipart/form-data; boundary={boundary}"), carriers)
}

fn boundary(parts: &[Part]) -> String {
    let is_free = |boundary: &String| !parts.iter().any(|part| part.text.text.text().contains(boundary.as_str()));
    let mut tried = (0..).map(|number| if number == 0 { BOUNDARY.to_owned() } else { format!("{BOUNDARY}-{number}") });
    tried.find(is_free).unwrap_or_default()
}

/// A name between quotes, as browsers write it.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// Each canary of a raw body, or of a part after `before` others, is a carrier.
pub(super) fn carriers(body: &Template, before: usize, name: &str) -> Vec<Carrier> {
    let canaries = body.pieces.iter().filter_map(|piece| match piece {
        Piece::Hole(hole) if hole.is_canary() => Some(hole.clone()),
        _ => None,
    });
    let carriers = canaries.enumerate().map(|(index, hole)| {
        let instead = match hole {
            Placeholder::CanaryAs(CanaryShape::Uuid) => "6f1c2b9e-4d3a-4e5f-8a7b-0c1d2e3f4a5b",
            Placeholder::CanaryAs(CanaryShape::Digits) => "10",
            Placeholder::CanaryAs(CanaryShape::Email) => "someone@mail.test",
            _ => "canary",
        };
        Carrier {
            place: CarrierPlace::Text(before + index),
            name: name.to_owned(),
            canary: Template { pieces: vec![Piece::Hole(hole)] },
            instead: Some(Template::literal(instead)),
            longest: None,
        }
    });
    carriers.collect()
}

/// The parts of a body as it was sent.
pub(super) fn read(body: &str, media_type: &str) -> Option<Vec<Part>> {
    let boundary = media_type.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?.trim_matches('"');
    if boundary.is_empty() {
        return None;
    }
    let mut parts = Vec::new();
    for written in body.split(&format!("--{boundary}")).skip(1).filter(|part| !part.starts_with("--")) {
        let written = written.trim_start_matches(['\r', '\n']);
        let (head, content) = written.split_once("\r\n\r\n").or_else(|| written.split_once("\n\n"))?;
        let content = content.strip_suffix("\r\n").or_else(|| content.strip_suffix('\n')).unwrap_or(content);
        let of = |key: &str| {
            let at = head.find(&format!("{key}=\""))? + key.len() + 2;
            Some(head[at..].split('"').next().unwrap_or_default().to_owned())
        };
        // `filename=` holds `name=` too.
        let name = head.find(" name=\"").map(|at| head[at + 7..].split('"').next().unwrap_or_default().to_owned())?;
        let media_type = head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
        });
        parts.push(Part { name, file: of("filename"), media_type, text: MadeText::plain(content) });
    }
    Some(parts)
}
