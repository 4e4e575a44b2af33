//! "Did you mean": the known name nearest to one that is not known.

/// How near a name must be to be suggested; 1 is the same.
const NEAR: f64 = 0.8;

/// The known name nearest to `name`, if any is near enough to be a slip.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let near = |candidate: &str| {
        // One slip is always near, however much of a short name it is; so are two in a longer one.
        match strsim::damerau_levenshtein(&lower, candidate) {
            distance @ (0 | 1) => 2.0 - distance as f64 / 2.0,
            2 if candidate.len() >= 5 => 1.0,
            _ => strsim::jaro_winkler(&lower, candidate),
        }
    };
    known
        .into_iter()
        .map(|candidate| (near(candidate), candidate))
        .filter(|(score, _)| *score >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// The known name that is so near that `name` can only be a slip: a letter off, or two of a longer one.
pub(super) fn slip<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    known.into_iter().find(|candidate| match strsim::damerau_levenshtein(&lower, candidate) {
        0 => true,
        // Of two letters, one off is another word: `{id}` is not meant for `{fd}`.
        1 => candidate.len() >= 3,
        2 => candidate.len() >= 6,
        _ => false,
    })
}

/// "did you mean `x`?", else what there is: "modes are `a`, `b`".
pub(super) fn help(name: &str, plural: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => format!("there are no {plural}"),
        None => format!("{plural} are {}", list(known)),
    }
}

/// `` `a`, `b` and `c` ``.
pub(super) fn list(names: &[&str]) -> String {
    joined(names, "and")
}

/// `` `a`, `b` or `c` ``.
pub(super) fn either(names: &[&str]) -> String {
    joined(names, "or")
}

fn joined(names: &[&str], word: &str) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} {word} {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_mended_and_nonsense_is_not() {
        let modes = ["sync", "threaded", "async", "async_pool", "async_blocking"];
        assert_eq!(nearest("asinc", modes), Some("async"));
        assert_eq!(nearest("asink", modes), Some("async"));
        assert_eq!(nearest("thread", modes), Some("threaded"));
        assert_eq!(nearest("fibers", modes), None);
        assert_eq!(help("fibers", "modes", &["a", "b", "c"]), "modes are `a`, `b` and `c`");
    }
}
