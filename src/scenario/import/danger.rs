//! Operations that do harm to more than what they are sent for: told from their names, since no document says.

use super::names::words;
use super::{Danger, Effect};

/// Words that are dangerous by themselves.
const ALONE: [&str; 40] = [
    "logout",
    "logoff",
    "signout",
    "signoff",
    "revoke",
    "invalidate",
    "reset",
    "restore",
    "rollback",
    "shutdown",
    "restart",
    "reboot",
    "halt",
    "kill",
    "terminate",
    "stop",
    "exit",
    "quit",
    "purge",
    "wipe",
    "erase",
    "truncate",
    "flush",
    "destroy",
    "nuke",
    "drop",
    "uninstall",
    "deactivate",
    "disable",
    "suspend",
    "unregister",
    "deregister",
    "rotate",
    "regenerate",
    "migrate",
    "reinit",
    "reinitialize",
    "seed",
    "populate",
    "selfdestruct",
];
/// What several words together make.
const TOGETHER: [&str; 12] = [
    "logout",
    "signout",
    "logoff",
    "shutdown",
    "changepassword",
    "resetpassword",
    "passwordreset",
    "forgotpassword",
    "passwordrecovery",
    "recoverpassword",
    "deleteaccount",
    "closeaccount",
];
/// What a DELETE of one thing may be called: `items_destroy`, `deleteItem`.
const REMOVES: [&str; 5] = ["delete", "remove", "destroy", "drop", "erase"];
/// What a path ends with where it is about whoever asks.
const ONESELF: [&str; 7] = ["me", "self", "myself", "account", "current", "profile", "whoami"];

/// Whether an operation is dangerous, by its method, its path as documented and its id.
pub(super) fn danger(method: &str, path: &str, id: &str) -> Option<Danger> {
    let effect = Effect::of(method);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let is_fixed = |part: &&str| !part.is_empty() && !part.contains('{');
    let parts: Vec<&str> = path.split('/').filter(is_fixed).collect();
    let removes_one = effect == Effect::Delete && path.trim_end_matches('/').ends_with('}');
    for (part, is_id) in parts.iter().map(|part| (*part, false)).chain([(id, true)]) {
        let mut words = words(part);
        words.retain(|word| !(is_id && removes_one && REMOVES.contains(&word.as_str())));
        let joined = words.concat();
        let together = TOGETHER.iter().find(|word| joined.contains(*word)).map(|word| (*word).to_owned());
        let alone = words.iter().find(|word| is_dangerous(word)).cloned();
        // `deleteItem` names what its method says.
        let removes =
            words.iter().find(|word| effect != Effect::Delete && matches!(word.as_str(), "delete" | "remove"));
        let password =
            words.iter().find(|word| effect != Effect::Read && matches!(word.as_str(), "password" | "passwd"));
        if let Some(word) = together.or(alone).or(removes.cloned()).or(password.cloned()) {
            return Some(Danger { word });
        }
    }
    if effect != Effect::Delete {
        return None;
    }
    match path.trim_end_matches('/').rsplit('/').next() {
        Some(last) if ONESELF.contains(&last.to_lowercase().as_str()) => {
            Some(Danger { word: format!("DELETE .../{last}") })
        }
        Some(last) if !path.contains('{') => Some(Danger { word: format!("DELETE .../{last}") }),
        _ => None,
    }
}

fn is_dangerous(word: &str) -> bool {
    let is_database = word.ends_with("db") || word.ends_with("database");
    ALONE.contains(&word)
        || is_database
            && ["create", "drop", "init", "populate", "seed", "reset", "delete"]
                .iter()
                .any(|verb| word.starts_with(verb))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_do_harm_are_known_whatever_the_method() {
        for (method, path, id, word) in [
            ("GET", "/users/logout", "", "logout"),
            ("GET", "/createdb", "", "createdb"),
            ("POST", "/auth/log-out", "", "logout"),
            ("GET", "/self-service/logout/browser", "", "logout"),
            ("POST", "/a", "resetEverything", "reset"),
            ("PUT", "/users/{id}/password", "", "password"),
            ("POST", "/items/{id}/delete", "", "delete"),
            ("DELETE", "/users/me", "", "DELETE .../me"),
            ("DELETE", "/emails", "", "DELETE .../emails"),
            ("POST", "/actuator/shutdown", "", "shutdown"),
            ("DELETE", "/items", "items_destroy", "destroy"),
            ("DELETE", "/tables/drop/{id}", "", "drop"),
            ("DELETE", "/users/{id}/items", "destroy_all", "destroy"),
            ("POST", "/items/{id}", "items_destroy", "destroy"),
            ("DELETE", "/servers/{id}", "stop_and_delete", "stop"),
        ] {
            assert_eq!(danger(method, path, id).map(|danger| danger.word).as_deref(), Some(word), "{method} {path}");
        }
    }

    #[test]
    fn ordinary_names_are_not_taken_for_harm() {
        for (method, path, id) in [
            ("GET", "/items/{reset}", ""),
            ("DELETE", "/items/{id}", "deleteItem"),
            ("DELETE", "/items/{id}/", "items_destroy"),
            ("DELETE", "/tables/{table}", "drop"),
            ("GET", "/presets", "listPresets"),
            ("GET", "/password-policies", ""),
            ("GET", "/features/disabled", ""),
            ("POST", "/login", "login"),
        ] {
            assert_eq!(danger(method, path, id), None, "{method} {path}");
        }
    }
}
