//! The places of a request that hold a canary.

use std::fmt;

use crate::scenario::request::{BodySpec, Json, RequestSpec};
use crate::scenario::template::{Piece, Template};

/// A place of a request that holds a canary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carrier {
    pub place: CarrierPlace,
    /// What the parameter or field goes by: `email`, `user.email`.
    pub name: String,
    /// What stands there: `{canary}`, `{canary}@mail.test`.
    pub canary: Template,
    /// What stands there without a canary; `None` if the whole parameter or field is left out then.
    pub instead: Option<Template>,
    /// The most characters that a canary may have there, 21 or more; any if `None`.
    pub longest: Option<usize>,
}

/// Where in a [`RequestSpec`] a carrier is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum CarrierPlace {
    /// A part of the path between `/`, by its index; the empty part before the first `/` is number 0.
    Path(usize),
    /// A parameter of the query, by its index.
    Query(usize),
    /// A header, by its index.
    Header(usize),
    /// A cookie, by its index.
    Cookie(usize),
    /// The indices that lead to a leaf of the body's JSON.
    Json(Vec<usize>),
    /// A field of the form, by its index.
    Form(usize),
    /// The canary of a raw body, by its index among the body's canaries.
    Text(usize),
}

impl Carrier {
    /// Takes the canary out of a request.
    pub(super) fn clear(&self, request: &mut RequestSpec) {
        match (&self.place, &mut request.body) {
            (CarrierPlace::Path(index), _) => {
                let mut path = Template::default();
                for (at, part) in request.path.split('/').iter().enumerate() {
                    let none = Template::default();
                    let part = if at == *index { self.instead.as_ref().unwrap_or(&none) } else { part };
                    path.push_text(if at == 0 { "" } else { "/" });
                    path.append(part, str::to_owned);
                }
                request.path = path;
            }
            (CarrierPlace::Query(index), _) => self.put(&mut request.query, *index, |query| &mut query.value),
            (CarrierPlace::Header(index), _) => self.put(&mut request.headers, *index, |(_, value)| value),
            (CarrierPlace::Cookie(index), _) => self.put(&mut request.cookies, *index, |(_, value)| value),
            (CarrierPlace::Json(steps), Some(BodySpec::Json(json))) => match &self.instead {
                Some(instead) => json.replace(steps, Json::Text(instead.clone())),
                None => json.remove(steps),
            },
            (CarrierPlace::Form(index), Some(BodySpec::Form(fields))) => self.put(fields, *index, |(_, value)| value),
            (CarrierPlace::Text(index), Some(BodySpec::Text(text))) => self.put_into_text(*index, text),
            (CarrierPlace::Json(_) | CarrierPlace::Form(_) | CarrierPlace::Text(_), _) => {}
        }
    }

    /// Puts what stands there without a canary in place of it and of what is around it.
    fn put_into_text(&self, index: usize, text: &mut Template) {
        let Some((at, _)) = text.pieces.iter().enumerate().filter(|(_, piece)| is_canary(piece)).nth(index) else {
            return;
        };
        let around = |piece: Option<&Piece>| match piece {
            Some(Piece::Text(text)) => text.clone(),
            _ => String::new(),
        };
        let own = self.canary.pieces.iter().position(is_canary).unwrap_or(0);
        let before = around(own.checked_sub(1).and_then(|at| self.canary.pieces.get(at)));
        let after = around(self.canary.pieces.get(own + 1));
        let mut changed = Template::default();
        for (position, piece) in text.pieces.iter().enumerate() {
            match piece {
                Piece::Text(text) if position + 1 == at => {
                    changed.push_text(text.strip_suffix(&before).unwrap_or(text))
                }
                Piece::Text(text) if position == at + 1 => changed.push_text(text.strip_prefix(&after).unwrap_or(text)),
                Piece::Text(text) => changed.push_text(text),
                _ if position == at => {
                    let instead = self.instead.clone().unwrap_or_default();
                    changed.append(&instead, str::to_owned);
                }
                piece => changed.pieces.push(piece.clone()),
            }
        }
        *text = changed;
    }

    /// Puts what stands there without a canary into one of these, or removes it.
    fn put<T>(&self, all: &mut Vec<T>, index: usize, value: impl Fn(&mut T) -> &mut Template) {
        match (&self.instead, all.get_mut(index)) {
            (Some(instead), Some(item)) => *value(item) = instead.clone(),
            (None, Some(_)) => drop(all.remove(index)),
            (_, None) => {}
        }
    }
}

fn is_canary(piece: &Piece) -> bool {
    matches!(piece, Piece::Hole(hole) if hole.is_canary())
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.place {
            CarrierPlace::Path(_) => write!(f, "the path's `{name}`"),
            CarrierPlace::Query(_) => write!(f, "the query's `{name}`"),
            CarrierPlace::Header(_) => write!(f, "the header `{name}`"),
            CarrierPlace::Cookie(_) => write!(f, "the cookie `{name}`"),
            CarrierPlace::Json(_) => write!(f, "the JSON's `{name}`"),
            CarrierPlace::Form(_) => write!(f, "the form's `{name}`"),
            CarrierPlace::Text(_) => write!(f, "the body's `{name}`"),
        }
    }
}
