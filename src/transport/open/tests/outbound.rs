//! Frames that are sent, as tungstenite reads them.

use std::io::Cursor;

use tungstenite::error::{Error as FrameError, ProtocolError};
use tungstenite::protocol::{Message, Role, WebSocketConfig, WebSocketContext};

use super::*;

/// The messages that a server has read: opcode byte and payload.
type Read = (u8, Vec<u8>);

/// Everything that was sent, as tungstenite reads it at the other end.
fn read_by_tungstenite(bytes: &[u8]) -> Vec<Read> {
    let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
    let mut context = WebSocketContext::new(Role::Server, Some(config));
    let mut stream = Cursor::new(bytes.to_vec());
    let mut messages = Vec::new();
    loop {
        // Its answers would overwrite bytes that it has not read yet.
        let mut reader = Unanswered(&mut stream);
        match context.read(&mut reader) {
            Ok(Message::Binary(payload)) => messages.push((0x82, payload.to_vec())),
            Ok(Message::Ping(payload)) => messages.push((0x89, payload.to_vec())),
            Ok(Message::Pong(payload)) => messages.push((0x8a, payload.to_vec())),
            Ok(Message::Close(frame)) => {
                messages.push((
                    0x88,
                    frame.map_or(Vec::new(), |frame| u16::from(frame.code).to_be_bytes().into()),
                ));
            }
            Err(
                FrameError::Protocol(ProtocolError::ResetWithoutClosingHandshake)
                | FrameError::ConnectionClosed,
            ) => return messages,
            other => panic!("{other:?} after {} messages", messages.len()),
        }
    }
}

struct Unanswered<'a>(&'a mut Cursor<Vec<u8>>);

impl io::Read for Unanswered<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        self.0.read(target)
    }
}

impl io::Write for Unanswered<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A payload in which no two neighbouring bytes are equal.
fn payload(random: &mut fastrand::Rng, length: usize) -> Vec<u8> {
    let start = random.u8(..);
    (0..=250).map(|byte: u8| byte.wrapping_add(start)).cycle().take(length).collect()
}

/// One action on the frames.
#[derive(Debug, Clone)]
enum Step {
    Write(Vec<u8>),
    Flush,
    Ping,
    /// The server pings.
    Pinged,
    Close,
}

impl World {
    /// Performs the action, and later, as the client does, writes the bytes that a congested wire
    /// has left over.
    fn go(&mut self, step: &Step) {
        match step {
            Step::Write(payload) => {
                let mut bytes = Bytes::from(payload.clone());
                self.open.write(&mut self.stream, &mut bytes).unwrap();
                if !bytes.is_empty() {
                    self.relieve();
                    self.open.write(&mut self.stream, &mut bytes).unwrap();
                }
                assert!(bytes.is_empty());
            }
            Step::Flush => self.open.flush(&mut self.stream).unwrap(),
            Step::Ping => self.open.ping(&mut self.stream).unwrap(),
            Step::Pinged => {
                self.deliver(&[0x89, 1, b'?']);
                assert!(self.read().unwrap().is_none());
            }
            Step::Close => self.open.close(&mut self.stream).unwrap(),
        }
    }

    /// The server reads again.
    fn relieve(&mut self) {
        self.sent.0.lock().unwrap().failure = None;
        self.stream.wire_mut().push();
        assert!(!self.stream.wire().is_congested());
    }
}

/// The messages that a server must read after these actions.
fn expected(steps: &[Step], limit: usize) -> Vec<Read> {
    let mut messages = Vec::new();
    let mut pings = 0_u32;
    for step in steps {
        match step {
            Step::Write(payload) => {
                messages.extend(payload.chunks(limit).map(|part| (0x82, part.to_vec())));
            }
            Step::Flush => {}
            Step::Ping => {
                pings += 1;
                messages.push((0x89, pings.to_be_bytes().to_vec()));
            }
            Step::Pinged => messages.push((0x8a, b"?".to_vec())),
            Step::Close => messages.push((0x88, vec![3, 0xe8])),
        }
    }
    messages
}

fn random_steps(random: &mut fastrand::Rng) -> Vec<Step> {
    let lengths =
        [0, 1, 2, 31, 32, 33, 125, 126, 127, 2000, 32_759, 32_760, 32_761, 65_520, 65_535, 65_536];
    let mut steps: Vec<Step> = (0..random.usize(1..10))
        .map(|_| match random.u8(..8) {
            0 => Step::Flush,
            1 => Step::Ping,
            2 => Step::Pinged,
            3 => Step::Write(payload(random, random.clone().usize(..200_000))),
            _ => {
                let length = *random.choice(&lengths).unwrap();
                Step::Write(payload(random, length))
            }
        })
        .collect();
    steps.push(if random.bool() { Step::Close } else { Step::Flush });
    steps
}

#[test]
fn frames_mean_to_tungstenite_what_we_mean() {
    for seed in 0..300 {
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let steps = random_steps(&mut random);
        for framing in [Framing::UpToLimit, Framing::PerPiece] {
            let mut world = world(b"");
            world.open = Open::new(LIMIT, framing, false);
            for step in &steps {
                world.go(step);
            }
            let limit = if framing == Framing::PerPiece { usize::MAX } else { MESSAGE_LIMIT };
            assert!(
                read_by_tungstenite(&world.sent.take()) == expected(&steps, limit),
                "seed {seed}: {steps:.20?}"
            );
        }
    }
}

#[test]
fn a_wire_that_is_congested_at_any_byte_loses_nothing_and_keeps_the_order() {
    let seed = 1;
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let small = [
        Step::Write(payload(&mut random, 3)),
        Step::Ping,
        Step::Write(payload(&mut random, 130)),
        Step::Write(payload(&mut random, 1)),
        Step::Pinged,
        Step::Write(payload(&mut random, 40)),
        Step::Flush,
        Step::Write(payload(&mut random, 1)),
        Step::Close,
    ];
    let large = [
        Step::Write(payload(&mut random, 7)),
        Step::Write(payload(&mut random, 150_000)),
        Step::Close,
    ];
    let around = |at: usize| at - 9..at + 9;
    let cuts = [around(9), around(32_768), around(65_536), around(131_072), around(150_060)];
    let runs = (0..300)
        .map(|limit| (&small[..], limit))
        .chain(cuts.into_iter().flatten().map(|limit| (&large[..], limit)));
    for (steps, limit) in runs {
        let mut world = world(b"");
        world.sent.0.lock().unwrap().failure = Some((limit, io::ErrorKind::WouldBlock));
        for step in steps {
            world.go(step);
        }
        world.relieve();
        assert!(
            read_by_tungstenite(&world.sent.take()) == expected(steps, MESSAGE_LIMIT),
            "congested at {limit}"
        );
    }
}

#[test]
fn every_frame_has_a_mask_of_its_own() {
    let mut world = world(b"");
    for _ in 0..1000 {
        world.open.write(&mut world.stream, &mut Bytes::from_static(b"x")).unwrap();
    }
    world.open.flush(&mut world.stream).unwrap();
    let sent = world.sent.take();
    let masks: Vec<&[u8]> = sent.chunks(7).map(|frame| &frame[2..6]).collect();
    assert_eq!(masks.len(), 1000);
    // By chance a few masks may be equal.
    let different: std::collections::BTreeSet<&[u8]> = masks.iter().copied().collect();
    assert!(
        different.len() > 990 && masks.windows(2).filter(|pair| pair[0] == pair[1]).count() < 3
    );
}

#[test]
fn what_waits_is_let_go_of_and_what_was_long_is_not_kept() {
    let mut world = world(b"");
    world.open = Open::new(LIMIT, Framing::PerPiece, false);
    let mut piece = Bytes::from(vec![1; 1_000_000]);
    let whole = piece.clone();
    world.open.write(&mut world.stream, &mut piece).unwrap();
    assert!(piece.is_empty() && whole.is_unique(), "nothing of it is held");
    assert_eq!(world.open.frames.memory(), 0);
    world.open.write(&mut world.stream, &mut Bytes::from_static(b"x")).unwrap();
    assert_eq!(world.open.frames.memory(), 7);
}

#[test]
fn the_log_has_every_frame_in_its_order() {
    let mut world = world(b"");
    world.open = Open::new(LIMIT, Framing::UpToLimit, true);
    let seed = 2;
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for step in
        [Step::Write(payload(&mut random, 70_000)), Step::Ping, Step::Write(vec![1]), Step::Close]
    {
        world.go(&step);
    }
    let lines: Vec<String> = std::iter::from_fn(|| world.open.traced()).collect();
    let frames =
        ["binary, length 32760", "binary, length 32760", "binary, length 4480", "ping, length 4"];
    let frames = frames.iter().chain(&["binary, length 1", "close, length 2"]);
    assert!(
        lines.iter().eq(frames.map(|frame| format!("> frame: {frame}")).collect::<Vec<_>>().iter()),
        "{lines:?}"
    );
}
