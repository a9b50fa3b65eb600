//! Which extensions are agreed to, and whether compression works.

use super::{failed, needs_upgrade};
use crate::command::check::answer::{Answer, AnswerHead};
use crate::command::check::bench::{Asked, Bench, Conn};
use crate::command::check::finding::{Finding, Probed, StepResult, Stop};
use crate::command::check::wire::Frame;
use crate::mqtt::packet::{Packet, Publish};
use crate::mqtt::qos::QoS;

const HEADER: &str = "Sec-WebSocket-Extensions";

const DEFLATE: &str = "permessage-deflate";

/// What is offered, each alone.
const OFFERS: [&str; 3] = [
    "x-check",
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; server_max_window_bits=10",
];

/// The reserved bit of a compressed message (RFC 7692 §6).
const COMPRESSED: u8 = 0x40;

pub fn legal(bench: &mut Bench) -> Probed {
    needs_upgrade(bench)?;
    let mut agreed = Vec::new();
    for offer in OFFERS {
        let Asked { conn, answer } = bench.ask(&bench.request(&["mqtt"]).with(HEADER, offer))?;
        let head = match &answer {
            Answer::Head(head) if head.status == 101 => head,
            answer => return Ok(failed(answer, format!("{offer}: {answer}"))),
        };
        if let Some(words) = illegal(offer, head) {
            return Ok(Finding::fail(format!("{offer}: {words}")));
        }
        agreed.extend(head.value(HEADER));
        round_trip(bench, conn)?;
        bench.close(conn);
    }
    Ok(match &agreed[..] {
        [] => Finding::pass("none was agreed to"),
        agreed => Finding::pass(format!("agreed to {}", agreed.join("; and to "))),
    })
}

/// What is illegal in the answer to this offer (RFC 6455 §9.1, RFC 7692 §7.1).
fn illegal(offer: &str, head: &AnswerHead) -> Option<String> {
    let elements = head.tokens(HEADER);
    let name = |element: &str| element.split(';').next().unwrap_or_default().trim().to_owned();
    if let Some(other) = elements.iter().find(|one| !is(&name(one), &name(offer))) {
        return Some(format!("agreed to {other}, which was not offered"));
    }
    if elements.len() > 1 {
        return Some(format!("agreed to {} twice", name(offer)));
    }
    let element = elements.first().filter(|_| is(&name(offer), DEFLATE))?;
    illegal_parameter(offer, element).map(|words| format!("{words}: {element}"))
}

fn is(name: &str, wanted: &str) -> bool {
    name.eq_ignore_ascii_case(wanted)
}

/// The parameters of an element: name, and value without quotation marks.
fn parameters(element: &str) -> Vec<(String, Option<String>)> {
    let read = |parameter: &str| {
        let (name, value) = match parameter.split_once('=') {
            None => (parameter, None),
            Some((name, value)) => (name, Some(value.trim().trim_matches('"').to_owned())),
        };
        (name.trim().to_ascii_lowercase(), value)
    };
    element.split(';').skip(1).map(read).collect()
}

fn illegal_parameter(offer: &str, element: &str) -> Option<String> {
    let (offered, answered) = (parameters(offer), parameters(element));
    let bits = |value: &Option<String>| {
        let bits = value.as_ref()?.parse::<u8>().ok();
        bits.filter(|bits| (8..=15).contains(bits))
    };
    for (at, (name, value)) in answered.iter().enumerate() {
        let is_legal = match name.as_str() {
            "server_no_context_takeover" | "client_no_context_takeover" => value.is_none(),
            "server_max_window_bits" => bits(value).is_some(),
            "client_max_window_bits" => {
                bits(value).is_some() && offered.iter().any(|(other, _)| other == name)
            }
            _ => false,
        };
        if !is_legal || answered[..at].iter().any(|(other, _)| other == name) {
            return Some(format!("the parameter {name} is not legal"));
        }
    }
    let of = |parameters: &[(String, Option<String>)]| {
        let found = parameters.iter().find(|(name, _)| name == "server_max_window_bits");
        found.and_then(|(_, value)| bits(value))
    };
    // A server that cannot use so small a window must decline (§7.1.2.1).
    let wanted = of(&offered)?;
    let is_kept = of(&answered).is_some_and(|bits| bits <= wanted);
    (!is_kept).then(|| format!("server_max_window_bits={wanted} is not kept"))
}

/// PUB and SUB in messages that are not compressed; where our topics are not allowed, PINGREQ.
fn round_trip(bench: &mut Bench, conn: Conn) -> StepResult<()> {
    let connack = bench.connect(conn, bench.connect_packet(bench.version()))?;
    if connack.code.is_error() || connack.code.0 != 0 {
        let words = format!("CONNECT was refused: CONNACK 0x{:02x}", connack.code.0);
        return Err(Finding::unknown(words).into());
    }
    let topic = bench.topic("");
    match bench.subscribe(conn, &topic, QoS::AtMostOnce) {
        Ok(_) => {
            bench.publish(conn, Bench::message(&topic, QoS::AtMostOnce, "check"))?;
            bench.delivery(conn, &topic)?;
        }
        Err(Stop::Forbidden(_)) => {}
        Err(stop) => return Err(stop),
    }
    bench.fence(conn)
}

pub fn deflate_works(bench: &mut Bench) -> Probed {
    needs_upgrade(bench)?;
    let request = bench.request(&["mqtt"]).with(HEADER, OFFERS[1]);
    let asked = bench.ask(&request)?;
    let conn = bench.accepted(&request, asked)?;
    if !bench.link(conn).websocket.may_compress() {
        return Ok(Finding::not_applicable("no compression was agreed to"));
    }
    let connack = bench.connect(conn, bench.connect_packet(bench.version()))?;
    if connack.code.0 != 0 {
        return Ok(Finding::unknown(format!("CONNACK 0x{:02x}", connack.code.0)));
    }
    let topic = bench.topic("");
    bench.subscribe(conn, &topic, QoS::AtMostOnce)?;
    let payload = vec![b'c'; 2000];
    for number in ["first", "second"] {
        let publish = Bench::message(&topic, QoS::AtMostOnce, payload.clone());
        let packet = bench.encoded(conn, &Packet::Publish(publish));
        bench.send_frame(conn, &Frame::binary(stored(&packet)).with_bits(COMPRESSED));
        let came = deflated_delivery(bench, conn, &topic, number)?;
        if came.payload != payload {
            return Ok(Finding::fail(format!("the {number} message came back changed")));
        }
    }
    bench.taken(conn, "two compressed messages came back unchanged")
}

/// What comes for a compressed message.
fn deflated_delivery(
    bench: &mut Bench,
    conn: Conn,
    topic: &str,
    number: &str,
) -> StepResult<Publish> {
    let delivered = bench.delivery(conn, topic);
    if let Some(words) = bench.link(conn).websocket.inflate_error {
        let words = format!("the {number} message came back spoilt: {words}");
        return Err(Finding::fail(words).into());
    }
    delivered.map_err(|stop| match stop {
        Stop::Ended { end, .. } => {
            let words = format!("the {number} compressed message was answered by {end}");
            Finding::fail(words).in_doubt().into()
        }
        stop => stop,
    })
}

/// A message in DEFLATE's blocks without compression (RFC 7692 §7.2.3.3). It has less than 64 KiB.
fn stored(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
    let mut bytes = vec![0];
    bytes.extend(length.to_le_bytes());
    bytes.extend((!length).to_le_bytes());
    bytes.extend_from_slice(message);
    bytes.push(0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::check::inflate::Inflater;

    fn judged(offer: &str, answer: &str) -> Option<String> {
        let headers = vec![(HEADER.to_owned(), answer.to_owned())];
        illegal(offer, &AnswerHead { status: 101, headers, ..AnswerHead::default() })
    }

    #[test]
    fn answers_to_offers_are_judged() {
        let [unknown, client, server] = OFFERS;
        for (offer, answer) in [
            (unknown, "x-check"),
            (client, "permessage-deflate"),
            (client, "permessage-deflate; client_max_window_bits=\"9\"; server_max_window_bits=15"),
            (client, "Permessage-Deflate; server_no_context_takeover"),
            (server, "permessage-deflate; server_max_window_bits=9;client_no_context_takeover"),
        ] {
            assert_eq!(judged(offer, answer), None, "{answer}");
        }
        for (offer, answer) in [
            (unknown, "permessage-deflate"),
            (client, "x-check"),
            (client, "permessage-deflate, permessage-deflate"),
            (client, "permessage-deflate; client_max_window_bits"),
            (client, "permessage-deflate; client_max_window_bits=7"),
            (client, "permessage-deflate; server_max_window_bits=16"),
            (client, "permessage-deflate; server_no_context_takeover=1"),
            (client, "permessage-deflate; window=9"),
            (client, "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9"),
            (server, "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9"),
            (server, "permessage-deflate; server_max_window_bits=11"),
            (server, "permessage-deflate"),
        ] {
            assert!(judged(offer, answer).is_some(), "{answer}");
        }
    }

    #[test]
    fn stored_blocks_are_deflate() {
        let message = [7; 2000];
        assert_eq!(Inflater::default().feed(&stored(&message), true).unwrap(), message);
    }
}
