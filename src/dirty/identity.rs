//! Who asks: a canary of its own, and what else tells it from others.

use std::collections::BTreeMap;

use crate::session::Session;

/// One identity.
#[derive(Debug, Clone, Default)]
pub(super) struct Identity {
    /// The owner of its canary, from 1.
    pub number: u64,
    pub canary: String,
    /// What all of its requests say of who asks, in a sweep: the canary of the principal that it asks for, and whose that is.
    pub known_as: Option<(u64, String)>,
    /// The index of that principal.
    pub principal: Option<usize>,
    /// Its index among the personas, if it is one.
    pub persona: Option<usize>,
    /// What fills `{identity.NAME}`.
    pub fields: BTreeMap<String, String>,
    /// What the server has given it to be known by.
    pub session: Session,
    /// It has been let in before.
    pub logged_in: bool,
    /// It has signed up before, perhaps with a server that has forgotten that.
    pub signed_up: bool,
}

/// Names of fields that people go by, the most telling first.
const NAMES: [&str; 8] = ["name", "user", "username", "login", "email", "mail", "user_name", "id"];

impl Identity {
    /// How it is called in reports, if it asks again and again.
    pub fn label(&self) -> Option<String> {
        self.persona.map(|_| self.name())
    }

    /// What to call it: its name, or what comes nearest to one, else its number.
    pub fn name(&self) -> String {
        let exact = |name: &&str| self.fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
        let close = |(field, _): &(&String, &String)| {
            let field = field.to_ascii_lowercase();
            ["name", "user", "mail"].iter().any(|word| field.contains(word))
        };
        let found = NAMES.iter().find_map(exact).or_else(|| self.fields.iter().find(close));
        match found.filter(|(_, value)| !value.trim().is_empty()) {
            Some((_, value)) => value.clone(),
            None => format!("identity {}", self.persona.map_or(self.number, |persona| persona as u64 + 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_goes_by_its_name_or_its_number() {
        let of = |fields: &[(&str, &str)]| {
            let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Identity { persona: Some(1), fields, ..Identity::default() }.name()
        };
        assert_eq!(of(&[("email", "zoe@shop.test"), ("name", "zoe")]), "zoe");
        assert_eq!(of(&[("Email", "zoe@shop.test"), ("password", "x")]), "zoe@shop.test");
        assert_eq!(of(&[("customer_name", "zoe"), ("plan", "x")]), "zoe");
        assert_eq!((of(&[("lang", "en")]), of(&[("name", " ")])), ("identity 2".to_owned(), "identity 2".to_owned()));
    }
}
