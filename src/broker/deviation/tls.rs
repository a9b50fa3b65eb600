//! Deviations in the handshake of TLS.

use super::{Change, KnownDeviation, NamedChange};

/// The protocols above TLS that the broker knows (ALPN, RFC 7301): a client that offers others
/// alone is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AlpnList {
    /// It does not look at what is offered.
    #[default]
    None,
    /// `mqtt` alone.
    Mqtt,
    /// `http/1.1` alone.
    Http,
}

impl AlpnList {
    /// The names in it.
    pub fn names(self) -> Vec<Vec<u8>> {
        match self {
            Self::None => Vec::new(),
            Self::Mqtt => vec![b"mqtt".to_vec()],
            Self::Http => vec![b"http/1.1".to_vec()],
        }
    }
}

pub const CHANGES: &[NamedChange] = &[
    ("alpn-mqtt-only", Change { alpn: AlpnList::Mqtt, ..Change::NONE }),
    ("alpn-http11-only", Change { alpn: AlpnList::Http, ..Change::NONE }),
];

/// The list that a broker with these deviations has: the last one counts.
pub fn alpn(deviations: &[KnownDeviation]) -> AlpnList {
    let mut lists = deviations.iter().rev().map(|deviation| deviation.change().alpn);
    lists.find(|list| *list != AlpnList::None).unwrap_or_default()
}
