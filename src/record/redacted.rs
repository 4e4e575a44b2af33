//! Anything of a record without secrets: every text in it, wherever it stands, goes through one function.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::ser::{self, Serialize, Serializer};

use crate::scenario::Secrets;

/// Fields that are left as they are: what is no text, and what was made without secrets and must stay TOML.
const KEPT: [(&str, &[&str]); 2] = [
    ("Histograms", &["latency", "latency_unanswered", "service_time", "service_time_unanswered"]),
    ("Scenario", &["effective"]),
];

/// The same with `${NAME}` in place of every secret. Fails where a value cannot be read back from JSON.
pub fn redacted<T: Serialize + DeserializeOwned>(value: T, secrets: &Secrets) -> Result<T, serde_json::Error> {
    if secrets.is_empty() {
        return Ok(value);
    }
    T::deserialize(Hidden { value: &value, secrets }.serialize(serde_json::value::Serializer)?)
}

/// A value whose texts are hidden as it is written down. The names of fields and variants are the program's own.
struct Hidden<'a, T: ?Sized> {
    value: &'a T,
    secrets: &'a Secrets,
}

impl<T: Serialize + ?Sized> Serialize for Hidden<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Hiding { inner: serializer, secrets: self.secrets, kept: &[] })
    }
}

/// What writes down, or a list, map or struct that is being written.
struct Hiding<'a, S> {
    inner: S,
    secrets: &'a Secrets,
    /// Of a struct: see [`KEPT`].
    kept: &'static [&'static str],
}

impl<'a, S> Hiding<'a, S> {
    fn hidden<'v, T: ?Sized>(&self, value: &'v T) -> Hidden<'v, T>
    where
        'a: 'v,
    {
        Hidden { value, secrets: self.secrets }
    }

    fn within<I, E>(self, begin: impl FnOnce(S) -> Result<I, E>) -> Result<Hiding<'a, I>, E> {
        Ok(Hiding { inner: begin(self.inner)?, secrets: self.secrets, kept: self.kept })
    }
}

macro_rules! as_it_is {
    ($($method:ident($kind:ty))*) => {$(
        fn $method(self, value: $kind) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        }
    )*};
}

impl<'a, S: Serializer> Serializer for Hiding<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Hiding<'a, S::SerializeSeq>;
    type SerializeTuple = Hiding<'a, S::SerializeTuple>;
    type SerializeTupleStruct = Hiding<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Hiding<'a, S::SerializeTupleVariant>;
    type SerializeMap = Hiding<'a, S::SerializeMap>;
    type SerializeStruct = Hiding<'a, S::SerializeStruct>;
    type SerializeStructVariant = Hiding<'a, S::SerializeStructVariant>;

    as_it_is! {
        serialize_bool(bool)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
        serialize_f32(f32) serialize_f64(f64) serialize_char(char) serialize_bytes(&[u8])
        serialize_unit_struct(&'static str)
    }

    fn serialize_str(self, text: &str) -> Result<S::Ok, S::Error> {
        match self.secrets.hide(text) {
            Cow::Borrowed(text) => self.inner.serialize_str(text),
            Cow::Owned(text) => self.inner.serialize_str(&text),
        }
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let value = self.hidden(value);
        self.inner.serialize_some(&value)
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit()
    }

    fn serialize_unit_variant(self, name: &'static str, index: u32, variant: &'static str) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<S::Ok, S::Error> {
        let value = self.hidden(value);
        self.inner.serialize_newtype_struct(name, &value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = self.hidden(value);
        self.inner.serialize_newtype_variant(name, index, variant, &value)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.within(|inner| inner.serialize_seq(length))
    }

    fn serialize_tuple(self, length: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.within(|inner| inner.serialize_tuple(length))
    }

    fn serialize_tuple_struct(self, name: &'static str, length: usize) -> Result<Self::SerializeTupleStruct, S::Error> {
        self.within(|inner| inner.serialize_tuple_struct(name, length))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        self.within(|inner| inner.serialize_tuple_variant(name, index, variant, length))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.within(|inner| inner.serialize_map(length))
    }

    fn serialize_struct(mut self, name: &'static str, length: usize) -> Result<Self::SerializeStruct, S::Error> {
        self.kept = KEPT.iter().find(|(structure, _)| *structure == name).map_or(&[], |(_, fields)| fields);
        self.within(|inner| inner.serialize_struct(name, length))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        self.within(|inner| inner.serialize_struct_variant(name, index, variant, length))
    }
}

macro_rules! each_element {
    ($($kind:ident::$method:ident)*) => {$(
        impl<S: ser::$kind> ser::$kind for Hiding<'_, S> {
            type Ok = S::Ok;
            type Error = S::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
                let value = self.hidden(value);
                self.inner.$method(&value)
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                self.inner.end()
            }
        }
    )*};
}

each_element! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

macro_rules! each_field {
    ($($kind:ident)*) => {$(
        impl<S: ser::$kind> ser::$kind for Hiding<'_, S> {
            type Ok = S::Ok;
            type Error = S::Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), S::Error> {
                if self.kept.contains(&key) {
                    return self.inner.serialize_field(key, value);
                }
                let value = self.hidden(value);
                self.inner.serialize_field(key, &value)
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                self.inner.end()
            }
        }
    )*};
}

each_field! { SerializeStruct SerializeStructVariant }

impl<S: ser::SerializeMap> ser::SerializeMap for Hiding<'_, S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), S::Error> {
        let key = self.hidden(key);
        self.inner.serialize_key(&key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        let value = self.hidden(value);
        self.inner.serialize_value(&value)
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.inner.end()
    }
}
