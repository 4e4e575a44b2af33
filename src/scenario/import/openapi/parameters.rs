//! The path, the query, the headers and the cookies of an operation.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;

use super::documented::{Documented, DocumentedParameter, ParameterPlace};
use super::ids::{IdSource, is_id};
use super::sampler::{SchemaSampler, shown_beside};
use super::text;
use super::view::{SchemaType, View};
use crate::scenario::import::made::{Made, MadeText};
use crate::scenario::import::{Carrier, CarrierPlace, Effect, LeftOutReason, names};
use crate::scenario::request::{Parameter, encoded};
use crate::scenario::template::{Piece, Placeholder, Template};

/// How many parameters that need not be there are added because they can hold a canary.
const EXTRAS: usize = 6;
/// What a path as documented cannot hold as it is.
const PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'\\').add(b'^').add(b'|');

/// What stands before a body.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub path: Template,
    pub query: Vec<Parameter>,
    pub headers: Vec<(String, Template)>,
    pub cookies: Vec<(String, Template)>,
    pub carriers: Vec<Carrier>,
    pub needs: Vec<String>,
    /// It asks for a credential among its parameters.
    pub is_secured: bool,
}

/// Makes what stands before the body; `sources` tells where an id comes from.
pub(super) fn head<'a>(
    operation: &Documented<'a>,
    sampler: &mut SchemaSampler<'a, '_>,
    sources: &dyn Fn(&str) -> IdSource,
) -> Result<Head, LeftOutReason> {
    let mut head = Head::default();
    path(operation, sampler, sources, &mut head)?;
    let mut extras = EXTRAS;
    for parameter in &operation.parameters {
        if names::is_credential(parameter.name)
            && !names::is_password(parameter.name)
            && parameter.place != ParameterPlace::Path
        {
            head.is_secured |= parameter.is_required && is_sent(parameter);
            continue;
        }
        match parameter.place {
            ParameterPlace::Query => query(operation, parameter, sampler, sources, &mut head, &mut extras)?,
            ParameterPlace::Header if parameter.is_required && is_sent(parameter) => {
                let text = simple(parameter, sampler)?;
                let place = CarrierPlace::Header(head.headers.len());
                head.carriers.extend(text.carrier(place, parameter.name));
                head.headers.push((parameter.name.to_owned(), text.text));
            }
            ParameterPlace::Cookie if parameter.is_required => {
                let text = simple(parameter, sampler)?;
                let place = CarrierPlace::Cookie(head.cookies.len());
                head.carriers.extend(text.carrier(place, parameter.name));
                head.cookies.push((parameter.name.to_owned(), text.text));
            }
            _ => {}
        }
    }
    head.carriers.sort_by(|one, other| one.place.cmp(&other.place));
    Ok(head)
}

/// These are said elsewhere in the document, whatever a parameter says.
fn is_sent(parameter: &DocumentedParameter<'_>) -> bool {
    parameter.place != ParameterPlace::Header
        || !["accept", "content-type", "authorization", "content-length", "host", "cookie"]
            .iter()
            .any(|name| parameter.name.eq_ignore_ascii_case(name))
}

fn path<'a>(
    operation: &Documented<'a>,
    sampler: &mut SchemaSampler<'a, '_>,
    sources: &dyn Fn(&str) -> IdSource,
    head: &mut Head,
) -> Result<(), LeftOutReason> {
    let documented = operation.path.split('#').next().unwrap_or_default();
    let (documented, fixed) = documented.split_once('?').unwrap_or((documented, ""));
    let slash = if documented.starts_with('/') { "" } else { "/" };
    let whole = format!("{}{slash}{documented}", operation.base);
    for (index, segment) in whole.split('/').enumerate() {
        let (mut with, mut without, mut named) = (Template::default(), Template::default(), String::new());
        let mut rest = segment;
        while let Some((before, (name, after))) =
            rest.split_once('{').and_then(|(b, rest)| Some((b, rest.split_once('}')?)))
        {
            push(&mut with, &mut without, &plain(before));
            let name = name.trim_end_matches('*');
            let value = path_value(operation, name, sampler, sources, head)?;
            let instead = value.carries.as_ref().map(|carries| carries.instead.clone().unwrap_or_default());
            without.append(&instead.unwrap_or_else(|| value.text.clone()), encoded);
            with.append(&value.text, encoded);
            if value.carries.is_some() {
                name.clone_into(&mut named);
            }
            rest = after;
        }
        push(&mut with, &mut without, &plain(rest));
        if !named.is_empty() {
            let (canary, instead) = (with.clone(), Some(without));
            head.carriers.push(Carrier {
                place: CarrierPlace::Path(index),
                name: named,
                canary,
                instead,
                longest: None,
            });
        }
        head.path.push_text(if index == 0 { "" } else { "/" });
        head.path.append(&with, str::to_owned);
    }
    for written in fixed.split('&').filter(|written| !written.is_empty()) {
        head.query.push(Parameter::parse(&Template::literal(plain(written))));
    }
    Ok(())
}

fn push(with: &mut Template, without: &mut Template, text: &str) {
    with.push_text(text);
    without.push_text(text);
}

fn plain(text: &str) -> String {
    utf8_percent_encode(text, PATH).to_string()
}

/// What stands where a path has a name in braces: what is given, an id of the identity's own, one of a few values.
fn path_value<'a>(
    operation: &Documented<'a>,
    name: &str,
    sampler: &mut SchemaSampler<'a, '_>,
    sources: &dyn Fn(&str) -> IdSource,
    head: &mut Head,
) -> Result<MadeText, LeftOutReason> {
    let parameter = operation.at(ParameterPlace::Path).find(|parameter| parameter.name == name).copied();
    let document = sampler.document;
    if let Some(given) = sampler.given.iter().find(|given| given.name == name) {
        let holds_canary = given.value.holes().any(Placeholder::is_canary);
        let instead = holds_canary.then(|| Some(Template::literal("canary")));
        return Ok(match instead {
            Some(instead) => MadeText::canary(given.value.clone(), instead),
            None => MadeText { text: given.value.clone(), carries: None },
        });
    }
    if let Some(capture) = captured(operation, &sources(name)) {
        return Ok(need(head, capture));
    }
    let no_id = || match Effect::of(&operation.method) {
        Effect::Delete if sources(name).seen.is_some() => LeftOutReason::NotCreated(name.to_owned()),
        _ => LeftOutReason::NoId(name.to_owned()),
    };
    let Some(parameter) = parameter else { return Err(no_id()) };
    let view = View::of(document, &[parameter.schema]);
    if view.enumeration().is_some() || view.constant().is_some() {
        return simple(&parameter, sampler);
    }
    // What the document shows is of somebody. Only what is no id is asked for, and only read.
    if Effect::of(&operation.method) != Effect::Read || is_id(document, name, parameter.schema) {
        return Err(no_id());
    }
    let shown = shown_beside(parameter.holder).or_else(|| view.shown());
    let is_text = view.types().is_none_or(|types| types.contains(&SchemaType::String));
    if is_text && text::carries(&view, name, shown) || shown.is_some() {
        return simple(&parameter, sampler);
    }
    let is_figure = name.len() == 1 || view.types().is_some_and(|types| types.contains(&SchemaType::Number));
    let is_sized = is_figure
        || view.types().is_some_and(|types| types.contains(&SchemaType::Boolean))
        || view.largest("maximum").is_some();
    if is_sized || is_text && text::has_form(&view, name) { simple(&parameter, sampler) } else { Err(no_id()) }
}

/// The capture that an operation takes: what it deletes or changes is its own, where that is known.
fn captured(operation: &Documented<'_>, source: &IdSource) -> Option<String> {
    match Effect::of(&operation.method) {
        Effect::Read => source.seen.clone(),
        Effect::Write => source.created.clone().or_else(|| source.seen.clone()),
        Effect::Delete => source.created.clone(),
    }
}

fn need(head: &mut Head, capture: String) -> MadeText {
    if !head.needs.contains(&capture) {
        head.needs.push(capture.clone());
    }
    MadeText { text: Template { pieces: vec![Piece::Hole(Placeholder::Capture(capture))] }, carries: None }
}

/// A value as one text, its items between commas.
fn simple<'a>(
    parameter: &DocumentedParameter<'a>,
    sampler: &mut SchemaSampler<'a, '_>,
) -> Result<MadeText, LeftOutReason> {
    let made = make(parameter, sampler)?;
    Ok(match (&made, parameter.is_json) {
        (_, true) => MadeText { text: as_json(&made), carries: made.text().carries },
        (Made::List(items), false) => joined(items, ","),
        _ => made.text(),
    })
}

fn as_json(made: &Made) -> Template {
    crate::scenario::request::BodySpec::Json(made.json().0).content()
}

fn make<'a>(parameter: &DocumentedParameter<'a>, sampler: &mut SchemaSampler<'a, '_>) -> Result<Made, LeftOutReason> {
    let made = sampler.make(parameter.name, parameter.schema, shown_beside(parameter.holder));
    made.map_err(|cannot| LeftOutReason::CannotBeMade(cannot.0))
}

/// Items as one text. What carries a canary in it carries one as a whole.
fn joined(items: &[Made], between: &str) -> MadeText {
    let mut whole = MadeText::default();
    let mut without = Template::default();
    for (index, item) in items.iter().enumerate() {
        let text = item.text();
        let between = if index == 0 { "" } else { between };
        whole.text.push_text(between);
        whole.text.append(&text.text, str::to_owned);
        without.push_text(between);
        let instead = text.carries.as_ref().map(|carries| carries.instead.clone().unwrap_or_default());
        without.append(&instead.unwrap_or(text.text), str::to_owned);
        whole.carries = whole.carries.or(text.carries);
    }
    if let Some(carries) = &mut whole.carries {
        carries.instead = Some(without);
    }
    whole
}

fn query<'a>(
    operation: &Documented<'a>,
    parameter: &DocumentedParameter<'a>,
    sampler: &mut SchemaSampler<'a, '_>,
    sources: &dyn Fn(&str) -> IdSource,
    head: &mut Head,
    extras: &mut usize,
) -> Result<(), LeftOutReason> {
    let name = parameter.name;
    let document = sampler.document;
    let is_given = sampler.given.iter().any(|given| given.name == name);
    if !parameter.is_required && !is_given {
        let view = View::of(document, &[parameter.schema]).but_for_null(document);
        let shown = shown_beside(parameter.holder).or_else(|| view.shown());
        let is_free =
            view.choices.is_empty() && view.enumeration().is_none() && view.constant().is_none() && !parameter.is_json;
        let is_text = view.types().is_some_and(|types| types.contains(&SchemaType::String));
        let fits = is_free && is_text && !is_id(document, name, parameter.schema) && !names::narrows(name);
        if *extras == 0 || !fits || !text::carries(&view, name, shown) {
            return Ok(());
        }
        let Ok(mut text) = simple(parameter, sampler) else { return Ok(()) };
        if let Some(carries) = &mut text.carries {
            *extras -= 1;
            carries.instead = None;
            add(head, name, name, text);
        }
        return Ok(());
    }
    if !is_given
        && is_id(document, name, parameter.schema)
        && View::of(document, &[parameter.schema]).enumeration().is_none()
    {
        let capture = captured(operation, &sources(name)).ok_or_else(|| LeftOutReason::NoId(name.to_owned()))?;
        let text = need(head, capture);
        add(head, name, name, text);
        return Ok(());
    }
    if parameter.is_json {
        let text = simple(parameter, sampler)?;
        add(head, name, name, text);
        return Ok(());
    }
    let style = parameter.holder.get("style").or_else(|| parameter.holder.get("collectionFormat"));
    let style = style.and_then(Value::as_str).unwrap_or(if document.is_swagger { "csv" } else { "form" });
    let explodes = parameter.holder.get("explode").and_then(Value::as_bool).unwrap_or(style == "form");
    match make(parameter, sampler)? {
        Made::List(items) => match style {
            "form" | "deepObject" if explodes => items.iter().for_each(|item| add(head, name, name, item.text())),
            "multi" => items.iter().for_each(|item| add(head, name, name, item.text())),
            "spaceDelimited" | "ssv" => add(head, name, name, joined(&items, " ")),
            "pipeDelimited" | "pipes" => add(head, name, name, joined(&items, "|")),
            "tsv" => add(head, name, name, joined(&items, "\t")),
            _ => add(head, name, name, joined(&items, ",")),
        },
        Made::Object(fields) => {
            for (field, item) in &fields {
                let written = if style == "deepObject" { format!("{name}[{field}]") } else { field.clone() };
                add(head, &written, field, item.text());
            }
        }
        made => add(head, name, name, made.text()),
    }
    Ok(())
}

fn add(head: &mut Head, written: &str, name: &str, text: MadeText) {
    let place = CarrierPlace::Query(head.query.len());
    let carrier = text.carrier(place, name).map(|mut carrier| {
        carrier.canary = in_query(&carrier.canary);
        carrier.instead = carrier.instead.as_ref().map(in_query);
        carrier
    });
    head.carriers.extend(carrier);
    head.query.push(Parameter { name: Some(encoded(written)), value: in_query(&text.text) });
}

fn in_query(text: &Template) -> Template {
    let mut value = Template::default();
    value.append(text, encoded);
    value
}
