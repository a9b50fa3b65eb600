//! Keep alive in virtual time (§3.1.2.10).

use super::*;
use crate::mqtt::session::Silence;

fn with_keep_alive(seconds: u16, version: Version) -> Client {
    Client::online(Config { keep_alive: seconds, ..config(version) })
}

/// Seconds until the deadline.
fn due(client: &Client) -> Option<f64> {
    client.session.deadline().map(|deadline| (deadline - client.now).as_secs_f64())
}

/// Lets the time and the deadline pass. Returns the packets that are sent then.
fn expire(client: &mut Client, seconds: f64) -> Result<Vec<String>, Silence> {
    client.after(seconds);
    client.session.expire(client.now)?;
    Ok(brief(&client.sent()))
}

#[test]
fn a_pingreq_is_sent_exactly_when_it_is_due() {
    for version in VERSIONS {
        let mut client = with_keep_alive(45, version);
        assert_eq!(due(&client), Some(45.0));
        assert_eq!(expire(&mut client, 44.999), Ok(vec![]));
        assert_eq!(expire(&mut client, 0.001), Ok(vec!["PINGREQ".to_owned()]));
        assert_eq!(expire(&mut client, 0.0), Ok(vec![]), "once");
        assert_eq!(client.feed(&[Packet::PingResp]), []);
        assert_eq!(due(&client), Some(45.0));
    }
}

#[test]
fn whatever_is_sent_postpones_it() {
    for version in VERSIONS {
        let mut client = with_keep_alive(10, version);
        client.after(9.0).publish(QoS::AtMostOnce, 1);
        client.sent();
        assert_eq!(due(&client), Some(10.0));
        // Received packets do not count: the server does not notice them.
        client.after(9.0).feed(&[from_server(QoS::AtMostOnce, 0, false, 1)]);
        assert_eq!(due(&client), Some(1.0));
    }
}

#[test]
fn silence_is_found() {
    // (keep alive, how long the answer may take)
    for (seconds, patience) in [(10, 10.0), (45, 30.0), (1, 1.0)] {
        for version in VERSIONS {
            let mut client = with_keep_alive(seconds, version);
            assert_eq!(expire(&mut client, f64::from(seconds)).unwrap(), ["PINGREQ"]);
            assert_eq!(due(&client), Some(patience));
            assert_eq!(expire(&mut client, patience - 0.001), Ok(vec![]));
            let waited = Duration::from_secs_f64(patience);
            assert_eq!(expire(&mut client, 0.001), Err(Silence { waited }));
        }
    }
}

/// A PINGRESP may arrive after a large message, whose bytes show that the server is alive.
#[test]
fn any_byte_breaks_the_silence() {
    for version in VERSIONS {
        let mut client = with_keep_alive(10, version);
        expire(&mut client, 10.0).unwrap();
        client.after(9.0);
        client.feed_bytes(Bytes::from_static(b"\x30")).unwrap();
        // The next PINGREQ is due in a second; the server would count as silent after ten.
        assert_eq!(expire(&mut client, 1.0).unwrap(), ["PINGREQ"]);
        assert_eq!(due(&client), Some(9.0));
        assert_eq!(expire(&mut client, 8.999), Ok(vec![]));
        assert_eq!(expire(&mut client, 0.001), Err(Silence { waited: Duration::from_secs(10) }));
    }
}

#[test]
fn who_does_not_read_finds_no_silence_but_pings_on() {
    for version in VERSIONS {
        let mut client = with_keep_alive(10, version);
        client.session.hold(true, client.now);
        for _ in 0..20 {
            assert_eq!(due(&client), Some(10.0));
            assert_eq!(expire(&mut client, 10.0).unwrap(), ["PINGREQ"]);
        }
        client.after(5.0);
        client.session.hold(false, client.now);
        assert_eq!(due(&client), Some(5.0));
        assert_eq!(expire(&mut client, 5.0).unwrap(), ["PINGREQ"]);
        assert_eq!(expire(&mut client, 5.0), Err(Silence { waited: Duration::from_secs(10) }));
    }
}

/// The caller does not read on the new connection either.
#[test]
fn a_hold_outlasts_its_connection() {
    for version in VERSIONS {
        let mut client = with_keep_alive(10, version);
        client.session.hold(true, client.now);
        client.reconnect(connack(true));
        for _ in 0..3 {
            assert_eq!(expire(&mut client, 10.0).unwrap(), ["PINGREQ"]);
        }
    }
}

#[test]
fn the_answers_of_a_long_hold_are_no_events() {
    let mut client = with_keep_alive(10, Version::V5);
    client.session.hold(true, client.now);
    (0..20).for_each(|_| drop(expire(&mut client, 10.0)));
    client.session.hold(false, client.now);
    assert_eq!(client.feed(&vec![Packet::PingResp; 20]), []);
    assert_eq!(due(&client), Some(10.0));
}

#[test]
fn zero_turns_it_off() {
    for version in VERSIONS {
        let mut client = with_keep_alive(0, version);
        assert_eq!(due(&client), None);
        assert_eq!(expire(&mut client, 1e6), Ok(vec![]));
    }
}

/// `[MQTT-3.1.2-21]`
#[test]
fn the_server_has_the_last_word() {
    for (ours, theirs, seconds) in
        [(45, 9, Some(9.0)), (45, 100, Some(100.0)), (0, 9, Some(9.0)), (45, 0, None)]
    {
        let ours = Config { keep_alive: ours, ..config(Version::V5) };
        let mut client =
            Client::limited(ours, &[Property::number(PropertyId::ServerKeepAlive, theirs)]);
        assert_eq!(due(&client), seconds);
        // Server Keep Alive holds for one connection.
        client.reconnect(connack(true));
        let own = client.session.config().keep_alive;
        assert_eq!(due(&client), (own > 0).then_some(f64::from(own)));
    }
}

#[test]
fn only_the_callers_pings_are_answered_to_it() {
    for version in VERSIONS {
        let mut client = with_keep_alive(10, version);
        client.session.ping();
        assert_eq!(brief(&client.sent()), ["PINGREQ"]);
        assert_eq!(client.feed(&[Packet::PingResp]), [Event::Pong]);
        expire(&mut client, 10.0).unwrap();
        assert_eq!(client.feed(&[Packet::PingResp]), [], "nobody asked");
        assert_eq!(client.feed(&[Packet::PingResp]), [], "nobody asked at all");
    }
}

/// PINGRESPs come in the order of the PINGREQs.
#[test]
fn a_ping_behind_one_of_the_keep_alive_waits_for_its_own_answer() {
    let mut client = with_keep_alive(10, Version::V5);
    expire(&mut client, 10.0).unwrap();
    client.session.ping();
    client.sent();
    assert_eq!(client.feed(&[Packet::PingResp]), []);
    assert_eq!(client.feed(&[Packet::PingResp]), [Event::Pong]);
}

#[test]
fn the_callers_answer_does_not_hide_a_silence() {
    let mut client = with_keep_alive(10, Version::V5);
    client.session.ping();
    client.sent();
    expire(&mut client, 10.0).unwrap();
    assert_eq!(client.feed(&[Packet::PingResp]), [Event::Pong]);
    assert!(expire(&mut client, 10.0).is_err(), "the PINGREQ of the keep alive was not answered");
}

#[test]
fn it_ends_with_the_connection() {
    let mut client = with_keep_alive(10, Version::V5);
    expire(&mut client, 10.0).unwrap();
    client.lose();
    assert_eq!(due(&client), None);
    client.session.connect();
    assert_eq!(due(&client), None, "until CONNACK the connect timeout watches");
    assert_eq!(expire(&mut client, 100.0), Ok(vec!["CONNECT".to_owned()]));
    client.feed(&[connack(true)]);
    assert_eq!(due(&client), Some(10.0));
}
