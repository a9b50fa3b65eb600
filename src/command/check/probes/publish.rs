//! Probes of the group publish: PUBLISH and its acknowledgements.

mod checked;
mod order;
mod retained;

pub use checked::asked;
pub use retained::{retain, retaining};

use super::{GroupProbes, PointProbe};
use crate::command::check::bench::{Bench, Conn};
use crate::command::check::connection::websocket::OurClose;
use crate::command::check::finding::{Finding, Probed, StepResult, Stop};
use crate::command::check::wire::Frame;
use crate::mqtt::packet::{Ack, Disconnect, Packet, PacketId, Publish};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::TopicName;
use crate::mqtt::version::Version;
use crate::websocket::frame::NORMAL;

/// The probes of this group.
pub const PROBES: GroupProbes = &[
    ("qos0-round-trip", PointProbe::Ask(qos0_round_trip)),
    ("qos1-round-trip", PointProbe::Ask(qos1_round_trip)),
    ("qos2-round-trip", PointProbe::Ask(qos2_round_trip)),
    ("order", PointProbe::Ask(order::order)),
    ("utf8-topic", PointProbe::Ask(utf8_topic)),
    ("topic-checked", PointProbe::Ask(checked::topic_checked)),
    ("topic-bad-utf8", PointProbe::Ask(checked::topic_bad_utf8)),
    ("publish-header-checked", PointProbe::Ask(checked::publish_header_checked)),
    ("fixed-header-checked", PointProbe::Ask(checked::fixed_header_checked)),
    ("pubrel-unknown", PointProbe::Ask(pubrel_unknown)),
    ("dup-not-passed", PointProbe::Ask(dup_not_passed)),
    ("retain-stored", PointProbe::Ask(retained::retain_stored)),
    ("retain-cleared", PointProbe::Ask(retained::retain_cleared)),
    ("retain-live-flag", PointProbe::Ask(retained::retain_live_flag)),
    ("disconnect-drain", PointProbe::Ask(disconnect_drain)),
];

/// An identifier that the bench does not come to by counting.
const FAR_ID: PacketId = PacketId::new(40_004).expect("it is not 0");

/// How many messages `disconnect-drain` sends.
const LAST_WORDS: u64 = 10;

fn qos0_round_trip(bench: &mut Bench) -> Probed {
    let conn = bench.shared()?;
    let topic = bench.topic("");
    bench.subscribe(conn, &topic, QoS::AtMostOnce)?;
    for payload in [Vec::new(), (0..=u8::MAX).collect()] {
        bench.publish(conn, Bench::message(&topic, QoS::AtMostOnce, payload.clone()))?;
        let came = bench.delivery(conn, &topic)?;
        expect_payload(&payload, &came.payload)?;
    }
    Ok(Finding::pass("0 bytes and all 256 values of a byte came back"))
}

/// The payload that was sent has come unchanged.
fn expect_payload(sent: &[u8], came: &[u8]) -> StepResult<()> {
    if sent == came {
        return Ok(());
    }
    let same = sent.iter().zip(came).take_while(|(sent, came)| sent == came).count();
    Err(Finding::fail(format!(
        "altered: {} bytes were sent, {} came, and the first {same} of them are equal",
        sent.len(),
        came.len()
    ))
    .into())
}

/// A point that needs this QoS does not apply where MQTT 5 has announced a lower one.
fn requires_qos(bench: &Bench, qos: QoS) -> StepResult<()> {
    if bench.version() == Version::V5 && bench.usable(qos) < qos {
        let maximum = bench.usable(qos);
        return Err(Finding::not_applicable(format!("announced: Maximum QoS {maximum}")).into());
    }
    Ok(())
}

fn qos1_round_trip(bench: &mut Bench) -> Probed {
    let conn = bench.shared()?;
    requires_qos(bench, QoS::AtLeastOnce)?;
    let topic = bench.topic("");
    let granted = bench.subscribe(conn, &topic, QoS::AtLeastOnce)?.codes;
    let id = bench.send_publish(conn, Bench::message(&topic, QoS::AtLeastOnce, "once"));
    let acknowledged = bench.take(conn, "PUBACK", |packet| match packet {
        Packet::PubAck(ack) => Some((ack.packet_id, ack.code)),
        _ => None,
    })?;
    expect_acknowledged(id, acknowledged)?;
    let came = bench.delivery(conn, &topic)?;
    expect_delivery(&came, "once", QoS::AtLeastOnce, &granted)?;
    bench.taken(conn, "acknowledged, and delivered at the granted QoS")
}

/// The acknowledgement has our identifier, and is none that refuses.
fn expect_acknowledged(id: Option<PacketId>, came: (PacketId, ReasonCode)) -> StepResult<()> {
    let (other, code) = came;
    if id != Some(other) {
        let sent = id.map_or(0, PacketId::get);
        let words = format!("PUBLISH {sent} was acknowledged as {other}");
        return Err(Finding::fail(words).into());
    }
    if code.is_error() {
        let words = format!("PUBLISH was refused with 0x{:02x}", code.0);
        return Err(Stop::Forbidden(words));
    }
    Ok(())
}

/// A message that was sent at `sent` has come whole, and at the QoS that SUBACK has granted.
fn expect_delivery(
    came: &Publish,
    payload: &str,
    sent: QoS,
    granted: &[ReasonCode],
) -> StepResult<()> {
    expect_payload(payload.as_bytes(), &came.payload)?;
    let granted = granted.first().and_then(|code| QoS::from_bits(code.0)).unwrap_or(sent);
    if came.qos == sent.min(granted) {
        return Ok(());
    }
    let words = format!("sent at QoS {sent}, granted {granted}, delivered at {}", came.qos);
    Err(Finding::fail(words).into())
}

fn qos2_round_trip(bench: &mut Bench) -> Probed {
    let conn = bench.shared()?;
    requires_qos(bench, QoS::ExactlyOnce)?;
    let topic = bench.topic("");
    let granted = bench.subscribe(conn, &topic, QoS::ExactlyOnce)?.codes;
    // The identifier is free after the first flow, and may be used for another message.
    for payload in ["once", "and again"] {
        let message = Bench::message(&topic, QoS::ExactlyOnce, payload);
        exactly_once(bench, conn, Publish { packet_id: Some(FAR_ID), ..message })?;
        let came = bench.delivery(conn, &topic)?;
        expect_delivery(&came, payload, QoS::ExactlyOnce, &granted)?;
        if came.qos == QoS::ExactlyOnce {
            bench.take(conn, "PUBREL", |packet| match packet {
                Packet::PubRel(ack) if Some(ack.packet_id) == came.packet_id => Some(()),
                _ => None,
            })?;
        }
    }
    match bench.mark(conn, &topic, QoS::ExactlyOnce)?.len() {
        0 => Ok(Finding::pass("delivered once, and the identifier was free again")),
        more => Ok(Finding::fail(format!("{more} messages came a second time"))),
    }
}

/// The flow of QoS 2 with the identifier of this message.
fn exactly_once(bench: &mut Bench, conn: Conn, publish: Publish) -> StepResult<()> {
    let id = publish.packet_id;
    bench.send(conn, &Packet::Publish(publish));
    let received = bench.take(conn, "PUBREC", |packet| match packet {
        Packet::PubRec(ack) => Some(Some((ack.packet_id, ack.code))),
        Packet::PubAck(ack) if Some(ack.packet_id) == id => Some(None),
        _ => None,
    })?;
    let Some(received) = received else {
        return Err(Finding::fail("a message at QoS 2 was answered by PUBACK").into());
    };
    expect_acknowledged(id, received)?;
    bench.send(conn, &Packet::PubRel(Ack::success(received.0)));
    let completed = bench.take(conn, "PUBCOMP", |packet| match packet {
        Packet::PubComp(ack) => Some((ack.packet_id, ack.code)),
        _ => None,
    })?;
    expect_acknowledged(id, completed)
}

fn utf8_topic(bench: &mut Bench) -> Probed {
    let conn = bench.on()?;
    let qos = bench.usable(QoS::AtLeastOnce);
    // U+00FC, and the same letter as two characters.
    let topic = bench.topic("/\u{fc}/\u{feff}x/\u{1f600}");
    let decomposed = topic.replace('\u{fc}', "u\u{308}");
    let own = bench.topic("/");
    bench.subscribe(conn, &topic, qos)?;
    bench.publish(conn, Bench::message(&decomposed, qos, "stranger"))?;
    bench.publish(conn, Bench::message(&topic, qos, "meant"))?;
    let came = bench.take(conn, "delivery", |packet| match packet {
        Packet::Publish(publish) if publish.topic_or_empty().starts_with(&own) => {
            Some(publish.clone())
        }
        _ => None,
    })?;
    if came.topic != TopicName::new(topic.clone()).ok() {
        return Ok(Finding::fail(format!("the topic came back as {:?}", came.topic_or_empty())));
    }
    let stranger = bench.mark(conn, &topic, qos)?.into_iter().chain([came]);
    if stranger.into_iter().any(|publish| publish.payload == "stranger") {
        return Ok(Finding::fail("a message to another topic came, of which this is the NFC form"));
    }
    Ok(Finding::pass("the same bytes came back, and nothing else"))
}

fn pubrel_unknown(bench: &mut Bench) -> Probed {
    let conn = bench.on()?;
    bench.send(conn, &Packet::PubRel(Ack::success(FAR_ID)));
    let code = bench.take(conn, "PUBCOMP", |packet| match packet {
        Packet::PubComp(ack) if ack.packet_id == FAR_ID => Some(ack.code),
        _ => None,
    })?;
    let words = format!("PUBCOMP 0x{:02x}", code.0);
    let is_right = [ReasonCode::SUCCESS, ReasonCode::PACKET_IDENTIFIER_NOT_FOUND].contains(&code);
    Ok(if is_right { Finding::pass(words) } else { Finding::fail(words) })
}

fn dup_not_passed(bench: &mut Bench) -> Probed {
    let conn = bench.on()?;
    requires_qos(bench, QoS::AtLeastOnce)?;
    let topic = bench.topic("");
    bench.subscribe(conn, &topic, QoS::AtLeastOnce)?;
    let message = Bench::message(&topic, QoS::AtLeastOnce, "perhaps again");
    bench.publish(conn, Publish { dup: true, ..message })?;
    Ok(if bench.delivery(conn, &topic)?.dup {
        Finding::fail("sent with DUP 1, delivered for the first time with DUP 1")
    } else {
        Finding::pass("delivered with DUP 0")
    })
}

fn disconnect_drain(bench: &mut Bench) -> Probed {
    let subscriber = bench.on()?;
    let publisher = bench.on2()?;
    let (topic, qos) = (bench.topic(""), bench.usable(QoS::AtLeastOnce));
    bench.subscribe(subscriber, &topic, qos)?;
    let count = bench.announced("receive_maximum").unwrap_or(LAST_WORDS).min(LAST_WORDS);
    let mut last_words = Vec::new();
    for number in 1..=count {
        let mut publish = Bench::message(&topic, qos, number.to_string());
        publish.packet_id = (qos > QoS::AtMostOnce).then(|| bench.link(publisher).mqtt.next_id());
        let bytes = bench.encoded(publisher, &Packet::Publish(publish));
        last_words.extend(bench.link(publisher).websocket.frame_bytes(&Frame::binary(bytes)));
    }
    let bytes = bench.encoded(publisher, &Packet::Disconnect(Disconnect::default()));
    last_words.extend(bench.link(publisher).websocket.frame_bytes(&Frame::binary(bytes)));
    last_words.extend(bench.link(publisher).websocket.frame_bytes(&Frame::close(NORMAL, b"")));
    bench.link(publisher).websocket.our_close = OurClose::Sent;
    bench.write(publisher, &last_words);
    let mut came = 0;
    while came < count && bench.delivery(subscriber, &topic).is_ok() {
        came += 1;
    }
    bench.fence(subscriber)?;
    let words = format!("{came} of {count} messages before DISCONNECT were delivered");
    Ok(if came == count { Finding::pass(words) } else { Finding::fail(words).in_doubt() })
}
