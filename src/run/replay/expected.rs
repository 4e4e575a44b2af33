//! Whether a try that shows no leak tells anything: its requests must be answered as they were when it was recorded.

use crate::dirty::{ReplayResponse, ReplayTry, Role};
use crate::record::{ControlRecord, LeakRecord};

/// What the record says of how requests were answered.
#[derive(Debug, Clone)]
pub struct ExpectedResponses {
    /// Line and shot of a request, its status, and whether it is the victim or the source.
    places: Vec<((usize, usize), u16, bool)>,
    /// Of any ordinary request, where its place is not known.
    ordinary: Option<u16>,
    /// A request that is sent alone holds its own canary.
    echoes: bool,
}

/// Answers other than the recorded ones, as words: `answered 403 (200 when it was recorded)`.
pub type Difference = String;

impl ExpectedResponses {
    /// What is expected of a leak; `control` is that of its check.
    pub fn of(leak: &LeakRecord, control: &ControlRecord) -> ExpectedResponses {
        let requests = leak.shrunk.iter().flat_map(|shrunk| &shrunk.requests);
        let known = requests.filter_map(|asked| Some(((asked.line, asked.shot), asked.status?, asked.part.is_some())));
        let witnesses = std::iter::once(&leak.victim).chain(&leak.source);
        let usual = |role: &str| ["probe", "short", "long"].contains(&role);
        let ordinary = witnesses.filter(|witness| usual(&witness.role)).find_map(|witness| witness.status);
        ExpectedResponses {
            places: known.collect(),
            ordinary,
            echoes: control.echoes == Some(true) && !leak.oracle.is_of_personas(),
        }
    }

    /// What is unlike in a try, if that is so much that no leak in it means nothing.
    pub fn unlike(&self, tried: &ReplayTry) -> Option<Difference> {
        let compared = tried.answers.iter().filter_map(|answer| {
            let (status, decides) = self.of_place(answer)?;
            Some((answer, status, decides))
        });
        let compared: Vec<_> = compared.collect();
        let unlike: Vec<_> = compared.iter().filter(|(answer, status, _)| !is_alike(answer.status, *status)).collect();
        let (answer, status, _) = unlike.iter().find(|(.., decides)| *decides).or(unlike.first())?;
        let telling = 2 * unlike.len() > compared.len() || unlike.iter().any(|(.., decides)| *decides);
        telling.then(|| words(answer.status, *status))
    }

    /// The same of a request that was sent alone.
    pub fn unlike_alone(&self, answer: &ReplayResponse) -> Option<Difference> {
        if let Some(status) = self.ordinary.filter(|status| !is_alike(answer.status, *status)) {
            return Some(words(answer.status, status));
        }
        let lacks = self.echoes && !answer.own;
        lacks.then(|| "answered without its own canary (with it when it was recorded)".to_owned())
    }

    /// The status expected of a request, and whether it is the victim's or the source's.
    fn of_place(&self, answer: &ReplayResponse) -> Option<(u16, bool)> {
        // What is spoilt on purpose, or given up, may well be answered in another way.
        if matches!(answer.role, Role::Failing | Role::Leaving) {
            return None;
        }
        let place = (answer.place.line, answer.place.shot);
        let known = self.places.iter().find(|(known, ..)| *known == place).map(|(_, status, part)| (*status, *part));
        let is_ordinary = answer.role != Role::Anonymous;
        known.or_else(|| self.ordinary.filter(|_| is_ordinary).map(|status| (status, false)))
    }
}

/// Success is as good as success, a redirect as a redirect.
fn is_alike(now: Option<u16>, then: u16) -> bool {
    now.is_some_and(|now| now / 100 == then / 100)
}

fn words(now: Option<u16>, then: u16) -> Difference {
    match now {
        Some(now) => format!("answered {now} ({then} when it was recorded)"),
        None => format!("not answered ({then} when it was recorded)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dirty::observation::RecipePlace;

    fn tried(statuses: &[(Role, Option<u16>)]) -> ReplayTry {
        let answer = |(shot, (role, status)): (usize, &(Role, Option<u16>))| ReplayResponse {
            place: RecipePlace { line: 0, shot },
            role: *role,
            status: *status,
            own: false,
        };
        ReplayTry {
            requests: statuses.len(),
            unanswered: 0,
            answers: statuses.iter().enumerate().map(answer).collect(),
            leak: None,
        }
    }

    fn expected() -> ExpectedResponses {
        ExpectedResponses { places: vec![((0, 0), 200, true), ((0, 1), 401, false)], ordinary: Some(200), echoes: true }
    }

    #[test]
    fn a_try_whose_requests_are_answered_as_before_tells_something() {
        for like in [
            vec![(Role::Short, Some(200)), (Role::Anonymous, Some(403))],
            vec![
                (Role::Long, Some(204)),
                (Role::Anonymous, Some(401)),
                (Role::Failing, Some(500)),
                (Role::Leaving, None),
            ],
            vec![
                (Role::Short, Some(200)),
                (Role::Anonymous, Some(401)),
                (Role::Short, Some(503)),
                (Role::Short, Some(200)),
            ],
        ] {
            assert_eq!(expected().unlike(&tried(&like)), None, "{like:?}");
        }
    }

    #[test]
    fn a_try_whose_victim_or_most_requests_are_answered_in_another_way_tells_nothing() {
        for (unlike, said) in [
            (vec![(Role::Short, Some(403)), (Role::Short, Some(403))], "answered 403 (200 when it was recorded)"),
            (
                vec![(Role::Short, Some(302)), (Role::Anonymous, Some(401)), (Role::Short, Some(200))],
                "answered 302 (200 when it was recorded)",
            ),
            (vec![(Role::Short, None), (Role::Anonymous, Some(401))], "not answered (200 when it was recorded)"),
            (
                vec![(Role::Short, Some(200)), (Role::Anonymous, Some(200)), (Role::Short, Some(500))],
                "answered 200 (401 when it was recorded)",
            ),
        ] {
            assert_eq!(expected().unlike(&tried(&unlike)).as_deref(), Some(said), "{unlike:?}");
        }
    }

    #[test]
    fn a_lone_request_must_be_answered_with_what_is_its_own() {
        let lone = |status, own| ReplayResponse {
            place: RecipePlace::default(),
            role: Role::Short,
            status: Some(status),
            own,
        };
        assert_eq!(expected().unlike_alone(&lone(200, true)), None);
        assert_eq!(expected().unlike_alone(&lone(401, false)).unwrap(), "answered 401 (200 when it was recorded)");
        assert!(expected().unlike_alone(&lone(200, false)).unwrap().contains("without its own canary"));
        let blind = ExpectedResponses { echoes: false, ..expected() };
        assert_eq!(blind.unlike_alone(&lone(200, false)), None);
    }
}
