//! What lone requests, and those that went wrong, were answered with: the first of each kind, so that a report can show
//! what came.

use crate::exchange::{Failure, Outcome};
use crate::net::body_excerpt::{LONGEST, body_excerpt};
use crate::net::sink::BufferedResponse;
use crate::session::{self, Captured};

/// Samples that are kept.
const MOST: usize = 40;

/// What kind of request it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SampleKind {
    Login,
    /// In the control run.
    Control,
    /// By one of the identities, alone.
    Solo,
    /// Does not say who asks.
    Anonymous,
    /// Of a trigger.
    Trigger,
}

impl SampleKind {
    /// The name in records.
    pub const fn name(self) -> &'static str {
        match self {
            SampleKind::Login => "login",
            SampleKind::Control => "control",
            SampleKind::Solo => "solo",
            SampleKind::Anonymous => "anonymous",
            SampleKind::Trigger => "trigger",
        }
    }
}

/// What came in response to requests of a kind: the first of them stands for all.
#[derive(Debug, Clone)]
pub struct ResponseSample {
    pub at: SampleKind,
    /// Who asked, where that is one who asks again.
    pub identity: Option<String>,
    pub line: String,
    pub outcome: Result<u16, Failure>,
    pub location: Option<String>,
    pub retry_after: Option<String>,
    /// The first of it, as far as it is text.
    pub body: String,
    pub count: u64,
}

/// A fold over responses.
#[derive(Debug, Clone, Default)]
pub struct ResponseSamples(Vec<ResponseSample>);

impl ResponseSamples {
    /// Takes a response. Of triggers' requests those alone are of interest that were answered with a redirect or an error,
    /// or not at all.
    pub(super) fn take(
        &mut self,
        (at, identity): (SampleKind, Option<String>),
        line: &str,
        outcome: Outcome,
        reply: &BufferedResponse,
        captured: &Captured,
    ) {
        let outcome = match outcome {
            Outcome::Answered(status) => Ok(status),
            Outcome::Failed(failure) => Err(failure),
            Outcome::Unanswered => return,
        };
        if at == SampleKind::Trigger && outcome.is_ok_and(|status| status < 300) {
            return;
        }
        let known =
            |sample: &&mut ResponseSample| sample.at == at && sample.identity == identity && sample.outcome == outcome;
        if let Some(sample) = self.0.iter_mut().find(known) {
            sample.count += 1;
        } else if self.0.len() < MOST {
            // What a login is answered with that went well is a secret.
            let secret = at == SampleKind::Login && outcome.is_ok_and(|status| status < 300);
            let body = if secret { String::new() } else { captured.hide(&body_excerpt(&reply.body)) };
            let header = |name| header(&reply.head, name).map(|value| captured.hide(&value));
            self.0.push(ResponseSample {
                at,
                identity,
                line: line.to_owned(),
                outcome,
                location: header("location"),
                retry_after: header("retry-after"),
                body,
                count: 1,
            });
        }
    }

    /// In the order of the kinds.
    pub fn in_order(&self) -> Vec<&ResponseSample> {
        let mut all: Vec<&ResponseSample> = self.0.iter().collect();
        all.sort_by_key(|sample| sample.at);
        all
    }
}

/// The beginning of the value of the first header of this name.
pub(super) fn header(head: &[u8], name: &str) -> Option<String> {
    session::headers(head, name).next().map(|value| value.chars().take(LONGEST).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_kind_is_kept_and_the_others_are_counted() {
        let mut samples = ResponseSamples::default();
        let reply = |body: &str| BufferedResponse {
            head: b"HTTP/1.1 302 Found\r\nLocation: /accounts/login/\r\nRetry-After: 3\r\n\r\n".to_vec(),
            body: body.as_bytes().to_vec(),
            ..BufferedResponse::default()
        };
        for (identity, body) in [("ann", "first"), ("ann", "second"), ("zoe", "hers")] {
            let who = (SampleKind::Solo, Some(identity.to_owned()));
            samples.take(who, "GET /", Outcome::Answered(302), &reply(body), &Captured::default());
        }
        samples.take(
            (SampleKind::Trigger, None),
            "GET /",
            Outcome::Answered(200),
            &reply("as it should be"),
            &Captured::default(),
        );
        samples.take(
            (SampleKind::Control, None),
            "GET /",
            Outcome::Failed(Failure::Timeout),
            &BufferedResponse::default(),
            &Captured::default(),
        );
        let token = reply("{\"access_token\": \"s3cret\"}");
        samples.take((SampleKind::Login, None), "POST /login/", Outcome::Answered(200), &token, &Captured::default());
        let all = samples.in_order();
        assert_eq!(all.iter().find(|one| one.at == SampleKind::Login).unwrap().body, "", "a token is nobody's to read");
        let told: Vec<_> =
            all.iter().map(|one| (one.at, one.identity.as_deref(), one.body.as_str(), one.count)).collect();
        let expected = [
            (SampleKind::Login, None, "", 1),
            (SampleKind::Control, None, "", 1),
            (SampleKind::Solo, Some("ann"), "first", 2),
            (SampleKind::Solo, Some("zoe"), "hers", 1),
        ];
        assert_eq!(told, expected);
        assert_eq!((all[2].location.as_deref(), all[2].retry_after.as_deref()), (Some("/accounts/login/"), Some("3")));
    }
}
