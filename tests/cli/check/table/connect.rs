//! Deviations of CONNECT and CONNACK.

use std::sync::atomic::{AtomicU16, Ordering};

use super::{Row, at_once, play, serve, verdicts, verdicts_with};
use crate::check::front::{self, Deviation, Do, Seen, frame};
use crate::support::program::Program;

/// The types of packets.
const CONNECT: u8 = 1;
const CONNACK: u8 = 2;
const PINGREQ: u8 = 12;
const DISCONNECT: u8 = 14;

/// The connect flags.
const RESERVED: u8 = 1;
const CLEAN_START: u8 = 2;

/// A CONNECT taken apart, as far as its length and its properties are short.
struct Parts {
    name: Vec<u8>,
    level: u8,
    flags: u8,
    keep_alive: [u8; 2],
    properties: Option<Vec<u8>>,
    client_id: Vec<u8>,
    rest: Vec<u8>,
}

impl Parts {
    fn new(packet: &[u8]) -> Self {
        let name_end = 4 + usize::from(packet[3]);
        let (name, rest) = (packet[4..name_end].to_vec(), &packet[name_end..]);
        let [level, flags, high, low, rest @ ..] = rest else { panic!("{packet:?}") };
        let (properties, rest) = match (level, rest) {
            (5.., [length, rest @ ..]) => {
                let (properties, rest) = rest.split_at(usize::from(*length));
                (Some(properties.to_vec()), rest)
            }
            _ => (None, rest),
        };
        // One that is cut short has what is there.
        let end = (2 + usize::from(rest[1])).min(rest.len());
        let (client_id, rest) = (rest[2..end].to_vec(), rest[end..].to_vec());
        let (level, flags, keep_alive) = (*level, *flags, [*high, *low]);
        Self { name, level, flags, keep_alive, properties, client_id, rest }
    }

    /// The frame that holds it.
    fn frame(&self) -> Vec<Do> {
        let short = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
        let mut body = [&[0, short(&self.name)], &self.name[..]].concat();
        body.extend([self.level, self.flags, self.keep_alive[0], self.keep_alive[1]]);
        if let Some(properties) = &self.properties {
            body.extend([&[short(properties)], &properties[..]].concat());
        }
        body.extend([&[0, short(&self.client_id)], &self.client_id[..], &self.rest].concat());
        let packet = [&[0x10, short(&body)], &body[..]].concat();
        vec![Do::ToServer(frame(0x82, &packet, true))]
    }
}

/// Does something about each CONNECT.
struct Connects(fn(Parts) -> Option<Vec<Do>>);

impl Deviation for Connects {
    fn client_frame(&mut self, seen: &Seen) -> Vec<Do> {
        let is_connect = seen.packet() == Some(CONNECT);
        let done = is_connect.then(|| (self.0)(Parts::new(&seen.payload))).flatten();
        done.unwrap_or_else(|| vec![Do::Pass])
    }
}

/// Does something about each packet of the server of this type, or leaves it out.
struct Answers(u8, fn(&[u8]) -> Option<Vec<u8>>);

impl Deviation for Answers {
    fn server_frame(&mut self, seen: &Seen) -> Vec<Do> {
        if seen.packet() != Some(self.0) {
            return vec![Do::Pass];
        }
        let changed = (self.1)(&seen.payload);
        changed.map(|packet| Do::ToClient(frame(0x82, &packet, false))).into_iter().collect()
    }
}

/// Leaves out what the client sends of this type, after so many.
struct Unread {
    packet: u8,
    after: usize,
}

impl Deviation for Unread {
    fn client_frame(&mut self, seen: &Seen) -> Vec<Do> {
        if seen.packet() != Some(self.packet) {
            return vec![Do::Pass];
        }
        if self.after == 0 {
            return Vec::new();
        }
        self.after -= 1;
        vec![Do::Pass]
    }
}

/// Puts a CONNECT before a first packet that is none.
#[derive(Default)]
struct AnyFirst {
    has_begun: bool,
}

impl Deviation for AnyFirst {
    fn client_frame(&mut self, seen: &Seen) -> Vec<Do> {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        match seen.packet() {
            Some(CONNECT) | None => vec![Do::Pass],
            _ if !is_first => vec![Do::Pass],
            _ => {
                let connect = b"\x10\x0e\0\x04MQTT\x05\x02\0\x3c\0\0\x01c";
                vec![Do::ToServer(frame(0x82, connect, true)), Do::Pass]
            }
        }
    }
}

/// A CONNACK of the server's own, and the end.
fn answered(connack: &[u8]) -> Vec<Do> {
    vec![Do::ToClient(frame(0x82, connack, false)), Do::End]
}

/// Each CONNECT gets a client identifier that no other has; one that is to be assigned does not.
fn renamed(mut parts: Parts) -> Option<Vec<Do>> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    if parts.client_id.is_empty() {
        return None;
    }
    parts.client_id.extend(NEXT.fetch_add(1, Ordering::Relaxed).to_string().into_bytes());
    Some(parts.frame())
}

// A refusal is always among them, so that the observed points have something to look at.
const VERSIONS: &str = "connect-mqtt5,connect-mqtt311,connect-mqtt31,level-unknown,\
                        refusal-then-close,auth-method-unknown";
const IDENTITY: &str = "session-present-clean,client-id-empty,client-id-empty-kept,takeover,\
                        auth-method-unknown";
const SPOILT: &str = "connect-malformed,connect-flags-checked,connect-properties-checked,\
                      first-packet,second-connect,auth-method-unknown";

const fn row(
    name: &'static str,
    scope: &'static str,
    deviation: fn() -> Box<dyn Deviation>,
) -> Row {
    Row { name, deviation, scope, fails: &[], warns: &[] }
}

const OF_VERSIONS: &[Row] = &[
    Row {
        fails: &["connect-mqtt311"],
        ..row("mqtt311-unanswered", VERSIONS, || {
            Box::new(Connects(|parts| (parts.level == 4).then(Vec::new)))
        })
    },
    Row {
        warns: &["connect-mqtt311"],
        ..row("mqtt311-closed-mute", VERSIONS, || {
            Box::new(Connects(|parts| (parts.level == 4).then(|| vec![Do::End])))
        })
    },
    Row {
        fails: &["connect-mqtt31"],
        ..row("mqtt31-unanswered", VERSIONS, || {
            Box::new(Connects(|parts| (parts.level == 3).then(Vec::new)))
        })
    },
    Row {
        fails: &["level-unknown"],
        ..row("level-6-taken", VERSIONS, || {
            Box::new(Connects(|parts| {
                (parts.level == 6).then(|| Parts { level: 5, ..parts }.frame())
            }))
        })
    },
    Row {
        warns: &["level-unknown"],
        ..row("level-6-other-code", VERSIONS, || {
            Box::new(Connects(|parts| (parts.level == 6).then(|| answered(b"\x20\x03\0\x88\0"))))
        })
    },
    Row {
        fails: &["level-unknown", "refusal-then-close"],
        ..row("refused-not-closed", VERSIONS, || {
            Box::new(Connects(|parts| {
                (parts.level == 6)
                    .then(|| vec![Do::ToClient(frame(0x82, b"\x20\x02\0\x01", false))])
            }))
        })
    },
    Row {
        fails: &["refusal-then-close"],
        ..row("refused-with-session", VERSIONS, || {
            Box::new(Connects(|parts| (parts.level == 6).then(|| answered(b"\x20\x02\x01\x01"))))
        })
    },
];

const OF_IDENTITY: &[Row] = &[
    Row {
        fails: &["session-present-clean"],
        ..row("session-present-after-clean-start", IDENTITY, || {
            Box::new(Answers(CONNACK, |packet| {
                let present = u8::from(packet[3] == 0);
                Some([&packet[..2], &[present], &packet[3..]].concat())
            }))
        })
    },
    Row {
        fails: &["client-id-empty"],
        ..row("no-assigned-id", IDENTITY, || {
            Box::new(Answers(CONNACK, |packet| {
                let at = packet.windows(3).position(|bytes| bytes == b"\x12\0\x07");
                let Some(at) = at.filter(|_| packet.len() > 10) else {
                    return Some(packet.to_vec());
                };
                // `served1` to `served9`: its property is the last.
                assert_eq!(packet[at + 3..at + 9], *b"served");
                let mut packet = packet[..at].to_vec();
                packet[1] = u8::try_from(at - 2).unwrap();
                packet[4] = u8::try_from(at - 5).unwrap();
                Some(packet)
            }))
        })
    },
    Row {
        fails: &["client-id-empty"],
        ..row("one-assigned-id", IDENTITY, || {
            Box::new(Answers(CONNACK, |packet| {
                let mut packet = packet.to_vec();
                if let Some(at) = packet.windows(6).position(|bytes| bytes == b"served") {
                    packet[at + 6..].fill(b'1');
                }
                Some(packet)
            }))
        })
    },
    Row {
        warns: &["client-id-empty"],
        ..row("empty-id-refused", IDENTITY, || {
            Box::new(Connects(|parts| {
                let is_clean = parts.flags & CLEAN_START != 0;
                let code = if parts.level == 5 { 0x85 } else { 2 };
                let packet = [0x20, 2, 0, code];
                (parts.client_id.is_empty() && is_clean).then(|| answered(&packet))
            }))
        })
    },
    Row {
        fails: &["client-id-empty-kept"],
        ..row("empty-id-kept", IDENTITY, || {
            Box::new(Connects(|mut parts| {
                parts.flags |= CLEAN_START;
                (parts.level == 4 && parts.client_id.is_empty()).then(|| parts.frame())
            }))
        })
    },
    Row { fails: &["takeover"], ..row("no-takeover", IDENTITY, || Box::new(Connects(renamed))) },
    Row {
        warns: &["takeover"],
        ..row("takeover-without-reason", IDENTITY, || Box::new(Answers(DISCONNECT, |_| None)))
    },
];

const OF_SPOILT: &[Row] = &[
    Row {
        fails: &["connect-malformed"],
        ..row("any-protocol-name", SPOILT, || {
            Box::new(Connects(|mut parts| {
                let right = if parts.level == 3 { *b"p" } else { *b"T" };
                let at = parts.name.len() - 1;
                parts.name[at..].copy_from_slice(&right);
                Some(parts.frame())
            }))
        })
    },
    Row {
        fails: &["connect-malformed"],
        ..row("trailing-bytes-taken", SPOILT, || {
            Box::new(Connects(|mut parts| {
                parts.rest.ends_with(b"\0\x01x").then(|| {
                    parts.rest.truncate(parts.rest.len() - 3);
                    parts.frame()
                })
            }))
        })
    },
    Row {
        fails: &["connect-flags-checked"],
        ..row("any-connect-flags", SPOILT, || {
            Box::new(Connects(|mut parts| {
                let is_reserved = parts.flags & RESERVED != 0;
                parts.flags &= !RESERVED;
                is_reserved.then(|| parts.frame())
            }))
        })
    },
    Row {
        fails: &["connect-properties-checked"],
        ..row("any-connect-property", SPOILT, || {
            Box::new(Connects(|mut parts| {
                let is_unknown = parts.properties.as_deref() == Some(b"\x7e\0");
                parts.properties = Some(Vec::new());
                is_unknown.then(|| parts.frame())
            }))
        })
    },
    Row {
        fails: &["first-packet"],
        ..row("any-first-packet", SPOILT, || Box::new(AnyFirst::default()))
    },
    Row {
        fails: &["second-connect"],
        ..row("second-connect-ignored", SPOILT, || Box::new(Unread { packet: CONNECT, after: 1 }))
    },
    Row {
        fails: &["auth-method-unknown"],
        ..row("any-auth-method", SPOILT, || {
            Box::new(Connects(|mut parts| {
                let is_method = parts.properties.as_deref() == Some(b"\x15\0\x07x-check");
                parts.properties = Some(Vec::new());
                is_method.then(|| parts.frame())
            }))
        })
    },
    Row {
        fails: &["ping-answered"],
        ..row("pingreq-unanswered", "ping-answered,connect-mqtt5", || {
            Box::new(Unread { packet: PINGREQ, after: 0 })
        })
    },
];

#[test]
fn deviations_of_versions() {
    play(OF_VERSIONS);
}

#[test]
fn deviations_of_identity() {
    play(OF_IDENTITY);
}

#[test]
fn deviations_of_what_is_taken() {
    play(OF_SPOILT);
}

/// MQTT 3.1 only says that a server should close the connection at a malformed CONNECT.
#[test]
fn a_malformed_connect_that_mqtt_31_takes_is_a_warning() {
    let (_serve, url) = serve();
    let front = front::start(&url, OF_SPOILT[0].deviation);
    for (version, expected) in [("31", "WARN"), ("311", "FAIL"), ("5", "FAIL")] {
        let flags = ["--versions", version];
        let (found, report) = verdicts_with(&front, "connect-malformed", &flags);
        assert_eq!(found["connect-malformed"], expected, "{version}: {report}");
    }
}

/// Without MQTT 5 its points do not apply; whether that is a fault depends on how it is refused.
#[test]
fn without_mqtt_5() {
    let (_serve, url) = serve();
    let mute: fn() -> Box<dyn Deviation> =
        || Box::new(Connects(|parts| (parts.level == 5).then(|| vec![Do::End])));
    let told: fn() -> Box<dyn Deviation> =
        || Box::new(Connects(|parts| (parts.level == 5).then(|| answered(b"\x20\x02\0\x01"))));
    for (deviation, of_version) in [(mute, "FAIL"), (told, "n.a.")] {
        let front = front::start(&url, deviation);
        let scope = "connect-mqtt5,connect-mqtt311,auth-method-unknown,ping-answered,two-packets";
        let (found, report) = verdicts(&front, scope);
        let expected = [
            ("auth-method-unknown", "n.a."),
            ("connect-mqtt311", "PASS"),
            ("connect-mqtt5", of_version),
            ("ping-answered", "PASS"),
            ("two-packets", "PASS"),
        ];
        for (name, verdict) in expected {
            assert_eq!(found[name], verdict, "{name}: {report}");
        }
    }
}

/// `serve` asks nobody for a password: the front does.
#[test]
fn wrong_passwords() {
    let refused: fn() -> Box<dyn Deviation> = || {
        Box::new(Connects(|parts| {
            let code = if parts.level == 5 { 0x86 } else { 4 };
            let is_wrong = !parts.rest.ends_with(b"right");
            is_wrong.then(|| answered(&[0x20, 2, 0, code]))
        }))
    };
    let mute: fn() -> Box<dyn Deviation> =
        || Box::new(Connects(|parts| (!parts.rest.ends_with(b"right")).then(|| vec![Do::End])));
    let silent: fn() -> Box<dyn Deviation> =
        || Box::new(Connects(|parts| (!parts.rest.ends_with(b"right")).then(Vec::new)));
    let taken: fn() -> Box<dyn Deviation> = || Box::new(Connects(|_| None));
    let (_serve, url) = serve();
    let cases = [(refused, "PASS"), (mute, "WARN"), (silent, "FAIL"), (taken, "WARN")];
    at_once(cases, |(deviation, verdict)| {
        let front = front::start(&url, deviation);
        let flags = ["--only", "bad-password", "--json", "--quiet", "-u", "user", "-P", "right"];
        let outcome = Program::new([&["check", &front][..], &flags].concat()).run();
        let report: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap();
        let points = report["points"].as_array().unwrap().iter();
        let points: Vec<_> = points.filter(|point| point["name"] == "bad-password").collect();
        assert_eq!(points.len(), 3, "{outcome}");
        for point in points {
            assert_eq!(point["verdict"], verdict, "{outcome}");
            assert_eq!(point["tries"], 1, "{outcome}");
        }
    });
}
