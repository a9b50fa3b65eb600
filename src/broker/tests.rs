//! The broker through real sockets.

mod client;
mod faults;
mod stalled;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;

use self::client::*;
use super::Broker;
use super::event::{BrokerEvent, Observer};
use crate::mqtt::packet::{Disconnect, Packet};
use crate::mqtt::property::PropertyId;
use crate::mqtt::qos::QoS;
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::version::Version;

#[test]
fn requests_that_are_refused() {
    let broker = start();
    let table = [
        (UPGRADE.replace("/mqtt ", "/x "), "404", "mqttws serve listens at /mqtt, not at /x\n"),
        (
            "GET /mqtt HTTP/1.1\r\nHost: [::1]\r\n\r\n".to_owned(),
            "426",
            "WebSocket upgrades only, ",
        ),
        (UPGRADE.replace("Host: localhost\r\n", ""), "400", "no Host header\n"),
        (UPGRADE.replace(": 13", ": 8"), "426", "Sec-WebSocket-Version: 13\r\n"),
        (UPGRADE.replace("Protocol: mqtt", "Protocol: soap"), "400", "not soap\n"),
        ("\u{10}\u{0c}\0\u{4}MQTT\u{4}\u{2}\0\0\0\0".to_owned(), "400", "MQTT without"),
        ("\u{16}\u{3}\u{1}\0".to_owned(), "400", "this is TLS"),
        (format!("GET /mqtt HTTP/1.1\r\nX: {}", "x".repeat(20_000)), "431", "16 KiB\n"),
        (UPGRADE.replace("Host", &format!("X: {}\r\nHost", "x".repeat(17_000))), "431", "16 KiB\n"),
        (UPGRADE.replace("Host", &format!("X: {}\r\nHost", "x".repeat(70_000))), "431", "16 KiB\n"),
        (UPGRADE.replace("Host", "Content-Length: 2\r\nHost"), "400", "has no body\n"),
        (UPGRADE.replace("Host", "Transfer-Encoding: chunked\r\nHost"), "400", "has no body\n"),
    ];
    for (request, status, words) in table {
        let answer = exchange(&broker, request.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains(words), "{answer}");
    }
}

#[test]
fn an_upgrade_in_pieces_and_with_frames_behind_it() {
    let broker = start();
    let mut request = UPGRADE.as_bytes().to_vec();
    request.extend(frame(
        BINARY,
        &encoded(&[connect(Version::V3_1, "id"), Packet::PingReq], Version::V3_1),
    ));
    for cut in [1, 100, UPGRADE.len() - 1, UPGRADE.len(), UPGRADE.len() + 3] {
        let mut socket = dial(&broker);
        socket.write_all(&request[..cut]).unwrap();
        socket.write_all(&request[cut..]).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(&[0xd0, 0]) {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
    }
}

#[test]
fn packets_and_frames_are_not_aligned() {
    let broker = start();
    let mut client = Client::new(&broker, Version::V5);
    for byte in encoded(&[connect(Version::V5, "id"), Packet::PingReq], Version::V5) {
        client.write(&frame(BINARY, &[byte]));
    }
    client.write(&frame(BINARY, &[]));
    assert!(matches!(client.packet(), Packet::ConnAck(_)));
    assert_eq!(client.packet(), Packet::PingResp);
    // Fragments of one message, with a ping between.
    let ping = encoded(&[Packet::PingReq], Version::V5);
    client.write(&frame(0x02, &ping[..1]));
    client.write(&frame(PING, b"hello"));
    assert_eq!(client.frame(), Some((PONG, b"hello".to_vec())));
    client.write(&frame(0x80, &ping[1..]));
    assert_eq!(client.packet(), Packet::PingResp);
}

/// `[MQTT-6.0.0-2]`: the limit is that of a packet.
#[test]
fn a_frame_may_be_longer_than_a_packet() {
    let broker = start_with(1000, None);
    let mut client = Client::connected(&broker, Version::V5, "id");
    let count = 50_000;
    client.write(&frame(BINARY, &[0xc0, 0].repeat(count)));
    for _ in 0..count {
        assert_eq!(client.packet(), Packet::PingResp);
    }
}

#[test]
fn how_connections_end() {
    let broker = start();
    let version = Version::V3_1_1;
    let disconnect = Packet::Disconnect(Disconnect::default());

    let mut client = Client::connected(&broker, version, "disconnect");
    client.send(std::slice::from_ref(&disconnect));
    client.expect_close(1000);

    let mut client = Client::connected(&broker, version, "disconnect and close");
    let mut both = frame(BINARY, &encoded(&[disconnect], version));
    both.extend(frame(CLOSE, &1000_u16.to_be_bytes()));
    client.write(&both);
    assert_eq!(client.frame(), Some((CLOSE, 1000_u16.to_be_bytes().to_vec())));
    assert_eq!(client.frame(), None);

    let mut client = Client::connected(&broker, version, "close");
    client.write(&frame(CLOSE, &1001_u16.to_be_bytes()));
    assert_eq!(client.frame(), Some((CLOSE, 1001_u16.to_be_bytes().to_vec())));
    assert_eq!(client.frame(), None);

    for (what, code) in [
        (frame(TEXT, b"hello"), 1003),
        (frame(TEXT, b"\xff"), 1003),
        (vec![BINARY, 2, 0xc0, 0], 1002),
        (frame(0xc2, &[0xc0, 0]), 1002),
        (frame(BINARY, &[0xc1, 0]), 1002),
        (frame(BINARY, &[0x90, 3, 0, 1, 0]), 1002),
    ] {
        let mut client = Client::connected(&broker, version, "misbehaved");
        client.write(&what);
        client.expect_close(code);
    }

    let mut client = Client::new(&broker, version);
    client.send(&[Packet::PingReq]);
    client.expect_close(1002);

    let mut client = Client::new(&broker, version);
    client.write(&frame(BINARY, b"\x10\x0c\0\x04MQTT\x03\x02\0\0\0\0"));
    assert!(matches!(client.packet(), Packet::ConnAck(answer) if answer.code == ReasonCode(1)));
    client.expect_close(1000);
}

#[test]
fn mqtt_5_clients_are_told_why() {
    let broker = start_with(1000, None);
    let told = |client: &mut Client, code| {
        let Packet::Disconnect(last) = client.packet() else { panic!("no DISCONNECT") };
        assert_eq!((last.code, last.properties.has(PropertyId::ReasonString)), (code, true));
    };
    let mut first = Client::connected(&broker, Version::V5, "id");
    let mut second = Client::connected(&broker, Version::V5, "id");
    told(&mut first, ReasonCode::SESSION_TAKEN_OVER);
    first.expect_close(1000);
    second.send(&[connect(Version::V3_1, "id")]);
    told(&mut second, ReasonCode::PROTOCOL_ERROR);
    second.expect_close(1002);
    for size in [1000, 100_000] {
        let mut client = Client::connected(&broker, Version::V5, "large");
        client.send(&[publish("t", vec![0; size].into(), QoS::AtMostOnce)]);
        told(&mut client, ReasonCode::PACKET_TOO_LARGE);
        client.expect_close(1009);
    }
    // Before CONNECT, and the header of a frame alone.
    let mut client = Client::new(&broker, Version::V5);
    client.write(&frame(BINARY, &[0x10, 0xff, 0xff, 0x7f]));
    client.expect_close(1009);
    let mut client = Client::connected(&broker, Version::V3_1_1, "large");
    client.write(&[BINARY, 0xff, 0, 0, 0, 0, 0x10, 0, 0, 0, 1, 2, 3, 4]);
    client.expect_close(1009);
    let mut last = Client::connected(&broker, Version::V5, "last");
    let address = broker.address();
    let stopped = stop(broker);
    told(&mut last, ReasonCode::SERVER_SHUTTING_DOWN);
    last.expect_close(1001);
    wait_for(&stopped);
    assert!(TcpStream::connect(address).is_err());
}

/// Each is refused in CONNACK of MQTT 5, with a reason; before MQTT 5 the connection just ends.
#[test]
fn a_malformed_connect_is_told_why() {
    let broker = start();
    let table: [(&[u8], u8, &str); 7] = [
        (b"\x10\x0d\0\x04MQTT\x05\x03\0\0\0\0\0", 0x81, "CONNECT with the reserved flag "),
        (b"\x10\x0d\0\x04MQTT\x05\x02\0\0\0\0\x01", 0x81, "CONNECT with a field that goes"),
        (b"\x10\x0f\0\x04MQTT\x05\x02\0\0\0\0\x02\xff\xff", 0x81, "a string that is not UTF-8"),
        (b"\x10\x10\0\x04MQTT\x05\x02\0\0\x03\x21\0\0\0\0", 0x82, "receive-maximum has an inva"),
        (b"\x10\x11\0\x04MQTT\x05\x02\0\0\x04\x17\x01\x17\x01\0\0", 0x82, "request-problem-info"),
        (b"\x10\x0d\0\x04MQTT\x06\x02\0\0\0\0\0", 0x84, "CONNECT with protocol \"MQTT\" le"),
        (b"\x10\x8d\xff\x7f\0\x04MQTT\x05\x02\0\0", 0x95, "a packet of 2097041 bytes, at m"),
    ];
    for (bytes, code, string) in table {
        let mut client = Client::new(&broker, Version::V5);
        client.write(&frame(BINARY, bytes));
        let Packet::ConnAck(answer) = client.packet() else { panic!("no CONNACK") };
        assert_eq!((answer.code, answer.session_present), (ReasonCode(code), false));
        let reason = answer.properties.reason_string().unwrap();
        assert!(reason.starts_with(string), "{reason}");
        client.expect_close(1000);
    }
    let mut client = Client::new(&broker, Version::V3_1_1);
    client.write(&frame(BINARY, b"\x10\x0c\0\x04MQTT\x04\x03\0\0\0\0"));
    client.expect_close(1002);
}

/// Pings of WebSocket are answered, and are no packets `[MQTT-3.1.2-22]`.
#[test]
fn a_client_that_only_pings_is_silent() {
    let broker = start();
    let mut client = Client::new(&broker, Version::V5);
    client.write(&frame(BINARY, b"\x10\x0d\0\x04MQTT\x05\x02\0\x01\0\0\0"));
    assert!(matches!(client.packet(), Packet::ConnAck(_)));
    let mut ping_until_told = || {
        client.write(&frame(PING, b""));
        std::thread::sleep(Duration::from_millis(100));
        matches!(client.frame(), Some((BINARY, payload)) if payload.starts_with(&[0xe0]))
    };
    assert!((0..300).any(|_| ping_until_told()), "its keep alive is a second");
}

#[test]
fn stopping_does_not_wait_for_clients_that_do_not_answer() {
    let broker = start();
    let _handshaking = dial(&broker);
    let _upgraded = Client::new(&broker, Version::V5);
    let _connected = Client::connected(&broker, Version::V5, "mute");
    wait_for(&stop(broker));
}

/// Stops the broker in a thread of its own; the receiver gets a message when that is done.
fn stop(broker: Broker) -> Receiver<()> {
    let (sender, stopped) = mpsc::channel();
    std::thread::spawn(move || {
        broker.stop();
        let _ = sender.send(());
    });
    stopped
}

/// A broker that waits for a client waits for ever: the bound is for a very busy machine.
fn wait_for(stopped: &Receiver<()>) {
    stopped.recv_timeout(Duration::from_secs(60)).expect("the broker stops by itself");
}

#[test]
fn a_burst_arrives_whole_and_is_acknowledged() {
    let broker = start();
    let mut to = Client::subscribed(&broker, "to", "a/#", QoS::AtLeastOnce);
    let mut from = Client::connected(&broker, Version::V5, "from");
    let burst: Vec<_> =
        (0..500_u32).map(|n| publish("a/b", n.to_string().into(), QoS::AtLeastOnce)).collect();
    from.send(&burst);
    for number in 0..500_u32 {
        assert!(matches!(from.packet(), Packet::PubAck(_)));
        let Packet::Publish(message) = to.packet() else { panic!("no PUBLISH") };
        assert_eq!(message.payload, number.to_string());
    }
}

#[test]
fn large_messages_pass_in_small_frames() {
    let broker = start_with(20 << 20, None);
    let mut to = Client::subscribed(&broker, "to", "a", QoS::AtMostOnce);
    let mut from = Client::connected(&broker, Version::V3_1_1, "from");
    let payload: Bytes = (0..=255).cycle().take(10_000_000).collect();
    let sending = payload.clone();
    let sender = std::thread::spawn(move || from.send(&[publish("a", sending, QoS::AtMostOnce)]));
    let Packet::Publish(message) = to.packet() else { panic!("no PUBLISH") };
    assert!(message.payload == payload);
    sender.join().unwrap();
}

#[test]
fn publishers_are_slowed_for_a_slow_subscriber() {
    let broker = start_with(2 << 20, None);
    let mut to = Client::subscribed(&broker, "to", "a", QoS::AtMostOnce);
    let mut from = Client::connected(&broker, Version::V3_1_1, "from");
    let count = 120;
    let sender = std::thread::spawn(move || {
        let payload = Bytes::from(vec![7; 1 << 20]);
        for _ in 0..count {
            from.send(&[publish("a", payload.clone(), QoS::AtMostOnce)]);
        }
        from
    });
    // 120 MiB do not fit into anybody's buffers, and yet none is dropped.
    for _ in 0..count {
        assert!(matches!(to.packet(), Packet::Publish(_)));
    }
    sender.join().unwrap();
}

#[test]
fn garbage_harms_nobody_else() {
    let broker = start();
    let seed = 7;
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut witness = Client::connected(&broker, Version::V5, "witness");
    for round in 0..200 {
        let length = random.usize(1..200);
        let garbage: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(length).collect();
        let mut client = Client::new(&broker, Version::V5);
        if round % 2 == 0 {
            client.send(&[connect(Version::V5, "garbage")]);
        }
        client.write(&if round % 4 < 2 { garbage } else { frame(BINARY, &garbage) });
    }
    witness.send(&[Packet::PingReq]);
    assert_eq!(witness.packet(), Packet::PingResp);
}

#[test]
fn the_log_tells_what_happens() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    let observer: Observer = Arc::new(move |event: &BrokerEvent<'_>| {
        let line = match event {
            BrokerEvent::Opened(_) => "open".to_owned(),
            BrokerEvent::Received(_, packet) => format!("received {}", packet.describe()),
            BrokerEvent::Sent(_, packet) => format!("sent {}", packet.describe()),
            BrokerEvent::Closed(_) => "closed".to_owned(),
            BrokerEvent::Fault(_, fault) => format!("fault {fault:?}"),
            BrokerEvent::Note(text) => format!("note {text}"),
        };
        sink.lock().unwrap().push(line);
    });
    let broker = start_with(1000, Some(observer));
    assert_eq!(broker.url(), format!("ws://127.0.0.1:{}/mqtt", broker.address().port()));
    let mut client = Client::connected(&broker, Version::V3_1_1, "id");
    client.send(&[Packet::PingReq]);
    client.packet();
    drop(client);
    broker.stop();
    let lines = lines.lock().unwrap().join("\n");
    let expected = "open\nreceived CONNECT\nsent CONNACK (0)\nreceived PINGREQ\nsent PINGRESP\n\
                    closed";
    assert_eq!(lines, expected);
}

/// Not an assertion but a figure: `cargo test --release throughput -- --ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn throughput() {
    for (size, per_frame, frames) in [(64, 400, 2_000), (1 << 20, 1, 300)] {
        let broker = start_with(2 << 20, None);
        let mut to = Client::subscribed(&broker, "to", "a", QoS::AtMostOnce);
        let mut from = Client::connected(&broker, Version::V3_1_1, "from");
        let packets = vec![publish("a", vec![0; size].into(), QoS::AtMostOnce); per_frame];
        let one = frame(BINARY, &encoded(&packets, Version::V3_1_1));
        let total = encoded(&packets, Version::V3_1_1).len() * frames;
        let begin = Instant::now();
        let sender = std::thread::spawn(move || {
            for _ in 0..frames {
                from.write(&one);
            }
            from
        });
        let mut buffer = vec![0; 1 << 18];
        let mut seen = 0;
        while seen < total {
            seen += to.socket.read(&mut buffer).unwrap();
        }
        let micros = usize::try_from(begin.elapsed().as_micros()).unwrap();
        let (messages, mebibytes) =
            (per_frame * frames * 1_000_000 / micros, (total / micros * 1_000_000) >> 20);
        println!("{size} B: {messages}/s, {mebibytes} MiB/s");
        drop(sender.join().unwrap());
    }
}
