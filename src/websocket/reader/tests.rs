//! Frames of a client, read by a server: masked and cut anywhere. (The client's side is tested over
//! the stream, in `transport`.)

use super::*;
use crate::websocket::frame::{BINARY, CLOSE, FINAL, Key};

const LIMIT: usize = 1 << 20;
const KEY: Key = [1, 2, 3, 4];

/// A frame of a client.
fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    put_frame(opcode, payload, Some(KEY), &mut frame);
    frame
}

/// The payloads, the answers, and the end.
type Outcome = (Vec<u8>, Vec<u8>, Option<WebSocketError>);

fn read(pieces: &[&[u8]]) -> Outcome {
    let mut reader = Reader::new(Role::Server, LIMIT, false);
    let (mut payloads, mut answers) = (Vec::new(), Vec::new());
    for mut arrived in pieces.iter().copied() {
        loop {
            let taken = reader.feed(arrived);
            arrived = &arrived[taken..];
            let next = reader.next();
            let said = reader.take_answers();
            answers.extend_from_slice(&said);
            match next {
                Some(Ok(payload)) => {
                    assert!(!payload.is_empty());
                    payloads.extend_from_slice(&payload);
                }
                Some(Err(error)) => return (payloads, answers, Some(error)),
                None if arrived.is_empty() && said.is_empty() => break,
                None => {}
            }
        }
    }
    (payloads, answers, None)
}

#[test]
fn masked_messages_arrive_however_they_are_cut() {
    let long: Vec<u8> = (0..=250).cycle().take(70_000).collect();
    let mut bytes = [masked(BINARY, b"abc"), masked(BINARY, b""), masked(0x9, b"?")].concat();
    let head = bytes.len() + 14;
    bytes.extend(masked(BINARY, &long));
    bytes.extend(masked(0x9, b""));
    bytes.extend(masked(0xa, b""));
    // An answer is not masked (RFC 6455 §5.1).
    let expected = ([&b"abc"[..], &long].concat(), vec![0x8a, 1, b'?', 0x8a, 0], None);
    for cut in (0..=head + 70).chain(bytes.len() - 20..bytes.len()) {
        let (first, second) = bytes.split_at(cut);
        assert!(read(&[first, second]) == expected, "cut at {cut}");
    }
    let dripped: Vec<&[u8]> = bytes.chunks(3).collect();
    assert!(read(&dripped) == expected);
}

#[test]
fn a_close_is_answered_with_its_code_if_it_is_one() {
    for code in [1000, 1001, 1011, 1012, 1013, 1014, 3000, 4999] {
        let payload = [&u16::to_be_bytes(code)[..], b"why"].concat();
        let frame = masked(CLOSE, &payload);
        let closed = WebSocketError::Closed { code: Some(code), reason: "why".into() };
        let answer = [&[FINAL | CLOSE, 5][..], &payload].concat();
        for cut in 0..frame.len() {
            let (first, second) = frame.split_at(cut);
            assert_eq!(read(&[first, second]), (vec![], answer.clone(), Some(closed.clone())));
        }
    }
    for code in [999, 1004, 1005, 1006, 1015, 2999, 5000] {
        let (_, answer, error) = read(&[&masked(CLOSE, &u16::to_be_bytes(code))]);
        assert!(matches!(error, Some(WebSocketError::Protocol(_))), "{code}: {error:?}");
        assert_eq!(answer[2..4], 1002_u16.to_be_bytes(), "{code}");
    }
    let empty = Some(WebSocketError::Closed { code: None, reason: String::new() });
    assert_eq!(read(&[&masked(CLOSE, b"")]), (vec![], vec![FINAL | CLOSE, 0], empty));
    let (_, _, error) = read(&[&masked(CLOSE, &[3, 0xf6, 0xff])]);
    assert_eq!(error, Some(WebSocketError::BadReason));
}

#[test]
fn a_frame_without_a_mask_breaks_the_protocol() {
    for frame in [&[FINAL | BINARY, 2, 0xc0, 0][..], &[0x89, 0], &[FINAL | CLOSE, 0]] {
        let (payloads, _, error) = read(&[frame]);
        assert!(payloads.is_empty());
        assert!(matches!(error, Some(WebSocketError::Garbled { .. })), "{error:?}");
    }
}

#[test]
fn what_a_header_says_is_judged_before_the_payload_is_there() {
    let huge =
        |first, masked: u8| [&[first, masked | 127, 0, 0, 0, 0, 0x0f, 0, 0, 0][..], &KEY].concat();
    let rows = [
        (Role::Server, huge(FINAL | BINARY, 0), "an unmasked frame from the client"),
        (Role::Client, huge(FINAL | BINARY, 0x80), "a masked frame from the server"),
        (Role::Client, huge(0xc2, 0), "a frame with reserved bits set"),
        (Role::Client, huge(FINAL, 0), "a continuation frame without a message to continue"),
        (Role::Client, huge(0x89, 0), "a control frame of more than 125 bytes"),
        (Role::Client, huge(0x09, 0), "a fragmented control frame"),
    ];
    for (role, bytes, words) in rows {
        let mut reader = Reader::new(role, 1 << 28, false);
        reader.feed(&bytes);
        match reader.next() {
            Some(Err(
                WebSocketError::Protocol(error) | WebSocketError::Garbled { words: error, .. },
            )) => assert_eq!(error, words),
            other => panic!("{words}: {other:?}"),
        }
    }
}

#[test]
fn frames_after_a_close_are_skipped_however_long_they_are() {
    let mut reader = Reader::new(Role::Client, 1 << 28, false);
    reader.feed(&[FINAL | CLOSE, 0]);
    assert!(matches!(reader.next(), Some(Err(WebSocketError::Closed { code: None, .. }))));
    reader.take_answers();
    let long = [&[FINAL | BINARY, 127, 0, 0, 0, 0, 0, 1, 0, 0][..], &vec![0xff; 1 << 16]].concat();
    for piece in [&long[..], &[0x89, 1, b'?']] {
        assert_eq!(reader.feed(piece), piece.len());
        assert_eq!((reader.next(), reader.take_answers()), (None, Vec::new()));
    }
}
