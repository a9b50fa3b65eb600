//! Deviations of servers that hang: the connection stays open, and MQTT is not answered any more.

use super::packet::RawPacket;
use super::{Change, DeviationMemory, NamedChange, RewriteStep, pass};

/// The types of packets.
const CONNECT: u8 = 1;
const SUBSCRIBE: u8 = 8;

/// How many packets of a client are answered before a silence.
const MANY: u64 = 100;

pub const CHANGES: &[NamedChange] = &[
    ("silent-after-connack", Change::client(|_, packet| until(packet.kind() != CONNECT, packet))),
    (
        "silent-after-subscribe",
        Change::client(|memory, packet| {
            let is_silent = memory.count > 0;
            memory.count += u64::from(packet.kind() == SUBSCRIBE);
            until(is_silent, packet)
        }),
    ),
    (
        "silent-after-100-packets",
        Change::packets(
            |memory, packet| {
                memory.count += 1;
                until(memory.count > MANY, packet)
            },
            silent,
        ),
    ),
];

/// Leaves out a packet of the client once the server is silent. A server that hangs ends no
/// connection for its keep alive.
fn until(is_silent: bool, packet: &RawPacket) -> Vec<RewriteStep> {
    if is_silent {
        return Vec::new();
    }
    packet.changed_connect(|connect| connect.keep_alive = 0)
}

fn silent(memory: &mut DeviationMemory, _: &RawPacket) -> Vec<RewriteStep> {
    if memory.count > MANY { Vec::new() } else { pass() }
}
