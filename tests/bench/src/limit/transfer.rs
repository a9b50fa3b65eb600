//! A bare client that publishes a file as one message in constant memory: read, mask, write.

use std::fs::File;
use std::io::Read;

use super::{Order, leave};
use crate::Failure;
use crate::link::{Framing, put_frame};
use crate::mqtt::{self, TOPIC};
use crate::websocket::{self, BINARY, FRAME};

/// The room for the header of a frame of up to 64 KiB.
const HEADER: usize = 8;

/// Publishes the ordered file.
pub fn run(order: &Order) -> Result<(), Failure> {
    let mut file = File::open(order.file.as_deref().ok_or("limit file: no file=")?)?;
    let size = usize::try_from(file.metadata()?.len())?;
    let mut link = order.connect()?;
    let (mut head, mut framed) = (Vec::new(), Vec::new());
    mqtt::put_publish(TOPIC, order.qos, 1, size, &mut head);
    match order.framing {
        Framing::Raw => framed.extend_from_slice(&head),
        Framing::Frames(mask) => put_frame(&head, mask, &mut framed),
    }
    link.write(&framed)?;
    let mut piece = vec![0; HEADER + FRAME];
    let mut left = size;
    while left > 0 {
        let count = left.min(FRAME);
        file.read_exact(&mut piece[HEADER..HEADER + count])?;
        let mut start = HEADER;
        if let Framing::Frames(mask) = order.framing {
            let mut header = Vec::with_capacity(HEADER);
            websocket::put_header(BINARY, count, mask, &mut header);
            websocket::apply_mask(&mut piece[HEADER..HEADER + count], mask.unwrap_or_default(), 0);
            start = HEADER - header.len();
            piece[start..HEADER].copy_from_slice(&header);
        }
        link.write(&piece[start..HEADER + count])?;
        left -= count;
    }
    leave(link)
}
