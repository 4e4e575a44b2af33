//! What a worker responds with: the script's handlers first, then the handlers that come with it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::super::worker_channel::WorkerPlan;
use super::call_limit::{CallLimit, CallPermit};
use super::fetch::Fetcher;
use super::gauges;
use super::probe;
use super::responses;
use super::watchdog;
use crate::excerpt;
use crate::scenario::OnDisconnect;
use crate::script::probe::{RequestProbe, StateProbe};
use crate::script::{
    HandlerCall, HandlerRequest, HandlerResponse, HandlerStep, Process, Program, Resumed, ScriptError,
};
use crate::units;

/// The handlers that come with runner, each as one may ask for it.
pub const COMES_WITH_RUNNER: [&str; 4] =
    ["/health", "/sync_sleep/?sleep=0.1", "/async_sleep/?sleep=0.1", "/dirty/?sleep=0.3&email=dev"];
/// What answers a path that no other function of a script does.
const CATCH_ALL: &str = "handle";

/// Everything that the requests of a worker share.
#[derive(Debug)]
pub(in crate::server) struct App {
    sleep: Duration,
    /// Its name, as people know it, and the script.
    script: Option<(String, Arc<Program>)>,
    process: Process,
    /// What the built-in `/dirty/` keeps where every request can write it.
    email: Arc<Mutex<String>>,
    room: CallLimit,
    fetcher: Fetcher,
    on_disconnect: OnDisconnect,
    /// Only while a leak is located, and how it calls the unit that handles a request.
    probe: Option<(Arc<StateProbe>, probe::HandlingUnit)>,
}

impl App {
    pub fn new(plan: &WorkerPlan, program: Option<Arc<Program>>, probe: Option<Arc<StateProbe>>) -> Self {
        App {
            sleep: plan.sleep,
            script: plan.script.as_ref().map(|script| script.name.clone()).zip(program),
            process: Process::measured(plan.sleep, Some(gauges::seconds_since_1970), gauges::OF_THIS_PROCESS),
            email: Arc::default(),
            room: CallLimit::of_this_process(),
            fetcher: Fetcher::new(plan.allowed_hosts.clone()),
            on_disconnect: plan.on_disconnect,
            probe: probe.map(|probe| (probe, probe::HandlingUnit::of(plan.mode))),
        }
    }

    pub(super) fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    /// What becomes of a suspended handler whose client has left.
    pub fn on_disconnect(&self) -> OnDisconnect {
        self.on_disconnect
    }

    /// The job that makes the response to a request. Nothing has run yet.
    pub fn job(&self, request: HandlerRequest) -> Job {
        let line = format!("{} {}", request.method, request.path).into();
        let handler =
            self.script.as_ref().and_then(|(_, program)| Some((program, program.handler_for(&request.path)?)));
        let probe = self.probe.as_ref().map(|(probe, unit)| probe.request(&request, |number| unit.name(number)));
        let work = match handler {
            Some((program, name)) if name != CATCH_ALL => self.call(program, name, request, probe.clone()),
            catch_all => match self.built_in(&request, probe.as_ref()) {
                Some(work) => work,
                None => match catch_all {
                    Some((program, name)) => self.call(program, name, request, probe.clone()),
                    None => Work::reply(responses::plain(404, "there is no handler for this path")),
                },
            },
        };
        Job { line, work, probe }
    }

    fn call(
        &self,
        program: &Arc<Program>,
        name: &str,
        request: HandlerRequest,
        probe: Option<Arc<RequestProbe>>,
    ) -> Work {
        match self.room.take() {
            Ok(place) => {
                let call = HandlerCall::probed(program, &self.process, name, request, probe);
                Work::Script { call, _place: place }
            }
            Err(full) => Work::reply(full),
        }
    }

    /// `/sync_sleep/` and `/async_sleep/` both sleep as the mode has it: the name is what the scenario is about.
    fn built_in(&self, request: &HandlerRequest, probe: Option<&Arc<RequestProbe>>) -> Option<Work> {
        let parameter = |name: &str| request.query.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        let sleep = match parameter("sleep").map(|text| units::parse_sleep(text)) {
            None => self.sleep,
            Some(Ok(sleep)) => sleep,
            Some(Err(why)) => return Some(Work::reply(responses::plain(400, &why.to_string()))),
        };
        match request.path.trim_end_matches('/') {
            "/health" => Some(Work::reply(responses::plain(200, "ok"))),
            "/sync_sleep" | "/async_sleep" => {
                Some(Work::Native { sleep: Some(sleep), reply: Reply::Ready(responses::plain(200, "slept")) })
            }
            "/dirty" => {
                let email = parameter("email").cloned().unwrap_or_default();
                let mut kept = self.email.lock().unwrap_or_else(PoisonError::into_inner);
                email.clone_into(&mut kept);
                if let Some(probe) = probe {
                    probe.native_store(&kept, probe::EMAIL, &probe::dirty(probe::WRITES_EMAIL));
                }
                Some(Work::Native { sleep: Some(sleep), reply: Reply::Email(Arc::clone(&self.email)) })
            }
            _ => None,
        }
    }

    /// What people read of a script that failed: where and why, and the line of the script.
    pub fn explain(&self, error: &ScriptError) -> String {
        let Some((name, program)) = self.script.as_ref().filter(|_| error.line > 0) else { return error.to_string() };
        let Some(source) = program.source_of(error) else { return error.to_string() };
        let label = error.function.as_ref().map_or("here".to_owned(), |function| format!("in `{function}`"));
        let place = excerpt::place(source, error.line, error.column);
        let name = error.file.as_ref().unwrap_or(name);
        format!("{error}\n{}", excerpt::draw(name, source, place, &label))
    }
}

/// One request being handled.
pub(in crate::server) struct Job {
    line: Arc<str>,
    work: Work,
    probe: Option<Arc<RequestProbe>>,
}

enum Work {
    Script {
        call: HandlerCall,
        /// Free for another call with the end of this one.
        _place: CallPermit,
    },
    /// Sleeps, then responds.
    Native { sleep: Option<Duration>, reply: Reply },
}

enum Reply {
    Ready(HandlerResponse),
    /// The leak that comes with runner: written before the sleep, read after it.
    Email(Arc<Mutex<String>>),
}

impl Work {
    fn reply(response: HandlerResponse) -> Work {
        Work::Native { sleep: None, reply: Reply::Ready(response) }
    }
}

impl Job {
    /// `GET /dirty/`, for the log.
    pub fn request_line(&self) -> &str {
        &self.line
    }

    /// This is its response.
    pub fn responds(&self, response: &HandlerResponse) {
        if let Some(probe) = &self.probe {
            probe.respond(response);
        }
    }

    /// The next step, with what the last one was to bring. After `Done` it must not be called again.
    pub fn resume(&mut self, answer: Resumed) -> HandlerStep {
        match &mut self.work {
            Work::Script { call, .. } => watchdog::during(&self.line, || call.resume_with(answer)),
            Work::Native { sleep, reply } => match sleep.take() {
                Some(sleep) => HandlerStep::Sleep(sleep),
                None => HandlerStep::Done(Ok(reply.take(self.probe.as_ref()))),
            },
        }
    }
}

impl Reply {
    fn take(&mut self, probe: Option<&Arc<RequestProbe>>) -> HandlerResponse {
        match self {
            Reply::Ready(response) => std::mem::take(response),
            Reply::Email(email) => {
                let email = email.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(probe) = probe {
                    probe.native_load(&email, probe::EMAIL, &probe::dirty(probe::READS_EMAIL));
                }
                responses::plain(200, &format!("Hello, {email}"))
            }
        }
    }
}
