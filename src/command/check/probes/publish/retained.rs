//! Retained messages: kept, replaced, cleared, and told from others by their flag.

use crate::command::check::bench::{Bench, Conn};
use crate::command::check::finding::{Finding, Probed, StepResult, Stop};
use crate::mqtt::packet::Publish;
use crate::mqtt::qos::QoS;

/// A connection to a server that retains messages, and the QoS that is used.
pub fn retaining(bench: &mut Bench) -> StepResult<(Conn, QoS)> {
    let conn = bench.on()?;
    bench.requires("retain_available", "retained messages")?;
    Ok((conn, bench.usable(QoS::AtLeastOnce)))
}

/// Publishes a message to be retained.
pub fn retain(bench: &mut Bench, conn: Conn, topic: &str, payload: &'static str) -> StepResult<()> {
    let qos = bench.usable(QoS::AtLeastOnce);
    bench.publish(conn, Publish { retain: true, ..Bench::message(topic, qos, payload) })
}

pub fn retain_stored(bench: &mut Bench) -> Probed {
    let (conn, qos) = retaining(bench)?;
    let topic = bench.topic("");
    retain(bench, conn, &topic, "first")?;
    retain(bench, conn, &topic, "second")?;
    bench.subscribe(conn, &topic, qos)?;
    let came = bench.delivery(conn, &topic)?;
    if came.payload != "second" {
        let text = String::from_utf8_lossy(&came.payload).into_owned();
        return Ok(Finding::fail(format!("{text:?} came, but \"second\" was retained last")));
    }
    if !came.retain {
        return Ok(Finding::fail("the retained message came with RETAIN 0"));
    }
    Ok(match bench.mark(conn, &topic, qos)?.len() {
        0 => Finding::pass("the latest retained message came, with RETAIN 1"),
        more => Finding::fail(format!("{more} more messages came after the retained one")),
    })
}

pub fn retain_cleared(bench: &mut Bench) -> Probed {
    let (conn, qos) = retaining(bench)?;
    let topic = bench.topic("");
    retain(bench, conn, &topic, "kept")?;
    retain(bench, conn, &topic, "")?;
    bench.subscribe(conn, &topic, qos)?;
    let before = bench.mark(conn, &topic, qos)?;
    Ok(match before.first() {
        None => Finding::pass("nothing came after it was cleared"),
        Some(publish) if publish.payload.is_empty() => {
            Finding::fail("the empty message that clears the topic was stored itself")
        }
        Some(_) => Finding::fail("the retained message still came after it was cleared"),
    })
}

pub fn retain_live_flag(bench: &mut Bench) -> Probed {
    let (conn, qos) = retaining(bench)?;
    let topic = bench.topic("");
    bench.subscribe(conn, &topic, qos)?;
    retain(bench, conn, &topic, "kept")?;
    if bench.delivery(conn, &topic)?.retain {
        return Ok(Finding::fail("a message came with RETAIN 1 at the moment it was published"));
    }
    let is_stored = anew(bench, conn, &topic, qos)?.is_some();
    bench.publish(conn, Bench::message(&topic, qos, "passing"))?;
    if bench.delivery(conn, &topic)?.retain {
        return Ok(Finding::fail("a message that is not retained came with RETAIN 1"));
    }
    if !is_stored {
        return Ok(Finding::pass("RETAIN 0; nothing was stored: see retain-stored"));
    }
    Ok(match anew(bench, conn, &topic, qos)? {
        Some(publish) if publish.payload == "kept" => {
            Finding::pass("RETAIN 0, and a message that is not retained changed nothing")
        }
        Some(_) => Finding::fail("a message that is not retained replaced the retained one"),
        None => Finding::fail("a message that is not retained removed the retained one").in_doubt(),
    })
}

/// Subscribes anew: the retained message that comes.
fn anew(bench: &mut Bench, conn: Conn, topic: &str, qos: QoS) -> StepResult<Option<Publish>> {
    bench.let_go(conn, topic)?;
    bench.subscribe(conn, topic, qos)?;
    match bench.delivery(conn, topic) {
        Ok(publish) => Ok(Some(publish)),
        Err(Stop::Silent { .. }) => Ok(None),
        Err(stop) => Err(stop),
    }
}
