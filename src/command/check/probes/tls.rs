//! Probes of the group tls: certificates and handshakes. Most of them are observed.

use super::{GroupProbes, PointProbe};
use crate::command::check::bench::{Bench, Conn};
use crate::command::check::connection::Link;
use crate::command::check::finding::{Finding, Probed, Stop, Verdict};
use crate::command::check::journal::{Direction, Fact, ProtocolLayer};
use crate::transport::tls::sni;

/// The probes of this group.
pub const PROBES: GroupProbes = &[
    ("tls-old-refused", PointProbe::Ask(old_refused)),
    (
        "tls-chain",
        PointProbe::Ask(|bench| shows(bench, "tls-chain", "it leads to a trusted authority")),
    ),
    ("tls-name", PointProbe::Ask(|bench| shows(bench, "tls-name", "it is made for this host"))),
    ("tls-dates", PointProbe::Ask(|bench| shows(bench, "tls-dates", "valid for 14 days at least"))),
    (
        "tls-form",
        PointProbe::Ask(|bench| shows(bench, "tls-form", "X.509 version 3, no authority")),
    ),
    ("tls-alpn-http11", PointProbe::Ask(alpn_http11)),
    ("tls-close-notify", PointProbe::Ask(close_notify)),
];

/// What was noted about the certificate for this point.
fn shows(bench: &mut Bench, point: &'static str, good: &str) -> Probed {
    let finding = bench.observed(point, good);
    Ok(match finding.verdict {
        Verdict::NotApplicable => Finding::unknown("the server has shown no certificate"),
        _ => finding,
    })
}

/// The records of TLS (RFC 8446 §5.1).
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

/// TLS 1.1 on the wire.
const TLS_1_1: [u8; 2] = [3, 2];

/// Cipher suites of TLS 1.0 and 1.1: AES and 3DES in CBC mode, with each kind of key (RFC 4492,
/// RFC 5246 §A.5).
const SUITES: [u16; 11] =
    [0xc009, 0xc00a, 0xc013, 0xc014, 0x0033, 0x0039, 0x002f, 0x0035, 0xc008, 0xc012, 0x000a];

fn old_refused(bench: &mut Bench) -> Probed {
    note_need_of_sni(bench);
    let conn = bench.dial_with(None, None)?;
    let hello = client_hello(sni(&bench.target.access.endpoint.host).as_deref());
    let words = || "ClientHello of TLS 1.1".to_owned();
    bench.journal.note(Direction::Out, ProtocolLayer::Tcp, words, &hello);
    bench.write(conn, &hello);
    let patience = bench.patience();
    let first = bench.wait(conn, "answer to a ClientHello", patience, |link: &mut Link| {
        let bytes = link.early_bytes();
        // Type, version, length of the record; type and length of the message; version.
        let is_whole = bytes.len() >= 11 || bytes.first().is_some_and(|kind| *kind != HANDSHAKE);
        (is_whole && !bytes.is_empty()).then(|| bytes.to_vec())
    });
    bench.asked.saw_unexpected_end = false;
    Ok(match first {
        Ok(bytes) => judge_hello(&bytes),
        Err(Stop::Ended { end, .. }) => Finding::pass(end.to_string()),
        Err(Stop::Silent { .. }) => Finding::unknown("neither an alert nor an end").in_doubt(),
        Err(stop) => return Err(stop),
    })
}

/// The first record of a server that was offered TLS 1.1 at most.
fn judge_hello(bytes: &[u8]) -> Finding {
    match bytes {
        [ALERT, ..] => match bytes.get(6) {
            Some(alert) => Finding::pass(format!("alert {alert}")),
            None => Finding::pass("an alert"),
        },
        [HANDSHAKE, _, _, _, _, 2, _, _, _, 3, 1, ..] => Finding::fail("TLS 1.0 is spoken"),
        [HANDSHAKE, _, _, _, _, 2, _, _, _, 3, 2, ..] => Finding::fail("TLS 1.1 is spoken"),
        [HANDSHAKE, _, _, _, _, 2, _, _, _, 3, 0, ..] => Finding::fail("SSL 3.0 is spoken"),
        _ => Finding::unknown("neither a ServerHello of TLS 1.1 nor an alert"),
    }
}

/// A `ClientHello` of TLS 1.1 (RFC 4346 §7.4.1.2), with the name of the server and curves.
fn client_hello(name: Option<&str>) -> Vec<u8> {
    let mut extensions = Vec::new();
    if let Some(name) = name {
        let entry = [&[0][..], &sized(name.as_bytes())].concat();
        extensions.extend(extension(0, &sized(&entry)));
    }
    // P-256, P-384, P-521; points that are not compressed.
    extensions.extend(extension(10, &sized(&[0, 23, 0, 24, 0, 25])));
    extensions.extend(extension(11, &[1, 0]));
    let random: [u8; 32] = std::array::from_fn(|_| fastrand::u8(..));
    let suites: Vec<u8> = SUITES.iter().flat_map(|suite| suite.to_be_bytes()).collect();
    let body = [&TLS_1_1[..], &random, &[0], &sized(&suites), &[1, 0], &sized(&extensions)];
    let body = sized(&body.concat());
    // The length of a message of the handshake has three bytes.
    let message = [&[1, 0][..], &body].concat();
    [&[HANDSHAKE, 3, 1][..], &sized(&message)].concat()
}

/// The bytes behind their length in two bytes.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], bytes].concat()
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &sized(content)].concat()
}

/// Notes whether the server shows another certificate, or none, to a client that does not name it.
fn note_need_of_sni(bench: &mut Bench) {
    let tls = bench
        .target
        .access
        .tls
        .clone()
        .filter(|_| sni(&bench.target.access.endpoint.host).is_some());
    let Some(tls) = tls else { return };
    let failure = bench.failure.take();
    let with = bench.dial_with(None, Some(&tls)).map(|conn| shown(bench, conn));
    let without = bench.dial_with(None, Some(&tls.without_sni())).map(|conn| shown(bench, conn));
    bench.failure = failure;
    if let Ok(with) = with {
        let needs_sni = without.map_or(true, |without| without != with);
        bench.journal.fact("tls_needs_sni", Fact::Flag(needs_sni));
    }
}

/// The server's own certificate on this connection, which is ended.
fn shown(bench: &mut Bench, conn: Conn) -> Option<Vec<u8>> {
    let certificate = bench.link(conn).stream.certificates().first().map(|one| one.to_vec());
    bench.cut(conn);
    certificate
}

fn alpn_http11(bench: &mut Bench) -> Probed {
    let chosen = |bench: &Bench| bench.observed("tls-alpn-http11", "http/1.1, or no choice");
    let finding = chosen(bench);
    if finding.verdict != Verdict::NotApplicable {
        return Ok(finding);
    }
    // No browser's request was sent.
    match bench.dial_as_browser() {
        Ok(conn) => bench.cut(conn),
        // That is what was observed.
        Err(Stop::NoConnection(_)) => {}
        Err(stop) => return Err(stop),
    }
    Ok(chosen(bench))
}

fn close_notify(bench: &mut Bench) -> Probed {
    let ended = |bench: &Bench| bench.observed("tls-close-notify", "close_notify came");
    let finding = ended(bench);
    if finding.verdict != Verdict::NotApplicable {
        return Ok(finding);
    }
    let conn = bench.on()?;
    let patience = bench.patience();
    bench.say_goodbye(conn);
    match bench.wait_end(conn, patience) {
        Ok(()) => Ok(ended(bench)),
        Err(Stop::Silent { .. }) => Ok(Finding::unknown("the stream does not end")),
        Err(stop) => Err(stop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_hello_has_the_lengths_of_its_parts() {
        let hello = client_hello(Some("broker.example"));
        let number = |at: usize| usize::from(u16::from_be_bytes([hello[at], hello[at + 1]]));
        assert_eq!((hello[0], number(3)), (HANDSHAKE, hello.len() - 5));
        assert_eq!((hello[5], number(7)), (1, hello.len() - 9));
        assert_eq!(hello[9..11], TLS_1_1);
        let suites = 9 + 2 + 32 + 1;
        assert_eq!(number(suites), 2 * SUITES.len());
        let extensions = suites + 2 + 2 * SUITES.len() + 2;
        assert_eq!(number(extensions), hello.len() - extensions - 2);
        assert!(hello.windows(14).any(|part| part == b"broker.example"));
    }

    #[test]
    fn the_first_record_is_judged() {
        let hello = [22, 3, 1, 0, 80, 2, 0, 0, 76, 3, 1];
        assert_eq!(judge_hello(&hello), Finding::fail("TLS 1.0 is spoken"));
        assert_eq!(judge_hello(&[21, 3, 1, 0, 2, 2, 70]), Finding::pass("alert 70"));
        assert_eq!(judge_hello(b"HTTP/1.1 400").verdict, Verdict::Unknown);
    }
}
