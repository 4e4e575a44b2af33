//! The triggers of the dirty check, as a table: one row a trigger. How each provokes leaks stands in `dirty/triggers/`.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// Hands every row to a macro, in the order in which the triggers take turns: what needs least comes first.
///
/// A row is the variant; the name, which is also that of its file in `dirty/triggers/`; which class of leaks a check would
/// miss without it; and what it sends, as the documentation says it.
macro_rules! for_each_trigger {
    ($callback:ident) => {
        $callback! {
            First first Coverage::Alone "the first request of all to a fresh server, then others";
            Anonymous anonymous Coverage::Alone "a request with an identity, then many without";
            KeepAlive keep_alive Coverage::SharedWith(&[Trigger::Big]) "another identity on the same connection";
            SameKey same_key Coverage::Alone "the same URL for another identity, one after the other and at once";
            Residue residue Coverage::Alone "a long value, then a short one, then none";
            Overlap overlap Coverage::SharedWith(&[Trigger::Pair]) "a long request, and short ones while it lasts";
            Pair pair Coverage::SharedWith(&[Trigger::Overlap]) "two requests at once";
            Ramp ramp Coverage::Alone "more and more requests at once, also for each worker, over connections that are kept";
            Gate gate Coverage::Alone "many requests, all but the last byte of each, then all last bytes at once";
            Error error Coverage::Alone "a request that the handler fails on, then others, and others that it fails on";
            Abort abort Coverage::SharedWith(&[Trigger::Slow]) "clients that go away in the middle of their requests, and others at once, up to 30 ms later, when the work must have ended, or all the time";
            Slow slow Coverage::Redundant "a request that the server gives up on, then others";
            Big big Coverage::Redundant "a body of more than 64 KiB, then another identity on the same connection";
            Pipeline pipeline Coverage::SharedWith(&[Trigger::Slow, Trigger::Smuggle]) "several requests on one connection without waiting for responses, in one packet or in several, the first of them slow, large or like the others";
            Smuggle smuggle Coverage::Redundant "a request that is likely refused and whose body looks like a request, then others on its connection; not over HTTP/2";
            Suffix suffix Coverage::Alone "the page's URL with an ending like that of a file, such as `/account/x.css`, for one user, another user and an anonymous request";
            Storm storm Coverage::Redundant "all of that at once, by chance";
        }
    };
}
pub(crate) use for_each_trigger;

macro_rules! declare {
    ($($variant:ident $name:ident $kind:ident::$coverage:ident $(($of:expr))? $sends:literal;)*) => {
        /// A way of provoking leaks.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Trigger {
            $(
                #[doc = $sends]
                $variant,
            )*
        }

        impl Trigger {
            /// Every trigger, in the order in which they take turns.
            pub const ALL: [Trigger; Trigger::NAMES.len()] = [$(Trigger::$variant,)*];

            /// Their names, in the same order.
            pub const NAMES: &[&str] = &[$(stringify!($name),)*];

            /// As in `[dirty] triggers` and in `dirty.NAME.leaks`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Trigger::$variant => stringify!($name),)*
                }
            }

            /// What it sends, in words; a fragment of a sentence.
            pub const fn sends(self) -> &'static str {
                match self {
                    $(Trigger::$variant => $sends,)*
                }
            }

            /// Which leaks a check would miss without it.
            pub const fn coverage(self) -> Coverage {
                match self {
                    $(Trigger::$variant => $kind::$coverage $(($of))?,)*
                }
            }
        }
    };
}
for_each_trigger!(declare);

/// What a check misses that does not try a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// No other trigger shows the class of leaks that this one shows.
    Alone,
    /// One of these shows the same class.
    SharedWith(&'static [Trigger]),
    /// It needs so long, or so much luck, that a check without it is no worse.
    Redundant,
}

impl Trigger {
    /// The trigger with this name.
    pub fn parse(name: &str) -> Option<Trigger> {
        Trigger::ALL.into_iter().find(|trigger| trigger.name() == name)
    }

    /// The table of the documentation, in Markdown.
    pub fn table() -> String {
        let rows = Trigger::ALL.map(|trigger| format!("| `{trigger}` | {} |\n", trigger.sends()));
        format!("| trigger | what is sent |\n| --- | --- |\n{}", rows.concat())
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Trigger {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What a visitor refuses keeps its place in the file; what is refused after it has returned does not.
        struct Name;

        impl de::Visitor<'_> for Name {
            type Value = Trigger;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Trigger, E> {
                Trigger::parse(name).ok_or_else(|| E::unknown_variant(name, Trigger::NAMES))
            }
        }

        deserializer.deserialize_str(Name)
    }
}

impl JsonSchema for Trigger {
    fn schema_name() -> Cow<'static, str> {
        "Trigger".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The name of a way of provoking leaks.", "type": "string", "enum": Trigger::NAMES
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_trigger_has_a_name_of_its_own_and_is_found_by_it() {
        let names: BTreeSet<&str> = Trigger::NAMES.iter().copied().collect();
        assert_eq!(names.len(), Trigger::ALL.len());
        assert!(Trigger::ALL.into_iter().all(|trigger| Trigger::parse(trigger.name()) == Some(trigger)));
        assert_eq!(Trigger::parse("gates"), None);
    }

    #[test]
    fn what_a_trigger_shows_with_others_names_these_and_not_itself() {
        for trigger in Trigger::ALL {
            if let Coverage::SharedWith(others) = trigger.coverage() {
                assert!(!others.is_empty() && !others.contains(&trigger), "{trigger}");
            }
        }
    }
}
