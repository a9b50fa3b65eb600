//! Probes of the identity of a client: its client identifier and its password.

use super::{begin, code_words, connack, legal_connect, spoken_version};
use crate::command::check::bench::Bench;
use crate::command::check::finding::{Finding, Probed, StepResult, Stop};
use crate::mqtt::packet::{Connect, PacketType};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;

pub fn client_id_empty(bench: &mut Bench) -> Probed {
    let version = spoken_version(bench)?;
    if version == Version::V3_1 {
        return Ok(Finding::not_applicable("MQTT 3.1 has no empty client id"));
    }
    let first = assigned(bench, version)?;
    let second = assigned(bench, version)?;
    if version < Version::V5 {
        return Ok(Finding::pass("CONNACK 0 twice"));
    }
    Ok(match (first, second) {
        (Some(first), Some(second)) if first != second => {
            Finding::pass(format!("assigned {first} and {second}"))
        }
        (Some(first), Some(_)) => Finding::fail(format!("assigned {first} twice")),
        _ => Finding::fail("CONNACK without an Assigned Client Identifier"),
    })
}

/// ON with an empty client identifier, and the one that was assigned.
fn assigned(bench: &mut Bench, version: Version) -> StepResult<Option<String>> {
    let connect = bench.connect_packet(version);
    let conn = begin(bench, Connect { client_id: "".into(), ..connect })?;
    let connack = match connack(bench, conn) {
        Ok(connack) => connack,
        Err(Stop::Ended { end, .. }) if version == Version::V5 => {
            bench.asked.saw_unexpected_end = false;
            return Err(Finding::warn(format!("no CONNACK, but {end}")).into());
        }
        Err(stop) => return Err(stop),
    };
    if connack.code != ReasonCode::SUCCESS {
        return Err(Finding::warn(format!("refused: {}", code_words(connack.code))).into());
    }
    bench.close(conn);
    Ok(connack.properties.assigned_client_identifier().map(ToString::to_string))
}

pub fn client_id_empty_kept(bench: &mut Bench) -> Probed {
    let connect = legal_connect(bench)?;
    let conn = begin(bench, Connect { client_id: "".into(), clean_start: false, ..connect })?;
    let connack = connack(bench, conn)?;
    let words = code_words(connack.code);
    let patience = bench.patience();
    Ok(match connack.code.0 {
        0 => Finding::fail(format!("accepted: {words}")),
        2 if bench.end_within(conn, patience)?.is_some() => Finding::pass(words),
        2 => Finding::fail(format!("{words}, and the connection stays open")).in_doubt(),
        _ => Finding::fail(format!("refused by another code: {words}")),
    })
}

pub fn takeover(bench: &mut Bench) -> Probed {
    let connect = legal_connect(bench)?;
    let version = connect.version;
    let first = bench.on_with(connect.clone())?;
    let second = begin(bench, connect)?;
    let code = connack(bench, second).map_err(|stop| stop.of_try("the second connection"))?.code;
    if code != ReasonCode::SUCCESS {
        return Ok(Finding::fail(format!("the second was refused: {}", code_words(code))));
    }
    let patience = bench.patience();
    let Some(end) = bench.end_within(first, patience)? else {
        return Ok(Finding::fail("the first connection was not ended: both are served").in_doubt());
    };
    bench.fence(second).map_err(|stop| stop.of_try("the second connection"))?;
    let told = (PacketType::Disconnect, ReasonCode::SESSION_TAKEN_OVER);
    if version == Version::V5 && end.said != Some(told) {
        let words = format!("the first was ended without DISCONNECT 0x8e: {end}");
        return Ok(Finding::warn(words));
    }
    Ok(Finding::pass(format!("the first was ended: {end}")))
}

/// A wrong password is sent once: nothing here is tried again.
pub fn bad_password(bench: &mut Bench) -> Probed {
    let mut connect = legal_connect(bench)?;
    let wrong: String = std::iter::repeat_with(fastrand::alphanumeric).take(20).collect();
    connect.credentials.password = Some(wrong.into());
    let conn = begin(bench, connect)?;
    let code = match connack(bench, conn) {
        Ok(connack) => connack.code,
        Err(Stop::Ended { end, .. }) => {
            bench.asked.saw_unexpected_end = false;
            return Ok(Finding::warn(format!("no CONNACK, but {end}")));
        }
        Err(Stop::Silent { after, .. }) => {
            let waited = after.as_secs_f64();
            return Ok(Finding::fail(format!("neither CONNACK nor an end within {waited:.1} s")));
        }
        Err(stop) => return Err(stop),
    };
    let words = code_words(code);
    Ok(match code.0 {
        0 => Finding::warn(format!("any password is taken: {words}")),
        4 | 5 | 0x86 | 0x87 => Finding::pass(words),
        _ => Finding::warn(format!("refused by another code: {words}")),
    })
}
