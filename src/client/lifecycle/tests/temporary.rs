//! After which errors another try may succeed: every variant; and which leave a session.

use super::*;
use crate::mqtt::session::{Silence, Violation};
use crate::transport::endpoint::Endpoint;
use crate::transport::proxy::ProxyError;
use crate::transport::tls::{Alert, CertificateFault, OtherProtocol, TlsError, TlsSetupError};

fn check(rows: impl IntoIterator<Item = (Error, bool)>) {
    for (error, expected) in rows {
        assert_eq!(error.is_temporary(), expected, "{error}");
    }
}

#[test]
fn of_ours() {
    let local = Error::Local(io::ErrorKind::NotFound.into());
    let setup = Error::TlsSetup(TlsSetupError::Encrypted("key.pem".into()));
    check([(local, false), (setup, false), (Error::Interrupted(2), false)]);
}

#[test]
fn of_dialling() {
    let lookup = DialError::Lookup { host: "a".to_owned(), error: io::ErrorKind::NotFound.into() };
    let refusal = HttpResponse { status: 407, ..HttpResponse::default() };
    let error = Box::new(ProxyError::Http(UpgradeError::Status(Box::new(refusal))));
    let proxy = DialError::Proxy { proxy: "p".to_owned(), error };
    check([
        (unreached(), true),
        (Error::Unreached(lookup), true),
        (Error::Unreached(proxy), false),
        (late_at(Step::Transport(Phase::Tcp)), true),
        (late_at(Step::ConnAck), true),
    ]);
}

#[test]
fn of_tls() {
    let tls = |error: TlsError| Error::Transport(error.into());
    check([
        (tls(TlsError::Closed), true),
        (tls(TlsError::Reset), true),
        (tls(TlsError::Alert(Alert::BadRecordMac)), true),
        (tls(TlsError::Alert(Alert::InternalError)), true),
        (tls(TlsError::Alert(Alert::UnknownCA)), false),
        (tls(TlsError::Alert(Alert::AccessDenied)), false),
        (tls(TlsError::Certificate(CertificateFault::Missing)), false),
        (tls(TlsError::ClientCertificateRequired), false),
        (tls(TlsError::ClientCertificateMissed), false),
        (tls(TlsError::ClientCertificateRefused(Alert::UnknownCA)), false),
        (tls(TlsError::NotTls(OtherProtocol::Http)), false),
        (tls(TlsError::Name("a".to_owned())), false),
        (tls(TlsError::HandshakeTooLong), false),
    ]);
    let broken = |phase| transport::Error::BrokenTls { phase, error: TlsError::Closed };
    check([
        (Error::Lost(broken(Phase::Open)), true),
        (Error::Transport(broken(Phase::Upgrade)), true),
        (Error::Lost(TlsError::Alert(Alert::AccessDenied).into()), false),
    ]);
}

#[test]
fn of_the_upgrade() {
    for (code, expected) in [
        (400, false),
        (401, false),
        (403, false),
        (404, true),
        (429, true),
        (500, true),
        (502, true),
        (503, true),
        (504, true),
    ] {
        check([(status(code), expected)]);
    }
    let upgrade = |error: UpgradeError| Error::Transport(error.into());
    check([
        (upgrade(UpgradeError::Closed), true),
        (upgrade(UpgradeError::Reset), true),
        (upgrade(UpgradeError::Http2Chosen), false),
        (upgrade(UpgradeError::Truncated), true),
        (upgrade(UpgradeError::HeadTooLarge), false),
        (upgrade(UpgradeError::Malformed("x".to_owned())), false),
    ]);
    let source = || io::ErrorKind::ConnectionReset.into();
    check([(
        Error::Transport(transport::Error::Io { phase: Phase::Upgrade, source: source() }),
        true,
    )]);
}

#[test]
fn of_connack() {
    let codes = [
        (1, false),
        (2, false),
        (3, true),
        (4, false),
        (5, false),
        (0x80, true),
        (0x84, false),
        (0x86, false),
        (0x87, false),
        (0x88, true),
        (0x89, true),
        (0x8a, false),
        (0x97, true),
        (0x9c, false),
        (0x9d, false),
        (0x9f, true),
    ];
    check(codes.map(|(code, expected)| (refused(code), expected)));
    check([(refused_silently(), true)]);
}

#[test]
fn of_disconnect() {
    let codes = [
        (0x00, true),
        (0x80, true),
        (0x81, false),
        (0x82, false),
        (0x83, true),
        (0x87, false),
        (0x89, true),
        (0x8b, true),
        (0x8d, true),
        (0x8e, false),
        (0x90, false),
        (0x93, true),
        (0x95, false),
        (0x96, true),
        (0x97, true),
        (0x98, false),
        (0x9a, false),
        (0x9b, false),
        (0x9c, false),
        (0x9d, false),
        (0x9e, false),
        (0xa0, true),
        (0xa1, false),
        (0xa2, false),
    ];
    check(codes.map(|(code, expected)| (disconnected(code), expected)));
}

#[test]
fn of_a_connection_that_stood() {
    let too_large = WebSocketError::TooLarge { size: 2, limit: 1 };
    let protocol = WebSocketError::Protocol("x".to_owned());
    check([
        (fin(), true),
        (reset(), true),
        (Error::Lost(write_error()), true),
        (Error::Silent(Silence { waited: Duration::from_secs(45) }), true),
        (Error::Lost(WebSocketError::TextFrame(String::new()).into()), false),
        (Error::Lost(too_large.into()), false),
        (Error::Lost(protocol.into()), false),
    ]);
    for code in [1000, 1001, 1008, 1011, 1012, 1013, 1014, 3000, 4999] {
        check([(close_frame(code), true)]);
    }
    check([(close_frame(1009), false)]);
}

fn packet() -> Unacknowledged {
    Unacknowledged { record: 1, message: None }
}

#[test]
fn of_what_is_over() {
    let cut = Error::MessageCut { topic: "t".to_owned(), written: 1, length: 2 };
    let unanswered = Error::Unanswered { what: String::new(), after: Duration::ZERO };
    check([
        (cut, false),
        (unanswered, false),
        (Error::NotReconnected { last: Box::new(fin()), tries: 1 }, false),
        (Error::Repeated { packet: packet(), number: None }, false),
        (Error::NotMqtt("SSH-2.0".to_owned()), false),
        (Error::Echo, false),
        (Error::Violation(Violation::ReceiveMaximumExceeded), false),
    ]);
}

#[test]
fn where_a_redirect_led_makes_no_difference() {
    let redirected = |error| {
        let to = Box::new(Endpoint::parse("ws://b/").unwrap());
        Error::Redirected { to, error: Box::new(error) }
    };
    check([(redirected(unreached()), true), (redirected(status(401)), false)]);
}

#[test]
fn sessions_that_are_left() {
    let rows = [
        (fin(), true),
        (Error::Silent(Silence { waited: Duration::ZERO }), true),
        (Error::NotReconnected { last: Box::new(fin()), tries: 1 }, true),
        (Error::Violation(Violation::ReceiveMaximumExceeded), true),
        (disconnected(0x97), true),
        (disconnected(0x8e), false),
        (disconnected(0x87), false),
        (Error::Repeated { packet: packet(), number: None }, false),
        (unreached(), false),
        (refused(5), false),
        (Error::Interrupted(2), false),
    ];
    for (error, expected) in rows {
        assert_eq!(error.leaves_session(), expected, "{error}");
    }
}
