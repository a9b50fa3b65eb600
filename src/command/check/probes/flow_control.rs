//! Probes of the group flow-control: how many messages are in flight, and how large packets are.

use std::collections::VecDeque;
use std::time::Duration;

use super::{GroupProbes, PointProbe};
use crate::command::check::bench::{Bench, Conn};
use crate::command::check::connection::mqtt::Acks;
use crate::command::check::finding::{Finding, Probed, StepResult, Stop, Verdict};
use crate::mqtt::packet::{Ack, Packet, PacketId, Publish};
use crate::mqtt::property::{Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;

/// The probes of this group.
pub const PROBES: GroupProbes = &[
    ("receive-maximum-out", PointProbe::Ask(receive_maximum_out)),
    ("receive-maximum-in", PointProbe::Ask(receive_maximum_in)),
    ("maximum-packet-size-out", PointProbe::Ask(maximum_packet_size_out)),
    ("maximum-packet-size-in", PointProbe::Ask(maximum_packet_size_in)),
];

/// How many messages we allow in flight, and how many are published.
const ALLOWED: u16 = 2;
const PUBLISHED: usize = 5;

/// The largest Receive Maximum of a server that is tried out.
const LARGEST_RECEIVE_MAXIMUM: u64 = 1_000;

/// The packet size that we allow, unless the topic is too long for it, in bytes.
const ALLOWED_SIZE: usize = 200;

/// How much larger the message is that must not come.
const EXCESS: usize = 200;

/// The largest Maximum Packet Size of a server that is tried out, in bytes.
const LARGEST_PACKET: u64 = 16 * 1024 * 1024;

/// A large packet is sent in messages of this size: a limit of frames is another point.
const PIECE: usize = 16 * 1024;

/// How long a large packet may take on its way.
const TRANSFER: Duration = Duration::from_secs(20);

/// A connection in MQTT 5 with one more property in its CONNECT.
fn on_allowing(bench: &mut Bench, id: PropertyId, value: u32) -> StepResult<Conn> {
    let mut connect = bench.connect_packet(Version::V5);
    connect.properties.push(Property::number(id, value));
    bench.on_with(connect)
}

fn receive_maximum_out(bench: &mut Bench) -> Probed {
    let conn = on_allowing(bench, PropertyId::ReceiveMaximum, ALLOWED.into())?;
    bench.link(conn).mqtt.acks = Acks::Held;
    let topic = bench.topic("");
    bench.subscribe(conn, &topic, QoS::AtLeastOnce)?;
    for number in 0..PUBLISHED {
        let payload = format!("in flight {number}");
        bench.publish(conn, Bench::message(&topic, QoS::AtLeastOnce, payload))?;
    }
    // A server that waits for acknowledgements must answer the rest none the less.
    bench.subscribe(conn, &bench.topic("/other"), QoS::AtMostOnce)?;
    bench.fence(conn)?;
    let mut in_flight = deliveries(bench, conn, &topic);
    if in_flight.is_empty() {
        in_flight.extend(bench.delivery(conn, &topic)?.packet_id);
    }
    acknowledge_each(bench, conn, &topic, in_flight)
}

/// The identifiers of the deliveries that have come.
fn deliveries(bench: &mut Bench, conn: Conn, topic: &str) -> VecDeque<PacketId> {
    let mut ids = VecDeque::new();
    bench.link(conn).mqtt.inbox.retain(|received| match &received.packet {
        Ok(Packet::Publish(publish)) if publish.topic_or_empty() == topic => {
            ids.extend(publish.packet_id);
            false
        }
        _ => true,
    });
    ids
}

fn acknowledge_each(
    bench: &mut Bench,
    conn: Conn,
    topic: &str,
    mut in_flight: VecDeque<PacketId>,
) -> Probed {
    let mut came = in_flight.len();
    loop {
        if in_flight.len() > usize::from(ALLOWED) {
            let words = format!("{} messages in flight, 2 are allowed", in_flight.len());
            return Ok(Finding::fail(words));
        }
        let Some(id) = in_flight.pop_front() else { break };
        bench.send(conn, &Packet::PubAck(Ack::success(id)));
        bench.fence(conn)?;
        let mut more = deliveries(bench, conn, topic);
        if more.is_empty() && in_flight.is_empty() && came < PUBLISHED {
            more.extend(next_of(bench, conn, topic, came)?);
        }
        came += more.len();
        in_flight.extend(more);
    }
    Ok(match came {
        PUBLISHED => Finding::pass("never more than 2 in flight, and all 5 came"),
        _ => Finding::fail(format!("{came} messages came, 5 were published")),
    })
}

/// The identifier of the next delivery, which is due: so many came before.
fn next_of(
    bench: &mut Bench,
    conn: Conn,
    topic: &str,
    came: usize,
) -> StepResult<Option<PacketId>> {
    match bench.delivery(conn, topic) {
        Ok(publish) => Ok(publish.packet_id),
        Err(Stop::Silent { .. }) => {
            let words = format!("only {came} of 5 messages came");
            Err(Finding::fail(words).in_doubt().into())
        }
        Err(stop) => Err(stop),
    }
}

fn receive_maximum_in(bench: &mut Bench) -> Probed {
    let conn = bench.on()?;
    let maximum = receive_maximum(bench)?;
    let topic = bench.topic("");
    for number in 0..=maximum {
        let payload = number.to_string();
        bench.send_publish(conn, Bench::message(&topic, QoS::ExactlyOnce, payload));
    }
    let (sent, mut codes) = (maximum + 1, Vec::new());
    let patience = bench.patience();
    let answered = bench.wait(conn, "PUBREC", patience, |link| {
        link.mqtt.inbox.retain(|received| match &received.packet {
            Ok(Packet::PubRec(ack)) => {
                codes.push(ack.code);
                false
            }
            _ => true,
        });
        (codes.len() as u64 == sent).then_some(())
    });
    match answered {
        Err(Stop::Ended { end, .. }) => {
            bench.asked.saw_unexpected_end = false;
            Ok(Finding::pass(format!("{sent} in flight: {end}")))
        }
        Ok(()) | Err(Stop::Silent { .. }) => Ok(judge_codes(sent, &codes)),
        Err(stop) => Err(stop),
    }
}

/// The server's Receive Maximum, if it can be tried out.
fn receive_maximum(bench: &Bench) -> StepResult<u64> {
    let why = match bench.announced("receive_maximum") {
        None => "Receive Maximum is not announced".to_owned(),
        Some(maximum) if maximum > LARGEST_RECEIVE_MAXIMUM => {
            format!("Receive Maximum is {maximum}")
        }
        Some(_) if bench.announced("maximum_qos").is_some() => {
            "QoS 2 is announced as absent".to_owned()
        }
        Some(maximum) => return Ok(maximum),
    };
    Err(Finding::not_applicable(why).into())
}

fn judge_codes(sent: u64, codes: &[ReasonCode]) -> Finding {
    let taken = codes.iter().filter(|code| !code.is_error()).count();
    match codes.iter().find(|code| code.is_error()) {
        Some(code) if taken == 0 => Stop::Forbidden(format!("PUBREC 0x{:02x}", code.0)).finding(),
        Some(code) => Finding::warn(format!("PUBREC 0x{:02x}, and no end", code.0)),
        None if taken as u64 == sent => Finding::warn(format!("all {sent} were taken")),
        None => Finding::warn(format!("{taken} of {sent} were answered, and nothing ended")),
    }
}

fn maximum_packet_size_out(bench: &mut Bench) -> Probed {
    let topic = bench.topic("");
    let size = ALLOWED_SIZE.max(topic.len() + ALLOWED_SIZE / 2);
    let value = u32::try_from(size).unwrap_or(u32::MAX);
    let conn = on_allowing(bench, PropertyId::MaximumPacketSize, value)?;
    bench.subscribe(conn, &topic, QoS::AtLeastOnce)?;
    let large = Bench::message(&topic, QoS::AtLeastOnce, vec![b'x'; size + EXCESS]);
    bench.publish(conn, large)?;
    let before = bench.mark(conn, &topic, QoS::AtLeastOnce)?;
    Ok(if before.is_empty() {
        Finding::pass(format!("no packet above {size} bytes came, smaller ones did"))
    } else {
        let words = format!("a message of {} bytes came, {size} are allowed", size + EXCESS);
        Finding::fail(words)
    })
}

fn maximum_packet_size_in(bench: &mut Bench) -> Probed {
    let conn = bench.on()?;
    let maximum = match bench.announced("maximum_packet_size") {
        Some(maximum) if maximum <= LARGEST_PACKET => maximum,
        Some(maximum) => {
            return Ok(Finding::not_applicable(format!("Maximum Packet Size is {maximum}")));
        }
        None => return Ok(Finding::not_applicable("Maximum Packet Size is not announced")),
    };
    bench.allow(TRANSFER * 2);
    let maximum = usize::try_from(maximum).unwrap_or(usize::MAX);
    if let Some(finding) = as_large(bench, conn, maximum)? {
        return Ok(finding);
    }
    bench.close(conn);
    let conn = bench.on()?;
    let publish = sized(bench, maximum.saturating_add(1));
    send_in_pieces(bench, conn, publish);
    let refused = bench.refused(conn)?;
    Ok(match refused.verdict {
        Verdict::Pass => {
            let words = format!("{maximum} bytes were taken, one more ended it: ");
            Finding::pass(words + &refused.observed)
        }
        _ => {
            Finding { observed: format!("{} bytes: {}", maximum + 1, refused.observed), ..refused }
        }
    })
}

/// What is wrong with how a packet of exactly this size is taken.
fn as_large(bench: &mut Bench, conn: Conn, size: usize) -> StepResult<Option<Finding>> {
    let publish = sized(bench, size);
    let id = publish.packet_id;
    send_in_pieces(bench, conn, publish);
    let taken = bench.take_within(conn, "PUBACK", TRANSFER, |packet| match packet {
        Packet::PubAck(ack) if Some(ack.packet_id) == id => Some(ack.code),
        _ => None,
    });
    match taken {
        Ok(code) if code.is_error() => {
            let words =
                format!("PUBACK 0x{:02x} for a packet of the {size} bytes announced", code.0);
            Ok(Some(match code {
                ReasonCode::NOT_AUTHORIZED => Finding::unknown(words),
                _ => Finding::fail(words),
            }))
        }
        Ok(_) => Ok(None),
        Err(Stop::Ended { end, .. }) => {
            let words = format!("a packet of the {size} bytes announced ended it: {end}");
            Ok(Some(Finding::fail(words).in_doubt()))
        }
        Err(Stop::Silent { .. }) => {
            let words = format!("no PUBACK for a packet of the {size} bytes announced");
            Ok(Some(Finding::fail(words).in_doubt()))
        }
        Err(stop) => Err(stop),
    }
}

/// A PUBLISH at QoS 1 whose packet has this many bytes, or as few more as it needs.
fn sized(bench: &Bench, size: usize) -> Publish {
    let mut publish = Bench::message(&bench.topic(""), QoS::AtLeastOnce, Vec::new());
    publish.packet_id = Some(PacketId::MIN);
    let fits = |length: usize| publish.encoded_len_with(length, Version::V5) <= size;
    let mut length = size;
    while length > 0 && !fits(length) {
        length -= 1;
    }
    publish.payload = vec![b'x'; length].into();
    publish
}

fn send_in_pieces(bench: &mut Bench, conn: Conn, publish: Publish) {
    let bytes = bench.encoded(conn, &Packet::Publish(publish));
    for piece in bytes.chunks(PIECE) {
        bench.send_bytes(conn, piece);
    }
}
