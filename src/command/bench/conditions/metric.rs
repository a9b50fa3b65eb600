//! What a condition compares.

/// Of which times a figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSource {
    /// Delivery, else acknowledgement, else connecting.
    Main,
    /// Delivery.
    Delivery,
    /// Acknowledgement.
    Acknowledgement,
    /// Connecting.
    Connect,
    /// The TLS handshake.
    Tls,
    /// SUBACK.
    Suback,
    /// The lateness of the generator.
    Lateness,
    /// Coming back after a cut.
    Cut,
}

/// A figure of times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    /// The time that this share does not exceed.
    Quantile(f64),
    /// The longest.
    Maximum,
    /// The mean.
    Mean,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// A time.
    Time(TimeSource, Figure),
    /// A number.
    Count(Count),
    /// Lost copies, in percent of those expected.
    LostShare,
    /// Copies received a second.
    Rate,
    /// Messages sent a second.
    SentRate,
    /// The share of a core that the loop took, in percent.
    Cpu,
    /// The peak of the memory, in bytes.
    Memory,
}

/// A number of things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Copies that never came.
    Lost,
    /// Copies sent to readers that were away.
    Missed,
    /// Second copies.
    Duplicated,
    /// Copies after a later one.
    Reordered,
    /// Copies that are not what was sent.
    Corrupted,
    /// Messages that were due and not sent.
    Unsent,
    /// Messages that were refused.
    Refused,
    /// Messages of which it is not known what became of them.
    Unacknowledged,
    /// Connections that were not made.
    Failed,
    /// Connections that were lost.
    Disconnected,
    /// Connections that were made.
    Connected,
}

impl Count {
    /// Its name in conditions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Missed => "missed",
            Self::Duplicated => "duplicated",
            Self::Reordered => "reordered",
            Self::Corrupted => "corrupted",
            Self::Unsent => "unsent",
            Self::Refused => "refused",
            Self::Unacknowledged => "unacknowledged",
            Self::Failed => "failed",
            Self::Disconnected => "disconnected",
            Self::Connected => "connected",
        }
    }

    /// Whether it never becomes smaller, and is known while the run goes on.
    pub fn only_grows(self) -> bool {
        match self {
            Self::Duplicated
            | Self::Reordered
            | Self::Corrupted
            | Self::Refused
            | Self::Failed
            | Self::Disconnected => true,
            // What is lost, missed, unsent or unacknowledged is decided at the end.
            Self::Lost | Self::Missed | Self::Unsent | Self::Unacknowledged | Self::Connected => {
                false
            }
        }
    }
}
