//! The server: exactly one of a built-in mode, a command and a url, with the keys that belong to it.

use std::path::PathBuf;
use std::time::Duration;

use super::super::file::values::Located;
use super::super::file::{self, RawListen};
use super::super::problem::Problem;
use super::super::source::Span;
use super::super::template::{Placeholder, Template, TemplateError};
use super::super::{
    AttachedSpec, Builtin, CommandSpec, ListenSpec, OnDisconnect, Pid, ReadyCheck, ReadySpec, ServerSpec, StopSpec,
};
use super::{Loading, value};
use crate::mode::Mode;

const MOST_WORKERS: i64 = 256;
const MOST_THREADS: i64 = 1024;
/// What the kernel allows at most.
const MOST_PID: i64 = 4_194_304;
const BUILTIN_GRACE: Duration = Duration::from_secs(1);
const COMMAND_GRACE: Duration = Duration::from_secs(5);
const READY_WITHIN: Duration = Duration::from_secs(20);
const SETUP_WITHIN: Duration = Duration::from_secs(600);

impl Loading<'_> {
    pub(super) fn server(&mut self, at: &Located<file::RawServer>) -> Option<ServerSpec> {
        let written = &at.value;
        let kinds = [
            ("mode", written.mode.as_ref().map(|mode| mode.span.clone())),
            ("command", written.command.as_ref().map(|command| command.span.clone())),
            ("url", written.url.as_ref().map(|url| url.span.clone())),
        ];
        let given: Vec<(&str, Span)> = kinds.into_iter().filter_map(|(key, span)| Some((key, span?))).collect();
        match &given[..] {
            [("mode", _)] => self.builtin(written).map(ServerSpec::Builtin),
            [("command", _)] => self.command(written).map(ServerSpec::Command),
            [(_, _)] => self.attached(written).map(ServerSpec::Attached),
            [] => {
                self.no_kind(&at.span);
                self.check_numbers(written);
                if let Some(script) = &written.script {
                    self.script(script);
                }
                None
            }
            [(first, here), others @ ..] => {
                let names = given.iter().map(|(key, _)| format!("`{key}`")).collect::<Vec<_>>().join(" and ");
                let problem = Problem::new(format!("two servers in one: {names}")).at(here, "this is one server");
                let problem = others.iter().fold(problem, |problem, (_, span)| problem.also(span, "this is another"));
                let help = format!("keep `{first}` or the other; alternatives go into [servers.NAME] with a [matrix]");
                self.problems.add(problem.help(help));
                self.check_numbers(written);
                None
            }
        }
    }

    /// Says what is wrong with numbers also where no server comes of them.
    fn check_numbers(&mut self, written: &file::RawServer) {
        self.workers(written);
        self.port(written);
        self.whole("threads", &written.threads, 1, MOST_THREADS);
    }

    fn no_kind(&mut self, span: &Span) {
        let cut = ["mode", "command", "url"].iter().any(|key| self.spoilt.covers(&["server", key]));
        if cut || self.spoilt.touches(&["servers"]) {
            return;
        }
        self.problems.add(
            Problem::new("a server without `mode`, `command` or `url`").at(span, "which server is this?").help(
                "add mode = \"async\" (or another), command = [\"program\", ...] or url = \"http://127.0.0.1:8000\"",
            ),
        );
    }

    /// Reports the keys that mean nothing beside `kind`.
    fn useless(&mut self, kind: &str, keys: &[(&str, Option<&Span>)], owner: &str) {
        for (key, span) in keys {
            let Some(span) = span else { continue };
            let problem = Problem::new(format!("`{key}` has no effect with `{kind}`")).at(span, "never used");
            self.problems.add(problem.help(format!("remove it; it belongs to {owner}")));
        }
    }

    fn builtin(&mut self, written: &file::RawServer) -> Option<Builtin> {
        self.useless(
            "mode",
            &[
                ("cwd", span(&written.cwd)),
                ("env", written.env.as_ref().and_then(|env| env.0.first()).map(|(name, _)| &name.span)),
                ("setup", span(&written.setup)),
                ("setup_within", span(&written.setup_within)),
                ("ready", span(&written.ready)),
                ("stop", span(&written.stop)),
                ("listen", span(&written.listen)),
            ],
            "a `command`",
        );
        self.useless("mode", &[("tls", span(&written.tls))], "a `url` or a `command`");
        self.useless("mode", &only_of_a_url(written), "a `url`");
        let threads = self.whole("threads", &written.threads, 1, MOST_THREADS);
        let mode = value(&written.mode)?;
        let usable = mode.threads(threads);
        if let Some(threads) = &written.threads {
            self.threads_given(&threads.span, usable.is_some());
        }
        self.check_numbers(written);
        let script = match &written.script {
            Some(script) => Some(self.script(script)?),
            None => None,
        };
        Some(Builtin {
            scenario: self.file_name.clone(),
            mode,
            threads: usable,
            workers: self.workers(written),
            script,
            sleep: value(&written.sleep).map_or(Duration::ZERO, |sleep| sleep.0),
            on_disconnect: self.on_disconnect(written, mode),
            port: self.port(written),
            grace: value(&written.grace).map_or(BUILTIN_GRACE, |grace| grace.0),
        })
    }

    fn on_disconnect(&mut self, written: &file::RawServer, mode: Mode) -> OnDisconnect {
        let Some(given) = &written.on_disconnect else { return OnDisconnect::default() };
        if given.value == OnDisconnect::Continue {
            return OnDisconnect::Continue;
        }
        if !mode.suspends() {
            let problem = Problem::new("only mode `async` can cancel a handler");
            let problem = problem.at(&given.span, "in this mode a handler that sleeps blocks its thread");
            self.problems.add(problem.help(
                "use mode = \"async\", or remove it; modes that differ in it go into [servers.NAME] with a [matrix]",
            ));
        }
        OnDisconnect::Cancel
    }

    fn threads_given(&mut self, span: &Span, used: bool) {
        match self.threads.iter_mut().find(|(known, _)| known == span) {
            Some((_, known)) => *known |= used,
            None => self.threads.push((span.clone(), used)),
        }
    }

    fn workers(&mut self, written: &file::RawServer) -> u32 {
        self.whole("workers", &written.workers, 1, MOST_WORKERS).unwrap_or(1)
    }

    fn port(&mut self, written: &file::RawServer) -> Option<u16> {
        self.whole("port", &written.port, 1, i64::from(u16::MAX)).and_then(|port| u16::try_from(port).ok())
    }

    fn command(&mut self, written: &file::RawServer) -> Option<CommandSpec> {
        self.useless(
            "command",
            &[
                ("threads", span(&written.threads)),
                ("script", span(&written.script)),
                ("sleep", span(&written.sleep)),
                ("on_disconnect", span(&written.on_disconnect)),
                ("grace", span(&written.grace)),
            ],
            "the built-in modes",
        );
        self.useless("command", &only_of_a_url(written), "a `url`");
        let words = written.command.as_ref()?;
        let empty = words.value.first().is_none_or(|program| program.value.trim().is_empty());
        if empty && !self.spoilt.touches(&["server", "command"]) && !self.spoilt.touches(&["servers"]) {
            let problem = Problem::new("an empty command").at(&words.span, "no program to start");
            self.problems.add(problem.help("write the program and its arguments: [\"gunicorn\", \"app:app\"]"));
        }
        let listen = self.listen(written);
        let command = words.value.iter().map(|word| self.word(word, listen, Template::parse)).collect::<Vec<_>>();
        let (env, ready) = (self.env(written, listen), self.ready(written.ready.as_ref()));
        let workers = self.workers(written);
        let tls = written.tls.as_ref().map(|tls| self.tls(tls));
        // Everything is looked at before a wrong word ends it.
        Some(CommandSpec {
            scenario: self.file_name.clone(),
            command: command.into_iter().collect::<Option<_>>()?,
            cwd: self.cwd(written),
            env,
            setup: written.setup.as_ref().map(|setup| setup.value.clone()),
            setup_within: self.some_time("setup_within", &written.setup_within, SETUP_WITHIN),
            workers,
            listen,
            ready,
            stop: StopSpec {
                signal: written
                    .stop
                    .as_ref()
                    .and_then(|stop| value(&stop.value.signal))
                    .map_or("TERM", |s| s.name())
                    .to_owned(),
                grace: written.stop.as_ref().and_then(|stop| value(&stop.value.grace)).map_or(COMMAND_GRACE, |g| g.0),
            },
            tls: tls.map_or(Some(None), |tls| tls.map(Some))?,
        })
    }

    fn listen(&mut self, written: &file::RawServer) -> ListenSpec {
        let port = self.port(written);
        match value(&written.listen) {
            None | Some(RawListen::Tcp) => ListenSpec::Tcp { port, handed: false },
            Some(RawListen::Fd) => {
                if let Some(listen) = &written.listen {
                    self.check_handed(listen, written.ready.as_ref());
                }
                ListenSpec::Tcp { port, handed: true }
            }
            Some(RawListen::Unix) => {
                self.useless("listen = \"unix\"", &[("port", span(&written.port))], "`listen = \"tcp\"`");
                ListenSpec::Unix
            }
        }
    }

    /// A socket that somebody listens on already takes connections before the server does.
    fn check_handed(&mut self, listen: &Located<RawListen>, ready: Option<&Located<file::RawReady>>) {
        if ready.is_some_and(|ready| ready.value.path.is_some() || ready.value.log.is_some()) {
            return;
        }
        let problem = Problem::new("nothing tells when the server is ready");
        let problem = problem.at(&listen.span, "its port takes connections from the start");
        self.problems.add(problem.help("add ready = { path = \"/health\" }, or a `log` that it prints"));
    }

    fn cwd(&self, written: &file::RawServer) -> PathBuf {
        let cwd = written.cwd.as_ref().map_or_else(|| self.folder.clone(), |cwd| self.folder.join(&cwd.value));
        // A scenario named without a folder has one without a name, in which no process could be started.
        if cwd.as_os_str().is_empty() { PathBuf::from(".") } else { cwd }
    }

    /// A word of a command, or an environment variable of it.
    fn word(
        &mut self,
        word: &Located<String>,
        listen: ListenSpec,
        parse: fn(&str) -> Result<Template, TemplateError>,
    ) -> Option<Template> {
        let template = self.template(word, parse)?;
        for hole in template.holes() {
            let (label, help) = match (hole, listen) {
                (Placeholder::Workers, _)
                | (Placeholder::Host | Placeholder::Port, ListenSpec::Tcp { .. })
                | (Placeholder::Fd, ListenSpec::Tcp { handed: true, .. })
                | (Placeholder::Socket, ListenSpec::Unix) => continue,
                (Placeholder::Fd, _) => ("it is handed no socket", "add listen = \"fd\""),
                (Placeholder::Socket, _) => ("it listens on a port", "add listen = \"unix\", or write {host}:{port}"),
                (Placeholder::Host | Placeholder::Port, _) => ("it listens on a Unix socket", "write {socket} instead"),
                _ => (
                    "filled per request only",
                    "a command and its `env` can hold `{host}`, `{port}`, `{socket}` and `{workers}`",
                ),
            };
            let place = self.hole_place(word, hole);
            let problem = Problem::new(format!("`{hole}` has no value when a server starts"));
            self.problems.add(problem.at(&place, label).help(help));
        }
        Some(template)
    }

    fn env(&mut self, written: &file::RawServer, listen: ListenSpec) -> Vec<(String, Template)> {
        let entries = written.env.as_ref().map_or(&[][..], |env| &env.0);
        for (name, text) in entries {
            if name.value.is_empty() || name.value.contains(['=', '\0']) || text.value.contains('\0') {
                let problem =
                    Problem::new(format!("`{}` cannot be an environment variable", name.value.escape_debug()));
                let problem = problem.at(&name.span, "holds `=` or a zero byte, or is empty");
                self.problems.add(problem.help("use letters, digits and `_`"));
            }
        }
        let variables = entries.iter().map(|(name, text)| {
            // A configuration in JSON is as good a value as any.
            self.note_lookalikes(text);
            (name.value.clone(), self.word(text, listen, Template::parse_body).unwrap_or_default())
        });
        variables.collect()
    }

    fn ready(&mut self, at: Option<&Located<file::RawReady>>) -> ReadySpec {
        let default = ReadySpec { check: ReadyCheck::Port, within: READY_WITHIN, foreign: false };
        let Some(at) = at else { return default };
        let ready = &at.value;
        let within = self.some_time("within", &ready.within, READY_WITHIN);
        let checks =
            [span(&ready.path), span(&ready.log), span(&ready.port).filter(|_| value(&ready.port) == Some(true))];
        let mut given = checks.into_iter().flatten();
        if let (Some(first), Some(second)) = (given.next(), given.next()) {
            let problem = Problem::new("two ways to tell that the server is ready").at(first, "this is one");
            self.problems.add(problem.also(second, "this is another").help("keep one of `path`, `log` and `port`"));
        }
        let check = match (&ready.path, &ready.log) {
            (Some(path), _) => {
                self.check_path_text(path, &path.value);
                ReadyCheck::Path(path.value.clone())
            }
            (None, Some(log)) => ReadyCheck::Log(log.value.clone()),
            (None, None) => ReadyCheck::Port,
        };
        ReadySpec { check, within, foreign: value(&ready.foreign).unwrap_or(false) }
    }

    fn attached(&mut self, written: &file::RawServer) -> Option<AttachedSpec> {
        self.useless(
            "url",
            &[
                ("workers", span(&written.workers)),
                ("threads", span(&written.threads)),
                ("script", span(&written.script)),
                ("sleep", span(&written.sleep)),
                ("on_disconnect", span(&written.on_disconnect)),
                ("port", span(&written.port)),
                ("grace", span(&written.grace)),
                ("cwd", span(&written.cwd)),
                ("setup", span(&written.setup)),
                ("setup_within", span(&written.setup_within)),
                ("ready", span(&written.ready)),
                ("stop", span(&written.stop)),
                ("listen", span(&written.listen)),
            ],
            "servers that runner starts",
        );
        if let (Some(pid), Some(file)) = (&written.pid, &written.pid_file) {
            let problem = Problem::new("two ways to name the process").at(&pid.span, "this is one");
            self.problems.add(problem.also(&file.span, "this is another").help("keep `pid` or `pid_file`"));
        }
        let number = self.whole("pid", &written.pid, 1, MOST_PID);
        let file = written.pid_file.as_ref().map(|file| Pid::File(self.folder.join(&file.value)));
        let process = number.map(Pid::Number).or(file);
        self.attached_address(written).map(|attached| AttachedSpec { process, ..attached })
    }
}

/// The keys that only a `url` has.
fn only_of_a_url(written: &file::RawServer) -> [(&'static str, Option<&Span>); 3] {
    [("pid", span(&written.pid)), ("pid_file", span(&written.pid_file)), ("connect_to", span(&written.connect_to))]
}

fn span<T>(given: &Option<Located<T>>) -> Option<&Span> {
    given.as_ref().map(|given| &given.span)
}
