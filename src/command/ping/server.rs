//! What `ping` has reached: address, TLS, certificate, subprotocol, version, keep alive, and how
//! long each step of connecting took.

use std::time::{Duration, SystemTime};

use crate::client::Established;
use crate::format::count::count;
use crate::mqtt::version::Version;

const SECONDS_OF_A_DAY: u64 = 86_400;

/// What was reached.
#[derive(Debug)]
pub struct ServerFacts {
    /// The address that answered.
    pub address: String,
    /// What TLS agreed on; `None` for `ws`.
    pub tls: Option<TlsFacts>,
    /// The subprotocol that the server chose.
    pub subprotocol: Option<String>,
    /// The version that the broker took.
    pub version: Version,
    /// The keep alive that the broker demands.
    pub keep_alive: Option<Duration>,
    /// The steps of connecting, and how long each took.
    pub phases: Vec<(&'static str, Duration)>,
}

/// What TLS agreed on.
#[derive(Debug)]
pub struct TlsFacts {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: String,
    /// The cipher suite.
    pub cipher: String,
    /// The last second of the certificate's validity, in seconds since 1970, if it can be read.
    pub not_after: Option<u64>,
}

impl ServerFacts {
    /// What this connection has reached.
    pub fn of(established: &Established, keep_alive: Option<Duration>) -> Self {
        let Established { address, info, version, timings } = established;
        let tls = info.tls.as_ref().map(|tls| TlsFacts {
            version: tls.version.clone(),
            cipher: tls.cipher.clone(),
            not_after: tls.certificate.as_ref().map(|certificate| certificate.not_after),
        });
        let phases = [
            ("name", Some(timings.name)),
            ("tcp", Some(timings.tcp)),
            ("proxy", timings.proxy),
            ("tls", timings.tls),
            ("upgrade", Some(timings.upgrade)),
            ("connack", Some(timings.connack)),
        ];
        Self {
            address: address.to_string(),
            tls,
            subprotocol: info.subprotocol.clone(),
            version: *version,
            keep_alive,
            phases: phases.into_iter().filter_map(|(name, time)| Some((name, time?))).collect(),
        }
    }

    /// How long connecting took.
    pub fn connecting(&self) -> Duration {
        self.phases.iter().map(|(_, time)| *time).sum()
    }

    /// The last second of the certificate's validity, in seconds since 1970.
    pub fn certificate_end(&self) -> Option<u64> {
        self.tls.as_ref()?.not_after
    }

    /// How many whole days the certificate is still valid; negative if it has expired.
    pub fn certificate_days(&self) -> Option<i64> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Some(days_left(self.certificate_end()?, now.as_secs()))
    }

    /// All but the steps, in words.
    pub fn described(&self) -> String {
        let Self { address, tls, subprotocol, version, keep_alive, .. } = self;
        let mut facts = vec![address.clone()];
        facts.extend(tls.as_ref().map(|tls| format!("{} {}", tls.version, tls.cipher)));
        facts.extend(self.certificate_days().map(certificate_in_words));
        facts.push(format!("subprotocol {}", subprotocol.as_deref().unwrap_or("none")));
        facts.push(format!("MQTT {version}"));
        facts.extend(keep_alive.map(|time| format!("server keep alive {} s", time.as_secs())));
        facts.join(", ")
    }
}

/// Whole days from `now` to the end of the last valid second, rounded down.
fn days_left(not_after: u64, now: u64) -> i64 {
    let days = |seconds: u64| i64::try_from(seconds / SECONDS_OF_A_DAY).unwrap_or(i64::MAX);
    match not_after.checked_sub(now) {
        Some(left) => days(left),
        None => -1 - days(now - not_after - 1),
    }
}

/// How long the certificate is still valid.
pub fn certificate_in_words(days: i64) -> String {
    match u64::try_from(days) {
        Ok(days) => format!("certificate valid for {}", count(days, "day")),
        Err(_) => "certificate expired".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_whole_ones() {
        let now = 1_800_000_000;
        for (left, expected) in [
            (0, 0),
            (86_399, 0),
            (86_400, 1),
            (-1, -1),
            (-86_400, -1),
            (-86_401, -2),
            (i64::MAX, i64::MAX / 86_400),
        ] {
            let not_after = now_and(now, left);
            assert_eq!(days_left(not_after, now), expected, "{left}");
        }
        assert_eq!(days_left(u64::MAX, 0), 213_503_982_334_601);
        assert_eq!(certificate_in_words(1), "certificate valid for 1 day");
        assert_eq!(certificate_in_words(-1), "certificate expired");
    }

    fn now_and(now: u64, left: i64) -> u64 {
        now.checked_add_signed(left).expect("after 1970")
    }
}
