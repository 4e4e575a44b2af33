//! What a round sends, as data. Triggers make recipes, the client carries them out, shrinking thins them out, the
//! record keeps them, and a replay reads them back.

use serde::{Deserialize, Serialize};

/// Lines of requests, side by side.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    pub lines: Vec<Line>,
    /// Only a server that nothing was asked of before will do.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fresh_server: bool,
    /// `{seq}` and `{random}` are the same in all of its requests, so that nothing but the identity tells them apart.
    #[serde(default, skip_serializing_if = "is_default")]
    pub same_url: bool,
}

/// Requests that are sent one after the other.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub start: Start,
    /// All over one connection; else each over a new one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reuse: bool,
    /// All are sent before the first answer is read. Over one connection.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pipelined: bool,
    pub shots: Vec<Shot>,
    /// Sends its shots again and again until another line has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Until {
    /// The index of the other line.
    pub line: usize,
    /// No more often than this: bounds the memory of a round.
    pub most: u32,
}

/// When a line's first request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// So many milliseconds after the round began.
    At(f64),
    /// When the line with this index has ended.
    After(usize),
    /// Its first request is sent but for its last byte, which goes out together with that of all other such lines.
    Gate,
}

impl Default for Start {
    fn default() -> Self {
        Start::At(0.0)
    }
}

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shot {
    pub who: Who,
    #[serde(default, skip_serializing_if = "is_default")]
    pub nap: Nap,
    #[serde(default, skip_serializing_if = "is_default")]
    pub twist: Twist,
    /// Milliseconds to wait before it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pause_ms: f64,
}

/// Whose request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// Somebody who asks nothing else in this round.
    Another,
    /// Nobody: the request leaves out what would say who asks.
    Nobody,
}

/// What the handler is asked to sleep, where the scenario has a `{sleep}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nap {
    #[default]
    Short,
    Long,
    /// Long enough that a server's own time-out may fire.
    Longest,
}

/// What is out of the ordinary about a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Twist {
    #[default]
    None,
    /// The canary is as long as its shape allows.
    LongCanary,
    /// The canary is as short as its shape allows.
    ShortCanary,
    /// Spoilt in the way with this index, so that the handler fails.
    Malformed(usize),
    /// With a body of more than 64 KiB.
    Big,
    /// The client leaves with a reset, so many milliseconds after it has sent all of it.
    Abort(f64),
    /// Half of it is sent, the rest so many milliseconds later.
    Halting(f64),
}

impl Shot {
    /// An ordinary request by somebody else.
    pub fn plain() -> Shot {
        Shot { who: Who::Another, nap: Nap::Short, twist: Twist::None, pause_ms: 0.0 }
    }

    pub fn anonymous() -> Shot {
        Shot { who: Who::Nobody, ..Shot::plain() }
    }

    pub fn long() -> Shot {
        Shot { nap: Nap::Long, ..Shot::plain() }
    }

    pub fn twisted(twist: Twist) -> Shot {
        Shot { twist, ..Shot::plain() }
    }
}

impl Line {
    pub fn of(shots: Vec<Shot>) -> Line {
        Line { shots, ..Line::default() }
    }

    pub fn starting(self, start: Start) -> Line {
        Line { start, ..self }
    }

    /// All requests over one connection.
    pub fn on_one_connection(self) -> Line {
        Line { reuse: true, ..self }
    }
}

impl Recipe {
    pub fn of(lines: Vec<Line>) -> Recipe {
        Recipe { lines, ..Recipe::default() }
    }

    /// All shots, with the line that each is on.
    pub fn shots(&self) -> impl Iterator<Item = (usize, &Shot)> {
        self.lines.iter().enumerate().flat_map(|(index, line)| line.shots.iter().map(move |shot| (index, shot)))
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
