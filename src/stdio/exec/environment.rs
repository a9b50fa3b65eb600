//! The environment variables that tell a command about its message. Whatever a broker sends, they
//! fit and have harmless names.

use std::ffi::{OsStr, OsString};

use data_encoding::HEXLOWER;

use crate::mqtt::packet::Publish;
use crate::mqtt::property::{Properties, PropertyId, Value};

/// Longer values are left out, in bytes: every topic fits, and no system refuses it.
const LONGEST: usize = 65_535;

/// How much of user properties there may be, in bytes.
const USER_PROPERTIES: usize = 256 * 1024;

/// All our names begin with this.
const PREFIX: &str = "MQTT_";

/// A name and its value.
pub type Variable = (String, OsString);

/// The variables that hold our own credentials: no command gets them.
pub const CREDENTIALS: [&str; 2] = ["MQTTWS_USERNAME", "MQTTWS_PASSWORD"];

/// Whether a variable that we have ourselves is not for a command: it would be taken for its
/// message's, or it is a secret.
pub fn is_ours(name: &OsStr, value: &OsStr) -> bool {
    let is_of_message = name.as_encoded_bytes().starts_with(PREFIX.as_bytes());
    is_of_message
        || CREDENTIALS.iter().any(|secret| name == *secret)
        || (name == "MQTTWS_URL" && may_hold_secret(value))
}

/// Whether a URL has a user, a password or a query, in which tokens are sent.
fn may_hold_secret(url: &OsStr) -> bool {
    url.as_encoded_bytes().iter().any(|byte| matches!(byte, b'@' | b'?'))
}

/// The variables of a message.
pub fn variables(publish: &Publish) -> Vec<Variable> {
    let flag = |flag: bool| if flag { "1" } else { "0" }.to_owned();
    let mut variables = Vec::new();
    put(&mut variables, "TOPIC", publish.topic_or_empty().to_owned());
    put(&mut variables, "QOS", publish.qos.to_string());
    put(&mut variables, "RETAIN", flag(publish.retain));
    put(&mut variables, "DUP", flag(publish.dup));
    if let Some(packet_id) = publish.packet_id {
        put(&mut variables, "MID", packet_id.to_string());
    }
    put_properties(&mut variables, &publish.properties);
    variables
}

/// Adds a variable, unless its value is too long.
fn put(variables: &mut Vec<Variable>, name: &str, value: String) {
    if value.len() <= LONGEST {
        variables.push((format!("{PREFIX}{name}"), OsString::from(value)));
    }
}

fn put_properties(variables: &mut Vec<Variable>, properties: &Properties) {
    let mut put = |name: &str, value: String| put(variables, name, value);
    let mut left = USER_PROPERTIES;
    for property in properties {
        let name = property.id().name();
        match property.value() {
            Value::Pair(name, value) => {
                let length = name.len() + value.len();
                if let Some(rest) = left.checked_sub(length).filter(|_| length <= LONGEST) {
                    left = rest;
                    put(&format!("USER_{}", harmless(name)), value.to_string());
                }
            }
            // It stands for the topic, on this connection only.
            Value::Number(_) if property.id() == PropertyId::TopicAlias => {}
            Value::Number(number) => put(&harmless(name), number.to_string()),
            Value::Text(text) => put(&harmless(name), text.to_string()),
            Value::Binary(data) => put(&harmless(name), HEXLOWER.encode(data)),
        }
    }
}

/// Capital letters, digits and `_`: what every shell takes for a name.
fn harmless(name: &str) -> String {
    let harmless = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    name.chars().map(harmless).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::mqtt::packet::PacketId;
    use crate::mqtt::property::{Properties, Property};
    use crate::mqtt::qos::QoS;
    use crate::mqtt::topic::TopicName;

    fn text_of(properties: Vec<Property>) -> Vec<String> {
        let publish = Publish {
            qos: QoS::AtLeastOnce,
            retain: true,
            packet_id: PacketId::new(7),
            properties: Properties(properties),
            topic: TopicName::new("a/ü").ok(),
            ..Publish::default()
        };
        let text =
            |(name, value): Variable| format!("{name}={}", value.into_string().expect("text"));
        variables(&publish).into_iter().map(text).collect()
    }

    #[test]
    fn a_message_is_told_in_full() {
        let known = ["MQTT_TOPIC=a/ü", "MQTT_QOS=1", "MQTT_RETAIN=1", "MQTT_DUP=0", "MQTT_MID=7"];
        assert_eq!(text_of(Vec::new()), known);
        let told = text_of(vec![
            Property::number(PropertyId::PayloadFormatIndicator, 1),
            Property::number(PropertyId::MessageExpiryInterval, 60),
            Property::text(PropertyId::ContentType, "text/plain".into()),
            Property::text(PropertyId::ResponseTopic, "r/s".into()),
            Property::binary(PropertyId::CorrelationData, Bytes::from_static(b"\0\xff")),
            Property::number(PropertyId::SubscriptionIdentifier, 5),
            Property::user("trace-id".into(), "x y".into()),
            Property::number(PropertyId::TopicAlias, 3),
        ]);
        let more = [
            "MQTT_PAYLOAD_FORMAT_INDICATOR=1",
            "MQTT_MESSAGE_EXPIRY_INTERVAL=60",
            "MQTT_CONTENT_TYPE=text/plain",
            "MQTT_RESPONSE_TOPIC=r/s",
            "MQTT_CORRELATION_DATA=00ff",
            "MQTT_SUBSCRIPTION_IDENTIFIER=5",
            "MQTT_USER_TRACE_ID=x y",
        ];
        assert_eq!(told[known.len()..], more);
    }

    #[test]
    fn names_are_harmless_and_nothing_is_too_long() {
        let user = |name: &str, value: String| Property::user(name.into(), value.into());
        let told = text_of(vec![
            user("LD_PRELOAD=x\n$(y) ü", "v".into()),
            user("", "nameless".into()),
            user("long", "x".repeat(65_536)),
            Property::binary(PropertyId::CorrelationData, Bytes::from(vec![0; 40_000])),
        ]);
        assert_eq!(told[5..], ["MQTT_USER_LD_PRELOAD_X___Y___=v", "MQTT_USER_=nameless"]);
        let many = text_of(vec![user("n", "x".repeat(60_000)); 100]);
        assert_eq!(many.len(), 5 + 4);
    }

    #[test]
    fn what_we_inherited_ourselves_is_not_passed_on() {
        let is_ours = |name: &str, value: &str| is_ours(OsStr::new(name), OsStr::new(value));
        for name in ["MQTT_RESPONSE_TOPIC", "MQTTWS_USERNAME", "MQTTWS_PASSWORD"] {
            assert!(is_ours(name, "x"), "{name}");
        }
        assert!(is_ours("MQTTWS_URL", "ws://u:secret@h/") && is_ours("MQTTWS_URL", "ws://h/?t=1"));
        assert!(!is_ours("MQTTWS_URL", "ws://h:1/mqtt") && !is_ours("PATH", "/a@b?"));
    }
}
