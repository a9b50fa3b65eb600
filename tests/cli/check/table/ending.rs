//! Deviations of how connections end.

use super::{Row, play};
use crate::check::front::{Deviation, Do, Seen, Side, frame};

/// An opcode, and the types of packets.
const CLOSE: u8 = 8;
const DISCONNECT: u8 = 14;

/// How the client has ended the connection, as far as it has.
#[derive(Clone, Copy, PartialEq)]
enum Goodbye {
    None,
    /// By DISCONNECT.
    Mqtt,
    /// By a Close frame alone.
    Close,
}

/// What of the server's end is kept from the client.
#[derive(Clone, Copy, PartialEq)]
enum Kept {
    /// The Close frame.
    Close,
    /// FIN.
    Fin,
    /// The Close frame is one of code 1001.
    Code,
}

/// Keeps something of the server's end from a client that ends like this.
struct Ends {
    after: Goodbye,
    kept: Kept,
    seen: Goodbye,
}

impl Ends {
    fn boxed(after: Goodbye, kept: Kept) -> Box<dyn Deviation> {
        Box::new(Self { after, kept, seen: Goodbye::None })
    }
}

impl Deviation for Ends {
    fn client_frame(&mut self, seen: &Seen) -> Vec<Do> {
        if self.seen == Goodbye::None {
            if seen.packet() == Some(DISCONNECT) {
                self.seen = Goodbye::Mqtt;
            } else if seen.opcode() == CLOSE {
                self.seen = Goodbye::Close;
            }
        }
        vec![Do::Pass]
    }

    fn server_frame(&mut self, seen: &Seen) -> Vec<Do> {
        let is_meant = seen.opcode() == CLOSE && self.seen == self.after;
        match self.kept {
            Kept::Close if is_meant => Vec::new(),
            Kept::Code if is_meant => vec![Do::ToClient(frame(0x88, &[0x03, 0xe9], false))],
            _ => vec![Do::Pass],
        }
    }

    fn end(&mut self, of: Side) -> bool {
        !(of == Side::Server && self.kept == Kept::Fin && self.seen == self.after)
    }
}

/// Repeats each Close of the client, whatever is in it.
struct Echo;

impl Deviation for Echo {
    fn client_frame(&mut self, seen: &Seen) -> Vec<Do> {
        if seen.opcode() == CLOSE {
            return vec![Do::ToClient(frame(0x88, &seen.payload, false)), Do::End];
        }
        vec![Do::Pass]
    }
}

/// Ignores each Close of the client that is malformed.
struct Lenient;

impl Deviation for Lenient {
    fn client_frame(&mut self, seen: &Seen) -> Vec<Do> {
        let is_malformed = seen.opcode() == CLOSE
            && match seen.payload[..] {
                [_] => true,
                [high, low, ..] => {
                    let code = u16::from_be_bytes([high, low]);
                    code < 1000 || code == 1005 || seen.payload.contains(&0xc3) && code == 1000
                }
                [] => false,
            };
        if is_malformed { Vec::new() } else { vec![Do::Pass] }
    }
}

/// Does not see that the client has ended its half.
struct HalfOpen;

impl Deviation for HalfOpen {
    fn end(&mut self, of: Side) -> bool {
        of == Side::Server
    }
}

/// The server's DISCONNECT has no reason.
struct NoReason;

impl Deviation for NoReason {
    fn server_frame(&mut self, seen: &Seen) -> Vec<Do> {
        if seen.packet() == Some(DISCONNECT) {
            return Vec::new();
        }
        vec![Do::Pass]
    }
}

const SCOPE: &str = "mqtt-disconnect,client-close,close-forms,ping-answered";
const MALFORMED: &str = "client-close,close-forms,close-malformed,ping-answered";
const REFUSALS: &str = "second-connect,subscribe-malformed,error-close-frame,error-reason-code";

const fn row(name: &'static str, deviation: fn() -> Box<dyn Deviation>) -> Row {
    Row { name, deviation, scope: SCOPE, fails: &[], warns: &[] }
}

const ROWS: &[Row] = &[
    Row {
        warns: &["mqtt-disconnect"],
        ..row("no-close-after-disconnect", || Ends::boxed(Goodbye::Mqtt, Kept::Close))
    },
    Row {
        warns: &["mqtt-disconnect"],
        ..row("no-fin-after-disconnect", || Ends::boxed(Goodbye::Mqtt, Kept::Fin))
    },
    Row {
        warns: &["mqtt-disconnect"],
        ..row("close-1001-after-disconnect", || Ends::boxed(Goodbye::Mqtt, Kept::Code))
    },
    Row {
        fails: &["client-close", "close-forms"],
        ..row("close-unanswered", || Ends::boxed(Goodbye::Close, Kept::Close))
    },
    Row {
        fails: &["client-close", "close-forms"],
        ..row("close-without-fin", || Ends::boxed(Goodbye::Close, Kept::Fin))
    },
    Row {
        scope: MALFORMED,
        // What is echoed is no legal Close of the server, either.
        fails: &["close-malformed", "close-code-legal"],
        ..row("close-echoed", || Box::new(Echo))
    },
    Row {
        scope: MALFORMED,
        fails: &["close-malformed"],
        ..row("malformed-close-ignored", || Box::new(Lenient))
    },
    Row {
        scope: "client-close,fin-alone",
        warns: &["fin-alone"],
        ..row("half-open", || Box::new(HalfOpen))
    },
    Row {
        scope: REFUSALS,
        warns: &["error-close-frame"],
        ..row("no-close-on-errors", || Ends::boxed(Goodbye::None, Kept::Close))
    },
    Row {
        scope: REFUSALS,
        warns: &["error-reason-code"],
        ..row("disconnect-without-reason", || Box::new(NoReason))
    },
];

#[test]
fn deviations_change_their_points() {
    play(ROWS);
}
