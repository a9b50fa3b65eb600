//! `$SYS/broker/...`.

use super::*;
use crate::broker::router::statistics::INTERVAL;

#[test]
fn a_subscriber_gets_the_values_at_once_and_then_what_changes() {
    for version in VERSIONS {
        let mut world = World::new();
        world.router.start(world.now);
        let from = world.client(version, "from");
        world.send(from, retained("a", "x"));
        world.wait(Duration::from_secs(5));
        assert_eq!(world.router.deadline(), None);
        let id = world.subscriber(version, "id", "$SYS/#", QoS::AtLeastOnce);
        let values = world.messages(id);
        for value in [
            concat!("$SYS/broker/version mqttws version ", env!("CARGO_PKG_VERSION"), " 1 r"),
            "$SYS/broker/uptime 5 seconds 1 r",
            "$SYS/broker/clients/connected 2 1 r",
            "$SYS/broker/clients/total 2 1 r",
            "$SYS/broker/clients/maximum 2 1 r",
            "$SYS/broker/messages/received 4 1 r",
            "$SYS/broker/messages/sent 2 1 r",
            "$SYS/broker/publish/messages/received 1 1 r",
            "$SYS/broker/publish/messages/dropped 0 1 r",
            "$SYS/broker/retained messages/count 1 1 r",
            "$SYS/broker/subscriptions/count 1 1 r",
        ] {
            assert!(values.iter().any(|text| text == value), "{value}: {values:#?}");
        }
        world.disconnect(from);
        world.wait(INTERVAL);
        let values = world.messages(id);
        assert!(values.contains(&"$SYS/broker/uptime 15 seconds 1".to_owned()), "{values:#?}");
        assert!(values.contains(&"$SYS/broker/clients/connected 1 1".to_owned()), "{values:#?}");
        world.wait(INTERVAL);
        let values = world.messages(id);
        assert!(!values.iter().any(|text| text.contains("/clients/")), "{values:#?}");
        // Nobody is woken for what nobody wants.
        world.lose(id);
        world.wait(INTERVAL * 2);
        assert_eq!(world.router.deadline(), None);
    }
}

#[test]
fn other_filters_do_not_match_them() {
    let mut world = World::new();
    world.router.start(world.now);
    for filter in ["#", "+/broker/version", "$SYSTEM/#", "a/$SYS/#"] {
        let id = world.subscriber(Version::V5, "id", filter, QoS::AtMostOnce);
        assert_eq!((world.got(id), world.router.deadline()), (vec![], None), "{filter}");
    }
    let id = world.subscriber(Version::V5, "id", "$SYS/broker/+", QoS::AtMostOnce);
    assert_eq!(world.messages(id).len(), 2);
    // A shared subscription gets no retained messages, but those that come later.
    let id = world.subscriber(Version::V5, "id", "$share/g/$SYS/broker/uptime", QoS::AtMostOnce);
    assert_eq!(world.got(id), []);
    world.wait(INTERVAL);
    assert_eq!(world.messages(id), ["$SYS/broker/uptime 10 seconds 0"]);
}
