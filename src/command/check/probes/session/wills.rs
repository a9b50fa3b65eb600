//! Wills: when they are published (MQTT 5 §3.1.2.5, §3.14).

use std::time::Duration;

use super::{begin_session, come_back, keeping, leave, subscribe_at, unless_silent};
use crate::command::check::bench::{Bench, Conn};
use crate::command::check::finding::{Finding, Probed, StepResult};
use crate::command::check::wire::Frame;
use crate::mqtt::packet::{Connect, Disconnect, Packet, Publish, Will};
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::topic::TopicName;
use crate::websocket::frame::NORMAL;

/// What the wills hold.
const WILL: &[u8] = b"mqttws-will";

/// How much longer than W a will may take.
const MARGIN: Duration = Duration::from_secs(5);

/// How long a will that must not come is waited for before the mark.
const AFTER_END: Duration = Duration::from_secs(1);

/// The delay of a will, in seconds.
const DELAY: u32 = 3;

/// How long after the cut the will must not have come yet, and how long after that it must.
const NOT_YET: Duration = Duration::from_secs(2);
const BY_THEN: Duration = Duration::from_secs(4);

/// How long after the cut the client is back, and how long after that no will must come.
const AWAY: Duration = Duration::from_secs(1);
const BACK: Duration = Duration::from_secs(5);

/// The expiry of the session of a delayed will, in seconds.
const DELAYED_EXPIRY: u32 = 10;

/// A will of QoS 1 to this topic.
pub fn will(topic: &str) -> Will {
    Will {
        topic: TopicName::new(topic).expect("topics of probes are legal"),
        payload: WILL.into(),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: Properties::default(),
    }
}

/// ON2, with a subscription to the will's topic.
pub fn heir(bench: &mut Bench, topic: &str) -> StepResult<Conn> {
    let conn = bench.on2()?;
    subscribe_at(bench, conn, topic, QoS::AtLeastOnce)?;
    Ok(conn)
}

/// ON with this will.
pub fn on_with_will(bench: &mut Bench, will: Will) -> StepResult<Conn> {
    let connect = bench.connect_packet(bench.version());
    bench.on_with(Connect { will: Some(will), ..connect })
}

/// The will, if it comes to this topic within this time.
pub fn inherited(
    bench: &mut Bench,
    conn: Conn,
    topic: &str,
    time: Duration,
) -> StepResult<Option<Publish>> {
    unless_silent(bench.take_within(conn, "will", time, |packet| match packet {
        Packet::Publish(publish) if publish.topic_or_empty() == topic => Some(publish.clone()),
        _ => None,
    }))
}

/// How the connection of a client ends without DISCONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vanishing {
    Reset,
    InsideFrame,
    Close,
}

impl Vanishing {
    const ALL: [Self; 3] = [Self::Reset, Self::InsideFrame, Self::Close];

    fn words(self) -> &'static str {
        match self {
            Self::Reset => "RST",
            Self::InsideFrame => "FIN inside a frame",
            Self::Close => "Close 1000 without DISCONNECT",
        }
    }

    fn happen(self, bench: &mut Bench, conn: Conn) -> StepResult<()> {
        match self {
            Self::Reset => bench.reset(conn),
            Self::InsideFrame => {
                let frame = bench.link(conn).websocket.frame_bytes(&Frame::binary(*b"\xc0\0"));
                bench.write(conn, &frame[..frame.len() - 1]);
                bench.cut(conn);
            }
            Self::Close => {
                bench.send_frame(conn, &Frame::close(NORMAL, b""));
                let patience = bench.patience();
                unless_silent(bench.wait_end(conn, patience))?;
                bench.cut(conn);
            }
        }
        Ok(())
    }
}

pub fn will_on_cut(bench: &mut Bench) -> Probed {
    let time = bench.patience() + MARGIN;
    for (number, way) in Vanishing::ALL.into_iter().enumerate() {
        bench.allow(time);
        let topic = bench.topic(&format!("/{number}"));
        let other = heir(bench, &topic)?;
        let conn = on_with_will(bench, will(&topic))?;
        way.happen(bench, conn)?;
        if inherited(bench, other, &topic, time)?.is_none() {
            let (words, seconds) = (way.words(), time.as_secs());
            return Ok(Finding::fail(format!("no will within {seconds} s of {words}")).in_doubt());
        }
        bench.close(other);
    }
    if bench.announced("retain_available") == Some(0) {
        return Ok(Finding::pass("the will came after RST, FIN and Close"));
    }
    bench.allow(time);
    retained_will(bench, time)
}

/// A will that is retained is stored, too.
fn retained_will(bench: &mut Bench, time: Duration) -> Probed {
    let topic = bench.topic("/retained");
    bench.leftovers.add_retained(&topic);
    let other = heir(bench, &topic)?;
    let conn = on_with_will(bench, Will { retain: true, ..will(&topic) })?;
    bench.cut(conn);
    if inherited(bench, other, &topic, time)?.is_none() {
        let words = format!("no will within {} s of FIN, with retain", time.as_secs());
        return Ok(Finding::fail(words).in_doubt());
    }
    bench.close(other);
    let later = bench.on2()?;
    bench.subscribe(later, &topic, QoS::AtLeastOnce)?;
    let patience = bench.patience();
    Ok(match inherited(bench, later, &topic, patience)? {
        Some(stored) if stored.retain => {
            Finding::pass("the will came after RST, FIN and Close; a retained one was stored")
        }
        Some(_) => Finding::fail("a stored will came with RETAIN 0"),
        None => Finding::fail("a will with retain was not stored").in_doubt(),
    })
}

pub fn will_not_after_disconnect(bench: &mut Bench) -> Probed {
    let topic = bench.topic("");
    let other = heir(bench, &topic)?;
    let conn = on_with_will(bench, will(&topic))?;
    leave(bench, conn, Disconnect::default())?;
    bench.idle(AFTER_END)?;
    let before = bench.mark_from(other, other, &topic, QoS::AtLeastOnce)?;
    Ok(if before.is_empty() {
        Finding::pass("no will came")
    } else {
        Finding::fail("the will came, although DISCONNECT was sent")
    })
}

pub fn will_on_request(bench: &mut Bench) -> Probed {
    let topic = bench.topic("");
    let other = heir(bench, &topic)?;
    let conn = on_with_will(bench, will(&topic))?;
    let code = ReasonCode::DISCONNECT_WITH_WILL_MESSAGE;
    leave(bench, conn, Disconnect { code, properties: Properties::default() })?;
    let time = bench.patience() + MARGIN;
    bench.allow(time);
    Ok(match inherited(bench, other, &topic, time)? {
        Some(_) => Finding::pass("the will came after DISCONNECT 0x04"),
        None => Finding::fail(format!("no will within {} s", time.as_secs())).in_doubt(),
    })
}

pub fn will_delay(bench: &mut Bench) -> Probed {
    bench.allow(NOT_YET + BY_THEN + AWAY + BACK);
    let topic = bench.topic("");
    let other = heir(bench, &topic)?;
    let connect = keeping(bench, DELAYED_EXPIRY)?;
    let property = Property::number(PropertyId::WillDelayInterval, DELAY);
    let delayed = Will { properties: Properties(vec![property]), ..will(&topic) };
    let willing = Connect { will: Some(delayed), ..connect.clone() };
    let conn = begin_session(bench, &willing, DELAYED_EXPIRY / 2)?;
    bench.cut(conn);
    if inherited(bench, other, &topic, NOT_YET)?.is_some() {
        return Ok(Finding::fail("the will came within 2 s, its delay was 3 s"));
    }
    if inherited(bench, other, &topic, BY_THEN)?.is_none() {
        return Ok(Finding::fail("no will within 6 s, its delay was 3 s").in_doubt());
    }
    let conn = begin_session(bench, &willing, DELAYED_EXPIRY / 2)?;
    bench.cut(conn);
    bench.idle(AWAY)?;
    come_back(bench, &connect)?;
    bench.idle(BACK)?;
    let before = bench.mark_from(other, other, &topic, QoS::AtLeastOnce)?;
    Ok(if before.is_empty() {
        Finding::pass("it came after its delay, and not after a return within that")
    } else {
        Finding::fail("the will came, although the client was back within its delay")
    })
}
