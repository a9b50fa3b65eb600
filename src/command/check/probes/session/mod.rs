//! Probes of the group session: sessions that are kept, messages that are sent again, and wills.

mod expiry;
mod redelivery;
pub mod wills;

use super::{GroupProbes, PointProbe};
use crate::command::check::bench::{Bench, Conn};
use crate::command::check::finding::{Finding, Probed, StepResult, Stop};
use crate::mqtt::packet::{ConnAck, Connect, Disconnect, Packet, Publish};
use crate::mqtt::property::{Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;
use crate::websocket::frame::NORMAL;

use crate::command::check::wire::Frame;

/// The probes of this group.
pub const PROBES: GroupProbes = &[
    ("session-resumed", PointProbe::Ask(session_resumed)),
    ("session-clean-forgets", PointProbe::Ask(session_clean_forgets)),
    ("offline-queue", PointProbe::Ask(offline_queue)),
    ("redelivery-dup", PointProbe::Ask(redelivery::redelivery_dup)),
    (
        "no-redelivery-while-connected",
        PointProbe::Wait {
            begin: redelivery::begin_unacknowledged,
            finish: redelivery::no_redelivery_while_connected,
        },
    ),
    ("pubrel-resumed", PointProbe::Ask(redelivery::pubrel_resumed)),
    ("client-redelivery", PointProbe::Ask(redelivery::client_redelivery)),
    ("session-expiry", PointProbe::Ask(expiry::session_expiry)),
    ("expiry-on-disconnect", PointProbe::Ask(expiry::expiry_on_disconnect)),
    ("will-on-cut", PointProbe::Ask(wills::will_on_cut)),
    ("will-not-after-disconnect", PointProbe::Ask(wills::will_not_after_disconnect)),
    ("will-on-request", PointProbe::Ask(wills::will_on_request)),
    ("will-delay", PointProbe::Ask(wills::will_delay)),
];

/// How long a session of ours lasts that is to be resumed, in seconds.
const EXPIRY: u32 = 60;

/// How many messages wait for a client that is away, at each QoS.
const QUEUED: usize = 5;

/// A CONNECT that keeps its session: for this many seconds in MQTT 5, until it is ended before.
fn keeping(bench: &mut Bench, expiry: u32) -> StepResult<Connect> {
    let mut connect = bench.connect_packet(bench.version());
    if bench.target.client_id.is_some() {
        // The user's client id may have a session already.
        let conn = bench.on_with(connect.clone())?;
        bench.close(conn);
    }
    connect.clean_start = false;
    if connect.version == Version::V5 {
        let expiry = Property::number(PropertyId::SessionExpiryInterval, expiry);
        connect.properties.push(expiry);
    }
    bench.leftovers.add_session(connect.version, connect.client_id.clone().into_bytes());
    Ok(connect)
}

/// Connects with this CONNECT; a server that refuses it leaves the point undecided.
fn enter(bench: &mut Bench, connect: &Connect) -> StepResult<(Conn, ConnAck)> {
    let version = connect.version;
    if !bench.speaks(version)? {
        return Err(Finding::not_applicable(format!("MQTT {version} is not spoken")).into());
    }
    let conn = bench.up()?;
    let connack = bench.connect(conn, connect.clone())?;
    if connack.code != ReasonCode::SUCCESS {
        let words = format!("CONNECT was refused: CONNACK 0x{:02x}", connack.code.0);
        return Err(Finding::unknown(words).into());
    }
    Ok((conn, connack))
}

/// The first connection of a session that is to be kept. Where the server keeps it for less than
/// `least` seconds, as it may (§3.2.2.3.2), the point does not apply.
fn begin_session(bench: &mut Bench, connect: &Connect, least: u32) -> StepResult<Conn> {
    let (conn, connack) = enter(bench, connect)?;
    match connack.properties.session_expiry_interval() {
        Some(seconds) if seconds < least => {
            let words = format!("the server keeps sessions for {seconds} s only");
            Err(Finding::not_applicable(words).into())
        }
        _ => Ok(conn),
    }
}

/// The client comes back to its session. Where that is not there, the point cannot be decided; in
/// MQTT 3.1 the server does not say so.
fn come_back(bench: &mut Bench, connect: &Connect) -> StepResult<Conn> {
    let (conn, connack) = enter(bench, connect)?;
    if !connack.session_present && connect.version != Version::V3_1 {
        let words = "the session was not there on return (see session-resumed)";
        return Err(Finding::unknown(words).into());
    }
    Ok(conn)
}

/// SUBSCRIBE at this QoS; where less is granted, as a server may, the point does not apply.
fn subscribe_at(bench: &mut Bench, conn: Conn, topic: &str, qos: QoS) -> StepResult<()> {
    let granted = subscribe_up_to(bench, conn, topic, qos)?;
    if granted < qos {
        let words = format!("QoS {} is granted for QoS {}", granted.bits(), qos.bits());
        return Err(Finding::not_applicable(words).into());
    }
    Ok(())
}

/// SUBSCRIBE at this QoS, and what is granted: 1 at least. Where a message does not come that is
/// published at once, the point cannot be decided: servers drop what is not allowed, and MQTT 3.1.1
/// has no word for that.
fn subscribe_up_to(bench: &mut Bench, conn: Conn, topic: &str, qos: QoS) -> StepResult<QoS> {
    let suback = bench.subscribe(conn, topic, qos)?;
    let granted = match suback.codes.first() {
        Some(&ReasonCode::SUCCESS) => {
            return Err(Finding::not_applicable("only QoS 0 is granted").into());
        }
        Some(&ReasonCode::GRANTED_QOS_1) => QoS::AtLeastOnce,
        _ => qos,
    };
    match unless_silent(bench.mark(conn, topic, QoS::AtLeastOnce))? {
        // Nothing of it is in flight then.
        Some(_) => bench.fence(conn).map(|()| granted),
        None => Err(Stop::Forbidden("no message comes back".to_owned())),
    }
}

/// QoS 1, and QoS 2 where it is granted.
fn levels(granted: QoS) -> impl Iterator<Item = QoS> {
    [QoS::AtLeastOnce, QoS::ExactlyOnce].into_iter().filter(move |qos| *qos <= granted)
}

/// Ends a connection by this DISCONNECT, and waits until the server has seen it.
fn leave(bench: &mut Bench, conn: Conn, disconnect: Disconnect) -> StepResult<()> {
    bench.send(conn, &Packet::Disconnect(disconnect));
    bench.send_frame(conn, &Frame::close(NORMAL, b""));
    let patience = bench.patience();
    // Points of the group ending judge that it ends.
    unless_silent(bench.wait_end(conn, patience))?;
    bench.cut(conn);
    Ok(())
}

/// What came of a step that may find nothing: silence is no failure.
fn unless_silent<T>(step: StepResult<T>) -> StepResult<Option<T>> {
    match step {
        Ok(value) => Ok(Some(value)),
        Err(Stop::Silent { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

fn session_resumed(bench: &mut Bench) -> Probed {
    let connect = keeping(bench, EXPIRY)?;
    let topic = bench.topic("");
    let conn = begin_session(bench, &connect, 1)?;
    subscribe_at(bench, conn, &topic, QoS::AtLeastOnce)?;
    bench.close(conn);
    let (conn, connack) = enter(bench, &connect)?;
    if !connack.session_present && connect.version != Version::V3_1 {
        return Ok(Finding::fail("Session Present 0 on return"));
    }
    let other = bench.on2()?;
    bench.publish(other, Bench::message(&topic, QoS::AtLeastOnce, "live"))?;
    Ok(match unless_silent(bench.delivery(conn, &topic))? {
        Some(_) => Finding::pass("the session is there, and its subscription works"),
        None => Finding::fail("the subscription is gone: no delivery on return").in_doubt(),
    })
}

fn session_clean_forgets(bench: &mut Bench) -> Probed {
    let connect = keeping(bench, EXPIRY)?;
    let topic = bench.topic("");
    let conn = begin_session(bench, &connect, 1)?;
    subscribe_at(bench, conn, &topic, QoS::AtLeastOnce)?;
    bench.close(conn);
    let clean = bench.connect_packet(connect.version);
    let clean = Connect { client_id: connect.client_id.clone(), ..clean };
    let (conn, connack) = enter(bench, &clean)?;
    if let Some(finding) = remembers(bench, conn, &connack, "after a clean start")? {
        return Ok(finding);
    }
    bench.close(conn);
    let (conn, connack) = enter(bench, &connect)?;
    let words = "on the connection after a clean start";
    let finding = remembers(bench, conn, &connack, words)?;
    Ok(finding.unwrap_or_else(|| Finding::pass("nothing of the old session is left")))
}

/// What is still there of a session that should be forgotten; the topic is the point's.
fn remembers(
    bench: &mut Bench,
    conn: Conn,
    connack: &ConnAck,
    when: &str,
) -> StepResult<Option<Finding>> {
    if connack.session_present {
        return Ok(Some(Finding::fail(format!("Session Present 1 {when}"))));
    }
    let topic = bench.topic("");
    bench.publish(conn, Bench::message(&topic, QoS::AtLeastOnce, "live"))?;
    // A server may acknowledge first and match subscriptions later.
    bench.fence(conn)?;
    bench.subscribe(conn, &topic, QoS::AtLeastOnce)?;
    let before = bench.mark(conn, &topic, QoS::AtLeastOnce)?;
    let words = format!("the old subscription still delivers {when}");
    Ok((!before.is_empty()).then(|| Finding::fail(words).in_doubt()))
}

fn offline_queue(bench: &mut Bench) -> Probed {
    let connect = keeping(bench, EXPIRY)?;
    let topic = bench.topic("");
    let conn = begin_session(bench, &connect, 10)?;
    let granted = subscribe_up_to(bench, conn, &topic, QoS::ExactlyOnce)?;
    bench.close(conn);
    let other = bench.on2()?;
    let mut sent = Vec::new();
    for qos in levels(granted) {
        for number in 1..=QUEUED {
            let payload = format!("queued {number}");
            bench.publish(other, Bench::message(&topic, qos, payload.clone()))?;
            sent.push((qos, payload));
        }
    }
    let conn = come_back(bench, &connect)?;
    let mut came = Vec::new();
    while came.len() < sent.len()
        && let Some(publish) = unless_silent(bench.delivery(conn, &topic))?
    {
        came.push(publish);
    }
    // What comes now is too much.
    for qos in levels(granted) {
        came.extend(bench.mark_from(other, conn, &topic, qos)?);
    }
    Ok(compare_queue(&sent, &came))
}

fn compare_queue(sent: &[(QoS, String)], came: &[Publish]) -> Finding {
    let of = |qos| -> Vec<&[u8]> {
        let at_qos = came.iter().filter(|publish| publish.qos == qos);
        at_qos.map(|publish| &publish.payload[..]).collect()
    };
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let (found, number) = (of(qos), qos.bits());
        let expected: Vec<&[u8]> =
            sent.iter().filter(|(at, _)| *at == qos).map(|(_, text)| text.as_bytes()).collect();
        if found.len() != expected.len() {
            let (found, expected) = (found.len(), expected.len());
            return Finding::fail(format!("{found} of {expected} messages came at QoS {number}"));
        }
        if found != expected {
            return Finding::fail(format!("the messages of QoS {number} came in another order"));
        }
    }
    Finding::pass(format!("{} messages came on return, in order, once", came.len()))
}
