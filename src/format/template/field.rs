//! One field of a message as text, padded and cut as printf would (and as `mosquitto_sub` does
//! where printf would not).

use bytes::{BufMut, BytesMut};

use super::{Align, Field, Fill, FormatError, Shape};
use crate::format::encoding;
use crate::format::json::Style;
use crate::format::mosquitto;
use crate::format::time::LocalTime;
use crate::mqtt::packet::{PacketId, Publish};
use crate::mqtt::property::Properties;

/// How many decimals a floating point number has unless the precision says otherwise.
const DECIMALS: usize = 6;

/// Appends a field.
pub(super) fn put(
    field: Field,
    shape: Shape,
    publish: &Publish,
    now: Option<&LocalTime>,
    style: Style,
    out: &mut BytesMut,
) -> Result<(), FormatError> {
    match field {
        Field::Float { bytes } => return float(&publish.payload, bytes, shape, out),
        Field::Json { parsed } => return mosquitto::json(publish, now, parsed, style, out),
        Field::Iso8601 | Field::Unix => time(field, shape, now, out),
        Field::PayloadLength => integer(Some(publish.payload.len()), shape, out),
        Field::PacketId => integer(Some(publish.packet_id.map_or(0, PacketId::get)), shape, out),
        Field::Payload => payload(&publish.payload, shape, out),
        Field::QoS => out.put_u8(b'0' + publish.qos.bits()),
        Field::Retain => out.put_u8(b'0' + u8::from(publish.retain)),
        Field::Topic => string(publish.topic_or_empty().as_bytes(), shape, out),
        Field::Hex { upper } => hex(&publish.payload, upper, shape, out),
        Field::TopicAlias
        | Field::ContentType
        | Field::CorrelationData
        | Field::MessageExpiryInterval
        | Field::PayloadFormatIndicator
        | Field::UserProperties
        | Field::ResponseTopic
        | Field::SubscriptionIdentifier => property(field, shape, &publish.properties, out),
    }
    Ok(())
}

fn time(field: Field, shape: Shape, now: Option<&LocalTime>, out: &mut BytesMut) {
    let Some(now) = now else { return string(b"", shape, out) };
    if field == Field::Unix {
        return now.unix(out);
    }
    let mut text = BytesMut::new();
    now.iso_8601(&mut text);
    string(&text, shape, out);
}

fn property(field: Field, shape: Shape, properties: &Properties, out: &mut BytesMut) {
    match field {
        Field::TopicAlias => integer(properties.topic_alias(), shape, out),
        Field::ContentType => match properties.content_type() {
            Some(text) => string(text.as_bytes(), shape, out),
            None => out.put_bytes(b' ', shape.width),
        },
        Field::CorrelationData => {
            out.put_slice(properties.correlation_data().map_or(b"", |data| data));
        }
        Field::MessageExpiryInterval => integer(properties.message_expiry_interval(), shape, out),
        Field::PayloadFormatIndicator => {
            integer(properties.payload_format_indicator().map(u8::from), shape, out);
        }
        Field::UserProperties => {
            for (at, (name, value)) in properties.user_properties().enumerate() {
                let space = if at == 0 { "" } else { " " };
                out.put_slice(format!("{space}{name}:{value}").as_bytes());
            }
        }
        Field::SubscriptionIdentifier => {
            integer(properties.subscription_identifiers().next(), shape, out);
        }
        // Mosquitto does not pad a response topic that is not there.
        _ => {
            properties.response_topic().inspect(|topic| string(topic.as_bytes(), shape, out));
        }
    }
}

/// `%*d`; what is not there is as wide as it would be.
fn integer(number: Option<impl std::fmt::Display>, shape: Shape, out: &mut BytesMut) {
    match number {
        Some(number) => padded(number.to_string().as_bytes(), shape, out),
        None => out.put_bytes(shape.fill.byte(), shape.width),
    }
}

/// Zeros are for the left side only.
fn padded(text: &[u8], shape: Shape, out: &mut BytesMut) {
    let missing = shape.width.saturating_sub(text.len());
    match (shape.align, shape.fill) {
        (Align::Left, _) => {
            out.put_slice(text);
            out.put_bytes(b' ', missing);
        }
        (Align::Right, Fill::Zeros) => {
            let sign = usize::from(text.starts_with(b"-"));
            out.put_slice(&text[..sign]);
            out.put_bytes(b'0', missing);
            out.put_slice(&text[sign..]);
        }
        (Align::Right, Fill::Spaces) => {
            out.put_bytes(b' ', missing);
            out.put_slice(text);
        }
    }
}

/// `%*.*s`: width and precision count bytes.
fn string(text: &[u8], shape: Shape, out: &mut BytesMut) {
    let length = shape.precision.map_or(text.len(), |precision| precision.min(text.len()));
    padded(&text[..length], Shape { fill: Fill::Spaces, ..shape }, out);
}

/// The width also cuts.
fn payload(payload: &[u8], shape: Shape, out: &mut BytesMut) {
    let length = if shape.width > 0 { shape.width.min(payload.len()) } else { payload.len() };
    padded_payload(&payload[..length], shape, out);
}

/// Unlike a number, a payload has no sign that would stand before the zeros.
fn padded_payload(bytes: &[u8], shape: Shape, out: &mut BytesMut) {
    let missing = shape.width.saturating_sub(bytes.len());
    if shape.align == Align::Right {
        out.put_bytes(shape.fill.byte(), missing);
    }
    out.put_slice(bytes);
    if shape.align == Align::Left {
        out.put_bytes(b' ', missing);
    }
}

/// As mosquitto 2.1 has it (2.0 cuts the payload to half the width): a width cuts the payload to as
/// many bytes and pads its digits; a precision groups the digits, and those of the padding in front
/// of them.
fn hex(payload: &[u8], upper: bool, shape: Shape, out: &mut BytesMut) {
    let length = if shape.width > 0 { shape.width.min(payload.len()) } else { payload.len() };
    let missing = shape.width.saturating_sub(2 * length);
    let mut digits = BytesMut::new();
    if shape.align == Align::Right {
        digits.put_bytes(shape.fill.byte(), missing);
    }
    encoding::hex(&payload[..length], upper, &mut digits);
    let group = shape.precision.filter(|group| *group > 0).unwrap_or(usize::MAX);
    for (at, digits) in digits.chunks(group).enumerate() {
        if at > 0 {
            out.put_u8(shape.separator.unwrap_or(b' '));
        }
        out.put_slice(digits);
    }
    if shape.align == Align::Left {
        out.put_bytes(b' ', missing);
    }
}

fn float(
    payload: &[u8],
    bytes: usize,
    shape: Shape,
    out: &mut BytesMut,
) -> Result<(), FormatError> {
    let number = match bytes {
        4 => <[u8; 4]>::try_from(payload).ok().map(|bytes| f64::from(f32::from_ne_bytes(bytes))),
        _ => <[u8; 8]>::try_from(payload).ok().map(f64::from_ne_bytes),
    };
    let number = number.ok_or(FormatError::NotFloat { bytes })?;
    let decimals = shape.precision.unwrap_or(DECIMALS);
    let text = format!("{number:.decimals$}").to_lowercase();
    // C does not pad `inf` and `nan` with zeros.
    let fill = if number.is_finite() { shape.fill } else { Fill::Spaces };
    padded(text.as_bytes(), Shape { fill, ..shape }, out);
    Ok(())
}
