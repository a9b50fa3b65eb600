//! Values of flags: each text is a value within its bounds, or refused in a line that does not repeat
//! it.

use std::time::Duration;

use super::upgrade::assert_harmless;
use crate::cli::property;
use crate::cli::value;
use crate::format::encoding::Encoding;
use crate::transport::tls::{CertificateInfo, TlsVersion};

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    holds(text, value::duration(text), |time| *time <= Duration::MAX);
    holds(text, value::timeout(text), |time| *time > Duration::ZERO);
    holds(text, value::delays(text), |(shortest, longest)| shortest <= longest);
    holds(text, value::size(text), |size| *size > 0);
    holds(text, value::count(text), |_| true);
    holds(text, value::port(text), |port| *port > 0);
    holds(text, value::rate(text), |rate| *rate > 0.0 && rate.is_finite());
    holds(text, value::percent(text), |share| (0.0..=100.0).contains(share));
    holds(text, value::byte(text), |_| true);
    holds(text, value::expiry(text), |_| true);
    holds(text, value::in_flight(text), |count| count.of_identifiers().get() > 0);
    holds(text, value::qos(text), |_| true);
    // Times are used as deadlines.
    if let Ok(time) = value::duration(text) {
        assert!(std::time::Instant::now().checked_add(time).is_some(), "{text}");
    }
    let words: Vec<_> = text.split(' ').map(std::ffi::OsString::from).collect();
    let joined = property::joined(words.clone());
    assert!(joined.len() <= words.len());
    for encoding in [Encoding::Hex, Encoding::Base64] {
        if let Some(bytes) = encoding.decode(text) {
            assert!(bytes.len() <= text.len());
            let mut again = bytes::BytesMut::new();
            encoding.encode(&bytes, &mut again);
            assert_eq!(encoding.decode(std::str::from_utf8(&again).expect("text")), Some(bytes));
        }
    }
}

fn holds<T: std::fmt::Debug>(text: &str, value: Result<T, String>, is_good: impl Fn(&T) -> bool) {
    match value {
        Ok(value) => assert!(is_good(&value), "{text}: {value:?}"),
        Err(error) => assert_harmless(&error),
    }
}
