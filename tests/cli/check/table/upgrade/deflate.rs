//! Servers that agree to compression: one that does it, and some that do not.

use crate::check::front::{Deviation, Do, Seen, frame, header, start, with};
use crate::check::table::{Row, play, serve, verdicts};

const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

/// FIN, RSV1 and the opcode of a binary message.
const COMPRESSED: u8 = 0xc2;

/// What becomes of messages.
#[derive(Clone, Copy, PartialEq)]
enum Compression {
    /// Both directions are compressed.
    Works,
    /// What the client compresses goes on as it is.
    NotUndone,
    /// What goes to the client is no DEFLATE.
    Spoilt,
}

/// Agrees to compression.
struct Deflate {
    compression: Compression,
    is_agreed: bool,
}

impl Deflate {
    fn new(compression: Compression) -> Self {
        Self { compression, is_agreed: false }
    }
}

impl Deviation for Deflate {
    fn answer(&mut self, request: &str, head: String) -> String {
        let offer = header(request, EXTENSIONS).unwrap_or_default();
        // An offer with a window of its own is declined.
        self.is_agreed =
            offer.starts_with("permessage-deflate") && !offer.contains("server_max_window_bits");
        if self.is_agreed { with(&head, EXTENSIONS, "permessage-deflate") } else { head }
    }

    fn client_frame(&mut self, seen: &Seen) -> Vec<Do> {
        if seen.first != COMPRESSED || self.compression == Compression::NotUndone {
            return vec![Do::Pass];
        }
        // One stored block: its header of five bytes, and the last byte.
        let plain = &seen.payload[5..seen.payload.len() - 1];
        vec![Do::ToServer(frame(0x82, plain, true))]
    }

    fn server_frame(&mut self, seen: &Seen) -> Vec<Do> {
        if !self.is_agreed || seen.first != 0x82 || self.compression == Compression::NotUndone {
            return vec![Do::Pass];
        }
        let length = u16::try_from(seen.payload.len()).unwrap();
        let mut bytes = vec![0];
        bytes.extend(length.to_le_bytes());
        bytes.extend((!length).to_le_bytes());
        bytes.extend_from_slice(&seen.payload);
        bytes.push(0);
        if self.compression == Compression::Spoilt {
            bytes[0] = 0x07;
        }
        vec![Do::ToClient(frame(COMPRESSED, &bytes, false))]
    }
}

const ROWS: &[Row] = &[Row {
    name: "deflate-not-undone",
    deviation: || Box::new(Deflate::new(Compression::NotUndone)),
    scope: "upgrade",
    fails: &["deflate-works"],
    warns: &[],
}];

#[test]
fn deviations_change_their_points() {
    play(ROWS);
}

#[test]
fn compression_that_works_passes() {
    let (_serve, url) = serve();
    let front = start(&url, || Box::new(Deflate::new(Compression::Works)));
    let (found, report) = verdicts(&front, "upgrade,framing-out");
    let bad: Vec<_> = found.iter().filter(|(_, verdict)| *verdict != "PASS").collect();
    let bad: Vec<_> = bad.into_iter().filter(|(_, verdict)| *verdict != "n.a.").collect();
    assert!(bad.is_empty(), "{bad:?}\n{report}");
    assert_eq!(found.get("deflate-works").map(String::as_str), Some("PASS"), "{report}");
    assert!(report.contains("then CONNACK, compressed"), "{report}");
}

#[test]
fn spoilt_compression_is_named() {
    let (_serve, url) = serve();
    let front = start(&url, || Box::new(Deflate::new(Compression::Spoilt)));
    let (found, report) = verdicts(&front, "browser-request");
    assert_eq!(found.get("browser-request").map(String::as_str), Some("FAIL"), "{report}");
    assert!(report.contains("no CONNACK: the compressed bytes are no DEFLATE"), "{report}");
}
