//! Bare clients: what a program that does nothing else could reach on this machine. Each does one
//! thing, straight from the socket's `read` and `write`.

mod line;
mod reader;
mod transfer;

use crate::Failure;
use crate::flood::{Flood, Pack, Plan};
use crate::link::{Framing, Link, MASK};
use crate::mqtt::{self, Packet, TOPIC};
use crate::stream::Stream;

/// What a bare client is asked to do, as `key=value` arguments.
#[derive(Debug, Clone)]
pub struct Order {
    port: u16,
    authority: Option<String>,
    framing: Framing,
    count: u64,
    size: usize,
    qos: u8,
    pack: Pack,
    file: Option<String>,
    prints: bool,
}

impl Order {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut order = Self {
            port: 0,
            authority: None,
            framing: Framing::Frames(Some(MASK)),
            count: 1,
            size: 64,
            qos: 0,
            pack: Pack::Many,
            file: None,
            prints: false,
        };
        for argument in arguments {
            let (key, value) = argument.split_once('=').unwrap_or((argument, ""));
            match key {
                "port" => order.port = value.parse()?,
                "cafile" => order.authority = Some(value.to_owned()),
                "tcp" => order.framing = Framing::Raw,
                "count" => order.count = value.parse()?,
                "size" => order.size = value.parse()?,
                "qos" => order.qos = value.parse()?,
                "one" => order.pack = Pack::One,
                "file" => order.file = Some(value.to_owned()),
                "print" => order.prints = true,
                _ => return Err(format!("limit: unknown argument {argument}").into()),
            }
        }
        Ok(order)
    }

    /// A connection with its CONNACK.
    fn connect(&self) -> Result<Link, Failure> {
        let stream = Stream::connect("localhost", self.port, self.authority.as_deref())?;
        let mut link = Link::connected(stream, self.framing, "localhost")?;
        mqtt::put_connect("mqttwsbench", link.out());
        link.send()?;
        let mut code = None;
        while code.is_none() {
            let open = link.read(&mut |packet, _| {
                if let Packet::Other(mqtt::CONNACK, [_, value, ..]) = packet {
                    code = Some(*value);
                }
            })?;
            if !open {
                return Err("the connection ended before CONNACK".into());
            }
        }
        if code == Some(0) { Ok(link) } else { Err("CONNECT was refused".into()) }
    }
}

/// The payload of a probe: as long as those of `mqttws ping --via publish`.
const PROBE: [u8; 64] = [b'x'; 64];

/// Runs one bare client.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    let (what, rest) = arguments.split_first().ok_or("limit: write, line, file, read or ping?")?;
    let order = Order::parse(rest)?;
    match what.as_str() {
        "write" => write(&order),
        "line" => line::run(&order),
        "file" => transfer::run(&order),
        "read" => reader::run(&order),
        "ping" => ping(&order),
        _ => Err(format!("limit: no bare client is called {what}").into()),
    }
}

/// Says goodbye.
fn leave(mut link: Link) -> Result<(), Failure> {
    link.out().extend([mqtt::DISCONNECT, 0]);
    link.close()
}

/// Frames that were encoded before.
fn write(order: &Order) -> Result<(), Failure> {
    let mut link = order.connect()?;
    let plan = Plan {
        count: order.count,
        size: order.size,
        qos: order.qos,
        pack: order.pack,
        is_v5: false,
        window: u16::MAX,
    };
    let mut flood = Flood::new(plan, order.framing);
    loop {
        flood.fill(&mut link)?;
        if flood.is_done() {
            return leave(link);
        }
        if !link.read(&mut |packet, out| flood.acknowledge(&packet, out))? {
            return Err("the connection was lost".into());
        }
        link.send()?;
    }
}

/// One message after another to a topic of our own, and back.
fn ping(order: &Order) -> Result<(), Failure> {
    let mut link = order.connect()?;
    mqtt::put_subscribe(0, link.out());
    await_packet(&mut link, |packet| matches!(packet, Packet::Other(mqtt::SUBACK, _)))?;
    let mut times = Vec::new();
    for _ in 0..order.count {
        let began = std::time::Instant::now();
        mqtt::put_publish(TOPIC, 0, 0, PROBE.len(), link.out());
        link.out().extend_from_slice(&PROBE);
        await_packet(&mut link, |packet| matches!(packet, Packet::Payload(_, true)))?;
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    let percentile = |percent: usize| times[(times.len() * percent).div_ceil(100).max(1) - 1];
    // The summary line of `mqttws ping`.
    println!(
        "round trip min/avg/p50/p99/max/stddev = {:.3}/0/{:.3}/{:.3}/{:.3}/0 ms",
        times[0],
        percentile(50),
        percentile(99),
        percentile(100)
    );
    leave(link)
}

/// Sends what there is to send, and waits for this packet.
fn await_packet(link: &mut Link, is_it: impl Fn(&Packet<'_>) -> bool) -> Result<(), Failure> {
    link.send()?;
    let mut came = false;
    while !came {
        if !link.read(&mut |packet, _| came |= is_it(&packet))? {
            return Err("the connection was lost".into());
        }
    }
    Ok(())
}
