//! Logging in: the steps of a login carried out for one session, over whatever connection its caller has.

use super::redirect::{self, Trail};
use super::{MissingCapture, Session, html, url_of};
use crate::net::request::PreparedRequest;
use crate::net::sink::BufferedResponse;
use crate::net::target::Target;
use crate::scenario::request::BodySpec;
use crate::scenario::{self, CaptureSpec, LoginStep};

/// So much of a body is shown where a login is refused, in characters.
const SHOWN: usize = 120;

/// A login, ready but for its slots.
#[derive(Debug)]
pub struct PreparedLogin {
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    request: PreparedRequest,
    follow: u32,
    captures: Vec<CaptureSpec>,
    /// Names of the fields of the form that it sends.
    fields: Vec<String>,
}

/// Who is not let in, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginRefused {
    /// `was answered 403: "..."`.
    pub why: String,
    /// The step's number and how many there are, where it is not the only one.
    step: Option<(usize, usize)>,
    /// `POST /login/`.
    line: String,
    /// The server did answer.
    pub answered: bool,
}

impl LoginRefused {
    /// A sentence without a full stop; `whose` as in `zoe's login`.
    pub fn told(&self, whose: &str) -> String {
        let step = self.step.map(|(step, of)| format!("step {step} of {of}, ")).unwrap_or_default();
        format!("{whose} {} ({step}{})", self.why, self.line)
    }
}

/// What came of a step, redirects included.
struct Came {
    status: u16,
    kept: BufferedResponse,
    /// The last redirect, with its status, whether or not it was followed.
    redirect: Option<(u16, String)>,
    followed: bool,
}

impl PreparedLogin {
    /// Ready for a server.
    pub fn new(login: &scenario::LoginSpec, target: &Target) -> Self {
        let prepare = |step: &LoginStep| Step {
            request: PreparedRequest::new(&step.request, &target.authority, &|hole| target.fixed(hole, None)),
            follow: step.follow,
            captures: step.captures.clone(),
            fields: match &step.request.body {
                Some(BodySpec::Form(fields)) => fields.iter().map(|(name, _)| name.clone()).collect(),
                _ => Vec::new(),
            },
        };
        PreparedLogin { steps: login.steps.iter().map(prepare).collect() }
    }

    /// Carries it out. `write` fills a step's request in, given its number; `send` sends it and waits for the response.
    pub async fn perform(
        &self,
        session: &mut Session,
        secure: bool,
        write: &dyn Fn(&PreparedRequest, &Session, usize) -> Vec<u8>,
        send: &mut impl AsyncFnMut(&[u8]) -> Result<(u16, BufferedResponse), String>,
    ) -> Result<(), LoginRefused> {
        for (number, step) in self.steps.iter().enumerate() {
            let request = write(&step.request, session, number);
            let line = line(&request, session);
            let refused = |(why, answered)| LoginRefused {
                why,
                step: (self.steps.len() > 1).then_some((number + 1, self.steps.len())),
                line: line.clone(),
                answered,
            };
            let is_read = request.starts_with(b"GET ") || request.starts_with(b"HEAD ");
            let is_last = number + 1 == self.steps.len();
            let came = go(request, step.follow, secure, session, send).await.map_err(|why| refused((why, false)))?;
            if let Some(why) = step.refusal(&came, !is_read, is_last) {
                return Err(refused((why, true)));
            }
            step.take(&came, session).map_err(|why| refused((why, true)))?;
        }
        Ok(())
    }
}

/// One request, and those that redirects ask for.
async fn go(
    request: Vec<u8>,
    follow: u32,
    secure: bool,
    session: &mut Session,
    send: &mut impl AsyncFnMut(&[u8]) -> Result<(u16, BufferedResponse), String>,
) -> Result<Came, String> {
    let mut trail = Trail::new(request, follow, secure);
    let (mut redirect, mut followed) = (None, false);
    loop {
        let mut bytes = trail.request.clone();
        session.add_cookies(&mut bytes, secure);
        let (status, mut kept) = send(&bytes).await.map_err(|why| format!("got no response ({why})"))?;
        kept.decode();
        if let Some(url) = url_of(&bytes, secure) {
            session.take_cookies(&url, &kept.head);
        }
        let location = redirect::location(status, &kept.head);
        redirect = location.map(|location| (status, location)).or(redirect);
        if !trail.leads_on(status, &kept.head) {
            return Ok(Came { status, kept, redirect, followed });
        }
        followed = true;
    }
}

impl Step {
    /// Why a response says that nobody was let in. `writes`: the request was no mere reading.
    fn refusal(&self, came: &Came, writes: bool, is_last: bool) -> Option<String> {
        let Came { status, kept, redirect, followed } = came;
        if *status >= 400 {
            return Some(format!("was answered {status}{}", excerpt(&kept.body)));
        }
        // The way to the form that comes first may well lead there.
        let back = redirect.as_ref().filter(|(_, to)| (writes || is_last) && redirect::leads_to_login(to));
        if let Some((status, to)) = back {
            return Some(format!("was answered {status} to {}", clipped(to)));
        }
        let again = is_last
            && !followed
            && *status == 200
            && html::passwords(&kept.body).iter().any(|name| self.fields.contains(name));
        again.then(|| format!("was answered {status} with a form that asks for the password again"))
    }

    /// Takes what is to be captured.
    fn take(&self, came: &Came, session: &mut Session) -> Result<(), String> {
        let Came { status, kept, redirect, .. } = came;
        for capture in &self.captures {
            let why = match session.capture(capture, &kept.head, &kept.body) {
                Ok(()) => continue,
                Err(MissingCapture::NotThere) => format!("without the {}", capture.from),
                Err(MissingCapture::Control) => format!("with a control character in the {}", capture.from),
            };
            let to = redirect.as_ref().filter(|(of, _)| of == status).map(|(_, to)| format!(" to {}", clipped(to)));
            return Err(format!("was answered {status}{} {why}{}", to.unwrap_or_default(), excerpt(&kept.body)));
        }
        Ok(())
    }
}

/// Method and target of a request, for people.
fn line(request: &[u8], session: &Session) -> String {
    let end = memchr::memchr(b'\r', request).unwrap_or(request.len());
    let line = String::from_utf8_lossy(&request[..end]);
    session.secrets().hide(line.strip_suffix(" HTTP/1.1").unwrap_or(&line))
}

/// The beginning of a body, where there is any, behind a colon.
fn excerpt(body: &[u8]) -> String {
    // No character has more than four bytes.
    let start = String::from_utf8_lossy(&body[..body.len().min(SHOWN * 4)]).into_owned();
    let text = start.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { String::new() } else { format!(": \"{}\"", clipped(&text)) }
}

fn clipped(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
