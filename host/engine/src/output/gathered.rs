//! An output that is *gathered* consists of those of others: of a collaborative
//! task it is an object with its steps' results by name, of a fan-out the list of
//! its items'. It is put together when somebody needs it, and until then it is no
//! more than they are.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use consort_plugin_host::Payload;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::archive::apart;
use super::stored::Hold;
use super::{Made, Output, OutputError, embed};

/// Bytes that are put together in memory. Hardly any plugin has the memory for
/// more, and they must not take the process down.
pub(super) const MAX_BYTES: u64 = 2 << 30;

/// Outputs that are one.
pub(super) struct Gathered {
    parts: Parts,
    len: u64,
    hold: Hold,
}

#[derive(Debug)]
enum Parts {
    /// `null` for those that there are not.
    List(Box<[Option<Output>]>),
    Object(Box<[(Arc<str>, Output)]>),
}

/// Results in a JSON list, `null` for those that there are not.
pub(super) fn list<'a, I: Iterator<Item = Option<&'a Output>>>(parts: impl Fn() -> I) -> Output {
    if parts().flatten().any(|part| part.here().is_none()) {
        return Gathered::new(Parts::List(parts().map(Option::<&Output>::cloned).collect())).into();
    }
    let mut list = String::from("[");
    for part in parts() {
        if list.len() > 1 {
            list.push(',');
        }
        let text = part.and_then(Output::here).and_then(embed::text);
        list.push_str(text.as_deref().unwrap_or("null"));
    }
    list.push(']');
    Payload::Json(list.into()).into()
}

/// Results in a JSON object, by their names.
pub(super) fn object<'a>(parts: impl Iterator<Item = (&'a Arc<str>, &'a Output)>) -> Output {
    let parts: Vec<_> = parts.collect();
    if parts.iter().any(|(_, part)| part.here().is_none()) {
        let fits = |(_, part): &&(_, &Output)| part.len_within().is_some();
        let cloned =
            parts.iter().filter(fits).map(|(name, part)| ((*name).clone(), (*part).clone()));
        return Gathered::new(Parts::Object(cloned.collect())).into();
    }
    let mut object = String::from("{");
    for (name, part) in parts {
        let Some(value) = part.here().and_then(embed::text) else { continue };
        if object.len() > 1 {
            object.push(',');
        }
        object += &key(name);
        object.push(':');
        object += &value;
    }
    object.push('}');
    Payload::Json(object.into()).into()
}

impl Gathered {
    fn new(parts: Parts) -> Self {
        let of = |part: &Output| part.len_within().unwrap_or(NULL.len() as u64);
        // Brackets, and commas between.
        let around = |parts: usize| 2 + parts.saturating_sub(1) as u64;
        let len = match &parts {
            Parts::List(list) => {
                let parts = list.iter().map(|part| part.as_ref().map_or(NULL.len() as u64, of));
                around(list.len()) + parts.sum::<u64>()
            }
            Parts::Object(fields) => {
                let parts = fields.iter().map(|(name, part)| key(name).len() as u64 + 1 + of(part));
                around(fields.len()) + parts.sum::<u64>()
            }
        };
        Self { parts, len, hold: Hold::default() }
    }

    pub(super) fn of_list(parts: Box<[Option<Output>]>) -> Self {
        Self::new(Parts::List(parts))
    }

    pub(super) fn of_object(parts: Box<[(Arc<str>, Output)]>) -> Self {
        Self::new(Parts::Object(parts))
    }

    pub(super) fn made(&self) -> Made<'_> {
        match &self.parts {
            Parts::List(list) => Made::List(list),
            Parts::Object(fields) => Made::Object(fields),
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Puts it together, apart from whoever waits for it and for all of them.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Arc<Payload>, OutputError> {
        if let Some(payload) = self.hold.get() {
            return Ok(payload);
        }
        let _turn = self.hold.turn.lock().await;
        if let Some(payload) = self.hold.get() {
            return Ok(payload);
        }
        let gathered = self.clone();
        apart(move || Ok(gathered.hold.lend(Arc::new(gathered.to_payload()?)))).await
    }

    pub(super) fn to_payload(&self) -> Result<Payload, OutputError> {
        if let Some(payload) = self.hold.get() {
            return Ok(Payload::clone(&payload));
        }
        if self.len > MAX_BYTES {
            return Err(OutputError::TooLarge { len: self.len });
        }
        let mut bytes = Vec::with_capacity(self.len as usize);
        self.write_to(&mut bytes)?;
        let text = String::from_utf8(bytes).map_err(|error| {
            OutputError::Write(io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
        })?;
        Ok(Payload::Json(text.into()))
    }

    pub(super) fn write_to(&self, to: &mut dyn Write) -> Result<u64, OutputError> {
        let put = |to: &mut dyn Write, text: &str| {
            to.write_all(text.as_bytes()).map_err(OutputError::Write)
        };
        match &self.parts {
            Parts::List(list) => {
                put(to, "[")?;
                for (place, part) in list.iter().enumerate() {
                    if place > 0 {
                        put(to, ",")?;
                    }
                    match part {
                        Some(part) => part.embed(to)?,
                        None => put(to, NULL)?,
                    }
                }
                put(to, "]")?;
            }
            Parts::Object(fields) => {
                put(to, "{")?;
                for (place, (name, part)) in fields.iter().enumerate() {
                    if place > 0 {
                        put(to, ",")?;
                    }
                    put(to, &key(name))?;
                    put(to, ":")?;
                    part.embed(to)?;
                }
                put(to, "}")?;
            }
        }
        Ok(self.len)
    }
}

impl fmt::Debug for Gathered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gathered").field(&self.parts).finish()
    }
}

/// Part by part, so that one of them is in memory at a time.
impl Serialize for Gathered {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.parts {
            Parts::List(list) => {
                let mut seq = to.serialize_seq(Some(list.len()))?;
                list.iter().try_for_each(|part| seq.serialize_element(part))?;
                seq.end()
            }
            Parts::Object(fields) => {
                let mut map = to.serialize_map(Some(fields.len()))?;
                fields.iter().try_for_each(|(name, part)| map.serialize_entry(&**name, part))?;
                map.end()
            }
        }
    }
}

const NULL: &str = "null";

/// A name as it stands before a field.
fn key(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}
