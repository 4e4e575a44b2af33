//! The JSON Schema of a scenario file, made from the types that read it.

use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::file;

/// The schema, for editors that complete and check.
pub fn json() -> Value {
    by(SchemaSettings::draft2020_12())
}

fn by(draft: SchemaSettings) -> Value {
    let mut schema = draft.into_generator().into_root_schema_for::<file::RawScenario>().to_value();
    drop_null(&mut schema);
    schema
}

/// The same as draft 7 of JSON Schema.
pub fn draft_7() -> Value {
    by(SchemaSettings::draft07())
}

/// The same as draft 4, which some editors' TOML plug-ins know alone.
pub fn draft_4() -> Value {
    let mut schema = draft_7();
    to_draft_4(&mut schema);
    schema["$schema"] = "http://json-schema.org/draft-04/schema#".into();
    schema
}

/// Words that draft 4 lacks, in those that it has. What only annotates (`examples`) is passed over there, as anything unknown is.
fn to_draft_4(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if let Some(only) = object.remove("const") {
                object.insert("enum".to_owned(), Value::Array(vec![only]));
            }
            for (bound, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
                if let Some(limit) = object.get(exclusive).filter(|limit| limit.is_number()).cloned() {
                    object.insert(bound.to_owned(), limit);
                    object.insert(exclusive.to_owned(), Value::Bool(true));
                }
            }
            // In draft 4 nothing beside a reference counts.
            if object.len() > 1
                && let Some(reference) = object.remove("$ref")
            {
                object.insert("allOf".to_owned(), serde_json::json!([{ "$ref": reference }]));
            }
            // A schema is an object there, and never true or false.
            for (key, inner) in object.iter_mut() {
                match inner {
                    Value::Bool(true)
                        if key != "additionalProperties" && !key.starts_with("exclusive") && key != "uniqueItems" =>
                    {
                        *inner = serde_json::json!({});
                    }
                    inner => to_draft_4(inner),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(to_draft_4),
        _ => {}
    }
}

/// TOML has no null: a key is there or it is not.
fn drop_null(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
                if let [Value::Object(only)] = choices.as_mut_slice() {
                    let only = std::mem::take(only);
                    object.remove("anyOf");
                    // What stands beside a reference describes the key, and goes before what describes the type.
                    only.into_iter().for_each(|(key, value)| {
                        object.entry(key).or_insert(value);
                    });
                }
            }
            object.values_mut().for_each(drop_null);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_null),
        _ => {}
    }
}

/// The sections that have this key, as a message names them: "[load] and [dirty]"; empty where none has.
pub(super) fn sections_with(key: &str) -> Option<String> {
    // Asked for every unknown key, of which a file may have thousands.
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    let schema = SCHEMA.get_or_init(json);
    let has = |definition: &str| schema["$defs"][definition]["properties"].get(key).is_some();
    let mut sections = Vec::new();
    if schema["properties"].get(key).is_some() {
        return Some("the top of the file".to_owned());
    }
    for (definition, section) in [
        ("Server", "[server]"),
        ("Load", "[load]"),
        ("Dirty", "[dirty]"),
        ("Capacity", "[capacity]"),
        ("Inspect", "[inspect]"),
        ("Matrix", "[matrix]"),
        ("Crossover", "[crossover]"),
        ("Assert", "[assert]"),
    ] {
        if has(definition) {
            sections.push(section);
        }
    }
    // Their other keys are those of every request, and of servers.
    for (definition, section) in [("Login", "[dirty.login]"), ("Tls", "[server.tls]")] {
        if sections.is_empty() && has(definition) {
            sections.push(section);
        }
    }
    (!sections.is_empty()).then(|| sections.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_description() {
        let schema = json();
        let mut types = vec![("Scenario", &schema)];
        types.extend(schema["$defs"].as_object().unwrap().iter().map(|(name, definition)| (name.as_str(), definition)));
        for (name, definition) in types {
            assert!(definition["description"].is_string(), "{name} has no description");
            for (key, property) in definition["properties"].as_object().into_iter().flatten() {
                assert!(property["description"].is_string(), "{name}.{key} has no description");
            }
        }
    }

    #[test]
    fn units_are_patterns_with_examples_and_nothing_may_be_null() {
        let text = json().to_string();
        assert!(!text.contains("null"), "{text}");
        let schema = json();
        for unit in ["Duration", "Rate", "Percentage"] {
            let definition = &schema["$defs"][unit];
            assert!(definition["pattern"].is_string() && definition["examples"].is_array(), "{unit}");
        }
        assert_eq!(schema["$defs"]["Load"]["additionalProperties"], false);
        assert_eq!(schema["$defs"]["Server"]["properties"]["workers"]["maximum"], 256);
    }

    /// The keys of a section's type, as its own error for an unknown key lists them.
    fn known_to_types(section: &str) -> Vec<String> {
        let text = format!("{section}zzz = 1");
        let error = toml::from_str::<file::RawScenario>(&text).unwrap_err();
        error.message().split('`').skip(3).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn the_schema_has_exactly_the_keys_of_the_types() {
        let schema = json();
        let sections = [
            ("", ""),
            ("[server]\n", "Server"),
            ("[servers.a]\n", "Server"),
            ("[server.ready]\n", "Ready"),
            ("[server.stop]\n", "Stop"),
            ("[server.tls]\n", "Tls"),
            ("[load]\n", "Load"),
            ("[[load.stages]]\n", "Stage"),
            ("[[load.request]]\n", "Kind"),
            ("[dirty]\n", "Dirty"),
            ("[inspect]\n", "Inspect"),
            ("[dirty.sleep]\n", "LongAndShort"),
            ("[dirty.login]\n", "Login"),
            ("[load.login]\n", "Login"),
            ("[[dirty.login.step]]\n", "LoginStep"),
            ("[dirty.login.capture.a]\n", "Capture"),
            ("[crossover]\n", "Crossover"),
            ("[assert]\n", "Assert"),
            ("[[assert.that]]\n", "ConditionalRule"),
        ];
        for (section, definition) in sections {
            let definition = if definition.is_empty() { &schema } else { &schema["$defs"][definition] };
            let mut described: Vec<String> = definition["properties"].as_object().unwrap().keys().cloned().collect();
            let mut known = known_to_types(section);
            described.sort();
            known.sort();
            assert_eq!(described, known, "{section}");
        }
    }

    #[test]
    fn shipped_scenarios_use_only_keys_of_the_schema() {
        let schema = json();
        for entry in std::fs::read_dir("scenarios").unwrap() {
            let path = entry.unwrap().path();
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            for (key, value) in toml::from_str::<toml::Table>(&text).unwrap() {
                assert!(schema["properties"].get(&key).is_some(), "{}: {key}", path.display());
                let definition = match key.as_str() {
                    "server" => "Server",
                    "load" => "Load",
                    "dirty" => "Dirty",
                    "assert" => "Assert",
                    "crossover" => "Crossover",
                    _ => continue,
                };
                for key in value.as_table().unwrap().keys() {
                    assert!(schema["$defs"][definition]["properties"].get(key).is_some(), "{}: {key}", path.display());
                }
            }
        }
    }

    #[test]
    fn a_key_is_known_to_its_sections() {
        assert_eq!(sections_with("concurrency").unwrap(), "[load] and [dirty]");
        assert_eq!(sections_with("warmup").unwrap(), "[load]");
        assert_eq!(sections_with("path").unwrap(), "[load] and [dirty]");
        assert_eq!(sections_with("token").unwrap(), "[dirty.login]");
        assert_eq!(sections_with("seed").unwrap(), "the top of the file");
        assert_eq!(sections_with("nothing"), None);
    }
}
