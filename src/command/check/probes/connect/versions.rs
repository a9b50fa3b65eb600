//! Probes of the versions of MQTT.

use super::{code_words, connack};
use crate::command::check::answer::Answer;
use crate::command::check::bench::{Bench, Conn, Spoken, is_version_refusal};
use crate::command::check::finding::{End, Finding, Probed, StepResult, Stop};
use crate::mqtt::packet::Packet;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;

pub fn connect_mqtt5(bench: &mut Bench) -> Probed {
    connect_version(bench, |end| Finding::fail(format!("no CONNACK, but {end}")).in_doubt())
}

pub fn connect_mqtt311(bench: &mut Bench) -> Probed {
    connect_version(bench, |end| Finding::warn(format!("no CONNACK, but {end}")))
}

/// Whether the version of the point is spoken; `ended` judges an end without CONNACK.
fn connect_version(bench: &mut Bench, ended: fn(&End) -> Finding) -> Probed {
    let version = bench.version();
    if let Ok(conn) = bench.shared() {
        bench.note_reached(conn);
        return Ok(Finding::pass("CONNACK 0"));
    }
    let conn = bench.up()?;
    let connack = match bench.connect(conn, bench.connect_packet(version)) {
        Ok(connack) => connack,
        Err(Stop::Ended { end, .. }) => return Ok(ended(&end)),
        Err(stop) => return Err(stop),
    };
    judge_connack(bench, conn, version, connack.code)
}

fn judge_connack(bench: &mut Bench, conn: Conn, version: Version, code: ReasonCode) -> Probed {
    let words = code_words(code);
    if code == ReasonCode::SUCCESS {
        bench.known.note_spoken(version, Spoken::Yes);
        return Ok(Finding::pass(words));
    }
    if !is_version_refusal(version, code) {
        return Ok(Finding::unknown(format!("refused for another reason: {words}")));
    }
    let patience = bench.patience();
    Ok(match bench.end_within(conn, patience)? {
        Some(_) => {
            bench
                .known
                .note_spoken(version, Spoken::No(format!("MQTT {version} is not spoken: {words}")));
            Finding::not_applicable(format!("not spoken: {words}"))
        }
        None => Finding::fail(format!("{words}, and the connection stays open")),
    })
}

/// MQTT 3.1 has a subprotocol of its own, which few servers know.
pub fn connect_mqtt31(bench: &mut Bench) -> Probed {
    let version = Version::V3_1;
    if bench.known.spoken(version) == Some(&Spoken::Yes) {
        return Ok(Finding::pass("CONNACK 0"));
    }
    let conn = up_for_mqtt31(bench)?;
    let connect = bench.connect_packet(version);
    bench.link(conn).mqtt.speak(version);
    bench.send(conn, &Packet::Connect(Box::new(connect)));
    match connack(bench, conn) {
        Ok(connack) => judge_connack(bench, conn, version, connack.code),
        Err(Stop::Ended { end, .. }) => {
            bench.asked.saw_unexpected_end = false;
            Ok(Finding::not_applicable(format!("not spoken: no CONNACK, but {end}")))
        }
        Err(stop) => Err(stop),
    }
}

/// A WebSocket that was upgraded for `mqttv3.1`, else one for `mqtt`.
fn up_for_mqtt31(bench: &mut Bench) -> StepResult<Conn> {
    let asked = bench.ask(&bench.request(&["mqttv3.1"]))?;
    if let Answer::Head(head) = &asked.answer
        && head.status == 101
        && head.subprotocols() == ["mqttv3.1"]
    {
        return Ok(asked.conn);
    }
    bench.close(asked.conn);
    bench.up()
}

/// What follows MQTT 5, some day, is refused so that a client can fall back.
pub fn level_unknown(bench: &mut Bench) -> Probed {
    let speaks_5 = bench.speaks(Version::V5)?;
    let conn = bench.up()?;
    send_level_6(bench, conn);
    let code = match connack(bench, conn) {
        Ok(connack) => connack.code,
        Err(Stop::Ended { end, .. }) => {
            bench.asked.saw_unexpected_end = false;
            let words = format!("no CONNACK, but {end}");
            // MQTT 5 allows that towards what is no client of MQTT; 3.1.1 does not.
            return Ok(if speaks_5 {
                Finding::warn(words)
            } else {
                Finding::fail(words).in_doubt()
            });
        }
        Err(stop) => return Err(stop),
    };
    let words = code_words(code);
    let patience = bench.patience();
    Ok(match bench.end_within(conn, patience)? {
        _ if code == ReasonCode::SUCCESS => Finding::fail(format!("accepted: {words}")),
        None => Finding::fail(format!("{words}, and the connection stays open")).in_doubt(),
        Some(_) if is_version_refusal(Version::V5, code) => Finding::pass(words),
        Some(_) => Finding::warn(format!("refused by another code: {words}")),
    })
}

/// A CONNECT of MQTT 5, but for its level.
fn send_level_6(bench: &mut Bench, conn: Conn) {
    let connect = bench.connect_packet(Version::V5);
    bench.link(conn).mqtt.speak(Version::V5);
    let mut bytes = bench.encoded(conn, &Packet::Connect(Box::new(connect)));
    let name = bytes.windows(4).position(|name| name == b"MQTT");
    let level = name.expect("CONNECT begins with the name of the protocol") + 4;
    bytes[level] = 6;
    bench.send_bytes(conn, &bytes);
}
