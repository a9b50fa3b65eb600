//! A bare subscriber: understands and acknowledges; with `print` it writes a line for each payload,
//! which is what `sub` must at least do.

use std::io::Write;

use super::{Order, leave};
use crate::Failure;
use crate::link::Link;
use crate::mqtt::{self, Packet};

/// Until as many messages have come as were ordered.
pub fn run(order: &Order) -> Result<(), Failure> {
    let mut link = order.connect()?;
    mqtt::put_subscribe(order.qos, link.out());
    link.send()?;
    let (mut received, mut finished) = (0, 0);
    let mut lines = Vec::new();
    let mut output = std::io::stdout().lock();
    let is_done = |received: u64, finished: u64| received >= order.count && finished >= order.count;
    while !is_done(received, finished) {
        let open = link.read(&mut |packet, out| match packet {
            Packet::Publish { qos, id, size } => {
                received += 1;
                match qos {
                    1 => mqtt::put_ack(mqtt::PUBACK, id, out),
                    2 => mqtt::put_ack(mqtt::PUBREC, id, out),
                    _ => {}
                }
                finished += u64::from(size == 0);
            }
            Packet::Payload(piece, last) => {
                if order.prints {
                    lines.extend_from_slice(piece);
                    lines.extend(last.then_some(b'\n'));
                }
                finished += u64::from(last);
            }
            Packet::Ack(mqtt::PUBREL, id) => mqtt::put_ack(mqtt::PUBCOMP, id, out),
            _ => {}
        })?;
        if !open && !is_done(received, finished) {
            return Err(format!("the connection ended after {received} of {} messages", order.count).into());
        }
        output.write_all(&lines)?;
        lines.clear();
        link.send()?;
    }
    finish(link, order)
}

/// The last PUBCOMPs.
fn finish(mut link: Link, order: &Order) -> Result<(), Failure> {
    link.send()?;
    if order.qos == 2 {
        // The source sends its last PUBRELs only now; who leaves before would leave them
        // unanswered.
        link.read(&mut |packet, out| {
            if let Packet::Ack(mqtt::PUBREL, id) = packet {
                mqtt::put_ack(mqtt::PUBCOMP, id, out);
            }
        })?;
        link.send()?;
    }
    leave(link)
}
