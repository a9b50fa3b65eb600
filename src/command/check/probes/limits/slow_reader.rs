//! A client that does not read, while another publishes for it.

use std::time::Duration;

use super::load::PIECE;
use crate::command::check::bench::{Bench, Conn};
use crate::command::check::connection::Link;
use crate::command::check::finding::{End, Finding, Probed, StepResult, Stop};
use crate::mqtt::packet::Packet;
use crate::mqtt::qos::QoS;

/// How many packets are published: 16 MiB.
const COUNT: u32 = 512;

/// How long the publisher may be kept waiting.
const STALL: Duration = Duration::from_secs(5);

/// How long the reader reads again.
const READ_TIME: Duration = Duration::from_secs(15);

/// How long it all may take.
const LENGTH: Duration = Duration::from_secs(40);

pub fn slow_reader(bench: &mut Bench) -> Probed {
    bench.allow(LENGTH);
    let conn = bench.on()?;
    let reader = bench.on2()?;
    let topic = bench.topic("");
    bench.subscribe(reader, &topic, QoS::AtMostOnce)?;
    let served = match publish_all(bench, conn, &topic) {
        Ok(()) => fence_after_stall(bench, conn),
        stalled => stalled,
    };
    match served {
        Ok(()) => {}
        Err(Stop::Silent { awaited, .. }) => {
            let words = format!("one client that does not read stops another: no {awaited}");
            return Ok(Finding::warn(words));
        }
        Err(Stop::Ended { end, .. }) => {
            return Ok(Finding::warn(format!("the publisher was ended: {end}")));
        }
        Err(stop) => return Err(stop),
    }
    read_again(bench, reader)
}

/// Publishes numbered packets, each when the one before was written.
fn publish_all(bench: &mut Bench, conn: Conn, topic: &str) -> StepResult<()> {
    let mut payload = vec![b'x'; PIECE];
    for number in 0..COUNT {
        payload[..4].copy_from_slice(&number.to_be_bytes());
        bench.send_publish(conn, Bench::message(topic, QoS::AtMostOnce, payload.clone()));
        bench.wait(conn, "room for more", STALL, |link| {
            (!link.stream.is_congested()).then_some(())
        })?;
    }
    Ok(())
}

/// The publisher is served within W, after 5 s at the latest.
fn fence_after_stall(bench: &mut Bench, conn: Conn) -> StepResult<()> {
    let patience = bench.patience();
    bench.send_fence(conn);
    bench.take_within(conn, "PINGRESP", STALL + patience, |packet| {
        (*packet == Packet::PingResp).then_some(())
    })
}

/// What has come to the reader.
enum Read {
    /// Packets.
    Some,
    /// PINGRESP: the server has dropped the rest.
    All,
    /// This is out of order, or no packet.
    Wrong(String),
}

/// The reader reads again: whole packets in order, or an end with a reason.
fn read_again(bench: &mut Bench, reader: Conn) -> Probed {
    bench.send_fence(reader);
    let mut read = ReadProgress::default();
    let patience = bench.patience();
    let until = bench.elapsed() + READ_TIME;
    loop {
        let came = match bench.wait(reader, "more packets", patience, |link| read.take(link)) {
            Ok(Read::Some) if bench.elapsed() < until => continue,
            came => came,
        };
        let count = read.count;
        return Ok(match came {
            Ok(Read::Some) => Finding::pass(format!(
                "{count} of {COUNT} packets came within {} s, whole and in order",
                READ_TIME.as_secs()
            )),
            Ok(Read::All) => {
                Finding::pass(format!("{count} of {COUNT} packets came, whole and in order"))
            }
            Ok(Read::Wrong(words)) => Finding::warn(words),
            Err(Stop::Ended { end, .. }) => ended(&end),
            Err(Stop::Silent { after, .. }) => Finding::warn(format!(
                "a client that reads again got {count} of {COUNT} packets, then nothing for \
                 {:.1} s",
                after.as_secs_f64()
            )),
            Err(stop) => return Err(stop),
        });
    }
}

/// The packets that the reader has read.
#[derive(Default)]
struct ReadProgress {
    count: u32,
    next: u32,
}

impl ReadProgress {
    /// Takes what is in the inbox; `None` if there is nothing.
    fn take(&mut self, link: &mut Link) -> Option<Read> {
        let mut result = None;
        while let Some(received) = link.mqtt.inbox.pop_front() {
            result = Some(Read::Some);
            match received.packet {
                Ok(Packet::Publish(publish)) => {
                    let number = publish.payload.first_chunk().copied().map(u32::from_be_bytes);
                    match number.filter(|_| publish.payload.len() == PIECE) {
                        Some(number) if number >= self.next => self.next = number + 1,
                        _ => return Some(Read::Wrong("a packet came out of order".to_owned())),
                    }
                    self.count += 1;
                }
                Ok(Packet::PingResp) => return Some(Read::All),
                Ok(_) => {}
                Err(error) => return Some(Read::Wrong(format!("a packet was torn: {error}"))),
            }
        }
        result
    }
}

/// The server has ended the connection of the reader.
fn ended(end: &End) -> Finding {
    let words = format!("the client that did not read was ended: {end}");
    let is_reasoned = end.said.is_some() || end.close.is_some();
    if is_reasoned { Finding::pass(words) } else { Finding::warn(words) }
}
