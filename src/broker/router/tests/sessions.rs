//! Sessions, take-over, wills and expiry (§4.1, §3.1.2.4, §3.1.2.5, §3.1.3.2.2, §3.1.2.11.2).

use super::*;

#[test]
fn a_clean_session_is_forgotten_and_another_is_not() {
    for version in VERSIONS {
        let mut world = World::new();
        let from = world.client(version, "from");
        for (clean, begin) in [(true, connect(version, "to")), (false, persistent(version, "to"))] {
            let (to, present) = world.join(begin.clone());
            assert!(!present);
            world.subscribe(to, subscription("a", QoS::AtLeastOnce));
            world.disconnect(to);
            for (payload, qos) in
                [("0", QoS::AtMostOnce), ("1", QoS::AtLeastOnce), ("2", QoS::ExactlyOnce)]
            {
                world.publish(from, "a", payload, qos);
            }
            let (to, present) = world.join(Connect { clean_start: false, ..begin });
            assert_eq!(present, !clean);
            let expected: &[&str] = if clean { &[] } else { &["a 1 1", "a 2 1"] };
            assert_eq!(world.messages(to), expected);
            world.publish(from, "a", "live", QoS::AtMostOnce);
            assert_eq!(world.messages(to).len(), usize::from(!clean));
            world.disconnect(to);
            // Before MQTT 5 `clean_start: false` has just made a session that lasts.
            let (to, _) = world.join(connect(version, "to"));
            world.publish(from, "a", "nobody", QoS::AtMostOnce);
            assert_eq!(world.messages(to), [""; 0]);
            world.disconnect(to);
        }
    }
}

/// `[MQTT-4.1.0-2]`
#[test]
fn a_session_expires() {
    let mut world = World::new();
    for (wait, expected) in [(3599, true), (3601, false)] {
        let (id, _) = world.join(persistent(Version::V5, "id"));
        world.lose(id);
        world.wait(Duration::from_secs(wait));
        let (id, present) = world.join(persistent(Version::V5, "id"));
        assert_eq!(present, expected);
        // It does not run while the client is there.
        world.wait(Duration::from_secs(10_000));
        assert_eq!(world.end(id), None);
        world.lose(id);
    }
}

#[test]
fn a_session_that_never_expires() {
    for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
        let mut world = World::new();
        let mut begin = persistent(version, "id");
        if version == Version::V5 {
            begin.properties =
                Properties(vec![Property::number(PropertyId::SessionExpiryInterval, u32::MAX)]);
        }
        let (id, _) = world.join(begin.clone());
        world.lose(id);
        assert_eq!(world.router.deadline(), None);
        world.wait(Duration::from_secs(1 << 33));
        assert!(world.join(begin).1);
    }
}

#[test]
fn disconnect_changes_the_expiry_but_not_from_zero() {
    let leave = |seconds| {
        let properties =
            Properties(vec![Property::number(PropertyId::SessionExpiryInterval, seconds)]);
        Packet::Disconnect(Disconnect { code: ReasonCode::SUCCESS, properties })
    };
    let mut world = World::new();
    let (id, _) = world.join(persistent(Version::V5, "id"));
    world.send(id, leave(0));
    let (id, present) = world.join(persistent(Version::V5, "id"));
    assert!(!present);
    world.send(id, leave(10));
    world.wait(Duration::from_secs(9));
    assert!(world.join(persistent(Version::V5, "id")).1);
    let id = world.client(Version::V5, "brief");
    world.send(id, leave(10));
    assert_eq!(
        (world.got(id), world.end(id)),
        (vec![goodbye(ReasonCode::PROTOCOL_ERROR)], Some(EndReason::Misbehaved))
    );
}

#[test]
fn a_session_is_taken_over() {
    for old in VERSIONS {
        for new in VERSIONS {
            let mut world = World::new();
            let (first, _) = world.join(persistent(old, "id"));
            world.subscribe(first, subscription("a", QoS::AtLeastOnce));
            let (second, present) = world.join(persistent(new, "id"));
            assert!(present);
            let told = if old == Version::V5 {
                vec![goodbye(ReasonCode::SESSION_TAKEN_OVER)]
            } else {
                vec![]
            };
            assert_eq!((world.got(first), world.end(first)), (told, Some(EndReason::TakenOver)));
            world.publish(second, "a", "x", QoS::AtLeastOnce);
            assert_eq!(world.messages(second), ["a x 1"]);
            // The old connection's end is no news.
            world.lose(first);
            assert_eq!(world.end(second), None);
        }
    }
}

#[test]
fn a_will_is_published_when_the_client_vanishes() {
    for version in VERSIONS {
        let mut world = World::new();
        let to = world.subscriber(version, "to", "will", QoS::AtMostOnce);
        let mortal = || Connect { will: Some(will("gone")), ..connect(version, "mortal") };
        let (id, _) = world.join(mortal());
        world.lose(id);
        assert_eq!(world.messages(to), ["will gone 0"]);
        let (id, _) = world.join(mortal());
        world.disconnect(id);
        assert_eq!(world.messages(to), [""; 0]);
        // Taken over, silent, misbehaved: all the same.
        let (_, _) = world.join(mortal());
        let (id, _) = world.join(Connect { keep_alive: 10, ..mortal() });
        assert_eq!(world.messages(to), ["will gone 0"]);
        world.wait(Duration::from_secs(15));
        assert_eq!(world.end(id), Some(EndReason::Silent));
        assert_eq!(world.messages(to), ["will gone 0"]);
        let (id, _) = world.join(mortal());
        world.send(id, Packet::PingResp);
        assert_eq!(world.messages(to), ["will gone 0"]);
    }
}

#[test]
fn a_retained_will_stays() {
    let mut world = World::new();
    let will = Will { retain: true, ..will("gone") };
    let (id, _) = world.join(Connect { will: Some(will), ..connect(Version::V3_1_1, "mortal") });
    world.lose(id);
    let to = world.subscriber(Version::V3_1_1, "to", "#", QoS::ExactlyOnce);
    assert_eq!(world.messages(to), ["will gone 1 r"]);
}

#[test]
fn disconnect_with_will_message() {
    let mut world = World::new();
    let to = world.subscriber(Version::V5, "to", "will", QoS::AtMostOnce);
    let (id, _) =
        world.join(Connect { will: Some(will("on purpose")), ..connect(Version::V5, "mortal") });
    world.send(id, goodbye(ReasonCode::DISCONNECT_WITH_WILL_MESSAGE));
    assert_eq!(world.end(id), Some(EndReason::Done));
    assert_eq!(world.messages(to), ["will on purpose 0"]);
}

/// `[MQTT-3.1.2-8]` `[MQTT-3.1.3-9]`
#[test]
fn a_will_can_wait() {
    let mut world = World::new();
    let to = world.subscriber(Version::V5, "to", "will", QoS::AtMostOnce);
    let delayed = |delay, expiry| {
        let will = Will {
            properties: Properties(vec![Property::number(PropertyId::WillDelayInterval, delay)]),
            ..will("gone")
        };
        let properties =
            Properties(vec![Property::number(PropertyId::SessionExpiryInterval, expiry)]);
        Connect {
            will: Some(will),
            properties,
            clean_start: false,
            ..connect(Version::V5, "mortal")
        }
    };
    // The earlier of the delay and the end of the session.
    for (delay, expiry, seconds) in [(10, 60, 10), (60, 10, 10), (60, 0, 0)] {
        let (id, _) = world.join(delayed(delay, expiry));
        world.lose(id);
        if seconds > 0 {
            world.wait(Duration::from_millis(seconds * 1000 - 1));
            assert_eq!(world.messages(to), [""; 0]);
            world.wait(Duration::from_millis(1));
        }
        assert_eq!(world.messages(to), ["will gone 0"], "{delay} {expiry}");
    }
    // A client that is back in time does not die.
    let (id, _) = world.join(delayed(10, 60));
    world.lose(id);
    world.wait(Duration::from_secs(9));
    let (id, present) = world.join(delayed(10, 60));
    assert!(present);
    world.wait(Duration::from_secs(60));
    assert_eq!(world.messages(to), [""; 0]);
    // One that is back for a clean start does.
    world.lose(id);
    let _ = world.join(Connect { will: None, clean_start: true, ..delayed(10, 60) });
    assert_eq!(world.messages(to), ["will gone 0"]);
    world.wait(Duration::from_secs(100));
    assert_eq!(world.messages(to), [""; 0]);
}

#[test]
fn wills_are_not_published_when_the_broker_stops() {
    for version in VERSIONS {
        let mut world = World::new();
        let to = world.subscriber(version, "to", "will", QoS::AtMostOnce);
        let (id, _) =
            world.join(Connect { will: Some(will("gone")), ..connect(version, "mortal") });
        world.router.stop(world.now);
        world.settle();
        let told = if version == Version::V5 {
            vec![goodbye(ReasonCode::SERVER_SHUTTING_DOWN)]
        } else {
            vec![]
        };
        for id in [to, id] {
            assert_eq!((world.got(id), world.end(id)), (told.clone(), Some(EndReason::Stopped)));
        }
    }
}
