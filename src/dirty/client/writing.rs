//! What a request of a dirty check consists of: a form, filled in for whoever asks.

use super::{Ask, CheckClient};
use crate::canary::Length;
use crate::dirty::identity::Identity;
use crate::dirty::recipe::Anomaly;
use crate::dirty::request_forms;
use crate::net::request::{PreparedRequest, show_sleep};
use crate::scenario::template::Placeholder;
use crate::traceparent::{TraceContext, TraceOrigin};

impl CheckClient {
    /// The next request's number and its bytes.
    pub(super) fn write(&self, ask: &Ask<'_>) -> (u64, Vec<u8>) {
        let request = self.requests.get() + 1;
        self.requests.set(request);
        let bytes = self.written(request, ask);
        match (ask.shot.twist, ask.identity) {
            (Anomaly::Smuggling(way), Some(identity)) => {
                let inner = Identity { canary: self.canary_of(identity.number, Length::Any), ..identity.clone() };
                let inner = self.written(request, &Ask { identity: Some(&inner), ..ask.clone() });
                (request, request_forms::smuggling(&bytes, way, &inner))
            }
            _ => (request, bytes),
        }
    }

    fn written(&self, request: u64, ask: &Ask<'_>) -> Vec<u8> {
        let mut bytes = self.fill(self.forms.of(&ask.shot), request, ask);
        if ask.shot.twist == Anomaly::Elsewhere {
            request_forms::elsewhere(&mut bytes);
        }
        if ask.own_url {
            request_forms::with_own_url(&mut bytes, request);
        }
        if let Anomaly::Suffixed(way) = ask.shot.twist {
            request_forms::with_suffix(&mut bytes, way, self.salt.wrapping_add(ask.variation.unwrap_or(request)));
        }
        if let Some(identity) = ask.identity {
            identity.session.add_cookies(&mut bytes, self.is_secure());
        }
        bytes
    }

    pub(in crate::dirty) fn fill(&self, form: &PreparedRequest, request: u64, ask: &Ask<'_>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512);
        let variation = ask.variation.unwrap_or(request);
        let canary = || ask.identity.map(|identity| identity.canary.clone());
        form.write(&mut bytes, &mut |placeholder, out| {
            let value = match placeholder {
                Placeholder::Canary => canary().unwrap_or_default(),
                Placeholder::CanaryAs(shape) => match ask.identity {
                    Some(identity) => self.canary_shaped(identity.number, *shape),
                    None => String::new(),
                },
                Placeholder::IdentityCanary => {
                    let known = ask.identity.and_then(|identity| identity.known_as.clone());
                    known.map(|(_, canary)| canary).or_else(canary).unwrap_or_default()
                }
                Placeholder::Sleep => self.sleep(ask.shot.nap).map(show_sleep).unwrap_or_default(),
                Placeholder::User => "0".to_owned(),
                Placeholder::Seq => variation.to_string(),
                Placeholder::Random(low, high) => {
                    // Derived from the request's number, so that a seed repeats it.
                    (low + variation.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (high - low).saturating_add(1)).to_string()
                }
                Placeholder::Identity(field) => {
                    ask.identity.and_then(|identity| identity.fields.get(field)).cloned().unwrap_or_default()
                }
                Placeholder::Token | Placeholder::Capture(_) => {
                    let session = ask.identity.map(|identity| &identity.session);
                    let name = placeholder.captured().unwrap_or_default();
                    session.and_then(|session| session.captured(name)).unwrap_or_default().to_owned()
                }
                Placeholder::Traceparent => {
                    let context = TraceContext::of(self.salt, TraceOrigin::Dirty, request);
                    return out.extend_from_slice(&context.header());
                }
                // Nothing: the same in every request, or refused when the scenario was read.
                Placeholder::Host
                | Placeholder::Port
                | Placeholder::Workers
                | Placeholder::Socket
                | Placeholder::Fd
                | Placeholder::Data(_) => return,
            };
            out.extend_from_slice(value.as_bytes());
        });
        bytes
    }

    /// Whether requests go over TLS.
    pub(in crate::dirty) fn is_secure(&self) -> bool {
        self.target.dialer.speaks_tls()
    }

    /// Method and target of a request, for people.
    pub(super) fn show(&self, bytes: &[u8]) -> String {
        let target = bytes.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        let method = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
        format!("{} {}", String::from_utf8_lossy(method), String::from_utf8_lossy(target))
    }
}
