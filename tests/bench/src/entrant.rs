//! Who takes part, and how each program is told what to do.

use crate::case::{Against, Case, TopicKind, Work};
use crate::flood::Pack;
use crate::mqtt::TOPIC;

/// Where the programs are, and whom they talk to.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// The program that all this is about.
    pub mqttws: String,
    /// `mosquitto_pub` and `mosquitto_sub` are there.
    pub has_mosquitto: bool,
    /// MQTT.js's CLI, if it is there.
    pub mqttjs: Option<String>,
    /// A Python with paho-mqtt, if it is there.
    pub paho: Option<String>,
    /// The folder with the programs for paho.
    pub peers: String,
    /// The authority of the counterpart's certificate, a PEM file.
    pub authority: String,
    /// A folder for files of this run.
    pub folder: String,
    /// Where MQTT over TCP is spoken.
    pub tcp: u16,
    /// Where MQTT over WebSocket is spoken, with and without TLS.
    pub ws: u16,
}

impl Place {
    /// The file of one message.
    pub fn payload_file(&self, size: usize) -> String {
        format!("{}/payload-{size}", self.folder)
    }

    /// A file of lines of `size` bytes.
    pub fn lines_file(&self, size: usize, count: u64) -> String {
        format!("{}/lines-{size}-{count}", self.folder)
    }
}

/// What a program is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The program that all this is about.
    Ours,
    /// A bare client.
    Limit,
    /// Somebody else's.
    Peer,
}

/// One program in one case.
#[derive(Debug, Clone)]
pub struct Entrant {
    /// For the table.
    pub name: &'static str,
    /// See [`Role`].
    pub role: Role,
    /// The command line.
    pub argv: Vec<String>,
    /// How many messages: slow programs get fewer.
    pub count: u64,
    /// It never ends by itself.
    pub endless: bool,
    /// It leaves stdin and stdout alone, whatever the work.
    pub detached: bool,
}

/// At most so many messages are given to mosquitto's clients at QoS 1 and 2: where packet
/// identifiers wrap, `mosquitto_pub -l` leaves early, with exit code 0.
const MOSQUITTO_ACKNOWLEDGED: u64 = 60_000;

/// Everyone who can take part, in the order of the table.
pub fn line_up(case: &Case, place: &Place) -> Vec<Entrant> {
    let mut entrants = limits(case, place);
    entrants.push(ours(case, place));
    if !case.alone {
        entrants.extend(mosquitto(case, place));
        entrants.extend(mqttjs(case, place));
        entrants.extend(paho(case, place));
    }
    entrants
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn entrant(name: &'static str, role: Role, argv: Vec<String>, count: u64) -> Entrant {
    Entrant { name, role, argv, count, endless: false, detached: false }
}

/// The bare clients: one that has everything ready, and where that is something else, one that does
/// all that the work demands.
fn limits(case: &Case, place: &Place) -> Vec<Entrant> {
    let one = if case.work == Work::Subscribe(Pack::One) { "one" } else { "size=0" };
    let bare = |name, what: &str, extra: &str| {
        let exe =
            std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default();
        let mut argv = vec![exe, "limit".to_owned(), what.to_owned(), extra.to_owned()];
        argv.push(format!("port={}", place.ws));
        argv.extend([format!("count={}", case.count), format!("size={}", case.size)]);
        argv.push(format!("qos={}", case.qos));
        argv.extend(case.tls.then(|| format!("cafile={}", place.authority)));
        entrant(name, Role::Limit, argv, case.count)
    };
    let detached = |entrant| Entrant { detached: true, ..entrant };
    match case.work {
        Work::Once => vec![bare("bare writer", "write", "one")],
        // Mosquitto takes no window of 65,535, nor many small frames at once.
        Work::Lines if case.against == Against::Mosquitto => Vec::new(),
        Work::Lines => {
            vec![
                detached(bare("bare writer", "write", "size=0")),
                bare("bare line writer", "line", "size=0"),
            ]
        }
        Work::File => {
            vec![bare("bare writer", "file", &format!("file={}", place.payload_file(case.size)))]
        }
        Work::Subscribe(_) => {
            vec![
                detached(bare("bare reader", "read", one)),
                bare("bare line reader", "read", "print"),
            ]
        }
        Work::Template(_) => {
            let lines = Case { work: Work::Lines, ..case.clone() };
            vec![Entrant { name: "pub -l", role: Role::Limit, ..ours(&lines, place) }]
        }
        Work::Ping => vec![bare("bare client", "ping", "size=0")],
    }
}

fn ours(case: &Case, place: &Place) -> Entrant {
    let verb = match case.work {
        Work::Once | Work::Lines | Work::Template(_) | Work::File => "pub",
        Work::Subscribe(_) => "sub",
        Work::Ping => "ping",
    };
    let scheme = if case.tls { "wss" } else { "ws" };
    let url = format!("{scheme}://127.0.0.1:{}/mqtt", place.ws);
    let mut argv = words(&[&place.mqttws, verb, &url]);
    if case.tls {
        argv.extend(words(&["--cafile", &place.authority]));
    }
    if case.work == Work::Ping {
        argv.extend(words(&["--via", "publish", "-c", &case.count.to_string(), "--interval", "0"]));
    } else {
        argv.extend(arguments(case, place, case.count));
    }
    entrant("mqttws", Role::Ours, argv, case.count)
}

/// What mosquitto's clients and ours have in common.
fn arguments(case: &Case, place: &Place, count: u64) -> Vec<String> {
    let topic = match case.work {
        Work::Template(TopicKind::Varying) => format!("{TOPIC}/{{n}}"),
        _ => TOPIC.to_owned(),
    };
    let mut argv = words(&["-t", &topic, "-q", &case.qos.to_string()]);
    argv.extend(match case.work {
        Work::Once => words(&["-m", "hello"]),
        Work::Lines => words(&["-l"]),
        Work::Template(_) => words(&["--template", "-m", "{n}", "--repeat", &count.to_string()]),
        Work::File => words(&["-f", &place.payload_file(case.size)]),
        Work::Subscribe(_) => words(&["-C", &count.to_string()]),
        Work::Ping => Vec::new(),
    });
    argv
}

fn mosquitto(case: &Case, place: &Place) -> Option<Entrant> {
    let program = match case.work {
        Work::Ping | Work::Template(_) => return None,
        Work::Subscribe(_) => "mosquitto_sub",
        _ => "mosquitto_pub",
    };
    let mut count = case.count.min(200_000);
    if case.qos > 0 && case.work == Work::Lines {
        count = count.min(MOSQUITTO_ACKNOWLEDGED);
    }
    let mut argv = words(&[program, "-h", "127.0.0.1", "-p", &place.tcp.to_string()]);
    if case.tls {
        argv.extend(words(&["--cafile", &place.authority]));
    }
    argv.extend(arguments(case, place, count));
    let name = if case.tls { "mosquitto, TLS" } else { "mosquitto, TCP" };
    place.has_mosquitto.then(|| entrant(name, Role::Peer, argv, count))
}

fn mqttjs(case: &Case, place: &Place) -> Option<Entrant> {
    let verb = if matches!(case.work, Work::Subscribe(_)) { "subscribe" } else { "publish" };
    let scheme = if case.tls { "wss" } else { "ws" };
    let (port, qos) = (place.ws.to_string(), case.qos.to_string());
    let mut argv =
        words(&[place.mqttjs.as_deref()?, verb, "-h", "127.0.0.1", "-p", &port, "-l", scheme]);
    argv.extend(words(&["-t", TOPIC, "-q", &qos]));
    if case.tls {
        argv.extend(words(&["--ca", &place.authority]));
    }
    argv.extend(match case.work {
        Work::Once => words(&["-m", "hello"]),
        Work::Lines => words(&["-s", "-M"]),
        // It holds a message in several copies, and takes minutes or dies (measured.md).
        Work::File if case.size < 100_000_000 => words(&["-s"]),
        Work::Subscribe(_) if case.size < 1_000_000 => Vec::new(),
        _ => return None,
    });
    let endless = matches!(case.work, Work::Subscribe(_));
    Some(Entrant { endless, ..entrant("MQTT.js", Role::Peer, argv, case.count.min(5_000)) })
}

fn paho(case: &Case, place: &Place) -> Option<Entrant> {
    let script = match case.work {
        Work::Ping | Work::Template(_) => return None,
        Work::Subscribe(_) => "paho_sub.py",
        _ => "paho_pub.py",
    };
    let count = case.count.min(5_000);
    let script = format!("{}/{script}", place.peers);
    let mut argv = words(&[
        place.paho.as_deref()?,
        &script,
        &place.ws.to_string(),
        TOPIC,
        &case.qos.to_string(),
    ]);
    argv.push(match case.work {
        Work::Once => "hello".to_owned(),
        Work::Lines => "-l".to_owned(),
        Work::File if case.size < 100_000_000 => format!("@{}", place.payload_file(case.size)),
        Work::Subscribe(_) if case.size < 100_000_000 => count.to_string(),
        _ => return None,
    });
    argv.extend(case.tls.then(|| place.authority.clone()));
    Some(entrant("paho", Role::Peer, argv, count))
}
