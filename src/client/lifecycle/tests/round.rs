//! Which server of several is tried next, within one try: another address of the name, another one
//! that was named, the next address.

use super::*;
use crate::mqtt::property::{Property, PropertyId};
use crate::transport::tls::{Alert, CertificateFault, OtherProtocol, TlsError};

/// A TCP connection to a name with so many other addresses.
fn dialled(untried: usize) -> ConnectionInput {
    ConnectionInput::Dialled { untried }
}

fn two_addresses() -> Policy {
    Policy { addresses: vec![endpoint("ws://a/mqtt"), endpoint("ws://b/mqtt")], ..pinned() }
}

fn pinned() -> Policy {
    Policy {
        versions: vec![Version::V5],
        version_choice: VersionChoice::Asked,
        subprotocols: Some(vec!["mqtt".to_owned()]),
        ..policy()
    }
}

fn dials(actions: &[String]) -> Vec<&str> {
    actions.iter().filter_map(|action| action.strip_prefix("dial ")).collect()
}

#[test]
fn another_address_of_the_name_is_tried_at_once() {
    for error in [status(503), refused(0x88), refused(0x89), refused(3), fin(), Error::Echo] {
        let words = error.to_string();
        let mut world = World::new(pinned());
        world.feed_all([ConnectionInput::Connect, dialled(2), ConnectionInput::Opened]);
        let trace = format!("trace: ws://a/mqtt: {words}; trying another address of a");
        let dial = "dial ws://a/mqtt 5 mqtt".to_owned();
        assert_eq!(world.feed(fail(error)), ["drop".to_owned(), trace, dial]);
        // The others are tried until none is left; the first error is the one that is told.
        world.feed(dialled(1));
        assert_eq!(dials(&world.feed(fail(status(502)))).len(), 1);
        world.feed(dialled(0));
        let actions = world.feed(fail(status(502)));
        assert!(dials(&actions).is_empty(), "{actions:?}");
        assert_eq!(world.state(), "Closed");
    }
}

#[test]
fn a_refusal_that_is_about_us_ends_the_try() {
    let tls = |error: TlsError| Error::Transport(error.into());
    let errors = [
        status(401),
        status(403),
        refused(2),
        refused(4),
        refused(5),
        refused(0x85),
        refused(0x86),
        refused(0x87),
        refused(0x8a),
        refused(0x8c),
        tls(TlsError::Certificate(CertificateFault::Missing)),
        tls(TlsError::ClientCertificateRequired),
        tls(TlsError::Alert(Alert::UnknownCA)),
        tls(TlsError::Name("a".to_owned())),
    ];
    for error in errors {
        let words = error.to_string();
        let mut world = World::new(two_addresses());
        world.feed_all([ConnectionInput::Connect, dialled(1), ConnectionInput::Opened]);
        assert_eq!(world.feed(fail(error)), ["drop".to_owned(), format!("fail: {words}")]);
    }
}

#[test]
fn what_is_no_server_of_mqtt_leads_to_the_next_address() {
    let tls = |error: TlsError| Error::Transport(error.into());
    let errors = [
        status(400),
        status(404),
        status(200),
        status(503),
        refused(1),
        refused(3),
        refused(0x80),
        refused(0x88),
        refused(0x9c),
        tls(TlsError::NotTls(OtherProtocol::Http)),
        tls(TlsError::Closed),
        Error::NotMqtt("SSH-2.0".to_owned()),
        Error::Echo,
        unreached(),
        refused_silently(),
    ];
    for error in errors {
        let words = error.to_string();
        let mut world = World::new(two_addresses());
        world.feed_all([ConnectionInput::Connect, dialled(0), ConnectionInput::Opened]);
        let warning = format!("warn: ws://a/mqtt: {words}; trying ws://b/mqtt");
        let dial = "dial ws://b/mqtt 5 mqtt".to_owned();
        assert_eq!(world.feed(fail(error)), ["drop".to_owned(), warning, dial]);
    }
}

#[test]
fn the_name_comes_before_the_next_address() {
    let mut world = World::new(two_addresses());
    world.feed_all([ConnectionInput::Connect, dialled(1)]);
    assert_eq!(dials(&world.feed(fail(status(503)))), ["ws://a/mqtt 5 mqtt"]);
    world.feed(dialled(0));
    assert_eq!(dials(&world.feed(fail(status(503)))), ["ws://b/mqtt 5 mqtt"]);
    // No other address of it may be tried in the end.
    world.feed(dialled(1));
    assert_eq!(dials(&world.feed(fail(status(503)))), ["ws://b/mqtt 5 mqtt"]);
    assert_eq!(world.feed(fail(unreached()))[1], format!("fail: {}", status(503)));
}

#[test]
fn when_the_time_is_up_no_other_address_of_the_name_is_tried() {
    let mut world = World::new(pinned());
    world.feed_all([ConnectionInput::Connect, dialled(1)]);
    assert_eq!(world.late(), (Duration::from_secs(12), vec!["expire".to_owned()]));
    let actions = world.feed(fail(late_at(Step::Transport(Phase::Upgrade))));
    assert!(dials(&actions).is_empty(), "{actions:?}");
}

#[test]
fn after_a_loss_a_try_goes_through_all_of_them() {
    let mut world = World::online(pinned());
    world.feed(fail(fin()));
    world.late();
    world.feed(dialled(1));
    assert_eq!(dials(&world.feed(fail(status(503)))).len(), 1);
    assert_eq!(world.state(), "Dialling");
    world.feed(dialled(0));
    world.feed(fail(status(503)));
    assert_eq!(world.state(), "Backoff");
}

/// An older version is tried where the newer one was refused, before another address.
#[test]
fn a_version_is_tried_at_the_same_address() {
    let mut world = World::new(policy());
    world.feed_all([ConnectionInput::Connect, dialled(1), ConnectionInput::Opened]);
    world.lifecycle.handle(fail(refused(1)), world.now);
    let orders =
        std::iter::from_fn(|| world.lifecycle.action()).filter_map(|action| match action {
            Action::Dial(plan) => Some((plan.version, plan.order)),
            _ => None,
        });
    assert_eq!(orders.collect::<Vec<_>>(), [(Version::V3_1_1, AddressOrder::Same)]);
}

/// CONNACK 0x9C with this Server Reference.
fn sent_to(reference: &str) -> Error {
    let mut properties = Properties::default();
    properties.0.push(Property::text(PropertyId::ServerReference, reference.to_owned().into()));
    let connack = ConnAck { session_present: false, code: ReasonCode(0x9c), properties };
    Error::Refused { connack: Box::new(connack), version: Version::V5, needed_by: None }
}

fn following() -> Policy {
    Policy { redirects: RedirectPolicy::Follow, ..pinned() }
}

#[test]
fn all_servers_of_a_reference_are_tried_in_turn() {
    let mut world = World::new(following());
    world.feed_all([ConnectionInput::Connect, dialled(0), ConnectionInput::Opened]);
    assert_eq!(dials(&world.feed(fail(sent_to("b c:9 d")))), ["ws://b/mqtt 5 mqtt withheld"]);
    // Each has its share of the time.
    assert_eq!(world.late().0, Duration::from_millis(4100));
    let actions = world.feed(fail(late_at(Step::Transport(Phase::Tcp))));
    assert_eq!(dials(&actions), ["ws://c:9/mqtt 5 mqtt withheld"]);
    world.feed_all([dialled(0), ConnectionInput::Opened]);
    assert_eq!(dials(&world.feed(fail(refused(0x88)))), ["ws://d/mqtt 5 mqtt withheld"]);
    let actions = world.feed(fail(unreached()));
    assert_eq!(
        actions[1],
        "fail: redirected to ws://c:9/mqtt: the broker refused: server unavailable"
    );
    assert_eq!(world.state(), "Closed");
}

#[test]
fn a_server_that_was_named_may_name_others() {
    let mut world = World::new(following());
    world.feed_all([ConnectionInput::Connect, dialled(0), ConnectionInput::Opened]);
    world.feed(fail(sent_to("b c")));
    world.feed_all([dialled(0), ConnectionInput::Opened]);
    // The one that sends us back is left for the next.
    assert_eq!(dials(&world.feed(fail(sent_to("a:80"))))[0], "ws://c/mqtt 5 mqtt withheld");
    world.feed_all([dialled(0), ConnectionInput::Opened]);
    assert_eq!(dials(&world.feed(fail(sent_to("e"))))[0], "ws://e/mqtt 5 mqtt withheld");
    world.feed_all([dialled(0), ConnectionInput::Opened, accept(SessionFound::New)]);
    assert_eq!(world.state(), "Online");
}

#[test]
fn a_disconnect_may_name_several() {
    let mut properties = Properties::default();
    properties.0.push(Property::text(PropertyId::ServerReference, "b c".into()));
    let disconnect = Disconnect { code: ReasonCode(0x9d), properties };
    let mut world = World::online(following());
    let actions = world.feed(fail(Error::Disconnected(Box::new(disconnect))));
    assert_eq!(dials(&actions), ["ws://b/mqtt 5 mqtt withheld"]);
    assert_eq!(dials(&world.feed(fail(unreached()))), ["ws://c/mqtt 5 mqtt withheld"]);
    world.feed(fail(unreached()));
    assert_eq!(world.state(), "Backoff");
}
