//! Table 2-4, and the properties that a session reads.

use super::*;
use crate::mqtt::qos::QoS;

#[test]
fn identifiers_and_names_lead_to_their_property() {
    let mut count = 0;
    for id in PropertyId::all() {
        assert_eq!(PropertyId::from_byte(id.byte()), Some(id));
        assert_eq!(PropertyId::from_name(id.name()), Some(id));
        assert!(!id.places().is_empty());
        count += 1;
    }
    assert_eq!(count, 27);
    assert_eq!((0..=255).filter_map(PropertyId::from_byte).count(), 27);
    assert_eq!(PropertyId::from_name("no-such-property"), None);
}

/// The number of properties that each place may carry, counted in Table 2-4 by hand.
#[test]
fn the_table_has_as_many_marks_as_the_specification() {
    let counts = [
        (Place::Connect, 9),
        (Place::Will, 7),
        (Place::ConnAck, 17),
        (Place::Publish, 8),
        (Place::PubAck, 2),
        (Place::PubRec, 2),
        (Place::PubRel, 2),
        (Place::PubComp, 2),
        (Place::Subscribe, 2),
        (Place::SubAck, 2),
        (Place::Unsubscribe, 1),
        (Place::UnsubAck, 2),
        (Place::Disconnect, 4),
        (Place::Auth, 4),
    ];
    for (place, count) in counts {
        assert_eq!(
            PropertyId::all().filter(|id| id.is_allowed_in(place)).count(),
            count,
            "{place}"
        );
    }
}

#[test]
fn absent_properties_are_none() {
    let properties = Properties::default();
    assert!(properties.is_empty());
    assert_eq!(properties.receive_maximum(), None);
    assert_eq!(properties.maximum_qos(), None);
    assert_eq!(properties.reason_string(), None);
    assert_eq!(properties.subscription_identifiers().count(), 0);
}

#[test]
fn numbers_and_flags_are_found() {
    let properties = Properties(vec![
        Property::number(PropertyId::SessionExpiryInterval, 1),
        Property::number(PropertyId::MessageExpiryInterval, 2),
        Property::number(PropertyId::WillDelayInterval, 3),
        Property::number(PropertyId::MaximumPacketSize, 4),
        Property::number(PropertyId::ServerKeepAlive, 5),
        Property::number(PropertyId::ReceiveMaximum, 6),
        Property::number(PropertyId::TopicAliasMaximum, 7),
        Property::number(PropertyId::TopicAlias, 8),
        Property::number(PropertyId::MaximumQoS, 1),
        Property::number(PropertyId::RetainAvailable, 0),
        Property::number(PropertyId::WildcardSubscriptionAvailable, 1),
        Property::number(PropertyId::SubscriptionIdentifierAvailable, 0),
        Property::number(PropertyId::SharedSubscriptionAvailable, 1),
        Property::number(PropertyId::PayloadFormatIndicator, 1),
        Property::number(PropertyId::RequestProblemInformation, 0),
        Property::number(PropertyId::RequestResponseInformation, 1),
    ]);
    assert_eq!(properties.session_expiry_interval(), Some(1));
    assert_eq!(properties.message_expiry_interval(), Some(2));
    assert_eq!(properties.will_delay_interval(), Some(3));
    assert_eq!(properties.maximum_packet_size(), Some(4));
    assert_eq!(properties.server_keep_alive(), Some(5));
    assert_eq!(properties.receive_maximum(), Some(6));
    assert_eq!(properties.topic_alias_maximum(), Some(7));
    assert_eq!(properties.topic_alias(), Some(8));
    assert_eq!(properties.maximum_qos(), Some(QoS::AtLeastOnce));
    assert_eq!(properties.retain_available(), Some(false));
    assert_eq!(properties.wildcard_subscription_available(), Some(true));
    assert_eq!(properties.subscription_identifier_available(), Some(false));
    assert_eq!(properties.shared_subscription_available(), Some(true));
    assert_eq!(properties.payload_format_indicator(), Some(true));
    assert_eq!(properties.request_problem_information(), Some(false));
    assert_eq!(properties.request_response_information(), Some(true));
}

#[test]
fn texts_and_lists_are_found() {
    let properties = Properties(vec![
        Property::text(PropertyId::AssignedClientIdentifier, "id".into()),
        Property::text(PropertyId::AuthenticationMethod, "method".into()),
        Property::binary(PropertyId::AuthenticationData, "data".into()),
        Property::text(PropertyId::ResponseInformation, "information".into()),
        Property::text(PropertyId::ServerReference, "server".into()),
        Property::text(PropertyId::ReasonString, "reason".into()),
        Property::text(PropertyId::ResponseTopic, "response".into()),
        Property::binary(PropertyId::CorrelationData, "correlation".into()),
        Property::text(PropertyId::ContentType, "type".into()),
        Property::user("a".into(), "1".into()),
        Property::number(PropertyId::SubscriptionIdentifier, 1),
        Property::user("a".into(), "2".into()),
        Property::number(PropertyId::SubscriptionIdentifier, 2),
    ]);
    assert_eq!(properties.assigned_client_identifier(), Some(&"id".into()));
    assert_eq!(properties.authentication_method(), Some(&"method".into()));
    assert_eq!(properties.authentication_data(), Some(&"data".into()));
    assert_eq!(properties.response_information(), Some(&"information".into()));
    assert_eq!(properties.server_reference(), Some(&"server".into()));
    assert_eq!(properties.reason_string(), Some(&"reason".into()));
    assert_eq!(properties.response_topic(), Some(&"response".into()));
    assert_eq!(properties.correlation_data(), Some(&"correlation".into()));
    assert_eq!(properties.content_type(), Some(&"type".into()));
    assert_eq!(properties.subscription_identifiers().collect::<Vec<_>>(), [1, 2]);
    let values: Vec<_> = properties.user_properties().map(|(_, value)| &**value).collect();
    assert_eq!(values, ["1", "2"]);
    assert_eq!((&properties).into_iter().count(), 13);
}
