//! The points of the group flow-control: flow control.

use super::{Harm, Need, Point, Set, Severity, Versions, Way};
use crate::mqtt::version::Version;

/// The points, in the order in which they are shown and run.
pub const POINTS: &[Point] = &[
    Point {
        name: "receive-maximum-out",
        clauses: &["MQTT-3.3.4-9", "MQTT-3.3.4-10", "MQTT-4.9.0-2", "MQTT-4.9.0-3"],
        marks: &[],
        set: Set::Default,
        way: Way::Alone,
        severity: Severity::Must,
        versions: Versions::Only(&[Version::V5]),
        needs: &[Need::Topics],
        harm: Harm::None,
        expected: "no more messages are in flight than we allow",
        why: "A small device has no room for more.",
        remedy: "report it to the server's authors",
    },
    Point {
        name: "receive-maximum-in",
        clauses: &["MQTT 5 3.3.4", "MQTT 5 4.9"],
        marks: &[],
        set: Set::Full,
        way: Way::Alone,
        severity: Severity::Should,
        versions: Versions::Only(&[Version::V5]),
        needs: &[],
        harm: Harm::Possible,
        expected: "more in flight than announced is refused",
        why: "A limit that does not hold misleads.",
        remedy: "mosquitto max_inflight_messages",
    },
    Point {
        name: "maximum-packet-size-out",
        clauses: &["MQTT-3.1.2-24", "MQTT-3.1.2-25"],
        marks: &[],
        set: Set::Default,
        way: Way::Alone,
        severity: Severity::Must,
        versions: Versions::Only(&[Version::V5]),
        needs: &[Need::Topics],
        harm: Harm::None,
        expected: "no packet larger than we allow comes",
        why: "A small device has no room for it.",
        remedy: "report it to the server's authors",
    },
    Point {
        name: "maximum-packet-size-in",
        clauses: &["MQTT 5 3.2.2.3.6", "MQTT 5 4.13"],
        marks: &[],
        set: Set::Full,
        way: Way::Alone,
        severity: Severity::Must,
        versions: Versions::Only(&[Version::V5]),
        needs: &[Need::Topics],
        harm: Harm::Possible,
        expected: "a packet larger than announced is refused, one as large taken",
        why: "Clients decide by the announcement.",
        remedy: "mosquitto max_packet_size, EMQX mqtt.max_packet_size, HiveMQ <max-packet-size>",
    },
];
