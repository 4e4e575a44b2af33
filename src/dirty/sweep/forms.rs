//! How the requests of a sweep are written: where a server must know who asks, all requests of a principal say the same.

use crate::scenario::import::{Effect, Operation};
use crate::scenario::template::{Placeholder, Template};
use crate::scenario::{RequestSpec, SweepOperation};

/// Whether a server must recognise who asks: by what it changes, what it gives for later, or what it needs from before.
pub(super) fn needs_a_known_asker(operation: &Operation) -> bool {
    operation.effect != Effect::Read || !operation.needs.is_empty() || !operation.captures.is_empty()
}

/// The request of an operation as it is sent, with the canaries of these carriers only.
pub(super) fn request(operation: &SweepOperation, keeps: &[bool]) -> RequestSpec {
    let operation = &operation.operation;
    let request = operation.request_with(&|index| keeps.get(index).copied().unwrap_or(true));
    if needs_a_known_asker(operation) { by_a_known_asker(&request) } else { request }
}

/// The same request with the canary of a principal in headers and cookies, in place of its own.
fn by_a_known_asker(request: &RequestSpec) -> RequestSpec {
    let known = |template: &Template| {
        template.mapped(&|hole| match hole {
            Placeholder::Canary => Placeholder::IdentityCanary,
            other => other.clone(),
        })
    };
    let mut request = request.clone();
    request.headers.iter_mut().chain(&mut request.cookies).for_each(|(_, value)| *value = known(value));
    request
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::request::BodySpec;

    #[test]
    fn who_writes_is_known_by_one_canary_and_what_is_written_has_its_own() {
        let body = BodySpec::Text(Template::parse("{canary}").unwrap());
        let header = ("x-user".to_owned(), Template::parse("{canary}").unwrap());
        let request = RequestSpec {
            headers: vec![header],
            body: Some(body),
            ..RequestSpec::get(&Template::parse("/items?q={canary}").unwrap())
        };
        let known = by_a_known_asker(&request);
        assert!(known.headers[0].1.has(&Placeholder::IdentityCanary));
        assert!(known.target().has(&Placeholder::Canary) && known.content().unwrap().has(&Placeholder::Canary));
    }
}
