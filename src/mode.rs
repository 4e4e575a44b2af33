//! The modes of the built-in server, as a table: one row a mode. How each serves stands in `server/builtin/`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Hands every row to a macro.
///
/// A row is the variant; its file in `server/builtin/`; the name in a scenario; how many handlers of a worker run at once;
/// whether a sleep suspends the handler; what it is, as the schema says it; and what a sleep in a handler and a connection
/// do, as the documentation says it.
macro_rules! for_each_mode {
    ($callback:ident) => {
        $callback! {
            Sync sync "sync" Handlers::One false
                "One request at a time, as gunicorn sync."
                "blocks the worker" "closed after each response";
            Threaded threaded "threaded" Handlers::Threads(8) false
                "`threads` at once, as gunicorn gthread, Puma or Tomcat."
                "blocks its thread" "kept alive";
            Async asynchronous "async" Handlers::Unbounded true
                "Any number at once, a sleep suspends the handler, as uvicorn with `async def`, or Node."
                "suspends the handler" "kept alive";
            AsyncPool async_pool "async_pool" Handlers::Threads(40) false
                "One event loop that hands handlers to `threads` threads, as a plain `def` view under Starlette."
                "blocks its pool thread" "kept alive";
            AsyncBlocking async_blocking "async_blocking" Handlers::One false
                "One event loop that every handler blocks, as `time.sleep` inside `async def`."
                "blocks the whole event loop" "kept alive";
        }
    };
}
pub(crate) use for_each_mode;

macro_rules! declare {
    ($($variant:ident $file:ident $name:literal $kind:ident::$handlers:ident $(($threads:literal))? $suspends:literal
        $doc:literal $sleep:literal $connection:literal;)*) => {
        /// How a built-in worker handles requests.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        pub enum Mode {
            $(
                #[doc = $doc]
                #[serde(rename = $name)]
                $variant,
            )*
        }

        impl Mode {
            /// Every mode, in the order of the documentation.
            pub const ALL: &[Mode] = &[$(Mode::$variant,)*];

            /// The name that scenarios use.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Mode::$variant => $name,)*
                }
            }

            /// How many handlers of a worker run at once.
            pub const fn handlers(self) -> Handlers {
                match self {
                    $(Mode::$variant => $kind::$handlers $(($threads))?,)*
                }
            }

            /// A sleep suspends the handler, so that it can be cancelled there when its client leaves.
            pub const fn suspends(self) -> bool {
                match self {
                    $(Mode::$variant => $suspends,)*
                }
            }

            /// What a sleep in a handler does, and what becomes of a connection, in words.
            const fn effects(self) -> (&'static str, &'static str) {
                match self {
                    $(Mode::$variant => ($sleep, $connection),)*
                }
            }
        }
    };
}
for_each_mode!(declare);

/// How many handlers of one worker run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handlers {
    One,
    /// As many as it has threads: `threads` of the scenario, or this number.
    Threads(u32),
    Unbounded,
}

impl Mode {
    /// How many threads a worker has for handlers: those that the scenario gives, or the usual ones. `None` in a mode without.
    pub fn threads(self, given: Option<u32>) -> Option<u32> {
        match self.handlers() {
            Handlers::Threads(usual) => Some(given.unwrap_or(usual)),
            Handlers::One | Handlers::Unbounded => None,
        }
    }

    /// The names of the modes that have threads for handlers.
    pub fn names_with_threads() -> Vec<&'static str> {
        Mode::ALL.iter().filter(|mode| mode.threads(None).is_some()).map(|mode| mode.name()).collect()
    }

    /// The table of the documentation, in Markdown.
    pub fn table() -> String {
        let rows: Vec<String> = Mode::ALL
            .iter()
            .map(|mode| {
                let in_flight = match mode.handlers() {
                    Handlers::One => "1",
                    Handlers::Threads(_) => "`threads`",
                    Handlers::Unbounded => "unbounded",
                };
                let (sleep, connection) = mode.effects();
                format!("| `{}` | {in_flight} | {sleep} | {connection} |\n", mode.name())
            })
            .collect();
        format!(
            "| mode | in flight per worker | `sleep` in a handler | connection |\n| --- | --- | --- | --- |\n{}",
            rows.concat()
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_mode_has_a_name_of_its_own_which_is_how_it_is_written() {
        let names: BTreeSet<&str> = Mode::ALL.iter().map(|mode| mode.name()).collect();
        assert_eq!(names.len(), Mode::ALL.len());
        for mode in Mode::ALL {
            assert_eq!(serde_json::to_value(mode).unwrap(), mode.name());
        }
    }

    #[test]
    fn only_modes_with_threads_take_a_number_of_them() {
        assert_eq!((Mode::Threaded.threads(None), Mode::Threaded.threads(Some(3))), (Some(8), Some(3)));
        assert_eq!((Mode::AsyncPool.threads(None), Mode::Sync.threads(Some(3))), (Some(40), None));
        assert!(["threaded", "async_pool"].iter().all(|name| Mode::names_with_threads().contains(name)));
        assert!(!Mode::names_with_threads().contains(&"async"));
    }

    #[test]
    fn a_handler_that_is_suspended_leaves_its_thread_to_any_number_of_others() {
        assert!(Mode::ALL.iter().all(|mode| !mode.suspends() || mode.handlers() == Handlers::Unbounded));
    }
}
