//! A scenario that somebody typed as a command line instead of writing it into a file.

use std::path::Path;
use std::time::Duration;

use toml::{Table, Value};

use super::{Problems, Scenario, SystemContext, Template, load};
use crate::units::show_duration;

/// What was typed. Every text is sent as it stands: braces and dollars mean nothing here.
#[derive(Debug, Clone, Default)]
pub struct AdHocLoad {
    /// `http://127.0.0.1:8000`
    pub origin: String,
    /// Path and query; starts with `/`.
    pub target: String,
    /// GET if not given, POST where there is a body.
    pub method: Option<String>,
    pub headers: Vec<(String, String)>,
    pub body: Option<String>,
    /// Of the closed model, each with a user, or with one for each of its streams; with a rate, the most of the open one.
    pub connections: Option<u32>,
    /// Arrivals a second.
    pub rate: Option<f64>,
    /// Not beside `requests`.
    pub duration: Option<Duration>,
    /// Ends the load in place of a duration.
    pub requests: Option<u32>,
    pub timeout: Option<Duration>,
    pub threads: Option<u32>,
    /// Where connections go in place of the origin, as `connect_to` has it.
    pub connect_to: Option<String>,
    /// How TLS is spoken, where it is.
    pub insecure: bool,
    pub ca: Option<String>,
    pub cert: Option<String>,
    pub key: Option<String>,
    pub http2: bool,
    /// Requests at once on a connection of HTTP/2, and in a batch of HTTP/1.1.
    pub streams: Option<u32>,
    pub pipeline: Option<u32>,
    /// Where connections come from: addresses, and ranges of them.
    pub sources: Vec<String>,
}

/// Where neither they nor a rate are given.
const CONNECTIONS: u32 = 10;

impl AdHocLoad {
    /// The scenario of this name, made as from a file; what is wrong is told in the terms of a file.
    pub fn scenario(&self, name: &str, outside: &dyn SystemContext) -> Result<Scenario, Problems> {
        load(Path::new(name), &[], &Memory { name: Path::new(name), text: self.text(), outside })
    }

    /// The file that would mean the same.
    fn text(&self) -> String {
        let mut scenario = Table::new();
        let server = self.server();
        scenario.insert("server".to_owned(), server.into());
        scenario.insert("load".to_owned(), self.load().into());
        scenario.to_string()
    }

    fn server(&self) -> Table {
        let text = |text: &Option<String>| text.as_deref().map(unfilled);
        let tls = given([
            ("insecure", self.insecure.then(|| Value::from(true))),
            ("ca", text(&self.ca)),
            ("cert", text(&self.cert)),
            ("key", text(&self.key)),
        ]);
        given([
            ("url", Some(literal(&self.origin))),
            ("connect_to", text(&self.connect_to)),
            ("tls", (!tls.is_empty()).then(|| Value::Table(tls))),
        ])
    }

    fn load(&self) -> Table {
        let time = |time: Duration| Value::from(show_duration(time));
        let whole = |number: u32| Value::from(i64::from(number));
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), literal(value)));
        let users = |connections: u32| whole(connections.saturating_mul(self.streams.unwrap_or(1)));
        let model = match self.rate {
            Some(rate) => {
                [("rate", Some(Value::from(format!("{rate}/s")))), ("max_concurrency", self.connections.map(users))]
            }
            None => [("concurrency", Some(users(self.connections.unwrap_or(CONNECTIONS)))), ("max_concurrency", None)],
        };
        let rest = [
            ("path", Some(literal(&self.target))),
            ("method", self.method.clone().map(Value::from)),
            ("body", self.body.as_deref().map(|body| unfilled(&Template::escape_body(body)))),
            ("duration", self.duration.map(time)),
            ("requests", self.requests.map(whole)),
            ("timeout", self.timeout.map(time)),
            ("threads", self.threads.map(whole)),
            ("http", self.http2.then(|| Value::from("2"))),
            ("streams", self.streams.map(whole)),
            ("pipeline", self.pipeline.map(whole)),
            ("source_addresses", (!self.sources.is_empty()).then(|| Value::from(self.sources.clone()))),
            ("headers", (!self.headers.is_empty()).then(|| Value::Table(headers.collect()))),
        ];
        given(model.into_iter().chain(rest))
    }
}

/// A sweep of an address that was typed.
#[derive(Debug, Clone, Default)]
pub struct AdHocSweep {
    /// `http://127.0.0.1:8000`
    pub origin: String,
    /// A file, or a path on the server.
    pub from: String,
}

impl AdHocSweep {
    /// The scenario of this name, with these keys overridden.
    pub fn scenario(
        &self,
        name: &str,
        overrides: &[String],
        outside: &dyn SystemContext,
    ) -> Result<Scenario, Problems> {
        let server = given([("url", Some(literal(&self.origin)))]);
        let dirty = given([("from", Some(unfilled(&self.from)))]);
        let mut scenario = Table::new();
        scenario.insert("server".to_owned(), server.into());
        scenario.insert("dirty".to_owned(), dirty.into());
        let text = scenario.to_string();
        load(Path::new(name), overrides, &Memory { name: Path::new(name), text, outside })
    }
}

/// The keys that have a value.
fn given(entries: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Table {
    entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// A text without variables and placeholders, whatever stands in it.
fn literal(text: &str) -> Value {
    unfilled(&text.replace('{', "{{").replace('}', "}}"))
}

/// A text without variables.
fn unfilled(text: &str) -> Value {
    Value::from(text.replace("${", "$${"))
}

/// A world in which one file is what was typed, without variables.
struct Memory<'a> {
    name: &'a Path,
    text: String,
    outside: &'a dyn SystemContext,
}

impl SystemContext for Memory<'_> {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        if path == self.name { Ok(self.text.clone()) } else { self.outside.read(path) }
    }

    fn variable(&self, _name: &str) -> Option<String> {
        None
    }
}

/// An address, taken apart: the origin, and what a request line says of the rest. A fragment is not sent.
pub fn split_url(url: &str) -> (String, String) {
    let url = url.split('#').next().unwrap_or_default();
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority..].find(['/', '?']).map_or(url.len(), |at| authority + at);
    let (origin, target) = url.split_at(end);
    let slash = if target.starts_with('/') { "" } else { "/" };
    (origin.to_owned(), format!("{slash}{target}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::request::BodySpec;
    use crate::scenario::{Model, ServerSpec};
    use proptest::prelude::*;

    struct Nothing;

    impl SystemContext for Nothing {
        fn read(&self, _path: &Path) -> std::io::Result<String> {
            Err(std::io::ErrorKind::NotFound.into())
        }

        fn variable(&self, _name: &str) -> Option<String> {
            None
        }
    }

    fn typed() -> AdHocLoad {
        let (origin, target) = split_url("http://127.0.0.1:8000/a?b=c");
        AdHocLoad { origin, target, ..AdHocLoad::default() }
    }

    #[test]
    fn it_means_what_a_file_would() {
        let scenario =
            AdHocLoad { connections: Some(500), threads: Some(8), ..typed() }.scenario("load", &Nothing).unwrap();
        let [variant] = scenario.variants.as_slice() else { panic!("{scenario:?}") };
        let ServerSpec::Attached(server) = &variant.server else { panic!("{variant:?}") };
        assert_eq!((scenario.name.as_str(), server.host.as_str(), server.port), ("load", "127.0.0.1", 8000));
        let load = variant.load.as_ref().unwrap();
        assert!(matches!(load.model, Model::Closed), "{:?}", load.model);
        assert_eq!((load.peak(), load.threads, load.duration), (500.0, Some(8), Duration::from_secs(10)));
    }

    #[test]
    fn a_rate_makes_an_open_load_and_a_number_of_requests_ends_it() {
        let typed = AdHocLoad { connections: Some(7), rate: Some(2000.0), requests: Some(50), ..typed() };
        let scenario = typed.scenario("load", &Nothing).unwrap();
        let load = scenario.variants[0].load.as_ref().unwrap();
        assert!(matches!(load.model, Model::Open { max_concurrency: 7, .. }), "{:?}", load.model);
        assert_eq!((load.peak(), load.requests), (2000.0, Some(50)));
    }

    #[test]
    fn each_stream_of_a_connection_has_a_user() {
        let typed = AdHocLoad { connections: Some(8), http2: true, streams: Some(32), ..typed() };
        let scenario = typed.scenario("load", &Nothing).unwrap();
        assert_eq!(scenario.variants[0].load.as_ref().unwrap().users(), 256);
    }

    #[test]
    fn addresses_are_taken_apart() {
        for (url, origin, target) in [
            ("http://a:1", "http://a:1", "/"),
            ("http://a/b/?c=http://d", "http://a", "/b/?c=http://d"),
            ("http://a?b", "http://a", "/?b"),
            ("http://[::1]:81/x#y", "http://[::1]:81", "/x"),
            ("a:1/b", "a:1", "/b"),
        ] {
            assert_eq!(split_url(url), (origin.to_owned(), target.to_owned()), "{url}");
        }
    }

    proptest! {
        #[test]
        fn texts_are_sent_as_they_stand(text in "[ -~\n]{0,4}([$]?[{]{0,2}(user|HOME)?[}]{0,2}){0,4}[ -~é]{0,4}") {
            let header = text.replace(['\n', 'é'], "").trim().to_owned();
            let headers = vec![("x-a".to_owned(), format!("{header}."))];
            let typed = AdHocLoad { body: Some(text.clone()), headers, ..typed() };
            let scenario = typed.scenario("load", &Nothing).unwrap();
            let request = &scenario.variants[0].load.as_ref().unwrap().kinds[0].request;
            prop_assert_eq!(request.content().unwrap().text(), text);
            prop_assert_eq!(request.headers[0].1.text(), format!("{header}."));
            prop_assert!(request.holes().is_empty() && matches!(&request.body, Some(BodySpec::Text(_))));
            prop_assert_eq!(request.method.as_str(), "POST");
        }
    }
}
