//! Which subprotocols are agreed to.

use super::{answer_to, connack, failed, needs_upgrade, plain_get, refused_alike};
use crate::command::check::answer::{Answer, is_http};
use crate::command::check::bench::{Asked, Bench, Conn, Spoken};
use crate::command::check::finding::{Finding, Probed, StepResult};
use crate::command::check::request::UpgradeRequest;
use crate::mqtt::version::Version;

/// The paths that brokers listen on.
const USUAL_PATHS: [&str; 3] = ["/mqtt", "/ws", "/"];

/// A name that no server can speak.
const UNKNOWN: &str = "x-check";

const HEADER: &str = "Sec-WebSocket-Protocol";

/// What to do where no HTTP is spoken.
const PORT_REMEDY: &str = "give the port of the WebSocket listener: see speaks-http";

/// What to do where a proxy seems to drop the headers that ask for the upgrade.
const PROXY_REMEDY: &str = "a proxy must pass the headers: nginx proxy_http_version 1.1, \
    proxy_set_header Upgrade $http_upgrade, proxy_set_header Connection \"upgrade\"; apache \
    ProxyPass ... upgrade=websocket; Cloudflare: Network, WebSockets on; without a proxy give the \
    port and path of the WebSocket listener";

pub fn mqtt(bench: &mut Bench) -> Probed {
    let answer = bench.answer_to_plain()?;
    let head = match &answer {
        Answer::Head(head) => head,
        Answer::Other(bytes) if !is_http(bytes) => {
            return Ok(Finding::fail(answer.to_string()).with_remedy(PORT_REMEDY));
        }
        answer => return Ok(elsewhere(bench, answer)?.in_doubt()),
    };
    Ok(match (head.status, &head.subprotocols()[..]) {
        (101, [name]) if name == "mqtt" => Finding::pass("answered mqtt"),
        (101, []) => Finding::fail("101 without a subprotocol: browsers end the connection"),
        (101, _) => Finding::fail(answer.to_string()),
        _ => elsewhere(bench, &answer)?,
    })
}

/// A refusal, and the usual paths that are upgraded instead.
fn elsewhere(bench: &mut Bench, answer: &Answer) -> StepResult<Finding> {
    let mut found = Vec::new();
    let asked_for = bench.target.access.endpoint.target.clone();
    let path = asked_for.split('?').next().unwrap_or_default();
    for other in USUAL_PATHS.into_iter().filter(|other| *other != path) {
        let answer = answer_to(bench, &bench.request(&["mqtt"]).to(other))?;
        if answer.status() == Some(101) {
            found.push(other);
        }
    }
    let is_about_upgrade = !matches!(answer.status(), Some(300..=399 | 401 | 403 | 404));
    let plain = if found.is_empty() && is_about_upgrade {
        answer_to(bench, &plain_get(bench))?.status()
    } else {
        None
    };
    Ok(match &found[..] {
        // This is what a proxy does that is not told about WebSocket.
        [] if plain.is_some() && plain == answer.status() => Finding::fail(format!(
            "{path}: {answer}, as for a plain GET: the Upgrade header may not reach the server"
        ))
        .with_remedy(PROXY_REMEDY),
        [] => Finding::fail(format!("{path}: {answer}; nor are /mqtt, /ws and / upgraded")),
        found => Finding::fail(format!("{path}: {answer}; upgraded at {}", found.join(" and "))),
    })
}

pub fn mqttv31(bench: &mut Bench) -> Probed {
    let Asked { conn, answer } = bench.ask(&bench.request(&["mqttv3.1"]))?;
    if let Some(finding) = refused_alike(bench, &answer)? {
        return Ok(finding);
    }
    Ok(match names(&answer).as_deref() {
        Some([name]) if name == "mqttv3.1" => {
            note_mqtt31(bench, conn);
            Finding::pass("answered mqttv3.1")
        }
        Some([]) | None => failed(&answer, format!("{answer}: superseded by mqtt")),
        Some(_) => failed(&answer, format!("{answer}, which was not offered")),
    })
}

/// Notes that MQTT 3.1 is spoken, so that connect-mqtt31 needs no connection. Anything but CONNACK
/// 0 is for that point to judge.
fn note_mqtt31(bench: &mut Bench, conn: Conn) {
    let version = Version::V3_1;
    if bench.known.spoken(version).is_some() || !bench.target.versions().contains(&version) {
        return;
    }
    let connack = bench.connect(conn, bench.connect_packet(version));
    bench.asked.saw_unexpected_end = false;
    if connack.is_ok_and(|connack| connack.code.0 == 0) {
        bench.known.note_spoken(version, Spoken::Yes);
    }
}

/// The names that a 101 agrees to; `None` for any other answer.
fn names(answer: &Answer) -> Option<Vec<String>> {
    match answer {
        Answer::Head(head) if head.status == 101 => Some(head.subprotocols()),
        _ => None,
    }
}

pub fn list(bench: &mut Bench) -> Probed {
    let request = bench.request(&["mqtt", "mqttv3.1"]);
    let answer = answer_to(bench, &request)?;
    if let Some(finding) = refused_alike(bench, &answer)? {
        return Ok(finding);
    }
    Ok(wrong_choice(&answer, &request).unwrap_or_else(|| Finding::pass(chosen(&answer))))
}

/// What is wrong with the answer to a list of names that are all MQTT's: nothing if exactly one of
/// them was chosen.
fn wrong_choice(answer: &Answer, request: &UpgradeRequest) -> Option<Finding> {
    match names(answer).as_deref() {
        Some([name]) if request.offered().contains(&name.as_str()) => None,
        Some([_, _, ..]) => Some(failed(answer, format!("{answer}: more than one name"))),
        _ => Some(failed(answer, answer.to_string())),
    }
}

fn chosen(answer: &Answer) -> String {
    format!("answered {}", names(answer).unwrap_or_default().join(", "))
}

pub fn list_forms(bench: &mut Bench) -> Probed {
    needs_upgrade(bench)?;
    for (form, request) in [
        ("mqttv3.1 first", bench.request(&["mqttv3.1", "mqtt"])),
        ("two header lines", bench.request(&["mqtt"]).with(HEADER, "mqttv3.1")),
        ("no blank behind the comma", bench.request(&["mqtt"]).set(HEADER, "mqtt,mqttv3.1")),
    ] {
        let answer = answer_to(bench, &request)?;
        if let Some(wrong) = wrong_choice(&answer, &request) {
            return Ok(Finding { observed: format!("{form}: {}", wrong.observed), ..wrong });
        }
    }
    Ok(Finding::pass("one name was chosen in each form"))
}

pub fn unknown_first(bench: &mut Bench) -> Probed {
    needs_upgrade(bench)?;
    let answer = answer_to(bench, &bench.request(&[UNKNOWN, "mqtt"]))?;
    Ok(match names(&answer).as_deref() {
        Some([name]) if name == "mqtt" => Finding::pass("answered mqtt"),
        _ => failed(&answer, format!("{UNKNOWN}, mqtt: {answer}")),
    })
}

pub fn unknown(bench: &mut Bench) -> Probed {
    needs_upgrade(bench)?;
    let answer = answer_to(bench, &bench.request(&[UNKNOWN]))?;
    Ok(match names(&answer).as_deref() {
        Some([]) => Finding::pass(answer.to_string()),
        Some(_) => Finding::fail(format!("{UNKNOWN} was offered: {answer}")),
        None if answer.is_client_error() => Finding::pass(answer.to_string()),
        None => Finding::warn(answer.to_string()),
    })
}

pub fn none(bench: &mut Bench) -> Probed {
    needs_upgrade(bench)?;
    let asked = bench.ask(&bench.request(&[]))?;
    let (conn, answer) = (asked.conn, asked.answer);
    Ok(match names(&answer).as_deref() {
        Some([]) => match connack(bench, conn)? {
            Ok(_) => Finding::pass("101 without a subprotocol, and CONNACK"),
            Err(words) => Finding::warn(format!("101 without a subprotocol, then {words}")),
        },
        Some(_) => Finding::fail(format!("none was offered: {answer}")),
        None if answer.is_client_error() => Finding::pass(answer.to_string()),
        None => Finding::warn(answer.to_string()),
    })
}
