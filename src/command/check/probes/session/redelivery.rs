//! Messages that are sent again after a connection was cut (MQTT 5 §4.4).

use std::time::Duration;

use super::{
    EXPIRY, begin_session, come_back, keeping, subscribe_at, subscribe_up_to, unless_silent,
};
use crate::command::check::bench::{Bench, Conn};
use crate::command::check::connection::mqtt::Acks;
use crate::command::check::finding::{Finding, Probed, StepResult, Stop};
use crate::mqtt::packet::{Ack, Connect, Packet, PacketId, Publish};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;

/// How soon after the return a message should come again.
const SOON: Duration = Duration::from_secs(10);

/// How much later it still counts as late.
const LATE: Duration = Duration::from_secs(30);

/// How long nothing must come again while the client is connected.
const QUIET: Duration = Duration::from_secs(15);

/// How often the client shows that it is there.
const PING: Duration = Duration::from_secs(5);

/// A session with a subscription whose message was delivered and not acknowledged: its CONNECT,
/// its connection, the second one, and the delivery.
struct UnacknowledgedDelivery {
    connect: Connect,
    conn: Conn,
    other: Conn,
    delivery: Publish,
    id: PacketId,
}

fn unacknowledged(bench: &mut Bench, qos: QoS) -> StepResult<UnacknowledgedDelivery> {
    let connect = keeping(bench, EXPIRY)?;
    let topic = bench.topic("");
    let conn = begin_session(bench, &connect, 10)?;
    subscribe_at(bench, conn, &topic, qos)?;
    bench.link(conn).mqtt.acks = Acks::Held;
    let other = bench.on2()?;
    bench.publish(other, Bench::message(&topic, qos, "again"))?;
    let delivery = bench.delivery(conn, &topic)?;
    let Some(id) = delivery.packet_id else {
        let words = "the message came at QoS 0 (see granted-qos)";
        return Err(Finding::unknown(words).into());
    };
    Ok(UnacknowledgedDelivery { connect, conn, other, delivery, id })
}

pub fn redelivery_dup(bench: &mut Bench) -> Probed {
    bench.allow(SOON + LATE);
    let UnacknowledgedDelivery { connect, conn, other, delivery, id } =
        unacknowledged(bench, QoS::AtLeastOnce)?;
    bench.cut(conn);
    let conn = come_back(bench, &connect)?;
    let (came, is_late) = redelivery(bench, conn, &delivery)?;
    if !came.dup {
        return Ok(Finding::fail("it came again with DUP 0"));
    }
    if came.packet_id != Some(id) {
        let found = came.packet_id.map_or(0, PacketId::get);
        let words = format!("it came again with the identifier {found} instead of {id}");
        return Ok(Finding::fail(words));
    }
    let more = bench.mark_from(other, conn, delivery.topic_or_empty(), QoS::AtLeastOnce)?;
    Ok(match (more.is_empty(), is_late) {
        (false, _) => Finding::fail("it came more than once after the return"),
        (true, true) => Finding::warn("late: it came again after more than 10 s"),
        (true, false) => Finding::pass("it came again once, with DUP 1 and the same identifier"),
    })
}

/// The same message once more, and whether it came late.
fn redelivery(bench: &mut Bench, conn: Conn, delivery: &Publish) -> StepResult<(Publish, bool)> {
    let again = |packet: &Packet| match packet {
        Packet::Publish(publish) if publish.payload == delivery.payload => Some(publish.clone()),
        _ => None,
    };
    for (time, is_late) in [(SOON, false), (LATE, true)] {
        if let Some(came) = unless_silent(bench.take_within(conn, "redelivery", time, again))? {
            return Ok((came, is_late));
        }
    }
    Err(Finding::fail("it did not come again within 40 s of the return").into())
}

/// A message that is not acknowledged while the other points are asked.
pub fn begin_unacknowledged(bench: &mut Bench) -> StepResult<Vec<Conn>> {
    let topic = bench.topic("");
    let conn = bench.on()?;
    subscribe_at(bench, conn, &topic, QoS::AtLeastOnce)?;
    bench.link(conn).mqtt.acks = Acks::Held;
    bench.publish(conn, Bench::message(&topic, QoS::AtLeastOnce, "once"))?;
    bench.delivery(conn, &topic)?;
    Ok(vec![conn])
}

// Probes that wait have one type.
#[allow(clippy::needless_pass_by_value)]
pub fn no_redelivery_while_connected(bench: &mut Bench, conns: &[Conn]) -> Probed {
    let Some(mut conn) = conns.first().copied() else {
        return Ok(Finding::unknown("there is no connection"));
    };
    let mut waited = bench.elapsed();
    if bench.link(conn).has_ended() && !has_come_again(bench, conn) {
        // A proxy may end connections that are silent for so long: once more, without silence.
        conn = begin_unacknowledged(bench)?.first().copied().unwrap_or(conn);
        waited = Duration::ZERO;
    }
    bench.allow(QUIET);
    loop {
        if has_come_again(bench, conn) {
            return Ok(Finding::fail("it came again on the same connection"));
        }
        if waited >= QUIET {
            return Ok(Finding::pass("nothing came again for 15 s"));
        }
        bench.fence(conn)?;
        let time = PING.min(QUIET.saturating_sub(waited));
        bench.pause(conn, time)?;
        waited += time;
    }
}

fn has_come_again(bench: &mut Bench, conn: Conn) -> bool {
    let is_publish = |packet: &Packet| matches!(packet, Packet::Publish(_));
    let mut inbox = bench.link(conn).mqtt.inbox.iter();
    inbox.any(|received| received.packet.as_ref().is_ok_and(is_publish))
}

pub fn pubrel_resumed(bench: &mut Bench) -> Probed {
    bench.allow(SOON);
    let UnacknowledgedDelivery { connect, conn, other, delivery, id } =
        unacknowledged(bench, QoS::ExactlyOnce)?;
    bench.send(conn, &Packet::PubRec(Ack::success(id)));
    bench.take(conn, "PUBREL", |packet| match packet {
        Packet::PubRel(ack) if ack.packet_id == id => Some(()),
        _ => None,
    })?;
    bench.cut(conn);
    let conn = come_back(bench, &connect)?;
    let topic = delivery.topic_or_empty();
    pubrel_again(bench, conn, topic, id)?;
    let more = bench.mark_from(other, conn, topic, QoS::ExactlyOnce)?;
    if !more.is_empty() {
        return Ok(Finding::fail("the message came again, although PUBREC was sent"));
    }
    bench.taken(conn, "PUBREL came again, and PUBCOMP ended it")
}

/// PUBREL comes again with its identifier, and PUBLISH does not.
fn pubrel_again(bench: &mut Bench, conn: Conn, topic: &str, id: PacketId) -> StepResult<()> {
    let first = bench.take_within(conn, "PUBREL", SOON, |packet| match packet {
        Packet::PubRel(ack) => Some(Ok(ack.packet_id)),
        Packet::Publish(publish) if publish.topic_or_empty() == topic => Some(Err(())),
        _ => None,
    });
    let finding = match unless_silent(first)? {
        Some(Ok(found)) if found == id => return Ok(()),
        Some(Ok(found)) => {
            Finding::fail(format!("PUBREL came with the identifier {found} instead of {id}"))
        }
        Some(Err(())) => Finding::fail("PUBLISH came again, although PUBREC was sent"),
        None => Finding::fail("PUBREL did not come again within 10 s").in_doubt(),
    };
    Err(finding.into())
}

pub fn client_redelivery(bench: &mut Bench) -> Probed {
    let topic = bench.topic("");
    let other = bench.on2()?;
    let granted = subscribe_up_to(bench, other, &topic, QoS::ExactlyOnce)?;
    if let Some(finding) = sent_again(bench, &bench.topic("/1"), QoS::AtLeastOnce)? {
        return Ok(finding);
    }
    if granted < QoS::ExactlyOnce {
        return Ok(Finding::pass("QoS 1 was acknowledged; QoS 2 is not granted"));
    }
    if let Some(finding) = sent_again(bench, &topic, QoS::ExactlyOnce)? {
        return Ok(finding);
    }
    let came = bench.mark_from(other, other, &topic, QoS::ExactlyOnce)?;
    Ok(match came.len() {
        1 => Finding::pass("QoS 2 came once, QoS 1 was acknowledged"),
        count => Finding::fail(format!("QoS 2 that was sent again came {count} times")),
    })
}

/// The client publishes, is cut, comes back, and sends the same with DUP. What is wrong, if
/// something is.
fn sent_again(bench: &mut Bench, topic: &str, qos: QoS) -> StepResult<Option<Finding>> {
    let connect = keeping(bench, EXPIRY)?;
    let conn = begin_session(bench, &connect, 10)?;
    // Some servers keep no session without a subscription.
    bench.subscribe(conn, &format!("{topic}/own"), QoS::AtLeastOnce)?;
    let mut publish = Bench::message(topic, qos, "again");
    publish.packet_id = bench.send_publish(conn, publish.clone());
    if qos == QoS::ExactlyOnce {
        first_answer(bench, conn, &publish)?;
    }
    bench.cut(conn);
    let conn = come_back(bench, &connect)?;
    publish.dup = true;
    bench.send(conn, &Packet::Publish(publish.clone()));
    let (name, code) = first_answer(bench, conn, &publish)?;
    if code.is_error() {
        let words = format!("{name} 0x{:02x} for the message that was sent again", code.0);
        return Ok(Some(Finding::fail(words)));
    }
    if let Some(id) = publish.packet_id.filter(|_| qos == QoS::ExactlyOnce) {
        bench.send(conn, &Packet::PubRel(Ack::success(id)));
        bench.take(conn, "PUBCOMP", |packet| match packet {
            Packet::PubComp(ack) if ack.packet_id == id => Some(()),
            _ => None,
        })?;
    }
    bench.close(conn);
    Ok(None)
}

/// PUBACK or PUBREC, by its name, and its code.
fn first_answer(
    bench: &mut Bench,
    conn: Conn,
    publish: &Publish,
) -> Result<(&'static str, ReasonCode), Stop> {
    let name = if publish.qos == QoS::ExactlyOnce { "PUBREC" } else { "PUBACK" };
    let id = publish.packet_id;
    let code = bench.take(conn, name, |packet| match packet {
        Packet::PubAck(ack) | Packet::PubRec(ack) if Some(ack.packet_id) == id => Some(ack.code),
        _ => None,
    })?;
    Ok((name, code))
}
