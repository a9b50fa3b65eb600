//! What a client may not ask of a broker that offers less than MQTT has: the limits that CONNACK
//! announces (§3.2.2.3), and the codes for those who do not heed them.

use bytestring::ByteString;

use super::reason::Reason;
use crate::broker::limits::{Limit, Limits};
use crate::mqtt::packet::{Connect, Subscribe, Subscription, Will};
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;

/// How much of a client identifier is in its Response Information, in characters.
const LONGEST_NAME: usize = 200;

/// What an MQTT 5 client is told in CONNACK; what is as usual is left out.
pub fn announced(limits: &Limits, connect: &Connect, assigned: Option<ByteString>) -> Properties {
    let number = |id, limit| Property::number(id, u32::try_from(limits.get(limit)).unwrap_or(0));
    let mut properties = vec![
        number(PropertyId::ReceiveMaximum, Limit::ReceiveMaximum),
        number(PropertyId::TopicAliasMaximum, Limit::TopicAliases),
        number(PropertyId::MaximumPacketSize, Limit::Packet),
    ];
    // A Maximum QoS of 2 must not be sent.
    let max_qos = (limits.max_qos() < QoS::ExactlyOnce).then_some(PropertyId::MaximumQoS);
    properties.extend(max_qos.map(|id| number(id, Limit::MaxQos)));
    for (id, limit) in [
        (PropertyId::RetainAvailable, Limit::Retain),
        (PropertyId::WildcardSubscriptionAvailable, Limit::Wildcards),
        (PropertyId::SubscriptionIdentifierAvailable, Limit::SubscriptionIdentifiers),
        (PropertyId::SharedSubscriptionAvailable, Limit::Shared),
    ] {
        properties.extend((!limits.has(limit)).then(|| number(id, limit)));
    }
    let keep_alive = keep_alive(limits, connect);
    if keep_alive != connect.keep_alive {
        properties.push(Property::number(PropertyId::ServerKeepAlive, keep_alive.into()));
    }
    if connect.properties.request_response_information() == Some(true) {
        let client_id = assigned.as_ref().unwrap_or(&connect.client_id);
        properties.push(response_information(client_id));
    }
    properties
        .extend(assigned.map(|value| Property::text(PropertyId::AssignedClientIdentifier, value)));
    Properties(properties)
}

/// The beginning of response topics that a client can have for itself (§3.2.2.3.15).
fn response_information(client_id: &str) -> Property {
    let name = client_id.chars().filter(|c| !matches!(c, '+' | '#')).take(LONGEST_NAME);
    let topic = format!("responses/{}", name.collect::<String>());
    Property::text(PropertyId::ResponseInformation, topic.into())
}

/// The keep alive of a client in seconds. Before MQTT 5 it is the client's: nothing could tell it
/// of another.
pub fn keep_alive(limits: &Limits, connect: &Connect) -> u16 {
    match (limits.get_u16(Limit::KeepAlive), connect.keep_alive) {
        (0, wanted) => wanted,
        (longest, 0) if connect.version == Version::V5 => longest,
        (longest, wanted) if connect.version == Version::V5 => wanted.min(longest),
        (_, wanted) => wanted,
    }
}

/// Why a will is refused `[MQTT-3.2.2-12]` `[MQTT-3.2.2-13]`.
pub fn refused_will(limits: &Limits, will: &Will) -> Option<Reason> {
    refused(limits, will.qos, will.retain)
}

/// Why a message of this QoS and retain flag ends the connection `[MQTT-3.2.2-11]`
/// `[MQTT-3.2.2-14]`.
pub fn refused(limits: &Limits, qos: QoS, retain: bool) -> Option<Reason> {
    if qos > limits.max_qos() {
        let string = format!("QoS {qos}, CONNACK allows {} at most", limits.max_qos());
        return Some(Reason::new(ReasonCode::QOS_NOT_SUPPORTED, string));
    }
    let is_refused = retain && !limits.has(Limit::Retain);
    is_refused.then(|| because(ReasonCode::RETAIN_NOT_SUPPORTED, "retained messages"))
}

/// Why a SUBSCRIBE of MQTT 5 ends the connection (§3.2.2.3.11 to §3.2.2.3.13).
pub fn refused_subscribe(limits: &Limits, subscribe: &Subscribe) -> Option<Reason> {
    let has_identifier = subscribe.properties.has(PropertyId::SubscriptionIdentifier);
    if has_identifier && !limits.has(Limit::SubscriptionIdentifiers) {
        let code = ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED;
        return Some(because(code, "subscription identifiers"));
    }
    subscribe.subscriptions.iter().find_map(|wanted| refused_subscription(limits, wanted))
}

/// Why one subscription is refused.
pub fn refused_subscription(limits: &Limits, wanted: &Subscription) -> Option<Reason> {
    let filter = &wanted.filter;
    if filter.share().is_some() && !limits.has(Limit::Shared) {
        let code = ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED;
        return Some(because(code, "shared subscriptions"));
    }
    let is_wild = filter.has_wildcard() && !limits.has(Limit::Wildcards);
    is_wild.then(|| because(ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED, "wildcards"))
}

/// The reason for which something is refused that CONNACK has said is not there.
fn because(code: ReasonCode, what: &'static str) -> Reason {
    Reason::new(code, format!("the broker has no {what}, as CONNACK says"))
}
