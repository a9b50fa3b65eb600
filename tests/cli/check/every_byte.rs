//! A server that ends connections at every byte of a healthy run, or alters bytes. Whole runs for
//! each byte would take hours: each run has one such fault in every conversation, and a conversation
//! is what one point makes the server say. Where a conversation repeats itself, each byte that differs
//! from the others is meant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::front::{self, Deviation, Do, Seen, header};
use super::running::retained;
use super::table::serve;
use crate::support::program::{Outcome, Program};

/// How many runs go on at the same time, where they work most of the time, and where they wait.
const WORKERS: usize = 4;
const WAITERS: usize = 16;

/// Points that repeat some packets, or send a large one. There bytes that are at the same place of
/// packets of the same kind are alike: the first of them is tried, and the last packet of each kind.
const REPEATING: [&str; 6] = [
    "packet-over-messages",
    "hundred-packets",
    "qos0-round-trip",
    "order",
    "latency-steps",
    "large-packet",
];

/// How many bytes at the beginning of a piece are each of a kind of its own, and how many at its end;
/// what is between them is payload.
const BEGINNING: usize = 120;
const END: usize = 16;

/// How many bytes of a conversation may be missing at its end: PINGRESP and a Close frame, which the
/// client may not have waited for, and headers of frames where packets came together.
const LAST: usize = 16;

/// The same for a conversation that repeats packets, as a part of it.
const LAST_OF_REPEATING: usize = 20;

/// What is wrong with the server.
#[derive(Clone, Copy)]
enum Fault {
    /// The connection ends.
    End,
    /// These bits of the next byte are inverted.
    Bits(u8),
}

/// After how many bytes of a conversation its fault comes.
#[derive(Clone)]
enum Place {
    /// It has none.
    Nowhere,
    /// After so many bytes of each conversation.
    At(usize),
    /// After so many bytes of the conversations of these names.
    Of(Arc<BTreeMap<String, usize>>),
}

/// Where a run goes wrong.
#[derive(Clone)]
struct Plan {
    fault: Fault,
    after: Place,
    /// Only the first connection is meant, also within CONNACK.
    is_first_alone: bool,
}

impl Plan {
    /// After how many bytes of this conversation.
    fn place(&self, name: &str) -> Option<usize> {
        match &self.after {
            Place::Nowhere => None,
            Place::At(place) => Some(*place),
            Place::Of(places) => places.get(name).copied(),
        }
    }
}

/// Nothing goes wrong.
const HEALTHY: Plan = Plan { fault: Fault::End, after: Place::Nowhere, is_first_alone: false };

/// What a byte is alike with: others at this place of a piece that begins with these bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct ByteKind {
    start: Vec<u8>,
    at: BytePlace,
}

/// Where a byte is in its piece.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum BytePlace {
    FromStart(usize),
    FromEnd(usize),
    Between,
}

/// The kinds of the bytes of a piece: of a frame, its first byte, and the first of the packet in it.
fn kinds(bytes: &[u8]) -> impl Iterator<Item = ByteKind> + '_ {
    let length = bytes.len();
    let header = match bytes.get(1) {
        Some(126) => 4,
        Some(127) => 10,
        _ => 2,
    };
    let start: Vec<u8> =
        [bytes.first(), bytes.get(header)].into_iter().flatten().copied().collect();
    (0..length).map(move |at| {
        let at = match (at, length - at) {
            (0..BEGINNING, _) => BytePlace::FromStart(at),
            (_, rest @ 0..=END) => BytePlace::FromEnd(rest),
            _ => BytePlace::Between,
        };
        ByteKind { start: start.clone(), at }
    })
}

/// The place of the first byte of each kind, and of the first byte of the last piece of each kind.
fn distinct(kinds: &[ByteKind]) -> Vec<usize> {
    let (mut first, mut last) = (BTreeMap::new(), BTreeMap::new());
    for (place, kind) in kinds.iter().enumerate() {
        first.entry(kind).or_insert(place);
        if kind.at == BytePlace::FromStart(0) {
            last.insert(kind, place);
        }
    }
    let places: BTreeSet<usize> = first.into_values().chain(last.into_values()).collect();
    places.into_iter().collect()
}

/// What the server says in one run.
struct Conversations {
    plan: Plan,
    /// How many bytes each has.
    said: BTreeMap<String, usize>,
    /// Of which kinds they are, in a healthy run.
    kinds: BTreeMap<String, Vec<ByteKind>>,
    /// Which had their fault.
    spoilt: BTreeSet<String>,
}

impl Conversations {
    fn new(plan: Plan) -> Self {
        let (said, kinds, spoilt) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { plan, said, kinds, spoilt }
    }

    /// How many of these bytes are as they should be, if the fault is in them.
    fn take(&mut self, name: &str, bytes: &[u8]) -> Option<usize> {
        let said = self.said.entry(name.to_owned()).or_default();
        let before = *said;
        *said += bytes.len();
        if matches!(self.plan.after, Place::Nowhere) {
            self.kinds.entry(name.to_owned()).or_default().extend(kinds(bytes));
        }
        let place = self.plan.place(name).and_then(|after| after.checked_sub(before));
        let place = place.filter(|place| *place < bytes.len())?;
        self.spoilt.insert(name.to_owned()).then_some(place)
    }
}

/// Spoils a connection within the conversation that it is in.
struct Spoiling {
    run: Arc<Mutex<Conversations>>,
    /// The conversation that goes on, if it has a name yet.
    name: Option<String>,
    is_first: bool,
    has_ended: bool,
    /// It has taken CONNECT, as most clients write it.
    is_connected: bool,
}

/// The first byte of a Pong.
const PONG: u8 = 0x8a;

/// The name of the conversation of the first connection.
const FIRST: &str = "first connection";

impl Spoiling {
    fn new(run: &Arc<Mutex<Conversations>>) -> Self {
        let is_first = run.lock().unwrap().said.insert(FIRST.to_owned(), 0).is_none();
        let (run, name) = (Arc::clone(run), is_first.then(|| FIRST.to_owned()));
        Self { run, name, is_first, has_ended: false, is_connected: false }
    }

    /// What becomes of these bytes.
    fn spoil(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        let mut run = self.run.lock().unwrap();
        // The first connection is the one that points share; before them it is asked in another way.
        let is_before = self.name.as_deref() == Some(FIRST);
        let is_meant = is_before == run.plan.is_first_alone;
        let name = self.name.as_ref().filter(|_| is_meant);
        let place = name.and_then(|name| run.take(name, &bytes));
        match (place, run.plan.fault) {
            (Some(place), Fault::End) => {
                bytes.truncate(place);
                self.has_ended = true;
            }
            (Some(place), Fault::Bits(bits)) => bytes[place] ^= bits,
            (None, _) => {}
        }
        bytes
    }
}

impl Deviation for Spoiling {
    fn answer(&mut self, request: &str, head: String) -> String {
        let offered = header(request, "Sec-WebSocket-Protocol").unwrap_or_default();
        let path = request.lines().next().unwrap_or_default();
        let has_origin = header(request, "Origin").is_some();
        if !self.is_first && (offered != "mqtt" || has_origin || path.contains('?')) {
            self.name = Some(format!("{path} {offered} {has_origin}"));
        }
        let head = self.spoil(head.into_bytes());
        // What is asked on it is another conversation.
        self.name = self.name.take().filter(|_| self.is_first);
        String::from_utf8_lossy(&head).into_owned()
    }

    fn ends_after_answer(&self) -> bool {
        self.has_ended
    }

    fn client_frame(&mut self, seen: &Seen) -> Vec<Do> {
        if self.run.lock().unwrap().plan.is_first_alone {
            return vec![Do::Pass];
        }
        if let Some(point) = point_in(&seen.payload) {
            self.name = Some(point);
        } else if seen.first == PONG {
            self.name = Some("a Pong".to_owned());
        } else if seen.packet() == Some(1) && !self.is_connected {
            self.is_connected = true;
            // Protocol name and level, flags, and whether there is a client id.
            let start = seen.payload.get(2..10).unwrap_or_default();
            let is_usual = matches!(start.get(6), Some(4 | 5)) && seen.payload.len() > 30;
            self.name = (!is_usual).then(|| format!("CONNECT {start:?}"));
        } else if self.name.is_none() && seen.packet() != Some(12) {
            // PINGREQ alone is what tells that the server is still there.
            self.name = Some(format!("frame {:02x} {}", seen.first, seen.payload.len()));
        }
        vec![Do::Pass]
    }

    fn server_frame(&mut self, seen: &Seen) -> Vec<Do> {
        let bytes = Do::ToClient(self.spoil(seen.raw.clone()));
        if self.has_ended { vec![bytes, Do::End] } else { vec![bytes] }
    }
}

/// The point whose topic is in this packet: `mqttws/check/RUN/POINT/…`.
fn point_in(payload: &[u8]) -> Option<String> {
    let start = b"mqttws/check/";
    let at = payload.windows(start.len()).position(|window| window == start)?;
    let point = payload[at + start.len()..].split(|byte| *byte == b'/').nth(1)?;
    String::from_utf8(point.to_vec()).ok()
}

/// A front, and what it is told about the run that goes through it.
struct Worker {
    url: String,
    run: Arc<Mutex<Conversations>>,
}

impl Worker {
    fn start(url: &str) -> Self {
        let run = Arc::new(Mutex::new(Conversations::new(HEALTHY)));
        let shared = Arc::clone(&run);
        Self { url: front::start(url, move || Box::new(Spoiling::new(&shared))), run }
    }

    /// A run that goes wrong in this way.
    fn run(&self, plan: Plan, flags: &[&str]) -> Outcome {
        *self.run.lock().unwrap() = Conversations::new(plan);
        let arguments = [&["check", &self.url, "--json", "--quiet"], flags].concat();
        Program::new(arguments).spawn().finish_within(Duration::from_secs(180))
    }
}

/// Does this for each number, by so many fronts at the same time.
fn each(url: &str, workers: usize, count: usize, task: impl Fn(&Worker, usize) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let worker = Worker::start(url);
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= count {
                        return;
                    }
                    task(&worker, number);
                }
            });
        }
    });
}

/// The first connection decides whether there is one at all.
#[test]
fn the_first_connection_may_end_at_every_byte() {
    let (_serve, url) = serve();
    let only = ["--only", "qos0-round-trip", "--versions", "5"];
    let worker = Worker::start(&url);
    let plan = Plan { is_first_alone: true, ..HEALTHY };
    let outcome = worker.run(plan.clone(), &only);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let all = worker.run.lock().unwrap().said[FIRST];
    assert!(all > 400, "the answer, CONNACK, SUBACK, two messages: {all} bytes");
    each(&url, WORKERS, all, |worker, byte| {
        let outcome = worker.run(Plan { after: Place::At(byte), ..plan.clone() }, &only);
        let place = format!("byte {byte} of {all}: {outcome}");
        assert!(worker.run.lock().unwrap().spoilt.contains(FIRST), "{place}");
        assert!(matches!(outcome.code(), Some(0 | 1 | 5 | 6)), "{place}");
        let report: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap();
        assert_eq!(report["exit"], outcome.code().unwrap(), "{place}");
    });
    assert_eq!(retained(&url), "end x\n");
}

/// The points of the default set that are asked, by name.
fn default_set() -> Vec<String> {
    let outcome = Program::new(["check", "--list", "--json"]).run();
    let list: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap();
    let points = list.as_array().unwrap().iter();
    points
        .filter(|point| point["set"] == "default")
        .map(|point| point["name"].as_str().unwrap().to_owned())
        .collect()
}

/// At which places each conversation is cut, and how many bytes it has in a healthy run.
fn healthy(url: &str) -> BTreeMap<String, (Vec<usize>, usize)> {
    let worker = Worker::start(url);
    let outcome = worker.run(HEALTHY, &[]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let mut kinds = std::mem::take(&mut worker.run.lock().unwrap().kinds);
    kinds.remove(FIRST);
    let places = |name: &str, kinds: &[ByteKind]| {
        if REPEATING.contains(&name) { distinct(kinds) } else { (0..kinds.len()).collect() }
    };
    let all = kinds.into_iter();
    all.map(|(name, kinds)| (name.clone(), (places(&name, &kinds), kinds.len()))).collect()
}

#[test]
fn every_conversation_may_end_at_every_byte() {
    let (_serve, url) = serve();
    let names = default_set();
    let conversations = healthy(&url);
    for name in REPEATING {
        assert!(conversations.contains_key(name), "{name} is not in {:?}", conversations.keys());
    }
    let most = conversations.values().map(|(places, _)| places.len()).max().unwrap();
    let missing = Mutex::new(Vec::new());
    each(&url, WORKERS, most, |worker, number| {
        let place = |(name, (places, _)): (&String, &(Vec<usize>, usize))| {
            Some((name.clone(), *places.get(number)?))
        };
        let cut: Arc<BTreeMap<_, _>> = Arc::new(conversations.iter().filter_map(place).collect());
        // What has no name of a point is short, and then all points are asked.
        let is_whole = cut.keys().any(|name| !names.contains(name));
        let is_left_out = |name: &&String| !is_whole && !cut.contains_key(*name);
        let skip: Vec<_> = names.iter().filter(is_left_out).map(String::as_str).collect();
        let skip = skip.iter().flat_map(|name| ["--skip", name]).collect::<Vec<_>>();
        let outcome = worker.run(Plan { after: Place::Of(Arc::clone(&cut)), ..HEALTHY }, &skip);
        judge(&outcome, number);
        let spoilt = &worker.run.lock().unwrap().spoilt;
        let not_cut = cut.iter().filter(|(name, _)| !spoilt.contains(*name));
        let not_cut = not_cut.filter(|(name, place)| {
            let said = conversations[*name].1;
            let is_repeating = REPEATING.contains(&name.as_str());
            let last = if is_repeating { said / LAST_OF_REPEATING } else { LAST };
            **place + last < said
        });
        missing.lock().unwrap().extend(not_cut.map(|(name, place)| format!("{name}: {place}")));
    });
    assert_eq!(missing.into_inner().unwrap(), Vec::<String>::new());
    assert_eq!(retained(&url), "end x\n");
}

/// A conversation that was cut once is tried again: no point fails, and the server is alive.
fn judge(outcome: &Outcome, number: usize) {
    let place = format!("run {number}: {outcome}");
    assert!(matches!(outcome.code(), Some(0 | 1)), "{place}");
    let report: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap();
    let points = report["points"].as_array().unwrap().iter();
    let failed = points.filter(|point| point["verdict"] == "FAIL");
    let failed: Vec<String> = failed.map(ToString::to_string).collect();
    assert!(failed.is_empty(), "run {number}: {}", failed.join("\n"));
}

/// A probe that panics would end the program as a whole: none does, whatever byte is wrong in what
/// its server says.
#[test]
fn a_byte_that_is_altered_ends_no_run_by_a_fault() {
    let seed = 18;
    let (_serve, url) = serve();
    // These wait, whatever the server says; and one sends as much as it may.
    let skip = "limits,dollar-topics,session-expiry,message-expiry,will-delay,\
                maximum-packet-size-in";
    let flags = ["--full", "--skip", skip, "--timeout", "0.5"];
    each(&url, WAITERS, RUNS_WITH_ALTERED_BYTES, |worker, number| {
        let mut random = fastrand::Rng::with_seed(seed + number as u64);
        // Headers of frames and packets are most worth it.
        let after = if number % 2 == 0 { number / 2 } else { random.usize(0..200) };
        let bits = if number % 2 == 0 { 1 << random.u8(0..8) } else { random.u8(1..) };
        let plan = Plan { fault: Fault::Bits(bits), after: Place::At(after), ..HEALTHY };
        // A machine that is busy may be late for the first connection.
        let outcome =
            (0..5).map(|_| worker.run(plan.clone(), &flags)).find(|one| one.code() != Some(27));
        let outcome = outcome.expect("a first connection");
        let place = format!("byte {after} altered by {bits:02x}: {outcome}");
        assert!(matches!(outcome.code(), Some(0 | 1)), "{place}");
        let report = serde_json::from_slice::<serde_json::Value>(&outcome.stdout);
        assert!(report.is_ok_and(|report| report["points"].is_array()), "{place}");
        assert!(worker.run.lock().unwrap().spoilt.len() > 5, "{place}");
    });
}

/// How many runs with altered bytes there are.
const RUNS_WITH_ALTERED_BYTES: usize = 16;
