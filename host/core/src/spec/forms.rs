//! Values that may be written in several forms, such as `fail` or
//! `{fallback: [agent]}`.
//!
//! The form decides what is read, so that an error is about that form and has
//! the full path. (serde's untagged enums forget both.)

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

use super::Text;

/// A value that may be written in several forms. A form that is not
/// implemented is a wrong type.
pub(super) trait Forms<'de>: Sized {
    /// The forms in words.
    const EXPECTING: &'static str;

    fn text<E: Error>(text: Text<'de>) -> Result<Self, E> {
        Err(wrong::<Self, E>(Unexpected::Str(&text)))
    }

    fn number<E: Error>(number: f64) -> Result<Self, E> {
        Err(wrong::<Self, E>(Unexpected::Float(number)))
    }

    fn switch<E: Error>(on: bool) -> Result<Self, E> {
        Err(wrong::<Self, E>(Unexpected::Bool(on)))
    }

    fn list<A: SeqAccess<'de>>(_: A) -> Result<Self, A::Error> {
        Err(wrong::<Self, _>(Unexpected::Seq))
    }

    fn object<A: MapAccess<'de>>(_: A) -> Result<Self, A::Error> {
        Err(wrong::<Self, _>(Unexpected::Map))
    }
}

fn wrong<'de, T: Forms<'de>, E: Error>(found: Unexpected<'_>) -> E {
    E::invalid_type(found, &T::EXPECTING)
}

/// Reads a value in whichever form it has.
pub(super) fn read<'de, T: Forms<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    deserializer.deserialize_any(FormVisitor(PhantomData))
}

struct FormVisitor<T>(PhantomData<T>);

impl<'de, T: Forms<'de>> Visitor<'de> for FormVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTING)
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<T, E> {
        T::text(text.into())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::text(text.to_owned().into())
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<T, E> {
        T::text(text.into())
    }

    fn visit_bool<E: de::Error>(self, on: bool) -> Result<T, E> {
        T::switch(on)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        T::number(number)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        T::number(number as f64)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        T::number(number as f64)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<T, A::Error> {
        T::list(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
        T::object(fields)
    }
}
