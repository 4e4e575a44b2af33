//! What the probes of all processes wrote, in order.

use super::event::{ProbeEvent, ProbeFact};

/// The most events of one process that are read; a probe writes fewer.
const MOST: usize = 400_000;

/// What one process wrote.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProcessHistory {
    pub events: Vec<ProbeEvent>,
    /// Lines that could not be understood.
    pub unread: u64,
}

/// What all of them wrote.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    pub processes: Vec<ProcessHistory>,
}

impl ProcessHistory {
    /// Reads the text of a file. A line that was cut, and one that is no event, is counted and passed over.
    pub fn parse(text: &[u8]) -> ProcessHistory {
        let mut history = ProcessHistory::default();
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            let event = std::str::from_utf8(line).ok().and_then(ProbeEvent::parse);
            match event {
                Some(event) if history.events.len() < MOST => history.events.push(event),
                _ => history.unread += 1,
            }
        }
        // What is told late goes where it happened; what has no number stays behind what was told before it.
        let mut last = 0;
        let numbers =
            history.events.iter().map(|event| *event.number.inspect(|number| last = *number).get_or_insert(last));
        let mut order: Vec<(u64, usize)> = numbers.zip(0..).collect();
        order.sort_unstable();
        let mut events: Vec<Option<ProbeEvent>> = history.events.into_iter().map(Some).collect();
        history.events = order.into_iter().filter_map(|(_, index)| events[index].take()).collect();
        history
    }

    /// The language of the process; `None` if no probe said hello in it.
    pub fn language(&self) -> Option<&str> {
        self.events.iter().find_map(|event| match &event.what {
            ProbeFact::Hello { language, .. } => Some(language.as_str()),
            _ => None,
        })
    }
}

impl History {
    /// Whether the probe is in any process.
    pub fn is_of_a_probe(&self) -> bool {
        self.processes.iter().any(|process| process.language().is_some())
    }

    /// Whether a module of the application was rewritten in any process.
    pub fn has_modules(&self) -> bool {
        let mut events = self.processes.iter().flat_map(|process| &process.events);
        events.any(|event| matches!(event.what, ProbeFact::Module { error: None, .. }))
    }

    /// Events that were thrown away.
    pub fn dropped(&self) -> u64 {
        let events = self.processes.iter().flat_map(|process| &process.events);
        events.filter_map(|event| if let ProbeFact::Dropped { count } = event.what { Some(count) } else { None }).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_late_stands_where_it_happened() {
        let line = |n: &str, t: u64| format!("{{\"e\":\"load\",\"t\":{t}{n}}}\n");
        let text =
            [line(",\"n\":1", 1), line(",\"n\":3", 3), line("", 4), line(",\"n\":2", 2), line(",\"n\":5", 5)].concat();
        let times: Vec<i64> = ProcessHistory::parse(text.as_bytes()).events.iter().map(|event| event.at_us).collect();
        assert_eq!(times, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_file_that_ends_in_the_middle_of_a_line_is_read_up_to_there() {
        let text = b"{\"e\":\"hello\",\"language\":\"python\"}\n\n{\"e\":\"dropped\",\"count\":3}\n{\"e\":\"sto";
        let history = ProcessHistory::parse(text);
        assert_eq!((history.events.len(), history.unread, history.language()), (2, 1, Some("python")));
        let all = History { processes: vec![history, ProcessHistory::parse(b"\xff\n")] };
        assert!(all.is_of_a_probe() && all.dropped() == 3);
        assert!(!History { processes: vec![ProcessHistory::parse(b"{}")] }.is_of_a_probe());
    }
}
