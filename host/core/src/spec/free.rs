//! Free values: the parts of a document that may be any JSON, such as `input`.
//!
//! They are read with more care than [`Value`] takes by itself, which keeps the
//! last of two equal keys and turns what is not a number into null.

use std::cell::RefCell;
use std::fmt;

use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Number, Value};

use super::findings::brief;
use super::limits::MAX_STRING;
use crate::problem::Problem;

/// Faults of one free value that are reported.
const MAX_FAULTS: usize = 100;

/// Any JSON without equal keys.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Free(pub Value);

/// A JSON object without equal keys.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FreeObject(pub Map<String, Value>);

impl<'de> Deserialize<'de> for Free {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let faults = RefCell::default();
        let value = FreeSeed { faults: &faults, place: Place::ROOT }.deserialize(deserializer)?;
        match faults.into_inner().first() {
            None => Ok(Self(value)),
            Some(fault) => Err(D::Error::custom(&fault.message)),
        }
    }
}

impl<'de> Deserialize<'de> for FreeObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Free::deserialize(deserializer)?.0 {
            Value::Object(object) => Ok(Self(object)),
            other => Err(D::Error::custom(format_args!(
                "invalid type: {}, expected an object",
                type_name(&other)
            ))),
        }
    }
}

/// Reads a value and everything that is wrong within it: keys that come twice
/// (the first stays), strings without end, numbers that are none. `path` is
/// where the value stands.
pub(super) fn read_value<'de, D: Deserializer<'de>>(
    deserializer: D,
    path: &str,
) -> Result<(Value, Vec<Problem>), D::Error> {
    let faults = RefCell::default();
    let root = Place { above: None, step: Step::Key(path) };
    let value = FreeSeed { faults: &faults, place: root }.deserialize(deserializer)?;
    Ok((value, faults.into_inner()))
}

/// Whether there is a number in it that is held as a floating-point one.
pub(crate) fn has_floats(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        // As deep as the value, which its parser bounds.
        Value::Array(items) => items.iter().any(has_floats),
        Value::Object(fields) => fields.values().any(has_floats),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// A JSON type in words.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Where the reader is; spelled out only when there is something to report.
#[derive(Clone, Copy)]
struct Place<'p> {
    above: Option<&'p Place<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Key(&'p str),
    Item(usize),
}

impl Place<'_> {
    const ROOT: Self = Self { above: None, step: Step::Key("") };
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As deep as the value, which its parser bounds.
        if let Some(above) = self.above {
            above.fmt(f)?;
        }
        match self.step {
            Step::Item(item) => write!(f, "[{item}]"),
            Step::Key("") => Ok(()),
            Step::Key(key) => {
                let first =
                    self.above.is_none_or(|a| matches!((a.above, a.step), (None, Step::Key(""))));
                write!(f, "{}{}", if first { "" } else { "." }, brief(key))
            }
        }
    }
}

#[derive(Clone, Copy)]
struct FreeSeed<'s> {
    faults: &'s RefCell<Vec<Problem>>,
    place: Place<'s>,
}

impl FreeSeed<'_> {
    fn fault(&self, code: &'static str, message: String, hint: &str) {
        let mut faults = self.faults.borrow_mut();
        if faults.len() < MAX_FAULTS {
            faults.push(Problem::error(code, self.place.to_string(), message).hint(hint));
        }
    }

    fn string(&self, text: &str) -> bool {
        let fits = text.len() <= MAX_STRING;
        if !fits {
            let message = format!("a string of {} bytes is too long", text.len());
            self.fault("too-long", message, &format!("strings have at most {MAX_STRING} bytes"));
        }
        fits
    }
}

impl<'de> DeserializeSeed<'de> for FreeSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FreeSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Value, E> {
        self.visit_f64(value as f64)
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Value, E> {
        self.visit_f64(value as f64)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        if let Some(number) = Number::from_f64(value) {
            return Ok(Value::Number(number));
        }
        let message = format!("{value} is not a number that JSON can express");
        self.fault("out-of-range", message, "put it in quotes to mean a string");
        Ok(Value::Null)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(if self.string(text) { Value::String(text.to_owned()) } else { Value::Null })
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Value, E> {
        Ok(if self.string(&text) { Value::String(text) } else { Value::Null })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let place = Place { above: Some(&self.place), step: Step::Item(list.len()) };
            match items.next_element_seed(FreeSeed { place, ..self })? {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = fields.next_key::<String>()? {
            let place = Place { above: Some(&self.place), step: Step::Key(&key) };
            let seed = FreeSeed { place, ..self };
            let value = fields.next_value_seed(seed)?;
            if object.contains_key(&key) {
                let message = format!("the key '{}' is given twice", brief(&key));
                seed.fault("duplicate-key", message, "remove one of the two");
            } else {
                object.insert(key, value);
            }
        }
        Ok(Value::Object(object))
    }
}
