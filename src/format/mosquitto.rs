//! A message as JSON in the shape that `mosquitto_sub` 2.0 gives it (`%j` and `%J` of `-F`), but
//! for its user properties, which have the form of 2.1. Our own form is in `record.rs`.

use bytes::{BufMut, BytesMut};

use super::json::{self, Style};
use super::template::FormatError;
use super::time::LocalTime;
use crate::mqtt::packet::{PacketId, Publish};
use crate::mqtt::property::{Properties, PropertyId, Value};

/// Appends a message; with `parsed` its payload is JSON and stands there as such.
pub fn json(
    publish: &Publish,
    now: Option<&LocalTime>,
    parsed: bool,
    style: Style,
    out: &mut BytesMut,
) -> Result<(), FormatError> {
    let payload = if parsed && !publish.payload.is_empty() {
        Some(json::checked(&publish.payload).ok_or(FormatError::NotJson)?)
    } else {
        None
    };
    let mut line = BytesMut::new();
    head(publish, now, &mut line);
    line.put_slice(b",\"payload\":");
    match payload {
        _ if publish.payload.is_empty() => line.put_slice(b"null"),
        Some(payload) => json::lay_out(payload, Style::CJson, &mut line),
        None => json::cjson_string(c_string(&publish.payload), &mut line),
    }
    line.put_u8(b'}');
    match (style, std::str::from_utf8(&line)) {
        (Style::CJsonPretty, Ok(text)) => json::lay_out(text, Style::CJsonPretty, out),
        _ => out.put_slice(&line),
    }
    Ok(())
}

fn head(publish: &Publish, now: Option<&LocalTime>, out: &mut BytesMut) {
    out.put_slice(b"{\"tst\":\"");
    now.inspect(|now| now.mosquitto(out));
    out.put_slice(b"\",\"topic\":");
    json::cjson_string(publish.topic_or_empty().as_bytes(), out);
    let (qos, retain, length) = (publish.qos, u8::from(publish.retain), publish.payload.len());
    out.put_slice(format!(",\"qos\":{qos},\"retain\":{retain},\"payloadlen\":{length}").as_bytes());
    if let Some(packet_id) = publish.packet_id.map(PacketId::get) {
        out.put_slice(format!(",\"mid\":{packet_id}").as_bytes());
    }
    if !publish.properties.is_empty() {
        out.put_slice(b",\"properties\":{");
        properties(&publish.properties, out);
        out.put_u8(b'}');
    }
}

/// All user properties stand where the first of them stood.
fn properties(properties: &Properties, out: &mut BytesMut) {
    let mut separator = "";
    let mut users = false;
    for property in properties {
        let is_user = property.id() == PropertyId::UserProperty;
        if is_user && std::mem::replace(&mut users, true) {
            continue;
        }
        let name = if is_user { "user-properties" } else { property.id().name() };
        out.put_slice(format!("{separator}\"{name}\":").as_bytes());
        separator = ",";
        match property.value() {
            Value::Pair(..) => user_properties(properties, out),
            Value::Text(text) => json::cjson_string(text.as_bytes(), out),
            Value::Binary(data) => json::cjson_string(c_string(data), out),
            Value::Number(number) => out.put_slice(number.to_string().as_bytes()),
        }
    }
}

/// An object each, as in 2.1: in the one object of 2.0 a name that comes twice could be read only
/// once.
fn user_properties(properties: &Properties, out: &mut BytesMut) {
    let mut separator = b'[';
    for (name, value) in properties.user_properties() {
        out.put_slice(&[separator, b'{']);
        json::cjson_string(name.as_bytes(), out);
        out.put_u8(b':');
        json::cjson_string(value.as_bytes(), out);
        out.put_u8(b'}');
        separator = b',';
    }
    out.put_u8(b']');
}

/// To C, bytes end at the first NUL.
fn c_string(bytes: &[u8]) -> &[u8] {
    &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())]
}
