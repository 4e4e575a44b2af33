//! `${NAME}` and `${NAME:-default}` in the strings of a scenario, and what of them may be shown.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;

use toml::de::DeTable;

use super::Surroundings;
use super::decode::Spoilt;
use super::problem::{Problem, Problems};
use super::secrets::Secrets;
use super::tree;

/// What stands for a secret that the file itself holds.
const REDACTED: &str = "[redacted]";

/// Fills every variable into the tree, and says which values are secrets. A string with a variable that is not set is a
/// problem, and cut out.
pub(super) fn fill(
    tree: &mut DeTable<'_>,
    surroundings: &dyn Surroundings,
    problems: &mut Problems,
    spoilt: &mut Spoilt,
) -> Secrets {
    let mut wrong = Vec::new();
    let mut secrets = Secrets::default();
    tree::each_string(tree, &mut |path, span, text| {
        collect(&mut secrets, path, text, surroundings);
        match expand(text, surroundings, None) {
            Ok(None) => {}
            Ok(Some(filled)) => *text = Cow::Owned(filled),
            Err((range, name)) => {
                let place = problems.sources.inside(span, text, range);
                problems.add(match name {
                    Some(name) => Problem::new(format!("the environment variable `{name}` is not set"))
                        .at(&place, "not set")
                        .help(format!("set it, or give a default: ${{{name}:-default}}")),
                    None => Problem::new("`${` does not begin a variable")
                        .at(&place, "no name and `}` follow")
                        .help("write ${NAME}, or $${ for these characters themselves"),
                });
                wrong.push(span.clone());
            }
        }
    });
    for span in wrong {
        if let Some(path) = tree::smallest(tree, &span) {
            spoilt.add(&path);
            tree::cut(tree, &path);
        }
    }
    secrets
}

/// Takes note of the values of those variables in a string that [`effective`] leaves as names.
fn collect(secrets: &mut Secrets, path: &[String], text: &str, surroundings: &dyn Surroundings) {
    let sensitive = is_sensitive_place(path);
    let found = RefCell::new(Vec::new());
    let see = |name: &str| {
        found.borrow_mut().extend((sensitive || looks_secret(name)).then(|| name.to_owned()));
        true
    };
    // What is no variable in it is told when it is filled in.
    let _ = expand(text, surroundings, Some(&see));
    for name in found.into_inner() {
        surroundings.variable(&name).iter().for_each(|value| secrets.add(&name, value));
    }
}

/// The tree as TOML, variables filled in except for those that hold secrets, and secrets in the file itself blotted out.
pub(super) fn effective(mut tree: DeTable<'_>, secrets: &Secrets, surroundings: &dyn Surroundings) -> String {
    tree::each_string(&mut tree, &mut |path, _, text| {
        if is_secret(path, text) {
            *text = Cow::Borrowed(REDACTED);
            return;
        }
        let sensitive = is_sensitive_place(path);
        let keep = |name: &str| sensitive || looks_secret(name);
        if let Ok(Some(filled)) = expand(text, surroundings, Some(&keep)) {
            *text = Cow::Owned(filled);
        }
        // The shell, not the file, may have filled one in, as in --set "load.path=/?key=$API_KEY".
        if let Cow::Owned(hidden) = secrets.hide(text) {
            *text = Cow::Owned(hidden);
        }
    });
    tree::to_text(&tree)
}

/// Whether the text at these keys is a secret itself: it stands where secrets do, and nothing is filled into it.
pub(super) fn is_secret(path: &[String], text: &str) -> bool {
    // A doubled brace is a character like any other.
    is_sensitive_place(path) && !text.replace("{{", "").contains('{')
}

/// [`is_sensitive`] for the keys that lead to a value, of which one may be a path itself, as those of the matrix.
fn is_sensitive_place(path: &[String]) -> bool {
    is_sensitive(path.iter().flat_map(|key| key.split('.')))
}

/// Whether a value at this key path is one to hide: a header or cookie that identifies, a variable that names a secret.
fn is_sensitive<'a>(path: impl IntoIterator<Item = &'a str>) -> bool {
    let path: Vec<String> = path.into_iter().map(|key| key.trim().trim_matches(['"', '\'']).to_lowercase()).collect();
    let Some(last) = path.last() else { return false };
    let inside = |table: &str| path[..path.len() - 1].iter().any(|key| key == table);
    inside("cookies")
        || inside("headers") && (matches!(last.as_str(), "cookie" | "set-cookie") || looks_secret(last))
        || inside("env") && looks_secret(last)
}

/// Whether a name is one that secrets go by: `API_TOKEN`, `x-api-key`.
fn looks_secret(name: &str) -> bool {
    let name = name.to_uppercase();
    ["TOKEN", "SECRET", "PASSW", "CREDENTIAL", "AUTH", "PRIVATE"].iter().any(|word| name.contains(word))
        || name.split(['_', '-']).any(|word| matches!(word, "KEY" | "APIKEY" | "PASS" | "DSN"))
}

/// Where in the text a variable is wrong; its name, or `None` where there is no name.
type Unfilled = (Range<usize>, Option<String>);

/// Fills in variables; `None` where there are none. With `keep`, a variable stays as it is, and the result can be
/// expanded again to the same text.
fn expand(
    text: &str,
    surroundings: &dyn Surroundings,
    keep: Option<&dyn Fn(&str) -> bool>,
) -> Result<Option<String>, Unfilled> {
    if !text.contains("${") {
        return Ok(None);
    }
    // What is kept for another reading must double the dollars that would begin a variable.
    let again = keep.is_some();
    let mut out = String::new();
    let mut at = 0;
    while let Some(found) = text[at..].find("${") {
        let start = at + found;
        if text[..start].ends_with('$') && start > at {
            out.push_str(&text[at..start]);
            out.push_str(if again { "${" } else { "{" });
            at = start + 2;
            continue;
        }
        out.push_str(&text[at..start]);
        let Some((name, default, len)) = variable(&text[start..]) else { return Err((start..start + 2, None)) };
        let range = start..start + len;
        if keep.is_some_and(|keep| keep(name)) {
            out.push_str(&text[range.clone()]);
        } else {
            let set = surroundings.variable(name).filter(|value| default.is_none() || !value.is_empty());
            let value = set.or_else(|| default.map(str::to_owned));
            let value = value.ok_or_else(|| (range.clone(), Some(name.to_owned())))?;
            out.push_str(&if again { value.replace("${", "$${") } else { value });
        }
        at = range.end;
    }
    out.push_str(&text[at..]);
    Ok(Some(out))
}

/// Name, default and length of the variable at the start of a text.
fn variable(text: &str) -> Option<(&str, Option<&str>, usize)> {
    let end = text.find('}')?;
    let inside = &text[2..end];
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    named.then_some((name, default, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct World;

    impl Surroundings for World {
        fn read(&self, _: &std::path::Path) -> std::io::Result<String> {
            Ok(String::new())
        }

        fn variable(&self, name: &str) -> Option<String> {
            match name {
                "HOST" => Some("example.org".to_owned()),
                "EMPTY" => Some(String::new()),
                "ODD" => Some("${HOST}".to_owned()),
                "API_TOKEN" => Some("s3cret".to_owned()),
                _ => None,
            }
        }
    }

    fn plain(text: &str) -> Result<Option<String>, Unfilled> {
        expand(text, &World, None)
    }

    #[test]
    fn variables_and_defaults_are_filled_in() {
        assert_eq!(plain("http://${HOST}/${NONE:-a}${EMPTY:-b}${EMPTY}"), Ok(Some("http://example.org/ab".to_owned())));
        assert_eq!(plain("no $HOST {x}"), Ok(None));
        assert_eq!(plain("$${HOST}"), Ok(Some("${HOST}".to_owned())));
        assert_eq!(plain("a${NONE}"), Err((1..8, Some("NONE".to_owned()))));
        assert_eq!(plain("a${"), Err((1..3, None)));
        assert_eq!(plain("a${1}"), Err((1..3, None)));
    }

    #[test]
    fn secrets_stay_names_and_the_rest_can_be_read_again() {
        let text = "[load]\npath = '/${HOST}/${ODD}/$${X}'\n[load.headers]\nx-a = '${API_TOKEN}'\nauthorization = 'abc'\n\
                    cookie = 'id={canary}'\n[load.cookies]\nid = 'abc'";
        let tree = DeTable::parse(text).unwrap().into_inner();
        let shown = effective(tree, &Secrets::default(), &World);
        assert!(shown.contains("path = \"/example.org/$${HOST}/$${X}\""), "{shown}");
        assert!(shown.contains("x-a = \"${API_TOKEN}\"") && !shown.contains("abc"), "{shown}");
        assert!(shown.contains("id={canary}"), "{shown}");
    }

    #[test]
    fn what_is_left_as_a_name_is_a_secret() {
        let text = "[load]\npath = '/${HOST}?t=${API_TOKEN}&u=${A_TOKEN:-none}'\nbody = 'so s3cret'\n\
                    [load.headers]\ncookie = 'id=${HOST}${'";
        let mut tree = DeTable::parse(text).unwrap().into_inner();
        let mut secrets = Secrets::default();
        tree::each_string(&mut tree, &mut |path, _, text| collect(&mut secrets, path, text, &World));
        assert_eq!(secrets.hide("s3cret none example.org"), "${API_TOKEN} none ${HOST}");
        let shown = effective(tree, &secrets, &World);
        assert!(shown.contains("body = \"so ${API_TOKEN}\""), "{shown}");
    }

    #[test]
    fn names_of_secrets_are_known() {
        for name in ["API_TOKEN", "DB_PASSWORD", "x-api-key", "Authorization", "SECRET"] {
            assert!(looks_secret(name), "{name}");
        }
        assert!(!looks_secret("HOST") && !looks_secret("MONKEY") && !looks_secret("PWD"));
    }
}
