//! Probes of the group ending: the ends of connections.

use std::time::Duration;

use super::{GroupProbes, PointProbe};
use crate::command::check::bench::{Bench, Conn};
use crate::command::check::finding::{End, Finding, Probed, StepResult, Stop, StreamEnd, Verdict};
use crate::command::check::journal::Fact;
use crate::command::check::wire::Frame;
use crate::mqtt::packet::{Disconnect, Packet};
use crate::mqtt::version::Version;
use crate::websocket::frame::{CLOSE, NORMAL};

/// The probes of this group.
pub const PROBES: GroupProbes = &[
    ("mqtt-disconnect", PointProbe::Ask(mqtt_disconnect)),
    ("client-close", PointProbe::Ask(client_close)),
    ("close-forms", PointProbe::Ask(close_forms)),
    ("close-malformed", PointProbe::Ask(close_malformed)),
    ("error-close-frame", PointProbe::Ask(error_close_frame)),
    ("error-reason-code", PointProbe::Ask(error_reason_code)),
    ("fin-alone", PointProbe::Ask(fin_alone)),
];

/// How long a half-closed connection may stay.
const HALF_CLOSED: Duration = Duration::from_secs(5);

/// How the server ends a connection that it should end now: it has W for the Close frame, and W
/// for the end of the stream.
fn closing(bench: &mut Bench, conn: Conn) -> StepResult<End> {
    let patience = bench.patience();
    bench.allow(patience * 2);
    bench.end_within(conn, patience)?;
    match bench.wait_end(conn, patience) {
        Ok(()) | Err(Stop::Silent { .. }) => Ok(bench.link(conn).end.clone()),
        Err(stop) => Err(stop),
    }
}

/// An end that is not complete, in words.
fn incomplete(end: &End) -> String {
    match (&end.close, end.stream) {
        (None, None) => match end.said {
            Some(_) => format!("{end}, and the connection stays open"),
            None => "the connection stays open, without a Close frame".to_owned(),
        },
        (Some(_), None) => format!("{end}, and TCP stays open"),
        _ => end.to_string(),
    }
}

fn mqtt_disconnect(bench: &mut Bench) -> Probed {
    let conn = bench.take_shared()?;
    bench.send(conn, &Packet::Disconnect(Disconnect::default()));
    let end = closing(bench, conn)?;
    let code = end.close.as_ref().map(|close| close.code);
    Ok(match (code, end.stream) {
        // An RST is the system's answer to our Close where the server did not wait for it.
        (Some(Some(NORMAL)), Some(StreamEnd::Fin | StreamEnd::Reset)) => {
            Finding::pass(end.to_string())
        }
        _ => Finding::warn(format!("after DISCONNECT: {}", incomplete(&end))),
    })
}

/// Sends this Close: a Close and the end of the stream must follow.
fn answered(bench: &mut Bench, close: &Frame) -> Probed {
    let conn = bench.on()?;
    bench.send_frame(conn, close);
    let end = closing(bench, conn)?;
    bench.close(conn);
    Ok(match (&end.close, end.stream) {
        (Some(_), Some(StreamEnd::Fin)) => Finding::pass(end.to_string()),
        _ => Finding::fail(incomplete(&end)).in_doubt(),
    })
}

fn client_close(bench: &mut Bench) -> Probed {
    answered(bench, &Frame::close(NORMAL, b""))
}

fn close_forms(bench: &mut Bench) -> Probed {
    let mut forms = vec![("without a code", Frame::new(CLOSE, *b""))];
    if bench.target.selection.is_thorough() {
        forms.push(("3000 with a reason", Frame::close(3000, "mqttws: grün".as_bytes())));
        forms.push(("4999 with a reason", Frame::close(4999, b"mqttws")));
    }
    let count = forms.len();
    for (form, close) in forms {
        let finding = answered(bench, &close)?;
        if finding.verdict != Verdict::Pass {
            let observed = format!("Close {form}: {}", finding.observed);
            return Ok(Finding { observed, ..finding });
        }
    }
    Ok(Finding::pass(match count {
        1 => "a Close without a code is answered by Close and FIN",
        _ => "each form is answered by Close and FIN",
    }))
}

fn close_malformed(bench: &mut Bench) -> Probed {
    let forms = [
        ("of 1 byte", Frame::new(CLOSE, [3])),
        ("999", Frame::close(999, b"")),
        ("1005", Frame::close(1005, b"")),
        ("with a reason that is no UTF-8", Frame::close(NORMAL, b"\xc3\x28")),
    ];
    let mut ends: Vec<String> = Vec::new();
    for (form, close) in forms {
        let conn = bench.on()?;
        bench.send_frame(conn, &close);
        let patience = bench.patience();
        bench.allow(patience);
        let Some(end) = bench.end_within(conn, patience)? else {
            let words = format!("Close {form}: the connection stays open");
            return Ok(Finding::fail(words).in_doubt());
        };
        bench.close(conn);
        let code = end.close.as_ref().and_then(|close| close.code);
        if let Some(code @ (999 | 1005)) = code {
            return Ok(Finding::fail(format!("Close {form}: answered by Close {code}")));
        }
        let end = end.to_string();
        if !ends.contains(&end) {
            ends.push(end);
        }
    }
    Ok(Finding::pass(ends.join("; ")))
}

/// The number of a fact.
fn number(bench: &Bench, fact: &str) -> u64 {
    match bench.journal.facts.get(fact) {
        Some(Fact::Number(number)) => *number,
        _ => 0,
    }
}

fn error_close_frame(bench: &mut Bench) -> Probed {
    let (all, closed) = (number(bench, "refusals"), number(bench, "refusals_with_close"));
    let words = format!("{closed} of {all} refusals came with a Close frame");
    Ok(match all {
        0 => Finding::not_applicable("nothing had to be refused"),
        _ if closed * 2 >= all => Finding::pass(words),
        _ => Finding::warn(words),
    })
}

fn error_reason_code(bench: &mut Bench) -> Probed {
    let all = number(bench, "refusals_after_connack");
    let reasoned = number(bench, "refusals_with_reason");
    let words = format!("{reasoned} of {all} refusals in MQTT 5 came with DISCONNECT and a reason");
    if bench.known.spoken(Version::V5).is_none() || all == 0 {
        return Ok(Finding::not_applicable("nothing had to be refused after CONNACK in MQTT 5"));
    }
    Ok(if reasoned == all { Finding::pass(words) } else { Finding::warn(words) })
}

fn fin_alone(bench: &mut Bench) -> Probed {
    let conn = bench.on()?;
    bench.link(conn).stream.finish();
    bench.allow(HALF_CLOSED);
    Ok(match bench.end_within(conn, HALF_CLOSED)? {
        Some(end) => Finding::pass(end.to_string()),
        None => Finding::warn("5 s after FIN of the client the server keeps its half open"),
    })
}
