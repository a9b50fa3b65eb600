//! The table, and what passes without and with a change.

use std::collections::BTreeSet;

use super::stream::{WholeFrame, count_packets, messages, packet_length, whole};
use super::*;

const REQUEST: &[u8] =
    b"GET /mqtt HTTP/1.1\r\nHost: h:1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
      Sec-WebSocket-Protocol: mqtt\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                        Sec-WebSocket-Protocol: mqtt\r\n\r\n";
/// The longest packet of a client.
const MAX_PACKET: usize = 100_000;

const CONNECT: &[u8] = b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0";

fn traffic(names: &[&str]) -> DeviantTraffic {
    let found: Vec<_> = names.iter().map(|name| find(name).expect("a deviation")).collect();
    DeviantTraffic::new(7, &BrokerDeviations::new(found, MAX_PACKET))
}

/// What passes of a conversation whose bytes come in pieces of this size.
fn passed(names: &[&str], client: &[u8], server: &[u8], size: usize) -> (Vec<u8>, Vec<u8>) {
    let mut traffic = traffic(names);
    traffic.receive(REQUEST);
    assert_eq!(traffic.take_onward(), REQUEST);
    traffic.send(ANSWER);
    assert_eq!(std::mem::take(traffic.waiting()), ANSWER);
    client.chunks(size).for_each(|piece| traffic.receive(piece));
    let onward = traffic.take_onward();
    server.chunks(size).for_each(|piece| traffic.send(piece));
    (onward, std::mem::take(traffic.waiting()))
}

#[test]
fn names_and_sentences_are_in_order() {
    let mut names = BTreeSet::new();
    for KnownDeviation { name, sentence, servers, .. } in all() {
        assert!(names.insert(name), "{name} stands there twice");
        let is_kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(name.chars().all(is_kebab), "{name}");
        assert!(!sentence.is_empty() && !sentence.ends_with('.'), "{name}");
        assert!(!servers.ends_with('.'), "{name}");
    }
    assert!(names.len() > 150, "{}", names.len());
}

#[test]
fn each_name_has_a_text_and_changes_something() {
    let changed: Vec<&str> = CHANGES.into_iter().flatten().map(|(name, _)| *name).collect();
    for deviation in all() {
        let is_change = changed.iter().filter(|name| **name == deviation.name).count();
        assert_eq!(is_change, usize::from(deviation.fault.is_empty()), "{}", deviation.name);
    }
    let unknown: Vec<_> = changed.into_iter().filter(|name| find(name).is_none()).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn what_no_deviation_is_about_passes_unchanged() {
    let client = [whole(2, CONNECT, true), whole(9, b"x", true), whole(2, b"\xc0\0", true)];
    let server = [whole(2, b"\x20\x02\0\0", false), whole(2, b"\xd0\0", false)];
    let (client, server) = (client.concat(), server.concat());
    for names in [&["no-dup"][..], &["first-packet-only", "no-local-ignored"], &["text-taken"]] {
        for size in [1, 3, 1000] {
            let expected = (client.clone(), server.clone());
            assert_eq!(passed(names, &client, &server, size), expected, "{names:?} {size}");
        }
    }
}

#[test]
fn packets_are_changed_wherever_messages_end() {
    // PUBLISH "t" with payload a NUL b, cut into two messages, and a Ping between them.
    let publish = b"\x30\x06\0\x01ta\0b";
    let server =
        [whole(2, &publish[..3], false), whole(9, b"", false), whole(2, &publish[3..], false)];
    let expected = [whole(9, b"", false), whole(2, b"\x30\x04\0\x01ta", false)].concat();
    for size in [1, 4, 1000] {
        let (_, back) = passed(&["payload-cut-at-nul"], b"", &server.concat(), size);
        assert_eq!(back, expected);
    }
}

#[test]
fn a_request_can_be_answered_or_not() {
    let mut mute = traffic(&["origin-mute"]);
    let with_origin =
        RewrittenHead(String::from_utf8_lossy(REQUEST).into_owned()).with("Origin", "http://x");
    mute.receive(with_origin.0.as_bytes());
    assert!(mute.end().is_some() && mute.is_idle());
    let mut page = traffic(&["page-instead-of-upgrade"]);
    page.receive(REQUEST);
    assert!(page.end().is_some() && page.waiting().starts_with(b"HTTP/1.1 200 OK\r\n"));
    let mut hung = traffic(&["wrong-path-hangs"]);
    hung.receive(b"GET /other HTTP/1.1\r\n\r\n");
    hung.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n");
    assert!(hung.end().is_none() && hung.is_idle() && hung.take_onward().is_empty());
}

#[test]
fn packets_are_counted_by_their_lengths() {
    assert_eq!(packet_length(b"\xc0"), None);
    assert_eq!(packet_length(b"\xc0\0\xc0"), Some(2));
    assert_eq!(packet_length(b"\x30\x80\x80\x80\x80\x01"), Some(0));
    assert_eq!(count_packets(b"\xc0\0\xc0\0\x30"), (2, 1));
    let mut bytes = messages(&vec![7; 70_000], false);
    let sizes: Vec<_> = std::iter::from_fn(|| WholeFrame::take(&mut bytes, 1 << 20)).collect();
    assert_eq!(sizes.iter().map(|frame| frame.payload.len()).sum::<usize>(), 70_000);
    assert!(sizes.iter().all(|frame| frame.is_binary() && frame.payload.len() <= 32 * 1024));
}

/// Whoever changes packets leaves it to the broker to see that messages are mixed up.
#[test]
fn a_message_inside_another_stays_one() {
    let mut begun = whole(2, b"\xc0", true);
    begun[0] &= 0x7f;
    let inner = whole(2, b"\xc0\0", true);
    let mut empty = whole(2, b"", true);
    empty[0] &= 0x7f;
    let (onward, _) = passed(&["no-dup"], &[begun.clone(), inner.clone()].concat(), b"", 1000);
    let first = whole(2, b"", true);
    assert_eq!(onward, [&first[..0], &empty, &inner].concat());
}

/// A packet that the broker refuses by its length is not waited for, nor is a frame.
#[test]
fn what_is_too_long_is_not_waited_for() {
    // PUBLISH of 2 MiB; of a frame of as many bytes, the header.
    let publish = whole(2, b"\x30\x80\x80\x80\x01\0\x01t", true);
    let client = [whole(2, CONNECT, true), publish].concat();
    assert_eq!(passed(&["no-dup"], &client, b"", 1000).0, client);
    let frame = [0x82, 0xff, 0, 0, 0, 0, 0, 0x20, 0, 0, 1, 2, 3, 4];
    assert_eq!(passed(&["no-dup"], &frame, b"", 1000).0, frame);
}

/// A packet of a client, and one of the server, on their way.
fn packets_passed(name: &str, client: &[u8], server: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let sent = [whole(2, CONNECT, true), whole(2, client, true)].concat();
    let (onward, back) = passed(&[name], &sent, &whole(2, server, false), 1000);
    let payloads = |mut bytes: Vec<u8>| {
        let frames = std::iter::from_fn(|| WholeFrame::take(&mut bytes, MAX_PACKET));
        frames.map(|frame| frame.payload).collect::<Vec<_>>().concat()
    };
    let onward = payloads(onward);
    (onward.strip_prefix(CONNECT).expect("CONNECT passes").to_vec(), payloads(back))
}

#[test]
fn of_several_filters_the_shared_ones_alone_are_meant() {
    let subscribe = b"\x82\x13\0\x01\0\x01u\0\0\x0a$share/g/t\0";
    let suback = b"\x90\x04\0\x01\0\0";
    let nowhere = b"\x82\x1c\0\x01\0\x01u\0\0\x13$nowhere/$share/g/t\0";
    let refused = b"\x90\x04\0\x01\0\x80";
    for (name, answer) in [("share-refused", refused), ("share-never-delivered", suback)] {
        let passed = packets_passed(name, subscribe, suback);
        assert_eq!(passed, (nowhere.to_vec(), answer.to_vec()), "{name}");
    }
    let unsubscribe = b"\xa2\x0e\0\x01\0\x0a$share/g/t";
    let nowhere = b"\xa2\x17\0\x01\0\x13$nowhere/$share/g/t";
    assert_eq!(packets_passed("share-never-delivered", unsubscribe, b"").0, nowhere);
    assert_eq!(packets_passed("share-refused", unsubscribe, b"").0, unsubscribe);
}

#[test]
fn of_several_filters_those_that_are_none_match_nothing() {
    let subscribe = b"\x82\x0b\0\x01\0\x01u\x01\0\x02u+\x01";
    let valid = b"\x82\x12\0\x01\0\x01u\x01\0\x09$nowhere/\x01";
    assert_eq!(packets_passed("any-filter-granted", subscribe, b"").0, valid);
    let good = b"\x82\x06\0\x01\0\x01u\x01";
    assert_eq!(packets_passed("any-filter-granted", good, b"").0, good);
}

#[test]
fn filters_with_wildcards_are_meant_too() {
    let message = b"\x30\x04\0\x01ax";
    let subscribed = |filter: &[u8]| {
        let length = u8::try_from(filter.len()).expect("a short filter");
        [&[0x82, length + 5, 0, 1, 0, length][..], filter, b"\0"].concat()
    };
    for (filter, is_lost) in
        [(&b"a/#"[..], true), (b"+/#", true), (b"#", false), (b"+", false), (b"a", false)]
    {
        let expected = if is_lost { &b""[..] } else { message };
        let passed = packets_passed("hash-without-parent", &subscribed(filter), message);
        assert_eq!(passed.1, expected, "{filter:?}");
    }
    for (filter, times) in [(&b"a"[..], 2), (b"+", 2), (b"#", 2), (b"b", 1)] {
        let twice = subscribed(filter).repeat(2);
        let passed = packets_passed("filter-held-twice", &twice, message);
        assert_eq!(passed.1, message.repeat(times), "{filter:?}");
    }
}

#[test]
fn an_empty_retained_message_loses_its_flag_at_each_qos() {
    for (empty, without) in [
        (&b"\x31\x03\0\x01a"[..], &b"\x30\x03\0\x01a"[..]),
        (b"\x35\x05\0\x01a\0\x01", b"\x34\x05\0\x01a\0\x01"),
    ] {
        assert_eq!(packets_passed("retained-never-cleared", empty, b"").0, without);
    }
    let full = b"\x31\x04\0\x01ax";
    assert_eq!(packets_passed("retained-never-cleared", full, b"").0, full);
}

#[test]
fn an_identifier_that_is_another_stays_one_of_its_version() {
    let connect =
        |head: &[u8], id: &[u8]| [head, &[0, u8::try_from(id.len()).unwrap()], id].concat();
    let id = b"mqttws-check-0123456789";
    let (old, new) = (b"\x10\x25\0\x06MQIsdp\x03\x02\0\0", b"\x10\x23\0\x04MQTT\x04\x02\0\0");
    let passed = |packet: &[u8]| {
        let (onward, _) = passed(&["no-takeover"], &whole(2, packet, true), b"", 1000);
        WholeFrame::take(&mut onward.clone(), MAX_PACKET).expect("a frame").payload
    };
    assert_eq!(passed(&connect(old, id)), connect(old, b"7-mqttws-check-01234567"));
    let longer = [&new[..1], &[0x25], &new[2..]].concat();
    assert_eq!(passed(&connect(new, id)), connect(&longer, b"7-mqttws-check-0123456789"));
}

#[test]
fn each_unknown_version_is_meant() {
    for level in [1, 2, 6, 7, 0x84] {
        let connect = [b"\x10\x0c\0\x04MQTT", &[level][..], b"\x02\0\x3c\0\0"].concat();
        let client = whole(2, &connect, true);
        let taken = [b"\x10\x0c\0\x04MQTT", &[5][..], b"\x02\0\x3c\0\0"].concat();
        let (onward, _) = passed(&["level-6-taken"], &client, b"", 1000);
        assert_eq!(onward, whole(2, &taken, true), "{level}");
        let (onward, back) = passed(&["refused-not-closed"], &client, b"", 1000);
        assert_eq!(back, whole(2, b"\x20\x02\0\x01", false), "{level}");
        assert!(!onward.windows(4).any(|bytes| bytes == b"MQTT"), "{level}");
    }
}

/// Whatever the key is.
#[test]
fn a_wrong_accept_key_is_never_the_right_one() {
    for right in ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "A3pPLMBiTxaQ9kYGzzhZRbK+xOo="] {
        let mut traffic = traffic(&["wrong-accept-key"]);
        traffic.receive(REQUEST);
        traffic.take_onward();
        let answer =
            format!("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: {right}\r\n\r\n");
        traffic.send(answer.as_bytes());
        let sent = String::from_utf8(std::mem::take(traffic.waiting())).expect("a text");
        let value = sent.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Accept: "));
        assert!(value.is_some_and(|value| value != right && value.len() == right.len()), "{sent}");
    }
}
