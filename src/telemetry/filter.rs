//! What is shown: `-v`, `-vv`, `-vvv`, or what `RUNNER_LOG` says.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::EnvFilter;

use super::OWN;

/// What the screen shows.
#[derive(Debug)]
pub struct EventFilter(pub(super) EnvFilter);

/// A filter that cannot be read. The text fits after "error: ".
#[derive(Debug, thiserror::Error)]
#[error("`{written}` is not a filter of events: {why}")]
pub struct FilterError {
    written: String,
    why: String,
}

impl FilterError {
    /// What to do about it. The text fits after "help: ".
    pub const ADVICE: &str = "name a level (error, warn, info, debug, trace), or a level for each part, as in \
                              `RUNNER_LOG=info,runner::dirty=debug`";
}

impl EventFilter {
    /// Of this many `-v`: none, info, debug, trace.
    pub fn verbose(count: u8) -> Option<EventFilter> {
        let level = match count {
            0 => return None,
            1 => LevelFilter::INFO,
            2 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        };
        Some(EventFilter(EnvFilter::default().add_directive(own(level))))
    }

    /// As `RUNNER_LOG` has it. A level without a target is that of runner's own events: those of its libraries must be named.
    pub fn parse(written: &str) -> Result<EventFilter, FilterError> {
        let refused = |why: String| FilterError { written: written.to_owned(), why };
        let mut filter = EnvFilter::default();
        for directive in written.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
            let directive = match directive.parse::<LevelFilter>() {
                Ok(level) => own(level),
                Err(_) => directive.parse().map_err(|error| refused(format!("`{directive}`: {error}")))?,
            };
            filter = filter.add_directive(directive);
        }
        Ok(EventFilter(filter))
    }

    /// Whether it holds the events of level info, at least those of some part.
    pub fn has_info(&self) -> bool {
        self.0.max_level_hint().is_none_or(|level| level >= LevelFilter::INFO)
    }
}

/// A level for the program's own events.
fn own(level: LevelFilter) -> tracing_subscriber::filter::Directive {
    use tracing_subscriber::filter::Directive;
    // `runner=info` always parses: the target is a constant, and a level shows as what is parsed.
    format!("{OWN}={level}").parse().unwrap_or_else(|_| Directive::from(level))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(written: &str) -> String {
        let all = EventFilter::parse(written).unwrap().0.to_string();
        let mut all: Vec<&str> = all.split(',').collect();
        all.sort_unstable();
        all.join(",")
    }

    #[test]
    fn a_level_alone_is_that_of_runners_own_events() {
        assert_eq!(shown("debug"), "runner=debug");
        assert_eq!(shown(" WARN , h2=trace"), "h2=trace,runner=warn");
        assert_eq!(EventFilter::verbose(2).unwrap().0.to_string(), "runner=debug");
        assert!(EventFilter::verbose(0).is_none());
    }

    #[test]
    fn parts_are_named_by_their_modules_and_a_slip_is_told() {
        assert_eq!(shown("runner::dirty=trace,info"), "runner::dirty=trace,runner=info");
        let error = EventFilter::parse("info,dirty=loud").unwrap_err();
        assert!(
            error.to_string().starts_with("`info,dirty=loud` is not a filter of events: `dirty=loud`: "),
            "{error}"
        );
    }

    #[test]
    fn it_is_known_whether_info_is_shown() {
        let info = |written| EventFilter::parse(written).unwrap().has_info();
        assert!(info("info") && info("warn,runner::dirty=debug") && !info("warn") && !info("off"));
    }
}
