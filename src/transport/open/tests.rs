//! Frames over recorded bytes.

mod outbound;

use std::net::Shutdown;

use super::*;
use crate::transport::wire::Wire;
use crate::transport::wire::tests::{Recorder, chunk};
use crate::websocket::{MESSAGE_LIMIT, WebSocketError};

const LIMIT: usize = 1 << 20;

/// Whether an error is the expected one.
type Check = fn(&Error) -> bool;

/// A Close frame, its code, the message of the error, the reply.
type CloseRow = (&'static [u8], Option<u16>, &'static str, &'static [u8]);

struct World {
    open: Open,
    stream: Stream,
    sent: Recorder,
}

fn world(leftover: &[u8]) -> World {
    let sent = Recorder::default();
    let mut stream = Stream::plain(Wire::new(sent.clone()), None);
    stream.give_back(leftover.to_vec());
    World { open: Open::new(LIMIT, Framing::UpToLimit, false), stream, sent }
}

impl World {
    fn deliver(&mut self, bytes: &[u8]) {
        self.stream.wire_mut().deliver(chunk(bytes));
    }

    fn read(&mut self) -> Result<Option<Bytes>, Error> {
        self.open.read(&mut self.stream)
    }

    /// The frames sent since the last call: opcode byte and unmasked payload.
    fn sent(&self) -> Vec<(u8, Vec<u8>)> {
        unmasked(&self.sent.take())
    }
}

/// Reads a client's frames; the second byte must carry the mask bit (RFC 6455 §5.1).
pub fn unmasked(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        assert_eq!(second & 0x80, 0x80, "a client's frame is masked");
        let (length, rest) = match second & 0x7f {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            127 => panic!("no frame of ours is so long"),
            length => (usize::from(length), rest),
        };
        let (mask, rest) = rest.split_at(4);
        let payload = rest[..length]
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask)
            .collect();
        frames.push((*first, payload));
        bytes = &rest[length..];
    }
    frames
}

#[test]
fn messages_arrive_however_they_are_cut() {
    // A message, an empty one, two fragments with a Ping between them, an unsolicited Pong, a long
    // message.
    let mut bytes =
        vec![0x82, 1, b'a', 0x82, 0, 0x02, 1, b'b', 0x89, 1, b'!', 0x80, 1, b'c', 0x8a, 0];
    bytes.extend([0x82, 126, 0, 200]);
    bytes.extend([b'd'; 200]);
    for cut in 0..bytes.len() {
        for leftover in [0, cut] {
            let mut world = world(&bytes[..leftover]);
            world.deliver(&bytes[leftover..cut]);
            let mut payloads = Vec::new();
            while let Some(bytes) = world.read().unwrap() {
                assert!(!bytes.is_empty());
                payloads.extend(bytes);
            }
            world.deliver(&bytes[cut..]);
            while let Some(bytes) = world.read().unwrap() {
                payloads.extend(bytes);
            }
            assert_eq!(payloads, [&b"abc"[..], &[b'd'; 200]].concat());
            assert_eq!(world.sent(), [(0x8a, b"!".to_vec())]);
        }
    }
}

#[test]
fn a_ping_is_answered_before_read_returns() {
    let mut world = world(b"");
    world.deliver(&[0x89, 2, b'h', b'i']);
    assert!(world.read().unwrap().is_none());
    assert_eq!(world.sent(), [(0x8a, b"hi".to_vec())]);
}

#[test]
fn a_ping_is_answered_behind_what_is_buffered() {
    let mut world = world(b"");
    world.open.write(&mut world.stream, &mut Bytes::from_static(b"x")).unwrap();
    world.deliver(&[0x89, 0, 0x82, 1, b'm']);
    assert_eq!(world.read().unwrap().unwrap(), "m");
    assert_eq!(world.sent(), [(0x82, b"x".to_vec()), (0x8a, Vec::new())]);
}

#[test]
fn a_close_is_answered_and_told() {
    let rows: [CloseRow; 5] = [
        (&[0x88, 0], None, "the server closed the WebSocket without a code", b""),
        (
            &[0x88, 2, 0x03, 0xe8],
            Some(1000),
            "the server closed the WebSocket with code 1000 (normal)",
            &[3, 0xe8],
        ),
        (
            &[0x88, 5, 0x03, 0xf3, b'b', 0x1b, b'd'],
            Some(1011),
            "the server closed the WebSocket with code 1011 (internal error): b\u{1b}d",
            &[3, 0xf3, b'b', 0x1b, b'd'],
        ),
        (
            &[0x88, 4, 0x03, 0xf6, b'u', b'p'],
            Some(1014),
            "the server closed the WebSocket with code 1014 (bad gateway): up",
            &[3, 0xf6, b'u', b'p'],
        ),
        (
            &[0x88, 2, 0x0f, 0xa1],
            Some(4001),
            "the server closed the WebSocket with code 4001",
            &[0x0f, 0xa1],
        ),
    ];
    for (bytes, code, words, reply) in rows {
        let mut world = world(bytes);
        let error = world.read().unwrap_err();
        assert_eq!(error.to_string(), words);
        let Error::WebSocket(WebSocketError::Closed { code: told, .. }) = error else {
            panic!("{error:?}")
        };
        assert_eq!(told, code);
        assert_eq!(world.sent(), [(0x88, reply.to_vec())]);
        // Frames after a Close are ignored, but not the end of the stream.
        world.deliver(&[0x82, 1, b'x']);
        assert!(world.read().unwrap().is_none());
        world.stream.wire_mut().end(None);
        assert!(matches!(world.read(), Err(Error::Ended { cause: None })));
        assert!(matches!(world.read(), Err(Error::Ended { cause: None })));
        assert!(world.open.write(&mut world.stream, &mut Bytes::from_static(b"x")).is_err());
    }
}

#[test]
fn codes_that_are_none_are_told_as_they_were_sent() {
    let frame = |code: u16, words: &[u8]| {
        let length = u8::try_from(2 + words.len()).unwrap();
        [&[0x88, length], &code.to_be_bytes()[..], words].concat()
    };
    for code in [0, 1, 9, 1004, 1005, 1006, 1015, 2999, 5000, u16::MAX] {
        for words in [&b""[..], b"why"] {
            let bytes = [&[0x82, 1, b'x'][..], &frame(code, words)].concat();
            for cut in 0..bytes.len() {
                let mut world = world(&bytes[..cut]);
                world.deliver(&bytes[cut..]);
                assert_eq!(world.read().unwrap().unwrap(), "x");
                let told = format!(
                    "the server broke the WebSocket protocol: a Close frame with the invalid code {code}"
                );
                assert_eq!(world.read().unwrap_err().to_string(), told);
            }
        }
    }
    // A server may describe itself in the words of tungstenite.
    let mut world = world(&frame(1002, b"Protocol violation"));
    let told =
        "the server closed the WebSocket with code 1002 (protocol error): Protocol violation";
    assert_eq!(world.read().unwrap_err().to_string(), told);
}

#[test]
fn violations_are_answered_with_the_right_code() {
    let text = |error: &Error| matches!(error, Error::WebSocket(WebSocketError::TextFrame(_)));
    let protocol = |error: &Error| {
        use WebSocketError::{Garbled, Protocol};
        matches!(error, Error::WebSocket(Garbled { .. } | Protocol(_)))
    };
    let large = |error: &Error| matches!(error, Error::WebSocket(WebSocketError::TooLarge { .. }));
    let rows: [(&[u8], u16, Check); 15] = [
        (&[0x81, 2, b'h', b'i'], 1003, text),
        (&[0x01, 1, b'h', 0x80, 1, b'i'], 1003, text),
        (&[0x81, 1, 0xff], 1003, text),
        (&[0x82, 0x81, 1, 2, 3, 4, 5], 1002, protocol),
        (&[0xc2, 1, b'x'], 1002, protocol),
        (&[0x83, 0], 1002, protocol),
        (&[0x8b, 0], 1002, protocol),
        (&[0x09, 0], 1002, protocol),
        (&[0x89, 126, 0, 126], 1002, protocol),
        (&[0x80, 1, b'x'], 1002, protocol),
        (&[0x02, 1, b'x', 0x82, 1, b'y'], 1002, protocol),
        (&[0x88, 1, 3], 1002, protocol),
        (&[0x82, 126, 0, 125], 1002, protocol),
        (&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], 1002, protocol),
        (&[0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 1009, large),
    ];
    for (bytes, code, check) in rows {
        let mut bytes = bytes.to_vec();
        if bytes.ends_with(&[126, 0, 126]) {
            bytes.extend([0; 126]);
        }
        let mut world = world(&bytes);
        // A fragment is delivered before the rest of its message arrives.
        let error = world.read().and_then(|_| world.read()).unwrap_err();
        assert!(check(&error), "{bytes:x?}: {error:?}");
        assert_eq!(world.sent(), [(0x88, code.to_be_bytes().to_vec())], "{bytes:x?}");
    }
}

#[test]
fn fragments_together_may_not_exceed_the_limit() {
    let mut world = world(b"");
    let mut first = vec![0x02, 127, 0, 0, 0, 0, 0, 0x10, 0, 0];
    first.extend(vec![0; LIMIT]);
    world.deliver(&first);
    let mut length = 0;
    while let Some(part) = world.read().unwrap() {
        length += part.len();
    }
    assert_eq!(length, LIMIT);
    world.deliver(&[0x80, 1, 0]);
    let error = world.read().unwrap_err();
    assert!(
        matches!(error, Error::WebSocket(WebSocketError::TooLarge { limit: 0x0010_0000, .. })),
        "{error:?}"
    );
}

#[test]
fn every_corrupted_byte_gives_a_value_or_an_error() {
    let bytes = [0x82, 1, b'a', 0x02, 1, b'b', 0x89, 1, b'!', 0x80, 1, b'c', 0x88, 2, 3, 0xe8];
    for at in 0..bytes.len() {
        for value in 0..=255 {
            let mut corrupted = bytes;
            corrupted[at] = value;
            let mut world = world(&corrupted);
            world.stream.wire_mut().end(None);
            while world.read().is_ok_and(|message| message.is_some()) {}
        }
    }
}

#[test]
fn an_end_without_close_tells_its_cause() {
    for (cause, words) in [
        (None, "the server closed the connection"),
        (Some(io::ErrorKind::ConnectionReset), "connection reset by the server"),
    ] {
        let mut world = world(&[0x82, 1, b'a', 0x82, 9, b'x']);
        world.stream.wire_mut().end(cause.map(io::Error::from));
        assert_eq!(world.read().unwrap().unwrap(), "ax");
        for words in [words, "the server closed the connection"] {
            assert_eq!(world.read().unwrap_err().to_string(), words);
        }
    }
}

#[test]
fn what_is_written_leaves_in_few_writes_of_small_messages() {
    let mut world = world(b"");
    let payload: Vec<u8> = (0..=250).cycle().take(200_000).collect();
    world.open.write(&mut world.stream, &mut Bytes::from(payload.clone())).unwrap();
    world.open.write(&mut world.stream, &mut Bytes::new()).unwrap();
    // Full blocks of 64 KiB were sent; the rest waits for the flush.
    let writes = world.sent.0.lock().unwrap().writes.clone();
    assert_eq!(writes, [65_536, 65_536, 65_536]);
    world.open.flush(&mut world.stream).unwrap();
    assert_eq!(world.sent.0.lock().unwrap().writes.len(), 4);
    let frames = world.sent();
    assert!(
        frames
            .iter()
            .all(|(first, payload)| *first == 0x82 && (1..=MESSAGE_LIMIT).contains(&payload.len()))
    );
    assert_eq!(
        frames.iter().flat_map(|(_, payload)| payload).copied().collect::<Vec<_>>(),
        payload
    );
}

#[test]
fn small_messages_wait_for_the_flush() {
    let mut world = world(b"");
    for _ in 0..1000 {
        world.open.write(&mut world.stream, &mut Bytes::from_static(b"0123456789")).unwrap();
    }
    assert!(world.sent.0.lock().unwrap().writes.is_empty());
    world.open.flush(&mut world.stream).unwrap();
    assert_eq!(world.sent.0.lock().unwrap().writes.len(), 1);
    assert_eq!(world.sent().len(), 1000);
}

#[test]
fn our_close_is_sent_once_behind_everything_else() {
    let mut world = world(b"");
    world.open.write(&mut world.stream, &mut Bytes::from_static(b"x")).unwrap();
    world.open.close(&mut world.stream).unwrap();
    world.open.close(&mut world.stream).unwrap();
    world.stream.send_close_notify().unwrap();
    world.stream.wire_mut().finish();
    assert_eq!(world.sent(), [(0x82, b"x".to_vec()), (0x88, vec![3, 0xe8])]);
    assert_eq!(world.sent.0.lock().unwrap().shut, [Shutdown::Write]);
    // The server may still send messages, and answers the Close.
    world.deliver(&[0x82, 1, b'a', 0x88, 2, 3, 0xe8]);
    assert_eq!(world.read().unwrap().unwrap(), "a");
    assert!(matches!(
        world.read(),
        Err(Error::WebSocket(WebSocketError::Closed { code: Some(1000), .. }))
    ));
    assert_eq!(world.sent(), []);
}

/// A frame of a server, in most cases valid. It is neither text nor the first of several fragments,
/// which tungstenite judges differently.
fn random_frame(random: &mut fastrand::Rng, out: &mut Vec<u8>) {
    let length = *random.choice(&[0, 1, 2, 3, 125, 126, 300, 70_000]).unwrap();
    let first = *random
        .choice(&[0x82, 0x82, 0x82, 0x82, 0x00, 0x80, 0x89, 0x8a, 0xc2, 0x83, 0x88])
        .unwrap();
    let masked = random.u8(..40) == 0;
    out.push(first);
    let mask = if masked { 0x80 } else { 0 };
    match length {
        0..=125 => out.push(mask + u8::try_from(length).unwrap()),
        126..=65_535 => {
            out.push(mask + 126);
            out.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        _ => {
            out.push(mask + 127);
            out.extend((length as u64).to_be_bytes());
        }
    }
    out.extend(std::iter::repeat_with(|| random.u8(..)).take(length + if masked { 4 } else { 0 }));
}

/// The payloads in one piece, the frames that were sent, and the end.
type Told = (Vec<u8>, Vec<(u8, Vec<u8>)>, String);

/// The result of these bytes.
fn told(mut world: World, bytes: &[u8], random: &mut fastrand::Rng) -> Told {
    let mut payloads = Vec::new();
    let mut rest = bytes;
    loop {
        match world.read() {
            Ok(Some(bytes)) => payloads.extend(bytes),
            Ok(None) if rest.is_empty() => return (payloads, world.sent(), "alive".to_owned()),
            Ok(None) => {
                let (piece, behind) = rest.split_at(random.usize(1..=rest.len().min(40_000)));
                world.deliver(piece);
                rest = behind;
            }
            Err(error) => {
                // The first bytes are quoted only if no valid frame was received.
                let words = error.to_string();
                let words = words.split(" (it sent").next().unwrap_or_default().to_owned();
                return (payloads, world.sent(), words);
            }
        }
    }
}

#[test]
fn frames_that_are_taken_apart_here_mean_what_tungstenite_means() {
    for seed in 0..1000 {
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bytes = Vec::new();
        for _ in 0..random.usize(1..12) {
            random_frame(&mut random, &mut bytes);
        }
        let mut reference = world(b"");
        reference.open.frames = reference.open.frames.leaving_all_to_tungstenite();
        let expected = told(reference, &bytes, &mut random);
        assert_eq!(told(world(b""), &bytes, &mut random), expected, "seed {seed}");
    }
}
