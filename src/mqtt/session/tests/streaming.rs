//! A payload that the caller streams: nothing is sent before its end, and after a loss it begins
//! again.

use super::*;

const LENGTH: usize = 600 * 1024;

fn begin(client: &mut Client, qos: QoS) {
    client.session.publish_stream(message("large", qos, 0), LENGTH, 7).expect("it can be sent");
    assert!(!client.session.can_publish(QoS::AtMostOnce), "nothing may come between");
}

/// Streams as much of the payload as is wanted, up to `most` bytes, and sends it. Returns how much
/// that was, and the packets that it completed.
fn give(client: &mut Client, most: usize) -> (usize, Vec<Packet>) {
    let (mut given, mut packets) = (0, Vec::new());
    loop {
        let wanted = client.session.stream_wants();
        let length = wanted.len().min(most - given).min(50_000);
        if length == 0 {
            packets.extend(client.sent());
            if given == most || client.session.stream_wants().is_empty() {
                return (given, packets);
            }
        }
        client.session.stream(wanted.start, &Bytes::from(vec![b'x'; length]));
        given += length;
    }
}

#[test]
fn the_pieces_make_one_packet_and_what_waits_comes_behind_it() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut client = Client::online(config(Version::V5));
        begin(&mut client, qos);
        assert_eq!(give(&mut client, LENGTH - 1), (LENGTH - 1, vec![]));
        client.session.ping();
        assert_eq!(client.sent(), [], "nothing comes between");
        let (given, sent) = give(&mut client, 10);
        assert_eq!(given, 1, "no more is wanted than is missing");
        let [Packet::Publish(publish), Packet::PingReq] = &sent[..] else {
            panic!("not these two")
        };
        assert_eq!((publish.payload.len(), publish.dup, publish.qos), (LENGTH, false, qos));
        assert!(client.session.can_publish(QoS::AtMostOnce));
    }
}

#[test]
fn the_memory_it_takes_is_bounded() {
    let mut client = Client::online(config(Version::V5));
    begin(&mut client, QoS::AtMostOnce);
    let mut waiting = 0;
    while !client.session.stream_wants().is_empty() {
        let wanted = client.session.stream_wants();
        client.session.stream(wanted.start, &Bytes::from(vec![0; wanted.len()]));
        waiting += wanted.len();
    }
    assert!(waiting <= 256 * 1024, "{waiting} bytes wait to be sent");
}

#[test]
fn after_a_loss_it_begins_again() {
    for (session_present, qos) in
        [(true, QoS::AtLeastOnce), (false, QoS::AtLeastOnce), (true, QoS::ExactlyOnce)]
    {
        let mut client = Client::online(config(Version::V5));
        begin(&mut client, qos);
        give(&mut client, 100_000);
        assert_eq!(client.reconnect(connack(session_present)), []);
        client.session.stream(100_000, &Bytes::from_static(b"read for the connection before"));
        assert_eq!(client.session.stream_wants().start, 0);
        let (given, sent) = give(&mut client, LENGTH);
        assert_eq!(given, LENGTH, "all of it is wanted once more");
        let [Packet::Publish(publish)] = &sent[..] else { panic!("not one PUBLISH") };
        assert_eq!((publish.payload.len(), publish.dup), (LENGTH, session_present));
        assert_eq!(client.session.in_flight(), 1);
    }
}

#[test]
fn what_is_too_large_is_refused_before_it_is_begun() {
    let mut client = Client::limited(
        config(Version::V5),
        &[Property::number(PropertyId::MaximumPacketSize, 500_000)],
    );
    let refused = client.session.publish_stream(message("large", QoS::AtLeastOnce, 0), LENGTH, 7);
    assert!(
        matches!(refused, Err(super::super::Unsendable::TooLarge { limit: 500_000, .. })),
        "{refused:?}"
    );
    assert_eq!(client.sent(), []);
}
