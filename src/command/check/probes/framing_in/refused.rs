//! Probes of frames that must end the connection.

use crate::command::check::bench::{BEFORE_FENCE, Bench};
use crate::command::check::finding::{Finding, Probed, Stop, Verdict};
use crate::command::check::wire::{Frame, Length, Mask};
use crate::mqtt::packet::{Credentials, Packet, PacketType};
use crate::mqtt::qos::QoS;

/// PINGREQ.
const PINGREQ: [u8; 2] = [0xc0, 0];

/// What the message in a text frame holds.
const TEXT: &[u8] = b"text";

pub fn text_frame(bench: &mut Bench) -> Probed {
    let (conn, topic) = (bench.on()?, bench.topic(""));
    bench.subscribe(conn, &topic, QoS::AtMostOnce)?;
    let publish = Bench::message(&topic, QoS::AtMostOnce, TEXT);
    let bytes = bench.encoded(conn, &Packet::Publish(publish));
    if std::str::from_utf8(&bytes).is_err() {
        // Such a frame has to be refused for that alone.
        let words = "with this topic prefix the packet is not UTF-8: give a shorter one";
        return Ok(Finding::unknown(words));
    }
    bench.send_frame(conn, &Frame::text(bytes));
    if let Some(end) = bench.end_within(conn, BEFORE_FENCE)? {
        return Ok(bench.refusal(conn, &end));
    }
    match bench.mark(conn, &topic, QoS::AtMostOnce) {
        Ok(before) if before.iter().any(|publish| publish.payload == TEXT) => Ok(Finding::fail(
            "taken as data: a PUBLISH in a text frame was delivered, the connection stayed open",
        )),
        Ok(_) => Ok(Finding::fail("ignored: the connection stayed open")),
        Err(Stop::Ended { end, .. }) => Ok(bench.refusal(conn, &end)),
        Err(Stop::Silent { after, .. }) => {
            let waited = after.as_secs_f64();
            let words = format!("hangs: neither an end nor a delivery within {waited:.1} s");
            Ok(Finding::fail(words).in_doubt())
        }
        Err(stop) => Err(stop),
    }
}

pub fn text_frame_first(bench: &mut Bench) -> Probed {
    let mut connect = bench.connect_packet(bench.version());
    // All bytes are below 0x80, so that the text is valid: the flag of a user name is not.
    connect.credentials = Credentials::default();
    connect.client_id = (0..23).map(|_| fastrand::alphanumeric()).collect::<String>().into();
    let conn = bench.up()?;
    bench.link(conn).mqtt.speak(connect.version);
    let bytes = bench.encoded(conn, &Packet::Connect(Box::new(connect)));
    bench.send_frame(conn, &Frame::text(bytes));
    let finding = bench.refused_connect(conn)?;
    let said = bench.link(conn).end.said;
    bench.close(conn);
    if let Some((PacketType::ConnAck, code)) = said
        && matches!(code.0, 4 | 5 | 0x86 | 0x87)
    {
        // It was sent without them, so whether it was taken as data cannot be told.
        let words = "the server wants a user name, and a text frame cannot hold one";
        return Ok(Finding::unknown(words));
    }
    if finding.verdict != Verdict::Pass {
        return Ok(finding.of_try("CONNECT in a text frame"));
    }
    each_refused(bench, &[("an empty text frame", &[Frame::text(*b"")])])
}

pub fn unmasked(bench: &mut Bench) -> Probed {
    each_refused(bench, &[("an unmasked PINGREQ", &[Frame::binary(PINGREQ).with_mask(Mask::None)])])
}

pub fn reserved_bits(bench: &mut Bench) -> Probed {
    let with = |bits| [Frame::binary(PINGREQ).with_bits(bits)];
    each_refused(
        bench,
        &[
            ("PINGREQ with RSV1", &with(0x40)),
            ("PINGREQ with RSV2", &with(0x20)),
            ("PINGREQ with RSV3", &with(0x10)),
        ],
    )
}

pub fn reserved_opcode(bench: &mut Bench) -> Probed {
    let data = [Frame::new(0x3, PINGREQ)];
    let control = [Frame::new(0xb, PINGREQ)];
    each_refused(bench, &[("opcode 0x3", &data), ("opcode 0xb", &control)])
}

pub fn length_top_bit(bench: &mut Bench) -> Probed {
    let claimed = Frame::binary(*b"\xc0\0\xc0\0\xc0").with_length(Length::Claimed(1 << 63 | 5));
    each_refused(bench, &[("a length of 2^63 + 5", &[claimed])])
}

pub fn fragment_order(bench: &mut Bench) -> Probed {
    let orphan = [Frame::continuation(PINGREQ)];
    let nested = [Frame::binary(&PINGREQ[..1]).unfinished(), Frame::binary(PINGREQ)];
    each_refused(
        bench,
        &[("a continuation of nothing", &orphan), ("a new message inside one", &nested)],
    )
}

pub fn control_frames_checked(bench: &mut Bench) -> Probed {
    let fragment = [Frame::ping(*b"x").unfinished()];
    let long = [Frame::ping([b'x'; 126])];
    each_refused(bench, &[("a Ping without FIN", &fragment), ("a Ping of 126 bytes", &long)])
}

/// REFUSED for each of these frames, on a connection of its own.
fn each_refused(bench: &mut Bench, tries: &[(&str, &[Frame])]) -> Probed {
    let mut found = Finding::pass("");
    for (tried, frames) in tries {
        let conn = bench.on()?;
        for frame in *frames {
            bench.send_frame(conn, frame);
        }
        found = bench.refused(conn)?.of_try(tried);
        bench.close(conn);
        if found.verdict != Verdict::Pass {
            break;
        }
    }
    Ok(found)
}
