//! The values of a packet's properties, by name. `None` means that the property is absent; its
//! default is the caller's business.

use bytes::Bytes;
use bytestring::ByteString;

use super::{Properties, Property, PropertyId, Value};
use crate::mqtt::qos::QoS;

impl Properties {
    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends a property without checking whether the packet may carry it.
    pub fn push(&mut self, property: Property) {
        self.0.push(property);
    }

    /// Removes every property of this identifier.
    pub fn remove(&mut self, id: PropertyId) {
        self.0.retain(|property| property.id() != id);
    }

    /// Replaces the texts for people: Reason String and Server Reference.
    pub fn replace_reasons(&mut self, replace: impl Fn(&str) -> String) {
        for property in &mut self.0 {
            if let (PropertyId::ReasonString | PropertyId::ServerReference, Value::Text(text)) =
                (property.id, &mut property.value)
            {
                *text = replace(text).into();
            }
        }
    }

    /// All properties, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Property> {
        self.0.iter()
    }

    /// Whether the payload is UTF-8 text (§3.3.2.3.2).
    pub fn payload_format_indicator(&self) -> Option<bool> {
        self.flag(PropertyId::PayloadFormatIndicator)
    }

    /// Message Expiry Interval in seconds (§3.3.2.3.3).
    pub fn message_expiry_interval(&self) -> Option<u32> {
        self.number(PropertyId::MessageExpiryInterval)
    }

    /// Content Type (§3.3.2.3.9).
    pub fn content_type(&self) -> Option<&ByteString> {
        self.text(PropertyId::ContentType)
    }

    /// Response Topic (§3.3.2.3.5). It is not checked: convert it to a topic name before publishing
    /// to it.
    pub fn response_topic(&self) -> Option<&ByteString> {
        self.text(PropertyId::ResponseTopic)
    }

    /// Correlation Data (§3.3.2.3.6).
    pub fn correlation_data(&self) -> Option<&Bytes> {
        self.binary(PropertyId::CorrelationData)
    }

    /// Every Subscription Identifier (§3.3.2.3.8).
    pub fn subscription_identifiers(&self) -> impl Iterator<Item = u32> {
        self.all_of(PropertyId::SubscriptionIdentifier).filter_map(Value::as_number)
    }

    /// Session Expiry Interval in seconds; `u32::MAX` means never (§3.1.2.11.2).
    pub fn session_expiry_interval(&self) -> Option<u32> {
        self.number(PropertyId::SessionExpiryInterval)
    }

    /// Assigned Client Identifier (§3.2.2.3.7).
    pub fn assigned_client_identifier(&self) -> Option<&ByteString> {
        self.text(PropertyId::AssignedClientIdentifier)
    }

    /// Server Keep Alive in seconds (§3.2.2.3.14).
    pub fn server_keep_alive(&self) -> Option<u16> {
        self.short(PropertyId::ServerKeepAlive)
    }

    /// Authentication Method (§3.1.2.11.9).
    pub fn authentication_method(&self) -> Option<&ByteString> {
        self.text(PropertyId::AuthenticationMethod)
    }

    /// Authentication Data (§3.1.2.11.10).
    pub fn authentication_data(&self) -> Option<&Bytes> {
        self.binary(PropertyId::AuthenticationData)
    }

    /// Request Problem Information (§3.1.2.11.7).
    pub fn request_problem_information(&self) -> Option<bool> {
        self.flag(PropertyId::RequestProblemInformation)
    }

    /// Will Delay Interval in seconds (§3.1.3.2.2).
    pub fn will_delay_interval(&self) -> Option<u32> {
        self.number(PropertyId::WillDelayInterval)
    }

    /// Request Response Information (§3.1.2.11.6).
    pub fn request_response_information(&self) -> Option<bool> {
        self.flag(PropertyId::RequestResponseInformation)
    }

    /// Response Information (§3.2.2.3.15).
    pub fn response_information(&self) -> Option<&ByteString> {
        self.text(PropertyId::ResponseInformation)
    }

    /// Server Reference (§4.11).
    pub fn server_reference(&self) -> Option<&ByteString> {
        self.text(PropertyId::ServerReference)
    }

    /// Reason String: a text for people (§3.2.2.3.9).
    pub fn reason_string(&self) -> Option<&ByteString> {
        self.text(PropertyId::ReasonString)
    }

    /// Receive Maximum, never 0 (§3.2.2.3.3).
    pub fn receive_maximum(&self) -> Option<u16> {
        self.short(PropertyId::ReceiveMaximum)
    }

    /// Topic Alias Maximum (§3.2.2.3.8).
    pub fn topic_alias_maximum(&self) -> Option<u16> {
        self.short(PropertyId::TopicAliasMaximum)
    }

    /// Topic Alias, never 0 (§3.3.2.3.4).
    pub fn topic_alias(&self) -> Option<u16> {
        self.short(PropertyId::TopicAlias)
    }

    /// Maximum `QoS` (§3.2.2.3.4): 0 or 1; absent means 2.
    pub fn maximum_qos(&self) -> Option<QoS> {
        self.short(PropertyId::MaximumQoS).and_then(|bits| QoS::from_bits(bits.try_into().ok()?))
    }

    /// Retain Available (§3.2.2.3.5).
    pub fn retain_available(&self) -> Option<bool> {
        self.flag(PropertyId::RetainAvailable)
    }

    /// Every User Property, name and value, in order (§3.3.2.3.7).
    pub fn user_properties(&self) -> impl Iterator<Item = (&ByteString, &ByteString)> {
        self.all_of(PropertyId::UserProperty).filter_map(|value| match value {
            Value::Pair(name, value) => Some((name, value)),
            Value::Number(_) | Value::Text(_) | Value::Binary(_) => None,
        })
    }

    /// Maximum Packet Size in bytes, of whole packets, never 0 (§3.2.2.3.6).
    pub fn maximum_packet_size(&self) -> Option<u32> {
        self.number(PropertyId::MaximumPacketSize)
    }

    /// Wildcard Subscription Available (§3.2.2.3.11).
    pub fn wildcard_subscription_available(&self) -> Option<bool> {
        self.flag(PropertyId::WildcardSubscriptionAvailable)
    }

    /// Subscription Identifiers Available (§3.2.2.3.12).
    pub fn subscription_identifier_available(&self) -> Option<bool> {
        self.flag(PropertyId::SubscriptionIdentifierAvailable)
    }

    /// Shared Subscription Available (§3.2.2.3.13).
    pub fn shared_subscription_available(&self) -> Option<bool> {
        self.flag(PropertyId::SharedSubscriptionAvailable)
    }

    /// Whether the list holds a property with this identifier.
    pub fn has(&self, id: PropertyId) -> bool {
        self.value(id).is_some()
    }

    /// Sets a property: replaces the one with the same identifier, but appends a user property.
    pub fn set(&mut self, property: Property) {
        let id = property.id();
        let known =
            self.0.iter_mut().find(|known| id != PropertyId::UserProperty && known.id() == id);
        match known {
            Some(known) => *known = property,
            None => self.0.push(property),
        }
    }

    /// The values of all properties with this identifier, in order.
    fn all_of(&self, id: PropertyId) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(move |property| property.id == id).map(Property::value)
    }

    /// The value of the first property with this identifier.
    fn value(&self, id: PropertyId) -> Option<&Value> {
        self.0.iter().find(|property| property.id == id).map(Property::value)
    }

    fn number(&self, id: PropertyId) -> Option<u32> {
        self.value(id).and_then(Value::as_number)
    }

    fn flag(&self, id: PropertyId) -> Option<bool> {
        self.number(id).map(|value| value != 0)
    }

    /// The value of a property whose kind has two bytes in the table.
    fn short(&self, id: PropertyId) -> Option<u16> {
        self.number(id).and_then(|value| value.try_into().ok())
    }

    fn text(&self, id: PropertyId) -> Option<&ByteString> {
        self.value(id).and_then(Value::as_text)
    }

    fn binary(&self, id: PropertyId) -> Option<&Bytes> {
        match self.value(id) {
            Some(Value::Binary(value)) => Some(value),
            _ => None,
        }
    }
}

impl Value {
    /// The value of a number.
    pub fn as_number(&self) -> Option<u32> {
        match self {
            Self::Number(value) => Some(*value),
            Self::Text(_) | Self::Binary(_) | Self::Pair(..) => None,
        }
    }

    /// The value of a text.
    pub fn as_text(&self) -> Option<&ByteString> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(_) | Self::Binary(_) | Self::Pair(..) => None,
        }
    }
}

impl<'a> IntoIterator for &'a Properties {
    type Item = &'a Property;
    type IntoIter = std::slice::Iter<'a, Property>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<Property> for Properties {
    fn from_iter<I: IntoIterator<Item = Property>>(properties: I) -> Self {
        Self(properties.into_iter().collect())
    }
}
