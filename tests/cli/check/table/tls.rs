//! Deviations of TLS: certificates and handshakes.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{differing, serve, verdicts_with};
use crate::check::secure_front::{self, Faults};
use crate::support::certificates::{Authority, FAR_AWAY};
use crate::support::folder::Folder;
use crate::support::program::Program;
use crate::support::secure::{Server, fixed_path};

/// All that may change, and what should not.
const SCOPE: &str = "tls,speaks-http,offer-mqtt,browser-request,ping-answered";

/// An authority between the root and servers.
struct Chain {
    root: String,
    intermediate: CertificateDer<'static>,
    leaf: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Chain {
    fn new() -> Self {
        let authority = |name: &str| {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, name);
            params.not_after = date_time_ymd(FAR_AWAY, 1, 1);
            params
        };
        let key = || KeyPair::generate().unwrap();
        let root = CertifiedIssuer::self_signed(authority("Root of check"), key()).unwrap();
        let middle = authority("Between of check");
        let middle = CertifiedIssuer::signed_by(middle, key(), &root).unwrap();
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.not_after = date_time_ymd(FAR_AWAY, 1, 1);
        let leaf_key = key();
        let leaf = params.signed_by(&leaf_key, &middle).unwrap();
        Self {
            root: root.pem(),
            intermediate: middle.der().clone(),
            leaf: leaf.der().clone(),
            key: leaf_key.serialize_der(),
        }
    }

    fn showing(&self, chain: &[&CertificateDer<'static>]) -> ServerConfig {
        let chain = chain.iter().map(|one| (*one).clone()).collect();
        let key: PrivateKeyDer<'static> = self.key.clone().try_into().unwrap();
        Server::of(chain, key).config()
    }
}

/// A server that deviates in TLS: its name, what is wrong with it, and the points that become FAIL
/// and WARN.
type Row = (&'static str, ServerConfig, Faults, &'static [&'static str], &'static [&'static str]);

/// Plays servers that deviate in TLS; the roots in this file are trusted.
fn play(roots: &str, good: ServerConfig, rows: Vec<Row>) {
    let (_serve, url) = serve();
    let flags = ["--cafile", roots, "--insecure"];
    let faithful = secure_front::start(&url, good, Faults::default());
    let (good, report) = verdicts_with(&faithful, SCOPE, &flags);
    for (name, verdict) in &good {
        let expected = if name == "packets-aligned" { "n.a." } else { "PASS" };
        assert!(verdict == "PASS" || verdict == "n.a.", "{name} is {expected}: {report}");
    }
    for point in ["tls-old-refused", "tls-chain", "tls-close-notify", "tls-alpn-http11"] {
        assert_eq!(good.get(point).map(String::as_str), Some("PASS"), "{point}: {report}");
    }
    let mut wrong = Vec::new();
    for (name, config, faults, fails, warns) in rows {
        let front = secure_front::start(&url, config, faults);
        let (found, report) = verdicts_with(&front, SCOPE, &flags);
        let differing = differing(&good, &found, fails, warns);
        if !differing.is_empty() {
            wrong.push(format!("{name}: {}\n{report}", differing.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn certificates_and_handshakes_change_their_points() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let roots = folder.write("roots.pem", authority.pem());
    let config = |names: &[&str], until| Server::showing(&authority.certify(names, until)).config();
    let usual = || config(&["127.0.0.1"], FAR_AWAY);
    let mut h2 = usual();
    h2.alpn_protocols = vec![b"h2".to_vec()];
    let ca = |params: &mut CertificateParams| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    };
    let ca = Server::showing(&authority.certify_with(&["127.0.0.1"], ca)).config();
    let none = Faults::default();
    let bare = Faults { no_close_notify: true, ..none };
    let old = Faults { speaks_tls_1_1: true, ..none };
    play(
        &roots,
        usual(),
        vec![
            ("expired", config(&["127.0.0.1"], 2001), none, &["tls-dates"], &[]),
            ("other-name", config(&["127.0.0.2"], FAR_AWAY), none, &["tls-name"], &[]),
            ("no-name", config(&[], FAR_AWAY), none, &["tls-name"], &[]),
            // The server library takes a certificate of an authority; as a chain it is no server's.
            ("authority", ca, none, &["tls-chain"], &["tls-form"]),
            ("h2-only", h2, none, &[], &["tls-alpn-http11"]),
            ("no-close-notify", usual(), bare, &[], &["tls-close-notify"]),
            ("tls-1-1", usual(), old, &[], &["tls-old-refused"]),
        ],
    );
}

#[test]
fn chains_change_their_points() {
    let (chain, folder) = (Chain::new(), Folder::new());
    let roots = folder.write("roots.pem", &chain.root);
    let stranger = Authority::new();
    let other = stranger.certify(&["127.0.0.1"], FAR_AWAY);
    let Chain { leaf, intermediate, .. } = &chain;
    let extra = other.certificate.der().clone();
    let none = Faults::default();
    let unknown: &[&str] = &["tls-chain"];
    play(
        &roots,
        chain.showing(&[leaf, intermediate]),
        vec![
            ("no-intermediate", chain.showing(&[leaf]), none, unknown, &[]),
            ("unknown-issuer", Server::showing(&other).config(), none, unknown, &[]),
            ("wrong-order", chain.showing(&[leaf, &extra, intermediate]), none, unknown, &[]),
            ("one-too-many", chain.showing(&[leaf, intermediate, &extra]), none, &[], &[]),
        ],
    );
}

#[test]
fn forms_change_their_points() {
    let authority = fixed_path("authority.pem");
    let rows = |name: &str| Server::fixed(name).config();
    let (_serve, url) = serve();
    let none = Faults::default();
    let flags = ["--cafile", authority.as_str(), "--insecure"];
    // A certificate of version 1 has no names either.
    for (name, fails, warns) in
        [("version-1", &["tls-name"][..], &["tls-form"][..]), ("sha-1", &[], &["tls-form"])]
    {
        let front = secure_front::start(&url, rows(name), none);
        let (found, report) = verdicts_with(&front, SCOPE, &flags);
        let mut good = found.clone();
        for point in ["tls-chain", "tls-name", "tls-dates", "tls-form"] {
            good.insert(point.to_owned(), "PASS".to_owned());
        }
        let differing = differing(&good, &found, fails, warns);
        assert!(differing.is_empty(), "{name}: {differing:?}\n{report}");
    }
}

#[test]
fn a_bad_certificate_ends_the_run() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let roots = folder.write("roots.pem", authority.pem());
    let (_serve, url) = serve();
    let expired = Server::showing(&authority.certify(&["127.0.0.1"], 2001)).config();
    let front = secure_front::start(&url, expired, Faults::default());
    let arguments = ["check", &front, "--cafile", &roots, "--json"];
    let outcome = Program::new(arguments).run();
    assert_eq!(outcome.code(), Some(4), "{outcome}");
    let report: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap();
    let point = |name: &str| {
        let points = report["points"].as_array().unwrap();
        let point = points.iter().find(|point| point["name"] == name).unwrap();
        (point["verdict"].clone(), point["observed"].as_str().unwrap().to_owned())
    };
    let (verdict, observed) = point("tls-dates");
    assert_eq!((verdict, &observed[..33]), ("FAIL".into(), "certificate expired on 2001-01-01"));
    assert_eq!(point("tls-chain").0, "PASS");
    assert_eq!(point("speaks-http").0, "unknown");
    let tls = &report["reached"]["tls"];
    assert_eq!(tls["names"], serde_json::json!(["127.0.0.1"]), "{report}");
    assert_eq!(tls["not_after"], "2001-01-01T00:00:00Z", "{report}");
}

#[test]
fn the_report_tells_about_tls() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let roots = folder.write("roots.pem", authority.pem());
    let (_serve, url) = serve();
    let good = Server::showing(&authority.certify(&["localhost"], FAR_AWAY)).config();
    let front = secure_front::start(&url, good, Faults::default());
    let front = front.replace("127.0.0.1", "localhost");
    let (_, report) = verdicts_with(&front, "tls", &["--cafile", &roots, "-4"]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let tls = &report["reached"]["tls"];
    assert_eq!(tls["names"], serde_json::json!(["localhost"]), "{report}");
    assert_eq!(tls["not_after"], format!("{FAR_AWAY}-01-01T00:00:00Z"), "{report}");
    assert_eq!(tls["needs_sni"], false, "{report}");
    assert_eq!(tls["version"], "TLSv1.3", "{report}");
    assert_eq!(tls["sha256"].as_str().map(str::len), Some(64), "{report}");
}
