//! How far a connection of a fleet is.

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectionStage {
    /// There is none.
    Idle,
    /// TCP.
    Tcp,
    /// The TLS handshake.
    Tls,
    /// The upgrade.
    Upgrade,
    /// CONNECT was sent.
    Connack,
    /// The server has accepted it.
    Online,
    /// DISCONNECT was sent.
    Closing,
}

impl ConnectionStage {
    /// The word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Idle | Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Upgrade => "upgrade",
            Self::Connack => "connack",
            Self::Online => "online",
            Self::Closing => "closing",
        }
    }

    /// The stage of such a word.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Tcp, Self::Tls, Self::Upgrade, Self::Connack, Self::Online, Self::Closing]
            .into_iter()
            .find(|stage| stage.word() == word)
    }

    /// When something happened.
    pub fn during(self) -> &'static str {
        match self {
            Self::Idle | Self::Tcp => "while connecting",
            Self::Tls => "in the TLS handshake",
            Self::Upgrade => "in the upgrade",
            Self::Connack => "after CONNECT",
            Self::Online => "while online",
            Self::Closing => "after DISCONNECT",
        }
    }

    /// What a connection in this stage waits for.
    pub fn awaited(self) -> &'static str {
        match self {
            Self::Idle | Self::Tcp => "TCP connection",
            Self::Tls => "TLS handshake",
            Self::Upgrade => "WebSocket upgrade",
            Self::Connack => "CONNACK",
            Self::Online | Self::Closing => "SUBACK",
        }
    }
}
