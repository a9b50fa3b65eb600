//! Deviations of real servers on purpose, pure: between the bytes of a client and those of a broker
//! that keeps to the standards stands a [`DeviantTraffic`], which changes what passes. So the
//! broker knows of none of them, and each is a row in a table.

mod connect;
mod frames_in;
mod frames_out;
mod head;
mod packet;
mod publish;
mod session;
mod stream;
mod subscribe;
#[cfg(test)]
mod tests;
mod traffic;
mod upgrade;

use std::collections::{BTreeMap, BTreeSet};

use head::RewrittenHead;
use packet::RawPacket;
use stream::WholeFrame;

pub use traffic::DeviantTraffic;

/// A known deviation.
#[derive(Debug)]
pub struct KnownDeviation {
    /// Its name, in kebab-case.
    pub name: &'static str,
    /// What the server does.
    pub sentence: &'static str,
    /// Servers that do it; empty if no release is known to.
    pub servers: &'static str,
    /// The points of `check` that fail.
    pub fails: &'static [&'static str],
    /// The points of `check` that warn.
    pub warns: &'static [&'static str],
    change: Change,
}

/// All deviations, grouped by where they act.
pub fn all() -> impl Iterator<Item = &'static KnownDeviation> {
    [
        upgrade::ROWS,
        upgrade::offers::ROWS,
        frames_in::ROWS,
        frames_out::ROWS,
        connect::ROWS,
        publish::ROWS,
        subscribe::ROWS,
        session::ROWS,
    ]
    .into_iter()
    .flatten()
}

/// The deviation of this name.
pub fn find(name: &str) -> Option<&'static KnownDeviation> {
    all().find(|deviation| deviation.name == name)
}

/// What is done about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
enum RequestStep {
    /// It goes on as it is.
    Pass,
    /// This goes on instead.
    Change(String),
    /// This is the answer, and the end.
    Answer(String),
    /// The connection ends without an answer.
    Mute,
    /// Nothing is answered.
    Hang,
}

/// What is done about a frame or a packet; several things are done in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum RewriteStep {
    /// It goes on as it came.
    Pass,
    /// These bytes go on.
    Onward(Vec<u8>),
    /// These bytes go to the side that has sent it.
    Back(Vec<u8>),
    /// The connection ends.
    End,
}

/// What a deviation remembers of a connection.
#[derive(Debug, Default)]
struct DeviationMemory {
    /// The number of the connection.
    connection: u64,
    /// How many reads the request took.
    reads: u32,
    /// How many things of a kind have come.
    count: u64,
    /// Bytes that are kept.
    kept: Option<Vec<u8>>,
    /// Packet identifiers.
    ids: BTreeSet<u16>,
    /// Topic filters, and a number for each.
    filters: BTreeMap<String, u32>,
}

type RequestFn = fn(&mut DeviationMemory, &RewrittenHead) -> RequestStep;
type ResponseFn = fn(&RewrittenHead, RewrittenHead) -> Option<RewrittenHead>;
type ReadFn = fn(&mut DeviationMemory, &[u8]) -> bool;
type FrameFn = fn(&mut DeviationMemory, &WholeFrame) -> Vec<RewriteStep>;
type PacketFn = fn(&mut DeviationMemory, &RawPacket) -> Vec<RewriteStep>;

/// What a deviation changes: what it does not name passes.
#[derive(Debug, Clone, Copy)]
struct Change {
    /// The head of the request.
    request: Option<RequestFn>,
    /// The head of the answer; `None` ends the connection without one.
    response: Option<ResponseFn>,
    /// Whether the bytes of one read are taken; otherwise the connection ends.
    read: Option<ReadFn>,
    /// Frames of the client, and of the server.
    frames: [Option<FrameFn>; 2],
    /// Packets of the client, and of the server.
    packets: [Option<PacketFn>; 2],
}

/// Whose bytes pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

impl Change {
    const NONE: Self =
        Self { request: None, response: None, read: None, frames: [None; 2], packets: [None; 2] };

    const fn request(change: RequestFn) -> Self {
        Self { request: Some(change), ..Self::NONE }
    }

    const fn response(change: ResponseFn) -> Self {
        Self { response: Some(change), ..Self::NONE }
    }

    const fn client_frames(change: FrameFn) -> Self {
        Self { frames: [Some(change), None], ..Self::NONE }
    }

    const fn server_frames(change: FrameFn) -> Self {
        Self { frames: [None, Some(change)], ..Self::NONE }
    }

    const fn frames(client: FrameFn, server: FrameFn) -> Self {
        Self { frames: [Some(client), Some(server)], ..Self::NONE }
    }

    const fn client(change: PacketFn) -> Self {
        Self { packets: [Some(change), None], ..Self::NONE }
    }

    const fn server(change: PacketFn) -> Self {
        Self { packets: [None, Some(change)], ..Self::NONE }
    }

    const fn packets(client: PacketFn, server: PacketFn) -> Self {
        Self { packets: [Some(client), Some(server)], ..Self::NONE }
    }
}

/// It goes on as it came.
fn pass() -> Vec<RewriteStep> {
    vec![RewriteStep::Pass]
}
