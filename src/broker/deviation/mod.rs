//! Deviations of real servers on purpose, pure: between the bytes of a client and those of a broker
//! that keeps to the standards stands a [`DeviantTraffic`], which changes what passes. So the
//! broker knows of none of them, and each is a row in a table.

mod aliases;
mod connect;
mod filter;
mod frames_in;
mod frames_out;
mod head;
mod packet;
mod publish;
mod session;
mod silence;
mod stream;
mod subscribe;
#[cfg(test)]
mod tests;
mod tls;
mod traffic;
mod upgrade;

use std::collections::{BTreeMap, BTreeSet};

use aliases::{ConnectionAliases, SessionAliases};
use head::RewrittenHead;
use packet::RawPacket;
use stream::WholeFrame;

pub use tls::{AlpnList, alpn};
pub use traffic::{DeviantEnd, DeviantTraffic};

/// A known deviation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownDeviation {
    /// Its name, in kebab-case.
    pub name: &'static str,
    /// What the server does.
    pub sentence: &'static str,
    /// Servers that do it; empty if no release is known to.
    pub servers: &'static str,
    /// The points of `check` that fail.
    pub fails: Vec<&'static str>,
    /// The points of `check` that warn.
    pub warns: Vec<&'static str>,
    /// What it is in the language of `--fault`, if it is a fault in time.
    pub fault: &'static str,
}

/// The deviations of one broker.
#[derive(Debug, Clone, Default)]
pub struct BrokerDeviations {
    /// In the order in which they act on what clients send.
    list: Vec<KnownDeviation>,
    aliases: SessionAliases,
    /// The longest packet that it takes of a client, in bytes.
    max_packet: usize,
}

impl BrokerDeviations {
    /// These, of a broker that takes packets of at most `max_packet` bytes.
    pub fn new(list: Vec<KnownDeviation>, max_packet: usize) -> Self {
        Self { list, aliases: SessionAliases::default(), max_packet }
    }

    /// The connection of this number, if anything deviates in it.
    pub fn of_connection(&self, connection: u64) -> Option<DeviantTraffic> {
        (!self.list.is_empty()).then(|| DeviantTraffic::new(connection, self))
    }
}

/// What is said of them, which is read when it is needed: for each its name, a sentence, and lines
/// that begin with the name of a field; an empty line between them.
const TEXT: &str = include_str!("deviations.txt");

/// A deviation of this name, and what it changes.
type NamedChange = (&'static str, Change);

/// What those change that are no faults in time, grouped by where they act.
const CHANGES: [&[NamedChange]; 11] = [
    aliases::CHANGES,
    tls::CHANGES,
    upgrade::CHANGES,
    upgrade::offers::CHANGES,
    frames_in::CHANGES,
    frames_out::CHANGES,
    connect::CHANGES,
    publish::CHANGES,
    subscribe::CHANGES,
    session::CHANGES,
    silence::CHANGES,
];

/// All deviations.
pub fn all() -> impl Iterator<Item = KnownDeviation> {
    TEXT.split("\n\n").map(KnownDeviation::read)
}

/// The deviation of this name.
pub fn find(name: &str) -> Option<KnownDeviation> {
    all().find(|deviation| deviation.name == name)
}

impl KnownDeviation {
    fn read(paragraph: &'static str) -> Self {
        let mut lines = paragraph.lines();
        let mut next = || lines.next().unwrap_or_default();
        let (name, sentence) = (next(), next());
        let field = |name| {
            let value = |line: &'static str| line.strip_prefix(name)?.strip_prefix(": ");
            paragraph.lines().find_map(value).unwrap_or_default()
        };
        let words = |name| field(name).split_whitespace().collect();
        let (fails, warns) = (words("fails"), words("warns"));
        Self { name, sentence, servers: field("servers"), fails, warns, fault: field("fault") }
    }

    /// What it changes; a fault in time may change nothing else.
    fn change(&self) -> Change {
        let mut all = CHANGES.into_iter().flatten();
        all.find(|(name, _)| *name == self.name).map_or(Change::NONE, |(_, change)| *change)
    }
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
    /// The connection is reset.
    Reset,
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
    /// Topic aliases of its session.
    aliases: ConnectionAliases,
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
    /// How the broker ends its side of a connection.
    ending: SideEnding,
    /// What becomes of bytes that a client sends before its request is answered.
    early: EarlyBytes,
    /// What becomes of `DeviationMemory::kept` when the broker has sent all that it has.
    kept: KeptBytes,
    /// What is agreed on in the handshake of TLS.
    alpn: AlpnList,
}

/// What becomes of bytes that a client sends before its request is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum EarlyBytes {
    #[default]
    Read,
    Lost,
    /// They end the connection.
    Fatal,
}

/// What becomes of bytes that were kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum KeptBytes {
    /// The deviation itself knows when they go on.
    #[default]
    Stay,
    /// They go to the client after everything else.
    SentLast,
}

/// How the broker ends its side of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SideEnding {
    /// By FIN, and before that by `close_notify` of TLS.
    #[default]
    Whole,
    /// By FIN alone.
    WithoutCloseNotify,
    /// It waits for the client to end its side.
    Never,
}

/// Whose bytes pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

impl Change {
    const NONE: Self = Self {
        request: None,
        response: None,
        read: None,
        frames: [None; 2],
        packets: [None; 2],
        ending: SideEnding::Whole,
        early: EarlyBytes::Read,
        kept: KeptBytes::Stay,
        alpn: AlpnList::None,
    };

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
