//! Sends metrics to a Pushgateway of Prometheus.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};

use crate::net::single_request::{addresses, send_single};
use crate::server::allowed_hosts;

/// A gateway that takes longer has not taken it.
const WITHIN: Duration = Duration::from_secs(10);

/// Why metrics did not arrive. The text fits after "error: ".
#[derive(Debug, thiserror::Error)]
#[error("cannot push metrics to {url}: {why}")]
pub struct PushError {
    url: String,
    why: String,
    /// What to do about it.
    pub advice: String,
}

/// Puts metrics, in Prometheus' text format, in place of those that the gateway has of the job `runner`. The host must be this
/// machine or one of `allowed`.
pub fn push(url: &str, metrics: String, allowed: &[String]) -> Result<(), PushError> {
    let failed = |why: String, advice: &str| PushError { url: url.to_owned(), why, advice: advice.to_owned() };
    let uri = target(url).ok_or_else(|| {
        failed("it is no http or https URL".to_owned(), "write it as in --push http://127.0.0.1:9091")
    })?;
    let (host, port, found) = addresses(&uri).map_err(|error| failed(error.to_string(), "is its name right?"))?;
    allowed_hosts::check(&host, port, &found, allowed).map_err(|error| failed(error.message, &error.advice))?;
    let request = Request::put(&uri).header("content-type", "text/plain; version=0.0.4").body(Bytes::from(metrics));
    let request = request.map_err(|error| failed(error.to_string(), "is the URL right?"))?;
    match send_single(&request, WITHIN) {
        Ok(200..300) => Ok(()),
        Ok(status) => Err(failed(format!("it answered {status}"), "is a Pushgateway there?")),
        Err(error) => Err(failed(error.to_string(), "is the Pushgateway up, and the port right?")),
    }
}

/// The URL with the path of the job, if it has none of its own.
fn target(url: &str) -> Option<Uri> {
    let uri: Uri = url.parse().ok()?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return None;
    }
    match uri.path() {
        "" | "/" => format!("{}/metrics/job/runner", url.trim_end_matches('/')).parse().ok(),
        _ => Some(uri),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_is_runner_unless_the_url_says_otherwise() {
        assert_eq!(target("http://a:9091/").unwrap(), "http://a:9091/metrics/job/runner");
        assert_eq!(target("http://a/metrics/job/x").unwrap(), "http://a/metrics/job/x");
        assert!(target("a:9091").is_none() && target("ftp://a/").is_none());
    }

    #[test]
    fn only_this_machine_is_pushed_to_unless_said() {
        let error = push("http://192.0.2.1:9091", String::new(), &[]).unwrap_err();
        assert!(error.advice.contains("--allow-host 192.0.2.1"), "{error} {}", error.advice);
    }
}
