//! A message as a line of JSON, both ways: what `sub --json` writes, `pub --json` reads, and
//! nothing is lost between them.

use std::fmt::{self, Write as _};
use std::marker::PhantomData;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::encoding::Encoding;
use super::json::{self, Style};
use super::time::{self, LocalTime};
use crate::mqtt::packet::{PacketId, Publish};
use crate::mqtt::property::{
    InvalidValue, Place, Properties, Property, PropertyId, Value, ValueKind,
};
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicName;

/// The names of bytes that are no text end with this, in base64.
const BASE64: &str = "_base64";

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Fields that are written and not read: no publisher can set what they say.
const ONLY_WRITTEN: [&str; 6] = ["client", "dup", "mid", "payloadlen", "tst", "payload_bytes"];

/// The fields that hold the payload as bytes; a record has one of them, or [`PAYLOAD_JSON`], or
/// both.
const PAYLOADS: [&str; 3] = ["payload", "payload_base64", "payload_hex"];

/// The field that holds the payload as the JSON that it is.
const PAYLOAD_JSON: &str = "payload_json";

/// What a line of input says; the command line says the rest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// The topic it is published to.
    pub topic: Option<TopicName>,
    /// The QoS it is published at.
    pub qos: Option<QoS>,
    /// Whether it is a retained message.
    pub retain: Option<bool>,
    /// Those that a client may send, in the order of their names, user properties in their own.
    pub properties: Properties,
    /// The message.
    pub payload: Bytes,
    /// When it came, since 1970.
    pub time: Option<Duration>,
}

/// How a message is written as a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordWriter {
    /// A payload that is JSON stands there as such, too.
    pub parsed: bool,
    /// In one line, or over several.
    pub style: Style,
}

impl RecordWriter {
    /// Appends a message that came at `time`; without one the field is empty.
    pub fn write(self, publish: &Publish, time: Option<&LocalTime>, out: &mut BytesMut) {
        if self.style == Style::Compact {
            return write_line(publish, time, None, self.parsed, out);
        }
        let mut line = BytesMut::new();
        write_line(publish, time, None, self.parsed, &mut line);
        match std::str::from_utf8(&line) {
            Ok(text) => json::lay_out(text, self.style, out),
            Err(_) => out.put_slice(&line),
        }
    }
}

/// Appends a message that a client of this identifier has published, in one line without its end.
pub fn write_from(client: &str, publish: &Publish, time: &LocalTime, out: &mut BytesMut) {
    write_line(publish, Some(time), Some(client), false, out);
}

fn write_line(
    publish: &Publish,
    time: Option<&LocalTime>,
    client: Option<&str>,
    parsed: bool,
    out: &mut BytesMut,
) {
    out.put_slice(b"{\"time\":\"");
    time.inspect(|time| time.rfc_3339(out));
    if let Some(client) = client {
        out.put_slice(b"\",\"client\":");
        json::string(client, out);
        out.put_slice(b",\"topic\":");
    } else {
        out.put_slice(b"\",\"topic\":");
    }
    json::string(publish.topic_or_empty(), out);
    put(
        out,
        format_args!(
            ",\"qos\":{},\"retain\":{},\"dup\":{}",
            publish.qos, publish.retain, publish.dup
        ),
    );
    if let Some(packet_id) = publish.packet_id.map(PacketId::get) {
        put(out, format_args!(",\"mid\":{packet_id}"));
    }
    if !publish.properties.is_empty() {
        out.put_slice(b",\"properties\":{");
        write_properties(&publish.properties, out);
        out.put_u8(b'}');
    }
    out.put_u8(b',');
    bytes_field("payload", &publish.payload, out);
    if let Some(payload) = parsed.then(|| json::checked(&publish.payload)).flatten() {
        out.put_slice(b",\"payload_json\":");
        json::lay_out(payload, Style::Compact, out);
    }
    out.put_u8(b'}');
}

/// Appends text; there is always room in memory.
fn put(out: &mut BytesMut, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to memory");
}

/// `"name":"text"`, or `"name_base64":"..."` for bytes that are no text.
fn bytes_field(name: &str, bytes: &Bytes, out: &mut BytesMut) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        put(out, format_args!("\"{name}\":"));
        return json::string(text, out);
    }
    put(out, format_args!("\"{name}{BASE64}\":\""));
    Encoding::Base64.encode(bytes, out);
    out.put_u8(b'"');
}

/// In the order of the wire; the values of a repeated property stand together where the first of
/// them stood.
fn write_properties(properties: &Properties, out: &mut BytesMut) {
    let mut seen = Vec::new();
    for property in properties {
        let id = property.id();
        if seen.contains(&id) {
            continue;
        }
        if !seen.is_empty() {
            out.put_u8(b',');
        }
        seen.push(id);
        match property.value() {
            Value::Pair(..) => {
                let pairs: Vec<_> = properties.user_properties().collect();
                list(id, &pairs, write_pair, out);
            }
            Value::Number(_) if id == PropertyId::SubscriptionIdentifier => {
                let numbers: Vec<u32> = properties.subscription_identifiers().collect();
                list(id, &numbers, |number, out| put(out, format_args!("{number}")), out);
            }
            Value::Binary(data) => bytes_field(id.name(), data, out),
            Value::Text(text) => {
                put(out, format_args!("\"{id}\":"));
                json::string(text, out);
            }
            Value::Number(number) => put(out, format_args!("\"{id}\":{number}")),
        }
    }
}

fn write_pair((name, value): &(&ByteString, &ByteString), out: &mut BytesMut) {
    out.put_u8(b'[');
    json::string(name, out);
    out.put_u8(b',');
    json::string(value, out);
    out.put_u8(b']');
}

fn list<T>(id: PropertyId, items: &[T], write: impl Fn(&T, &mut BytesMut), out: &mut BytesMut) {
    put(out, format_args!("\"{id}\":["));
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.put_u8(b',');
        }
        write(item, out);
    }
    out.put_u8(b']');
}

/// The members of an object, in their order: none is lost where a name comes twice.
struct Members<V>(Vec<(String, V)>);

type Fields<'a> = Members<&'a RawValue>;

impl<V> Members<V> {
    /// In the order of their names. A name that comes twice is an error, because it is unclear
    /// which of the two is meant.
    fn unique(mut self) -> Result<Self, String> {
        self.0.sort_by(|(one, _), (other, _)| one.cmp(other));
        match self.0.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(format!("more than one {}", pair[0].0)),
            None => Ok(self),
        }
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Members<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Collector(PhantomData))
    }
}

struct Collector<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for Collector<V> {
    type Value = Members<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

impl Record {
    /// Understands a line; the error says what is wrong with it.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        // Files of Windows may begin with a mark that is no part of the text.
        let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        let fields: Fields<'_> = serde_json::from_slice(line).map_err(|error| {
            if error.is_data() {
                "expected an object".to_owned()
            } else {
                format!("not JSON: {error}")
            }
        })?;
        let mut record = Self::default();
        let (mut payload, mut json) = (None, None);
        for (name, value) in fields.unique()?.0 {
            if name == PAYLOAD_JSON {
                json = Some(value.get());
            } else if PAYLOADS.contains(&name.as_str()) {
                let bytes = bytes(&name, value)?;
                if payload.replace((name, bytes)).is_some() {
                    return Err("more than one payload".to_owned());
                }
            } else {
                record.set(&name, value)?;
            }
        }
        record.payload = chosen(payload, json)?;
        Ok(record)
    }

    /// Whether a line is only blanks, and so no record.
    pub fn is_blank(line: &[u8]) -> bool {
        line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line).trim_ascii().is_empty()
    }

    /// Sets the field of this name; the payload is not one of them.
    fn set(&mut self, name: &str, value: &RawValue) -> Result<(), String> {
        match name {
            "topic" => self.topic = Some(topic(value)?),
            "qos" => self.qos = Some(qos(value)?),
            "retain" => self.retain = Some(flag(name, value)?),
            "time" => self.time = Some(time(value)?),
            "properties" => self.properties = properties(value)?,
            name if ONLY_WRITTEN.contains(&name) => {}
            name => return Err(format!("unknown field {name}")),
        }
        Ok(())
    }
}

/// The payload of a record: the field with its bytes, or else its JSON as it stands there. Where
/// both are, they must say the same, for it is unclear which of the two was edited.
fn chosen(payload: Option<(String, Bytes)>, json: Option<&str>) -> Result<Bytes, String> {
    match (payload, json) {
        (Some((name, bytes)), Some(json)) if !json::is_same(&bytes, json) => {
            Err(format!("{name} and {PAYLOAD_JSON} differ"))
        }
        (Some((_, bytes)), _) => Ok(bytes),
        (None, Some(json)) => Ok(Bytes::copy_from_slice(json.as_bytes())),
        (None, None) => Err("no payload, payload_base64, payload_hex or payload_json".to_owned()),
    }
}

fn text(name: &str, value: &RawValue) -> Result<String, String> {
    serde_json::from_str(value.get()).map_err(|_| {
        let is_string = value.get().starts_with('"');
        format!(
            "{name}: {}",
            if is_string { "half of a surrogate pair is no text" } else { "expected a string" }
        )
    })
}

fn topic(value: &RawValue) -> Result<TopicName, String> {
    TopicName::new(text("topic", value)?).map_err(|error| format!("topic: {error}"))
}

fn qos(value: &RawValue) -> Result<QoS, String> {
    let number = serde_json::from_str(value.get()).ok().and_then(QoS::from_bits);
    number.ok_or_else(|| "qos: expected 0, 1 or 2".to_owned())
}

/// Mosquitto 2.0 writes 0 and 1.
fn flag(name: &str, value: &RawValue) -> Result<bool, String> {
    match value.get() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(format!("{name}: expected true or false")),
    }
}

fn time(value: &RawValue) -> Result<Duration, String> {
    let text = text("time", value)?;
    time::since_1970(&text)
        .ok_or_else(|| "time: expected one such as 2026-11-22T10:48:10.345205Z".to_owned())
}

/// Text, or bytes in the encoding that the name says; `null` is empty.
fn bytes(name: &str, value: &RawValue) -> Result<Bytes, String> {
    if value.get() == "null" {
        return Ok(Bytes::new());
    }
    if name == PAYLOADS[0] && !value.get().starts_with('"') {
        return Err(format!("{name}: expected a string; {PAYLOAD_JSON} takes any JSON"));
    }
    let text = text(name, value)?;
    let (encoding, expected) = match name {
        _ if name.ends_with(BASE64) => (Encoding::Base64, "base64"),
        _ if name.ends_with("_hex") => (Encoding::Hex, "hexadecimal digits"),
        _ => return Ok(text.into()),
    };
    encoding.decode(&text).map(Bytes::from).ok_or_else(|| format!("{name}: expected {expected}"))
}

fn properties(value: &RawValue) -> Result<Properties, String> {
    let fields: Fields<'_> = serde_json::from_str(value.get())
        .map_err(|_| "properties: expected an object".to_owned())?;
    let mut properties = Properties::default();
    for (name, value) in fields.unique().map_err(|wrong| format!("properties: {wrong}"))?.0 {
        match name.as_str() {
            // The one says which subscription matched, the other is of one connection: neither
            // travels on.
            "subscription-identifier" | "topic-alias" => {}
            "user-property" | "user-properties" => {
                for (name, value) in pairs(value)? {
                    properties.push(misfit(Property::from_pair(name.into(), value.into()))?);
                }
            }
            name => {
                let property = property(name, value)?;
                // Its bytes may be written as text, in base64 and in hexadecimal digits.
                if properties.iter().any(|known| known.id() == property.id()) {
                    return Err(format!("properties: more than one {}", property.id()));
                }
                properties.push(property);
            }
        }
    }
    Ok(properties)
}

fn property(name: &str, value: &RawValue) -> Result<Property, String> {
    let plain = name.strip_suffix(BASE64).or_else(|| name.strip_suffix("_hex")).unwrap_or(name);
    let id = PropertyId::from_name(plain).filter(|id| id.is_allowed_in(Place::Publish));
    let id = id.ok_or_else(|| format!("properties: a PUBLISH has no {name}"))?;
    match id.kind() {
        ValueKind::Number(..) => {
            let number = serde_json::from_str(value.get()).unwrap_or(u64::MAX);
            // What is too large, or no number, is in no range.
            let number = u32::try_from(number).map_err(|_| InvalidValue(id));
            misfit(number.and_then(|number| Property::from_number(id, number)))
        }
        ValueKind::Binary => misfit(Property::from_binary(id, bytes(name, value)?)),
        ValueKind::Text | ValueKind::Topic | ValueKind::Pair => {
            misfit(Property::from_text(id, ByteString::from(text(name, value)?)))
        }
    }
}

fn misfit<T>(result: Result<T, InvalidValue>) -> Result<T, String> {
    result.map_err(|misfit| format!("properties: {misfit}"))
}

/// `[["name","value"],...]` as we write it, or objects as mosquitto does.
fn pairs(value: &RawValue) -> Result<Vec<(String, String)>, String> {
    type Object = Members<String>;
    let text = value.get();
    let objects = || {
        let list: Vec<Object> = serde_json::from_str(text)?;
        Ok(list.into_iter().flat_map(|object| object.0).collect())
    };
    serde_json::from_str(text)
        .or_else(|_| objects())
        .or_else(|_: serde_json::Error| serde_json::from_str::<Object>(text).map(|object| object.0))
        .map_err(|_| {
            "properties: user-property takes pairs of strings: [[\"name\",\"value\"]]".to_owned()
        })
}

#[cfg(test)]
mod tests;
