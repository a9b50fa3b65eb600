//! The points of the group reach: the way to the server.

use super::{Harm, Mark, Point, Set, Severity, Versions, Way};

/// The points, in the order in which they are shown and run.
pub const POINTS: &[Point] = &[
    Point {
        name: "addresses",
        clauses: &["RFC 8305"],
        marks: &[],
        set: Set::Default,
        way: Way::Alone,
        severity: Severity::Practice,
        versions: Versions::Newest,
        needs: &[],
        harm: Harm::None,
        expected: "every address of the name answers",
        why: "A dead address costs each client that tries it first some seconds, or the whole \
              connection.",
        remedy: "remove the dead A/AAAA record, or open the port for that family",
    },
    Point {
        name: "same-everywhere",
        clauses: &["practice"],
        marks: &[],
        set: Set::Full,
        way: Way::Alone,
        severity: Severity::Practice,
        versions: Versions::Newest,
        needs: &[],
        harm: Harm::None,
        expected: "every address of the name answers alike",
        why: "Clients land on any of the addresses: nodes that differ make faults that come and \
              go.",
        remedy: "configure all nodes alike",
    },
    Point {
        name: "speaks-http",
        clauses: &["RFC 6455 4.2.2"],
        marks: &[Mark::F1],
        set: Set::Default,
        way: Way::Observed,
        severity: Severity::Must,
        versions: Versions::Newest,
        needs: &[],
        harm: Harm::None,
        expected: "the first bytes are an HTTP/1.1 answer",
        why: "Anything else means a wrong port: plain MQTT, TLS, or another protocol.",
        remedy: "wrong port, ws to a TLS port (or the reverse), a raw MQTT port, a PROXY-protocol \
                 port: give the WebSocket listener (mosquitto protocol websockets)",
    },
    Point {
        name: "clock",
        clauses: &["practice"],
        marks: &[],
        set: Set::Default,
        way: Way::Observed,
        severity: Severity::Practice,
        versions: Versions::Newest,
        needs: &[],
        harm: Harm::None,
        expected: "the server's clock is right within 5 minutes",
        why: "Tokens, signatures and certificates depend on the time.",
        remedy: "run NTP: tokens, SigV4 and certificates depend on it",
    },
];
