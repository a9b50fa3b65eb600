//! Credentials that change: when they are asked for, what a refusal means, and how a connection is
//! renewed.

use super::*;

fn asking(credentials: CredentialsAsked) -> Policy {
    Policy { credentials, ..policy() }
}

/// Online with credentials that a file holds.
fn online() -> World {
    World::online(asking(CredentialsAsked::Again))
}

/// Online with a command's, which last for 40 s.
fn online_for_forty_seconds() -> World {
    let mut world = World::new(asking(CredentialsAsked::Always));
    world.feed(ConnectionInput::Connect);
    let renew_at = renewal_time(world.now, Duration::from_secs(40));
    let change = CredentialChange::Other;
    world.feed_all([
        ConnectionInput::Fetched(Fetched { endpoint: None, change, renew_at }),
        DIALLED,
        ConnectionInput::Opened,
        accept(SessionFound::New),
    ]);
    world.actions.clear();
    world
}

fn no_file() -> ConnectionInput {
    ConnectionInput::FetchFailed(Error::Credentials("no file".to_owned()))
}

#[test]
fn they_are_asked_for_at_each_try_but_the_first_if_that_is_known() {
    let mut world = online();
    world.feed(fail(fin()));
    assert_eq!(world.late().1, ["fetch ws://a/mqtt"]);
    assert_eq!(world.feed(fetched(CredentialChange::Same)), ["dial ws://a/mqtt 5 mqtt"]);
    world.feed(fail(unreached()));
    assert_eq!(world.late().1, ["fetch ws://a/mqtt"]);
    let mut world = World::new(asking(CredentialsAsked::Always));
    assert_eq!(world.feed(ConnectionInput::Connect), ["fetch ws://a/mqtt"]);
}

#[test]
fn a_failure_ends_the_first_try_and_no_later_one() {
    let mut world =
        World::new(Policy { wait: Duration::from_secs(60), ..asking(CredentialsAsked::Always) });
    world.feed(ConnectionInput::Connect);
    assert_eq!(world.feed(no_file()), ["drop", "fail: no file"]);
    let mut world = online();
    world.feed(fail(fin()));
    for _ in 0..10 {
        world.late();
        assert_eq!(world.feed(no_file()), ["drop", "warn: ws://a/mqtt: no file; trying again"]);
        assert_eq!(world.state(), "Backoff");
    }
}

#[test]
fn what_was_refused_is_not_sent_again() {
    for error in [|| refused(4), || refused(5), || refused(0x86), || refused(0x87), || status(401)]
    {
        let mut world = online();
        world.feed(fail(fin()));
        world.late();
        world.feed_all([fetched(CredentialChange::Same), DIALLED, fail(error())]);
        let (began, mut looks) = (world.now, 0);
        loop {
            assert_eq!(world.late().1, ["fetch ws://a/mqtt"]);
            let actions = world.feed(fetched(CredentialChange::Same));
            looks += 1;
            if world.state() == "Closed" {
                assert_eq!(actions, [format!("fail: {}", error())]);
                break;
            }
            assert_eq!(actions, [""; 0]);
        }
        assert!(looks > 1 && world.now - began >= Duration::from_secs(3), "{looks}");
    }
}

/// Whether other authorities are waited for after a certificate for which none of these vouches.
fn waits_for_authorities(asked: CredentialsAsked, places: GivenPlaces) -> bool {
    let found = Untrusted { issuer: "i".to_owned(), fingerprint: Fingerprint::of(b""), places };
    let fault = CertificateFault::UnknownIssuer(Some(found));
    let mut world = World::online(asking(asked));
    world.feed(fail(fin()));
    world.late();
    if asked != CredentialsAsked::Never {
        world.feed(fetched(CredentialChange::Same));
    }
    world.feed(DIALLED);
    let error = transport::Error::Tls(TlsError::Certificate(fault));
    let actions = world.feed(fail(Error::Transport(error)));
    let is_told = actions.iter().any(|line| line.ends_with("; looking for other authorities"));
    assert_eq!(is_told, world.state() == "Backoff", "{actions:?}");
    is_told
}

#[test]
fn other_authorities_are_waited_for_where_a_file_gives_them() {
    for asked in [CredentialsAsked::Authorities, CredentialsAsked::Again] {
        assert!(waits_for_authorities(asked, GivenPlaces::File));
        assert!(!waits_for_authorities(asked, GivenPlaces::None));
    }
    assert!(!waits_for_authorities(CredentialsAsked::Never, GivenPlaces::File));
    let mut world = World::online(asking(CredentialsAsked::Authorities));
    world.feed(fail(fin()));
    world.late();
    world.feed_all([fetched(CredentialChange::Same), DIALLED, fail(refused(5))]);
    assert_eq!(world.state(), "Closed", "the credentials cannot change");
}

#[test]
fn short_connections_may_be_those_of_short_credentials() {
    let mut world = online();
    for _ in 0..3 {
        if world.state() == "Backoff" {
            world.late();
            let opened = [DIALLED, ConnectionInput::Opened, accept(SessionFound::Resumed)];
            world.feed_all([fetched(CredentialChange::Other)].into_iter().chain(opened));
        }
        world.after(900).feed(fail(fin()));
    }
    let is_told = |line: &String| line.ends_with(", or the credentials end so soon");
    assert!(world.actions.iter().any(is_told), "{:?}", world.actions);
}

#[test]
fn others_are_tried_after_a_refusal() {
    let mut world = online();
    world.feed(fail(fin()));
    world.late();
    for _ in 0..10 {
        world.feed_all([fetched(CredentialChange::Other), DIALLED]);
        let actions = world.feed(fail(status(403)));
        assert!(actions[1].ends_with("; looking for other credentials"), "{actions:?}");
        world.late();
    }
    world.feed_all([
        fetched(CredentialChange::Other),
        DIALLED,
        ConnectionInput::Opened,
        accept(SessionFound::Resumed),
    ]);
    assert_eq!(world.state(), "Online");
}

#[test]
fn a_disconnect_for_credentials_is_a_refusal() {
    let mut world = online();
    world.feed(fail(disconnected(0x87)));
    world.late();
    assert_eq!(world.feed(fetched(CredentialChange::Other)), ["dial ws://a/mqtt 5 mqtt"]);
    let mut world = World::online(policy());
    world.feed(fail(disconnected(0x87)));
    assert_eq!(world.state(), "Closed", "they cannot change");
}

#[test]
fn a_connection_is_renewed_before_its_credentials_end() {
    let mut world = online_for_forty_seconds();
    assert_eq!(world.late(), (Duration::from_secs(30), vec!["fetch ws://a/mqtt".to_owned()]));
    world.feed(ConnectionInput::Quiet);
    assert_eq!(world.state(), "Online", "the credentials are awaited");
    assert_eq!(world.feed(fetched(CredentialChange::Other)), [""; 0]);
    assert!(world.lifecycle.is_finishing());
    let actions = world.feed(ConnectionInput::Quiet);
    let words = "trace: ws://a/mqtt: connecting again with new credentials";
    assert_eq!(actions, [words, "leave"]);
    assert_eq!(world.feed_all([ConnectionInput::Sent]).state(), "ReplacingSession");
    assert_eq!(world.feed(fail(fin())), ["drop", "dial ws://a/mqtt 5 mqtt"]);
    world.feed_all([DIALLED, ConnectionInput::Opened]);
    assert_eq!(world.feed(accept(SessionFound::Resumed)), ["Reconnected"]);
}

#[test]
fn a_renewal_that_fails_leaves_the_connection_as_it_is() {
    let mut world = online_for_forty_seconds();
    world.late();
    assert_eq!(world.feed(no_file()), ["warn: ws://a/mqtt: no file; trying again"]);
    assert_eq!(world.state(), "Online");
    assert_eq!(world.late().1, ["fetch ws://a/mqtt"]);
    world.feed(fail(fin()));
    assert_eq!(world.state(), "Backoff");
}

#[test]
fn a_caller_that_ends_during_a_renewal_ends_its_session() {
    let mut world = online_for_forty_seconds();
    world.late();
    world.feed_all([fetched(CredentialChange::Other), ConnectionInput::Quiet]);
    world.feed_all([ConnectionInput::Close(SessionRemains::WithoutDisconnect)]);
    world.feed(ConnectionInput::Sent);
    let actions = world.feed(fail(fin()));
    assert_eq!(actions, ["drop", "forget true", "fetch ws://a/mqtt"]);
}

#[test]
fn the_margin_fits_the_lifetime() {
    let now = Instant::now();
    for (lifetime, after) in [(1_000, 750), (40_000, 30_000), (3_600_000, 3_540_000), (10, 100)] {
        let at = renewal_time(now, Duration::from_millis(lifetime)).unwrap();
        assert_eq!(at - now, Duration::from_millis(after), "{lifetime}");
    }
}

#[test]
fn a_url_takes_the_place_of_the_one_before() {
    let mut world = World::new(asking(CredentialsAsked::Always));
    world.feed(ConnectionInput::Connect);
    for url in ["ws://c/mqtt?1", "ws://d/mqtt?2"] {
        let (endpoint, change) = (Some(endpoint(url)), CredentialChange::Other);
        let actions =
            world.feed(ConnectionInput::Fetched(Fetched { endpoint, change, renew_at: None }));
        let shown = url.split('?').next().unwrap();
        assert_eq!(actions, [format!("dial {shown}?... 5 mqtt")]);
        world.feed_all([DIALLED, ConnectionInput::Opened, accept(SessionFound::New), fail(fin())]);
        assert_eq!(world.lifecycle.server().to_string(), format!("{shown}?..."));
        world.late();
    }
}
