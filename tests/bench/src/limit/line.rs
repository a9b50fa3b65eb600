//! A bare client that does what `pub -l` must at least do: read lines, encode each, mask, write.

use std::io::BufRead;

use super::{Order, leave};
use crate::Failure;
use crate::link::{Framing, Link};
use crate::mqtt::{self, Packet, TOPIC};
use crate::websocket::{self, BINARY, FRAME};

/// How many QoS 1 and 2 messages may be unacknowledged.
const WINDOW: u64 = 65_535;

/// The header of our frames: a length of 2 bytes, and the mask.
const HEADER: usize = 8;

/// Lines of stdin until it ends.
pub fn run(order: &Order) -> Result<(), Failure> {
    let mut link = order.connect()?;
    let mut input = std::io::BufReader::with_capacity(256 * 1024, std::io::stdin().lock());
    let mut frame = vec![0; HEADER];
    let (mut sent, mut done) = (0_u64, 0_u64);
    loop {
        let more = gather(&mut input, &mut frame, &mut sent, done, order.qos)?;
        send(&mut frame, &mut link)?;
        let room = order.qos == 0 || sent - done < WINDOW / 2;
        if more && room {
            continue;
        }
        if !more && (order.qos == 0 || done == sent) {
            return leave(link);
        }
        let open = link.read(&mut |packet, out| match packet {
            Packet::Ack(mqtt::PUBREC, id) => mqtt::put_ack(mqtt::PUBREL, id, out),
            Packet::Ack(..) => done += 1,
            _ => {}
        })?;
        if !open {
            return Err("the connection was lost".into());
        }
        link.send()?;
    }
}

/// Encodes lines until the frame is full, the window is, or the input has ended (false).
fn gather(
    input: &mut impl BufRead,
    frame: &mut Vec<u8>,
    sent: &mut u64,
    done: u64,
    qos: u8,
) -> Result<bool, Failure> {
    let mut line = Vec::with_capacity(2048);
    while frame.len() < FRAME / 2 && (qos == 0 || *sent - done < WINDOW) {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(false);
        }
        line.pop_if(|last| *last == b'\n');
        let id = u16::try_from(*sent % 65_535 + 1)?;
        mqtt::put_publish(TOPIC, qos, id, line.len(), frame);
        frame.extend_from_slice(&line);
        *sent += 1;
    }
    Ok(true)
}

/// Fills the header in, masks and writes.
fn send(frame: &mut Vec<u8>, link: &mut Link) -> Result<(), Failure> {
    let length = frame.len() - HEADER;
    if length == 0 {
        return Ok(());
    }
    let bytes = match link.framing() {
        Framing::Raw => &frame[HEADER..],
        Framing::Frames(mask) => {
            let mut header = Vec::with_capacity(HEADER);
            websocket::put_header(BINARY, length, mask, &mut header);
            if let Some(mask) = mask {
                websocket::apply_mask(&mut frame[HEADER..], mask, 0);
            }
            let start = HEADER - header.len();
            frame[start..HEADER].copy_from_slice(&header);
            &frame[start..]
        }
    };
    link.write(bytes)?;
    frame.truncate(HEADER);
    Ok(())
}
