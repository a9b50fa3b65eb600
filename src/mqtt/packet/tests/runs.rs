//! Messages of a run are encoded exactly as each would be by itself.

use super::*;

/// The lengths around each length of a Variable Byte Integer, up and down.
const LENGTHS: [usize; 14] =
    [0, 1, 0, 7, 90, 100, 110, 127, 128, 16_300, 16_383, 16_384, 5, 20_000];

fn message(qos: QoS, properties: &Properties) -> Publish {
    let topic = Some(TopicName::new("a/topic").unwrap());
    let properties = properties.clone();
    Publish { qos, retain: true, properties, topic, ..Publish::default() }
}

#[test]
fn each_message_is_encoded_as_by_itself() {
    let spoken = Properties(vec![
        Property::text(PropertyId::ContentType, "x".into()),
        Property::number(PropertyId::MessageExpiryInterval, 9),
    ]);
    for version in VERSIONS {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            for properties in [&Properties::default(), &spoken] {
                let head = message(qos, properties);
                let mut header = PublishTemplate::new(&head, 20_000, version).unwrap();
                let (mut run, mut single) = (BytesMut::new(), BytesMut::new());
                for (number, length) in (1..).zip(LENGTHS) {
                    let packet_id = PacketId::new(number * 4321).unwrap();
                    let payload = Bytes::from(vec![b'.'; length]);
                    header.put(packet_id, &payload, &mut run);
                    let packet_id = (qos > QoS::AtMostOnce).then_some(packet_id);
                    let whole = Packet::Publish(Publish { packet_id, payload, ..head.clone() });
                    whole.encode(version, &mut single).unwrap();
                }
                assert_eq!(run, single, "{version}, QoS {qos}");
            }
        }
    }
}

#[test]
fn topics_are_encoded_as_by_themselves() {
    let spoken = Properties(vec![Property::text(PropertyId::ContentType, "x".into())]);
    for version in VERSIONS {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            for properties in [&Properties::default(), &spoken] {
                let head = message(qos, properties);
                let mut template = TopiclessTemplate::new(&head, version).unwrap();
                let (mut run, mut single) = (BytesMut::new(), BytesMut::new());
                for (number, length) in (1..).zip(LENGTHS) {
                    let packet_id = PacketId::new(number * 4321).unwrap();
                    let text = Bytes::from("t".repeat(1 + length % 1000));
                    let topic = TopicSlice::plain(&text, 0..text.len()).unwrap();
                    let payload = Bytes::from(vec![b'.'; length]);
                    template.put(topic, packet_id, &payload, &mut run);
                    let packet_id = (qos > QoS::AtMostOnce).then_some(packet_id);
                    let topic = Some(TopicName::from_bytes(text.clone()).unwrap());
                    let whole =
                        Packet::Publish(Publish { topic, packet_id, payload, ..head.clone() });
                    whole.encode(version, &mut single).unwrap();
                }
                assert_eq!(run, single, "{version}, QoS {qos}");
            }
        }
    }
}

#[test]
fn what_no_packet_can_hold_is_no_run() {
    let head = message(QoS::AtMostOnce, &Properties::default());
    assert!(PublishTemplate::new(&head, MAXIMUM_REMAINING_LENGTH - 10, Version::V5).is_ok());
    assert!(PublishTemplate::new(&head, MAXIMUM_REMAINING_LENGTH - 9, Version::V5).is_err());
    let nameless = Publish { topic: None, ..head };
    assert_eq!(
        PublishTemplate::new(&nameless, 1, Version::V3_1_1).unwrap_err(),
        EncodeError::NoTopic
    );
}

#[test]
fn acknowledgements_of_success_are_what_they_are_as_packets() {
    let packet_id = PacketId::new(0x1234).unwrap();
    for version in VERSIONS {
        let ack = Ack::success(packet_id);
        let packets = [
            Packet::PubAck(ack.clone()),
            Packet::PubRec(ack.clone()),
            Packet::PubRel(ack.clone()),
            Packet::PubComp(ack),
        ];
        for packet in packets {
            let short = Ack::success_packet(packet.packet_type(), packet_id);
            assert_eq!(
                encode(&packet, version),
                short,
                "{} in {version}",
                packet.packet_type().name()
            );
        }
    }
}
