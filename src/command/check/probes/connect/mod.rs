//! Probes of the group connect: CONNECT and CONNACK.

mod identity;
mod spoilt;
mod versions;

use super::{GroupProbes, PointProbe};
use crate::command::check::bench::{BEFORE_CONNACK, Bench, Conn};
use crate::command::check::finding::{Finding, Probed, StepResult, Verdict};
use crate::mqtt::packet::{ConnAck, Connect, Packet, Subscribe, Subscription};
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::TopicFilter;
use crate::mqtt::version::Version;

/// The probes of this group.
pub const PROBES: GroupProbes = &[
    ("connect-mqtt5", PointProbe::Ask(versions::connect_mqtt5)),
    ("connect-mqtt311", PointProbe::Ask(versions::connect_mqtt311)),
    ("connect-mqtt31", PointProbe::Ask(versions::connect_mqtt31)),
    ("level-unknown", PointProbe::Ask(versions::level_unknown)),
    (
        "refusal-then-close",
        PointProbe::Ask(|bench| {
            Ok(bench.observed("refusal-then-close", "each refusal was followed by the end"))
        }),
    ),
    (
        "session-present-clean",
        PointProbe::Ask(|bench| Ok(bench.observed("session-present-clean", "it is always 0"))),
    ),
    ("ping-answered", PointProbe::Ask(ping_answered)),
    ("client-id-empty", PointProbe::Ask(identity::client_id_empty)),
    ("client-id-empty-kept", PointProbe::Ask(identity::client_id_empty_kept)),
    ("connect-malformed", PointProbe::Ask(spoilt::connect_malformed)),
    ("connect-flags-checked", PointProbe::Ask(spoilt::connect_flags_checked)),
    ("connect-properties-checked", PointProbe::Ask(spoilt::connect_properties_checked)),
    ("first-packet", PointProbe::Ask(first_packet)),
    ("second-connect", PointProbe::Ask(second_connect)),
    ("takeover", PointProbe::Ask(identity::takeover)),
    ("bad-password", PointProbe::Ask(identity::bad_password)),
    ("auth-method-unknown", PointProbe::Ask(auth_method_unknown)),
];

/// The version of the point, if the server speaks it.
fn spoken_version(bench: &mut Bench) -> StepResult<Version> {
    let version = bench.version();
    if bench.speaks(version)? {
        return Ok(version);
    }
    Err(Finding::not_applicable(format!("MQTT {version} is not spoken")).into())
}

/// A CONNECT of the version of the point, if the server speaks it.
fn legal_connect(bench: &mut Bench) -> StepResult<Connect> {
    let version = spoken_version(bench)?;
    Ok(bench.connect_packet(version))
}

/// UP and this CONNECT.
fn begin(bench: &mut Bench, connect: Connect) -> StepResult<Conn> {
    let conn = bench.up()?;
    bench.link(conn).mqtt.speak(connect.version);
    bench.send(conn, &Packet::Connect(Box::new(connect)));
    Ok(conn)
}

/// The CONNACK, whatever it says. It may take longer than other answers: the server may ask
/// somebody else.
fn connack(bench: &mut Bench, conn: Conn) -> StepResult<ConnAck> {
    bench.wait(conn, "CONNACK", BEFORE_CONNACK, |link| {
        link.mqtt.inbox.iter().find_map(|received| match &received.packet {
            Ok(Packet::ConnAck(connack)) => Some((**connack).clone()),
            _ => None,
        })
    })
}

/// The code of a CONNACK in words.
fn code_words(code: ReasonCode) -> String {
    match code {
        ReasonCode::SUCCESS => "CONNACK 0".to_owned(),
        code => format!("CONNACK 0x{:02x} ({})", code.0, code.connack_name()),
    }
}

fn ping_answered(bench: &mut Bench) -> Probed {
    let conn = bench.shared()?;
    bench.taken(conn, "PINGRESP")
}

fn first_packet(bench: &mut Bench) -> Probed {
    let version = bench.version();
    let conn = bench.up()?;
    bench.link(conn).mqtt.speak(version);
    let filter = TopicFilter::new(bench.topic("")).expect("filters of probes are legal");
    let subscriptions = vec![Subscription::new(filter, QoS::AtMostOnce)];
    let (packet_id, properties) = (bench.link(conn).mqtt.next_id(), Properties::default());
    bench.send(conn, &Packet::Subscribe(Subscribe { packet_id, properties, subscriptions }));
    let finding = bench.refused_connect(conn)?;
    let is_answered = |packet: &Packet| matches!(packet, Packet::SubAck(_));
    let mut inbox = bench.link(conn).mqtt.inbox.iter();
    if inbox.any(|received| received.packet.as_ref().is_ok_and(is_answered)) {
        return Ok(Finding::fail("a SUBSCRIBE before any CONNECT was answered by SUBACK"));
    }
    Ok(finding)
}

fn second_connect(bench: &mut Bench) -> Probed {
    let connect = legal_connect(bench)?;
    let conn = bench.on_with(connect.clone())?;
    bench.send(conn, &Packet::Connect(Box::new(connect)));
    bench.refused(conn)
}

fn auth_method_unknown(bench: &mut Bench) -> Probed {
    let mut connect = legal_connect(bench)?;
    let method = Property::text(PropertyId::AuthenticationMethod, "x-check".into());
    connect.properties.push(method);
    let conn = begin(bench, connect)?;
    let finding = bench.refused_connect(conn)?;
    Ok(match finding.verdict {
        Verdict::Fail => finding.of_try("the method x-check"),
        _ => finding,
    })
}
