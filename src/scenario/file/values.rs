//! The values that keys hold: texts, quantities, tables of them, each with its place.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use crate::units::{self, UnitError};

/// A value and where it is written.
#[derive(Debug, Clone)]
pub struct Located<T> {
    pub span: Range<usize>,
    pub value: T,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = toml::Spanned::<T>::deserialize(deserializer)?;
        Ok(Located { span: spanned.span(), value: spanned.into_inner() })
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A table whose keys the file chooses, in the order of the file.
#[derive(Debug, Clone)]
pub struct Entries<T>(pub Vec<(Located<String>, Located<T>)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
            type Value = Entries<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of names and values")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Entries<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("TableOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        schemars::json_schema!({ "type": "object", "additionalProperties": item })
    }
}

/// Any value: what `json`, `form` and `when` hold.
#[derive(Debug, Clone)]
pub enum Node {
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    List(Vec<Located<Node>>),
    Table(Entries<Node>),
}

impl Node {
    /// As JSON; an infinite number becomes null.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Node::Bool(value) => (*value).into(),
            Node::Integer(value) => (*value).into(),
            Node::Number(value) => (*value).into(),
            Node::Text(value) => value.as_str().into(),
            Node::List(items) => items.iter().map(|item| item.value.to_json()).collect(),
            Node::Table(Entries(items)) => {
                items.iter().map(|(key, item)| (key.value.clone(), item.value.to_json())).collect()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NodeVisitor;

        impl<'de> Visitor<'de> for NodeVisitor {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number, true, false, a list or a table")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Bool(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Integer(value))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
                Ok(Node::Number(value))
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
                Ok(Node::Text(value.to_owned()))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Node, S::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Node::List(list))
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Node, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Node::Table(Entries(entries)))
            }
        }

        deserializer.deserialize_any(NodeVisitor)
    }
}

impl JsonSchema for Node {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "AnyValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": ["object", "array", "string", "number", "boolean"] })
    }
}

/// A value that is short as a text and long as a table.
#[derive(Debug)]
pub enum TextOr<T, S = String> {
    Text(S),
    Table(T),
}

impl<'de, T: Deserialize<'de>, S: Deserialize<'de>> Deserialize<'de> for TextOr<T, S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrVisitor<T, S>(PhantomData<(T, S)>);

        impl<'de, T: Deserialize<'de>, S: Deserialize<'de>> Visitor<'de> for TextOrVisitor<T, S> {
            type Value = TextOr<T, S>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a table")
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
                S::deserialize(value.into_deserializer()).map(TextOr::Text)
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
                S::deserialize(value.into_deserializer()).map(TextOr::Text)
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
                S::deserialize(value.into_deserializer()).map(TextOr::Text)
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
                T::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(TextOr::Table)
            }
        }

        deserializer.deserialize_any(TextOrVisitor(PhantomData))
    }
}

/// A number with a unit, as text; a bare number is an error that says so.
struct Quantity<T> {
    what: &'static str,
    parse: fn(&str) -> Result<T, UnitError>,
}

impl<T> Visitor<'_> for Quantity<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        (self.parse)(&value.to_string()).map_err(E::custom)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<T, E> {
        (self.parse)(&value.to_string()).map_err(E::custom)
    }
}

/// Declares a quantity: its type, name in the schema, parser, words for it, pattern and examples.
macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident($inner:ty), $schema:literal, $parse:expr, $what:literal, $pattern:literal, $examples:tt) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct $name(pub $inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Quantity { what: $what, parse: $parse }).map($name)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                $schema.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                schemars::json_schema!({
                    "description": $what, "type": "string", "pattern": $pattern, "examples": $examples
                })
            }
        }
    };
}

quantity!(
    /// A duration, as in `"100ms"` or `"1m30s"`.
    Timespan(Duration), "Duration", units::parse_duration,
    "a duration with its unit: us, ms, s, m or h",
    r"^\s*([0-9._]+\s*(us|µs|ms|s|m|min|h)\s*)+$|\$\{", ["100ms", "2s", "1m30s"]
);
quantity!(
    /// Events per second, as in `"2000/s"`.
    PerSecond(f64), "Rate", |text| units::parse_rate(text).map(|rate| rate.0),
    "a rate, per second or per minute",
    r"^\s*[0-9._]+\s*k?\s*/(s|m|min)\s*$|\$\{", ["2000/s", "90/m"]
);
quantity!(
    /// A fraction, written as a percentage: `"0.1%"`.
    Share(f64), "Percentage", units::parse_percentage,
    "a percentage, from 0% to 100%",
    r"^\s*[0-9.]+\s*%\s*$|\$\{", ["0.1%", "5%"]
);
