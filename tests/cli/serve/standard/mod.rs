//! The statements of MQTT 5, 3.1.1 and 3.1 that bind a server, by their numbers (3.1: sections),
//! against the binary: the scripts of `mqtt5.txt`, `mqtt311.txt` and `mqtt31.txt`, each with a
//! broker of its own; and what some deviations do instead.
//!
//! A script is `== NUMBERS: what it is about`, perhaps with flags of `serve` after `|`, and lines
//! of a client, whose name is a letter. `{x | y}` makes a script of it for each alternative.
//!
//! | line | meaning |
//! |---|---|
//! | `a> 30 <t> 'x'` | it sends packets (`support::notation`), or `a raw c0 80`: bytes |
//! | `a< 30 <t> 'x'` | the next packet that it gets |
//! | `a joins 5` | it connects with its letter as identifier; or with the CONNECT that follows |
//! | `a resumes K5 <a>` | the same, and its session was there |
//! | `a closes` | it ends its WebSocket without DISCONNECT |
//! | `a ends` | the server ends the connection, and sends nothing before that |
//!
//! At the end every client that is connected gets nothing more.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpStream;
use std::time::Duration;

use tungstenite::{Message, WebSocket};

use super::{serve_with, stop};
use crate::support::notation::{matches, packets};

/// Beginnings of CONNECT, up to the client identifier: with a clean session, a kept session, and a
/// will.
const CONNECTS: [(&str, &str); 8] = [
    ("C5", "10 <MQTT> 05 02 00 00 00"),
    ("K5", "10 <MQTT> 05 00 00 00 05 11 00 00 00 64"),
    ("W5", "10 <MQTT> 05 06 00 00 00"),
    ("C4", "10 <MQTT> 04 02 00 00"),
    ("K4", "10 <MQTT> 04 00 00 00"),
    ("W4", "10 <MQTT> 04 06 00 00"),
    ("C3", "10 <MQIsdp> 03 02 00 00"),
    ("K3", "10 <MQIsdp> 03 00 00 00"),
];

/// How many scripts run at a time.
const AT_ONCE: usize = 16;

/// A script, without alternatives.
struct Script {
    title: String,
    flags: String,
    lines: Vec<String>,
}

fn scripts(text: &str) -> Vec<Script> {
    let blocks = text.split("\n== ").skip(1);
    blocks.flat_map(|block| alternatives(block.trim_end())).collect()
}

/// The scripts that a block stands for.
fn alternatives(block: &str) -> Vec<Script> {
    let (head, lines) = block.split_once('\n').expect("a script has lines");
    let (title, flags) = head.split_once(" | ").unwrap_or((head, ""));
    let script = |lines: &str| Script {
        title: title.to_owned(),
        flags: flags.to_owned(),
        lines: lines.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect(),
    };
    let Some((before, rest)) = lines.split_once('{') else { return vec![script(lines)] };
    let (inside, after) = rest.split_once('}').expect("a closing brace");
    assert!(!after.contains('{'), "{title}: one place with alternatives");
    inside.split('|').map(|one| script(&format!("{before}{}{after}", one.trim()))).collect()
}

/// A client, while it is connected.
struct Client {
    socket: WebSocket<TcpStream>,
    arrived: Vec<u8>,
}

impl Client {
    fn open(url: &str) -> Result<Self, String> {
        let address = url.strip_prefix("ws://").and_then(|rest| rest.split('/').next());
        let stream = TcpStream::connect(address.ok_or("no URL")?).map_err(words)?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).map_err(words)?;
        let mut request =
            tungstenite::client::IntoClientRequest::into_client_request(url).map_err(words)?;
        request.headers_mut().insert("Sec-WebSocket-Protocol", "mqtt".parse().map_err(words)?);
        let (socket, _) = tungstenite::client(request, stream).map_err(words)?;
        Ok(Self { socket, arrived: Vec::new() })
    }

    fn send(&mut self, bytes: Vec<u8>) -> Result<(), String> {
        self.socket.send(Message::Binary(bytes.into())).map_err(words)
    }

    /// The next packet, without its length; `None` at the end.
    fn packet(&mut self) -> Result<Option<Vec<u8>>, String> {
        loop {
            if let Some(end) = whole(&self.arrived) {
                let mut packet: Vec<u8> = self.arrived.drain(..end.1).collect();
                packet.drain(1..end.0);
                return Ok(Some(packet));
            }
            match self.socket.read() {
                Ok(Message::Binary(bytes)) => self.arrived.extend_from_slice(&bytes),
                Ok(Message::Close(_)) => return Ok(None),
                Ok(other) => return Err(format!("{other:?}")),
                Err(tungstenite::Error::Io(error)) => return Err(format!("nothing came: {error}")),
                Err(_) => return Ok(None),
            }
        }
    }

    fn expect(&mut self, pattern: &str) -> Result<(), String> {
        match self.packet()? {
            Some(packet) if matches(pattern, &packet) => Ok(()),
            Some(packet) => Err(format!("got {packet:02x?}")),
            None => Err("the connection ended".to_owned()),
        }
    }

    fn expect_end(&mut self) -> Result<(), String> {
        match self.packet()? {
            Some(packet) => Err(format!("got {packet:02x?}")),
            None => Ok(()),
        }
    }

    /// Ends the WebSocket without DISCONNECT.
    fn close(mut self) -> Result<(), String> {
        self.socket.close(None).map_err(words)?;
        self.expect_end()
    }

    /// All that it has sent was taken, and nothing more has come.
    fn expect_nothing(&mut self) -> Result<(), String> {
        self.send(vec![0xc0, 0])?;
        self.expect("d0")
    }
}

/// Where the length of the first packet ends, and where the packet does, if it is whole.
fn whole(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0;
    for (at, byte) in bytes.iter().enumerate().skip(1) {
        length |= usize::from(byte & 0x7f) << (7 * (at - 1));
        if byte & 0x80 == 0 {
            let end = at + 1 + length;
            return (bytes.len() >= end).then_some((at + 1, end));
        }
    }
    None
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// The packets of a line of a script.
fn written(text: &str) -> Vec<u8> {
    let text =
        CONNECTS.iter().fold(text.to_owned(), |text, (name, bytes)| text.replace(name, bytes));
    packets(&text, [0, 0])
}

/// A script on its way.
struct Performance {
    url: String,
    clients: BTreeMap<char, Client>,
}

impl Performance {
    fn play(&mut self, line: &str) -> Result<(), String> {
        let name = line.chars().next().ok_or("an empty line")?;
        let (verb, rest) = line[1..].trim_start().split_once(' ').unwrap_or((line[1..].trim(), ""));
        match verb {
            ">" => self.client(name)?.send(written(rest)),
            "raw" => {
                let byte = |word| u8::from_str_radix(word, 16).map_err(words);
                let bytes = rest.split(' ').map(byte).collect::<Result<_, _>>()?;
                self.client(name)?.send(bytes)
            }
            "<" => self.client(name)?.expect(rest),
            "joins" => self.join(name, rest, "20 00 00 *"),
            "resumes" => self.join(name, rest, "20 01 00 *"),
            "closes" => self.take(name)?.close(),
            "ends" => self.take(name)?.expect_end(),
            _ => Err("no such verb".to_owned()),
        }
    }

    fn join(&mut self, name: char, connect: &str, connack: &str) -> Result<(), String> {
        if let Some(client) = self.clients.remove(&name) {
            client.close()?;
        }
        let connect = match connect {
            "3" | "4" | "5" => format!("C{connect} <{name}>"),
            connect => connect.to_owned(),
        };
        let client = self.client(name)?;
        client.send(written(&connect))?;
        // MQTT 3.1.1 has no properties.
        client.expect(connack)
    }

    /// The client of this name, which connects if it is not connected.
    fn client(&mut self, name: char) -> Result<&mut Client, String> {
        if !self.clients.contains_key(&name) {
            self.clients.insert(name, Client::open(&self.url)?);
        }
        self.clients.get_mut(&name).ok_or_else(|| "no such client".to_owned())
    }

    fn take(&mut self, name: char) -> Result<Client, String> {
        self.clients.remove(&name).ok_or_else(|| "it is not connected".to_owned())
    }

    /// Nothing more comes: what clients have sent is taken first, then what that leads to is asked.
    fn end(&mut self) -> Result<(), String> {
        for _ in 0..2 {
            for (name, client) in &mut self.clients {
                client.expect_nothing().map_err(|wrong| format!("{name} at the end: {wrong}"))?;
            }
        }
        Ok(())
    }
}

/// What is wrong with the broker, by this script.
fn performed(script: &Script, url: String) -> Option<String> {
    let mut performance = Performance { url, clients: BTreeMap::new() };
    let lines = script.lines.iter();
    let played = lines
        .map(|line| performance.play(line).map_err(|wrong| format!("{line}: {wrong}")))
        .collect::<Result<Vec<()>, _>>();
    let wrong = played.err().or_else(|| performance.end().err())?;
    Some(format!("{}\n  {wrong}, in\n    {}", script.title, script.lines.join("\n    ")))
}

/// What is wrong, by these scripts.
fn all_performed(scripts: &[(usize, &Script)], url: &str) -> Vec<String> {
    std::thread::scope(|scope| {
        let mut running = Vec::new();
        for (number, script) in scripts {
            let url = url.replace("/mqtt", &format!("/s{number}/mqtt"));
            running.push(scope.spawn(move || performed(script, url)));
        }
        running.into_iter().filter_map(|one| one.join().unwrap()).collect()
    })
}

fn all_hold(text: &str) {
    let scripts = scripts(text);
    let flags: BTreeSet<&str> = scripts.iter().map(|script| script.flags.as_str()).collect();
    let mut wrong = Vec::new();
    for flags in flags {
        let words: Vec<_> = flags.split_whitespace().collect();
        let (serve, url) = serve_with(&words);
        let own = scripts.iter().filter(|script| script.flags == flags);
        let numbered: Vec<_> = own.enumerate().collect();
        for some in numbered.chunks(AT_ONCE) {
            wrong.extend(all_performed(some, &url));
        }
        stop(serve);
    }
    assert!(wrong.is_empty(), "{} scripts fail:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn mqtt_5() {
    all_hold(include_str!("mqtt5.txt"));
}

#[test]
fn deviations() {
    all_hold(include_str!("deviations.txt"));
}

#[test]
fn mqtt_311() {
    all_hold(include_str!("mqtt311.txt"));
}

#[test]
fn mqtt_31() {
    all_hold(include_str!("mqtt31.txt"));
}
