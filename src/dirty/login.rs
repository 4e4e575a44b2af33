//! Logging in: each identity, by itself, and who was not let in.

use super::client::{Ask, CheckClient, Received, Wire};
use super::identity::Identity;
use super::observation::Observation;
use super::recipe::RecipeRequest;
use crate::exchange::Failure;
use crate::net::request::PreparedRequest;
use crate::net::sink::BufferedResponse;
use crate::session::login::PreparedLogin;
use crate::session::{Session, redirect};

/// So many refusals are told one by one.
const MOST_TOLD: usize = 3;

impl CheckClient {
    /// Logs everybody in, one after the other, where the scenario has a login. Who has been let in before stays so if the
    /// scenario says so and the server still knows them. The error says who was refused, and how.
    pub async fn log_in(&self, identities: &mut [Identity]) -> Result<(), Vec<String>> {
        let mut refusals = Vec::new();
        for identity in identities {
            if self.stays_logged_in() && identity.logged_in && self.is_known(identity).await {
                continue;
            }
            (identity.session, identity.logged_in) = (Session::default(), false);
            match self.let_in(identity).await {
                Ok(session) => {
                    (identity.session, identity.logged_in) = (session, true);
                    identity.signed_up |= self.forms.signup.is_some();
                }
                Err((why, answered)) => {
                    refusals.push(why);
                    // One who is not answered waits long; so would the others.
                    if !answered {
                        break;
                    }
                }
            }
        }
        if refusals.is_empty() { Ok(()) } else { Err(few(refusals)) }
    }

    async fn let_in(&self, identity: &Identity) -> Result<Session, (String, bool)> {
        let mut session = Session::default();
        if let Some(signup) = &self.forms.signup {
            match self.perform_login(signup, identity, &mut session, "sign-up").await {
                // A server that keeps its data knows them from before.
                Err((_, true)) if identity.signed_up => {}
                done => done?,
            }
        }
        if let Some(login) = &self.forms.login {
            self.perform_login(login, identity, &mut session, "login").await?;
        }
        Ok(session)
    }

    /// The requests of a login, or of a sign-up.
    async fn perform_login(
        &self,
        login: &PreparedLogin,
        identity: &Identity,
        session: &mut Session,
        what: &str,
    ) -> Result<(), (String, bool)> {
        let write = |request: &PreparedRequest, session: &Session, _: usize| {
            let asker = Identity { session: session.clone(), ..identity.clone() };
            self.fill(request, identity.number, &Ask::alone(&asker))
        };
        let mut send = async |bytes: &[u8]| {
            let (status, kept) = self.ask_for(bytes, identity).await?;
            self.sample_login(identity, bytes, status, &kept);
            Ok((status, kept))
        };
        let done = login.perform(session, self.is_secure(), &write, &mut send).await;
        done.map_err(|refused| (refused.told(&format!("{}'s {what}", identity.name())), refused.answered))
    }

    /// Whether the server still knows somebody: their request is not sent to a login, or refused as nobody's.
    async fn is_known(&self, identity: &mut Identity) -> bool {
        let bytes = self.plain_request(identity);
        let came = self.ask_for(&bytes, identity).await;
        came.is_ok_and(|(status, kept)| status != 403 && !is_shut_out(status, &kept.head))
    }

    /// The scenario's request by somebody, as it is sent.
    pub(super) fn plain_request(&self, identity: &Identity) -> Vec<u8> {
        let ask = Ask::alone(identity);
        let mut bytes = self.fill(self.forms.of(&RecipeRequest::plain()), identity.number, &ask);
        identity.session.add_cookies(&mut bytes, self.is_secure());
        bytes
    }

    /// One request over a connection of its own, of which nothing is kept.
    pub(super) async fn ask_for(&self, bytes: &[u8], identity: &Identity) -> Result<(u16, BufferedResponse), String> {
        let (_, mut way, came) = self.insist(&mut Wire::default(), bytes, &Ask::alone(identity)).await;
        way.kept.decode();
        match came {
            Ok(Received::Response(answer)) => Ok((answer.status, way.kept)),
            Ok(Received::Left) => Err("it was not waited for".to_owned()),
            Err(Failure::Timeout) => Err("none in time".to_owned()),
            Err(failure) => Err(failure.name().to_owned()),
        }
    }
}

/// Whether a response says that the server does not know who asks.
fn is_shut_out(status: u16, head: &[u8]) -> bool {
    status == 401 || redirect::location(status, head).is_some_and(|to| redirect::leads_to_login(&to))
}

/// Those of the personas whose lone requests were always answered as those of a stranger: a check would go on with one
/// identity fewer. Sentences without a full stop.
pub(super) fn shut_out<'o>(
    personas: &[Identity],
    solo: impl Iterator<Item = (usize, &'o Observation)> + Clone,
) -> Vec<String> {
    let told = personas.iter().enumerate().filter_map(|(number, persona)| {
        let mut own = solo.clone().filter(|(of, _)| *of == number).map(|(_, observation)| stranger(observation));
        let first = own.next()??;
        let although = if persona.logged_in { ", although the login was not" } else { "" };
        own.all(|refused| refused.is_some())
            .then(|| format!("{}, asking alone, was always answered {first}{although}", persona.name()))
    });
    few(told.collect())
}

/// How a request was answered as a stranger's: the status, and where that led. `None` if it was not, or if the response tells
/// all the same who asked.
fn stranger(observation: &Observation) -> Option<String> {
    let hops = observation.hops.iter().map(|hop| (hop.status, &hop.reply.head));
    let last = observation.seen.status().map(|status| (status, &observation.reply.head));
    let (status, head) = hops.chain(last).find(|(status, head)| is_shut_out(*status, head))?;
    let to = redirect::location(status, head).map(|to| format!(" to {to}")).unwrap_or_default();
    (!observation.seen.own).then(|| format!("{status}{to}"))
}

/// The first few, and how many more there are.
fn few(mut told: Vec<String>) -> Vec<String> {
    let more = told.len().saturating_sub(MOST_TOLD);
    told.truncate(MOST_TOLD);
    told.extend((more > 0).then(|| format!("so it was for {more} more")));
    told
}
