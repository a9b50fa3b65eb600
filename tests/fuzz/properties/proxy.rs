//! Answers of proxies, HTTP and SOCKS: wherever they are cut they mean the same, an end comes, no
//! byte behind the answer is lost, and the URL of a proxy never shows its password.

use std::io::{self, Read, Write};

use super::choices::Choices;
use super::upgrade::assert_harmless;
use crate::memory;
use crate::transport::endpoint::Endpoint;
use crate::transport::proxy::{Exempt, Proxy, ProxyError, Target, http, socks};

/// What an answer may take beside itself: the head's limit, and again while it is read.
const MEMORY: usize = 512 * 1024;

/// A proxy that says this, in pieces of this length, and then closes.
struct Scripted<'a> {
    says: &'a [u8],
    piece: usize,
    heard: Vec<u8>,
}

impl Read for Scripted<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let count = self.says.len().min(self.piece).min(target.len());
        target[..count].copy_from_slice(&self.says[..count]);
        self.says = &self.says[count..];
        Ok(count)
    }
}

impl Write for Scripted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.heard.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub fn check(data: &[u8]) {
    let mut choices = Choices::new(data);
    let kind = choices.below(3);
    let piece = 1 + choices.below(40);
    let says = choices.rest();
    match kind {
        0 => through_http(says, piece),
        1 => through_socks(says, piece),
        _ => url(&String::from_utf8_lossy(says)),
    }
}

fn through_http(says: &[u8], piece: usize) {
    let proxy = Proxy::parse("http://ann:s3cr3t@proxy:3128").expect("a proxy");
    let endpoint = Endpoint::parse("ws://broker:9001/mqtt").expect("a URL");
    let ask = |piece| {
        let mut stream = Scripted { says, piece, heard: Vec::new() };
        let log = |line: std::fmt::Arguments<'_>| assert!(!line.to_string().contains("s3cr3t"));
        let result = http::connect(&mut stream, &proxy, &endpoint, &log);
        // What was not read from the socket comes from it later.
        result.map(|mut early| {
            early.extend_from_slice(stream.says);
            early
        })
    };
    let (whole, most) = memory::most_of(|| ask(usize::MAX));
    assert!(most <= MEMORY + 8 * says.len(), "{most} bytes for {}", says.len());
    match (whole, ask(piece)) {
        (Ok(whole), Ok(cut)) => {
            assert_eq!(cut, whole);
            assert!(says.ends_with(&whole), "what comes through the tunnel stands at the end");
        }
        (Err(whole), Err(cut)) => {
            for error in [&whole, &cut] {
                assert_harmless(&error.message_about(&proxy.to_string()));
            }
            assert_eq!(cut.is_refusal(), whole.is_refusal());
        }
        (whole, cut) => panic!("whole {whole:?}, cut {cut:?}"),
    }
}

fn through_socks(says: &[u8], piece: usize) {
    let user = piece.is_multiple_of(2).then_some(("ann", "s3cr3t"));
    let ask = |piece| {
        let mut stream = Scripted { says, piece, heard: Vec::new() };
        let log = |line: std::fmt::Arguments<'_>| assert!(!line.to_string().contains("s3cr3t"));
        let result = socks::connect(&mut stream, user, &Target::of("broker"), 9001, &log);
        (result, stream.says.len(), stream.heard)
    };
    let (whole, left, heard) = ask(usize::MAX);
    let (cut, cut_left, cut_heard) = ask(piece);
    let words = |result: &Result<(), ProxyError>| match result {
        Ok(()) => "success".to_owned(),
        Err(error) => error.message_about("socks5://proxy:1080"),
    };
    assert_eq!((words(&cut), cut_left, &cut_heard), (words(&whole), left, &heard));
    assert_harmless(&words(&whole));
    if whole.is_ok() {
        // Success is method, reply 0, and no more than the longest bound address.
        let taken = says.len() - left;
        assert!((9..=2 + 2 + 4 + 257 + 2).contains(&taken), "{taken}");
        assert!(
            heard
                .ends_with(&[&b"\x05\x01\x00\x03\x06broker"[..], &9001_u16.to_be_bytes()].concat())
        );
    }
}

/// The URL of a proxy, and lists of exempt hosts.
fn url(text: &str) {
    let exempt = Exempt::parse(text);
    for host in ["a.example.org", "10.1.2.3", "::1", text] {
        let _ = exempt.holds(host, 80);
    }
    match Proxy::parse(text) {
        Ok(proxy) => {
            let shown = proxy.to_string();
            assert!(proxy.port() > 0 && !proxy.host().is_empty());
            let again = Proxy::parse(&shown).unwrap_or_else(|error| panic!("{shown}: {error}"));
            assert_eq!(again.to_string(), shown);
            assert_eq!(format!("{proxy:?}"), format!("Proxy({shown})"));
        }
        Err(error) => assert_harmless(&error.to_string()),
    }
}
