//! What set the limit: the generator, the machine or the server.

use super::{BUSY, Circumstances, ServerPlace, lateness};
use crate::command::bench::config::LoadPace;
use crate::command::bench::measure::Quantile;
use crate::command::bench::results::Results;

/// A loop that takes so much of a core sets the limit.
const RATHER_BUSY: f64 = 0.90;

/// What set the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoadLimit {
    /// Nothing: what was offered was delivered.
    #[default]
    NotReached,
    /// The generator.
    Generator,
    /// The machine, on which the server runs, too.
    Machine,
    /// The server: it refused connections.
    ServerRefused,
    /// The server: it refused messages.
    ServerRefusedMessages,
    /// The server: it lost messages or connections.
    ServerLost,
    /// The server: this was full for this share of the time, in percent.
    ServerBlocked(FullKind, u8),
    /// The server: it fell behind.
    ServerBehind,
    /// It cannot be told.
    Unknown,
}

/// What was full, so that messages waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FullKind {
    /// The server did not read.
    Sockets,
    /// The server did not acknowledge, or did not deliver.
    Windows,
    /// Both.
    Either,
}

impl FullKind {
    /// What of these shares of the time is worth a word: under a hundredth is not.
    fn of(sockets: f64, windows: f64) -> Self {
        match (sockets >= 0.01, windows >= 0.01) {
            (_, false) => Self::Sockets,
            (false, true) => Self::Windows,
            (true, true) => Self::Either,
        }
    }

    /// The words for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Sockets => "sockets",
            Self::Windows => "windows",
            Self::Either => "windows or sockets",
        }
    }
}

impl LoadLimit {
    /// The word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotReached => "none",
            Self::Generator => "generator",
            Self::Machine => "machine",
            Self::ServerRefused
            | Self::ServerRefusedMessages
            | Self::ServerLost
            | Self::ServerBlocked(..)
            | Self::ServerBehind => "server",
            Self::Unknown => "unknown",
        }
    }
}

/// What set it, of a run that is invalid for these reasons, if it is.
pub fn limit(
    results: &Results,
    about: &Circumstances,
    invalid: &[String],
    is_overloaded: bool,
) -> LoadLimit {
    let Results { connections, generator, messages, verified, .. } = results;
    let has_refused = connections.failed.keys().any(|cause| cause.is_answer());
    match about.pace {
        _ if !invalid.is_empty() => LoadLimit::Generator,
        // Whoever else was busy: this is an answer of the server.
        _ if has_refused => LoadLimit::ServerRefused,
        LoadPace::Closed(_)
            if !about.is_open() && lateness::stood_still(results, about).is_some() =>
        {
            LoadLimit::Generator
        }
        _ if generator.cpu >= RATHER_BUSY => LoadLimit::Generator,
        _ if about.place == ServerPlace::Here
            && generator.machine_busy.is_some_and(|busy| busy >= BUSY) =>
        {
            LoadLimit::Machine
        }
        _ if has_held_back(results, about) => blocked_for(results),
        _ if connections.failures() > 0 => LoadLimit::ServerRefused,
        _ if messages.refusals() > 0 => LoadLimit::ServerRefusedMessages,
        _ if verified.lost > 0 || connections.losses() > 0 => LoadLimit::ServerLost,
        _ if is_overloaded && has_too_few(results, about) => LoadLimit::Unknown,
        _ if is_overloaded => LoadLimit::ServerBehind,
        _ if about.is_open() => LoadLimit::NotReached,
        LoadPace::Closed(_) if results.messages.sent == 0 => LoadLimit::NotReached,
        LoadPace::Open(_) | LoadPace::Closed(_) => LoadLimit::Unknown,
    }
}

/// Whether all connections of a step were in use although the server was not slower than at its
/// fastest: more of them would show what it can do.
fn has_too_few(results: &Results, about: &Circumstances) -> bool {
    let times = &results.connections.times;
    let steps = [&times.tcp, &times.tls, &times.upgrade, &times.connack];
    let usual = steps.iter().filter_map(|step| step.quantile_of_arrived(0.5)).sum::<u64>();
    let fastest = steps.iter().filter_map(|step| step.minimum()).sum::<u64>();
    let has_waited = results.making.not_begun > 0;
    let is_fast = fastest > 0 && usual <= fastest.saturating_mul(QUEUE);
    about.is_of_connecting() && has_waited && is_fast
}

/// The share of the publishers' time for which a window or a socket is full at a server that sets
/// the limit.
const BLOCKED: f64 = 0.5;

/// Whether the server has held back the publishers.
fn has_held_back(results: &Results, about: &Circumstances) -> bool {
    let generator = &results.generator;
    match about.pace {
        LoadPace::Open(_) => generator.blocked + generator.window_full >= BLOCKED,
        // In a closed loop windows are always full. Where messages wait behind others, a larger
        // window only lets more of them wait.
        LoadPace::Closed(_) => {
            generator.blocked >= BLOCKED || (generator.window_full >= BLOCKED && has_queue(results))
        }
    }
}

/// How many times the round trip before the load a message takes that waits behind others.
const QUEUE: u64 = 10;

/// Whether messages take far longer than a round trip took before the load, or for ever.
fn has_queue(results: &Results) -> bool {
    let Results { latencies, connections, .. } = results;
    if latencies.acknowledgement.quantile(0.5) == Some(Quantile::Never) {
        return true;
    }
    let service = latencies.acknowledgement.quantile_of_arrived(0.5);
    let service = service.or_else(|| latencies.delivery.quantile_of_arrived(0.5));
    let alone = connections.times.connack.quantile_of_arrived(0.5);
    service.zip(alone).is_some_and(|(service, alone)| service > alone.saturating_mul(QUEUE))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share is at most 100 percent"
)]
fn blocked_for(results: &Results) -> LoadLimit {
    let (sockets, windows) = (results.generator.blocked, results.generator.window_full);
    let percent = ((sockets + windows) * 100.0).floor().clamp(0.0, 100.0) as u8;
    LoadLimit::ServerBlocked(FullKind::of(sockets, windows), percent)
}
