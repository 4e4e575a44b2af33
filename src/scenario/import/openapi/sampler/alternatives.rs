//! Of several alternatives the one that a value is made for.

use serde_json::Value;

use super::super::accepts::Accepts;
use super::super::depth::ENDLESS;
use super::super::view::{SchemaChoice, SchemaType, View, address};
use super::{CannotBeMade, DEPTH, STEPS, SchemaSampler};
use crate::scenario::import::made::Made;

/// How many alternatives of a choice are tried.
const ALTERNATIVES: usize = 24;

impl<'a> SchemaSampler<'a, '_> {
    /// Takes an alternative of each choice, and then makes the value.
    pub(super) fn choose(
        &mut self,
        view: &mut View<'a>,
        schemas: &[&'a Value],
        shown: Option<&'a Value>,
    ) -> Result<Made, CannotBeMade> {
        let Some(choice) = view.choices.pop() else { return self.plain(view, schemas, shown) };
        if self.around.len() > DEPTH {
            return self.fail();
        }
        let mut order: Vec<(u32, bool, u32, &'a Value)> = Vec::new();
        for alternative in choice.alternatives {
            let depth = self.depths.of(alternative);
            let of_alternative = View::of(self.document, &[alternative]);
            let is_null = of_alternative.types().is_some_and(|types| types == [SchemaType::Null])
                || of_alternative.enumeration().is_some_and(|list| list.iter().all(Value::is_null));
            let is_again = self.around.contains(&address(alternative));
            // Objects that are nothing but allowed to be come last: too much fits them.
            let is_vague = u32::from(of_alternative.parts.iter().all(|part| part.is_empty()));
            order.push((is_vague + 2 * u32::from(is_null), is_again, depth, alternative));
        }
        order.retain(|(_, _, depth, _)| *depth != ENDLESS);
        if order.iter().any(|(_, is_again, _, _)| *is_again) {
            order.sort_by_key(|(vague, is_again, depth, _)| (*is_again, *depth, *vague));
        } else {
            order.sort_by_key(|(vague, _, depth, _)| (*vague, *depth));
        }
        let mut last = self.fail();
        // Where more than one fits what is required, all fields may tell them apart.
        for is_full in [false, true].into_iter().take(if choice.is_one { 2 } else { 1 }) {
            for (_, _, _, alternative) in order.iter().take(ALTERNATIVES) {
                let (steps, extras) = (self.steps, self.extras);
                let mut with = view.clone();
                with.add(self.document, alternative);
                if with.never {
                    continue;
                }
                self.around.push(address(alternative));
                self.is_full = is_full;
                let made = self.choose(&mut with, schemas, shown);
                self.is_full = false;
                self.around.pop();
                match made.map(|made| self.discriminated(&choice, alternative, made)) {
                    Ok((made, is_told)) if is_told || !choice.is_one || self.fits_one(&choice, &made) => {
                        return Ok(made);
                    }
                    Ok(_) => {}
                    Err(cannot) => last = Err(cannot),
                }
                self.extras = extras;
                // A try must not take the steps of those after it.
                self.steps = steps.saturating_sub(STEPS / 64);
            }
        }
        last
    }

    /// Whether no second alternative fits.
    fn fits_one(&self, choice: &SchemaChoice<'a>, made: &Made) -> bool {
        let value = made.value();
        let mut accepts = Accepts::new(self.document);
        choice.alternatives.iter().filter(|alternative| accepts.all(&[*alternative], &value)).count() == 1
    }

    /// With the field that tells alternatives apart, and whether there is one.
    fn discriminated(&self, choice: &SchemaChoice<'a>, alternative: &'a Value, made: Made) -> (Made, bool) {
        let name = choice.discriminator.and_then(|discriminator| discriminator.get("propertyName")?.as_str());
        let reference = alternative.get("$ref").and_then(Value::as_str);
        let (Some(name), Some(reference), Made::Object(mut fields)) = (name, reference, made.clone()) else {
            return (made, false);
        };
        let mapping = choice.discriminator.and_then(|discriminator| discriminator.get("mapping")?.as_object());
        let own = reference.rsplit('/').next().unwrap_or_default();
        let leads_here = |to: &Value| to.as_str().is_some_and(|to| to == reference || to == own);
        let mapped =
            mapping.and_then(|mapping| mapping.iter().find(|(_, to)| leads_here(to))).map(|(value, _)| value.clone());
        let value = Value::String(mapped.unwrap_or_else(|| own.to_owned()));
        let of_field = View::of(self.document, &[alternative]).property(name);
        if !of_field.is_empty() && !Accepts::new(self.document).all(&of_field, &value) {
            return (made, false);
        }
        match fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, field)) => *field = Made::of(&value),
            None => fields.push((name.to_owned(), Made::of(&value))),
        }
        (Made::Object(fields), true)
    }
}
