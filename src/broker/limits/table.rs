//! The limits that a user can change, as one table: their names, meanings and values.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::{KIB, MIB};
use crate::mqtt::packet::MAXIMUM_REMAINING_LENGTH;
use crate::mqtt::qos::QoS;

const GIB: usize = 1024 * MIB;

/// A limit that can be changed; the order is that of [`TABLE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Open connections.
    Connections,
    /// Sessions, connected or not.
    Sessions,
    /// Subscriptions of one session.
    Subscriptions,
    /// QoS 1 and 2 messages that wait in one session.
    QueueMessages,
    /// Their bytes.
    QueueBytes,
    /// Retained messages.
    RetainedMessages,
    /// Their bytes.
    RetainedBytes,
    /// Bytes of one packet (§3.2.2.3.6).
    Packet,
    /// Bytes that the process has in use.
    Memory,
    /// QoS 2 messages that a client may leave unreleased (§3.2.2.3.3).
    ReceiveMaximum,
    /// Topic aliases of one client (§3.2.2.3.8).
    TopicAliases,
    /// The longest keep alive in seconds (§3.2.2.3.14); 0 leaves it to the client.
    KeepAlive,
    /// The highest QoS (§3.2.2.3.4).
    MaxQos,
    /// Whether messages can be retained (§3.2.2.3.5).
    Retain,
    /// Whether filters can have wildcards (§3.2.2.3.11).
    Wildcards,
    /// Whether there are subscription identifiers (§3.2.2.3.12).
    SubscriptionIdentifiers,
    /// Whether there are shared subscriptions (§3.2.2.3.13).
    Shared,
}

/// What the value of a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitUnit {
    /// Things.
    Count,
    /// Bytes: `64KiB`, `16M`.
    Bytes,
    /// Seconds.
    Seconds,
    /// Nothing: `yes` or `no`.
    YesNo,
}

/// One limit.
#[derive(Debug)]
pub struct LimitRow {
    /// Which.
    pub limit: Limit,
    /// What a user calls it.
    pub name: &'static str,
    /// Its value if nobody changes it, as a user writes it.
    pub default: &'static str,
    /// What the value counts.
    pub unit: LimitUnit,
    /// The values that it may have.
    pub range: RangeInclusive<usize>,
}

macro_rules! rows {
    ($(
        $limit:ident $name:literal $default:literal, $unit:ident $range:expr, $meaning:literal;
    )*) => {
        /// All limits.
        pub const TABLE: &[LimitRow] = &[$(LimitRow {
            limit: Limit::$limit,
            name: $name,
            default: $default,
            unit: LimitUnit::$unit,
            range: $range,
        },)*];

        /// All limits with their defaults, what they limit, and what becomes of that which exceeds
        /// them.
        pub const HELP: &str = concat!(
            "Change a limit, for example packet=64KiB; repeatable. The limits, with the values \
             that they have if nobody changes them:",
            $("\n\n", $name, "=", $default, ": ", $meaning,)*
        );
    };
}

rows! {
    Connections "connections" "20000", Count 1..=1_000_000,
        "open connections. For one more the oldest that has not sent its CONNECT is ended; if all \
         have sent it, the new one is answered 503.";
    Sessions "sessions" "100000", Count 1..=10_000_000,
        "sessions, of connected and of absent clients. For one more the session of the client that \
         has been absent longest is removed, those without queued messages first. If all clients \
         are connected, the new one is refused (0x89; before MQTT 5: 3).";
    Subscriptions "subscriptions" "10000", Count 0..=1_000_000,
        "subscriptions of one session. One more is refused (0x97; in MQTT 3.1.1: 0x80; MQTT 3.1 \
         has no code for it, and its client is not told).";
    QueueMessages "queue-messages" "100000", Count 1..=10_000_000,
        "messages of QoS 1 and 2 that wait for one client. One more is not queued: stderr is told, \
         and, if no other session gets it, in MQTT 5 its publisher (0x97).";
    QueueBytes "queue-bytes" "256MiB", Bytes KIB..=64 * GIB,
        "the bytes of these messages: payload, topic, properties, and 128 more for each.";
    RetainedMessages "retained-messages" "100000", Count 0..=10_000_000,
        "retained messages. One more is refused (0x97), or, at QoS 0 and before MQTT 5, \
         delivered but not retained, and stderr is told. The one that it should replace stays.";
    RetainedBytes "retained-bytes" "256MiB", Bytes 0..=64 * GIB,
        "the bytes of these messages: payload, topic, properties, and 128 more for each.";
    Packet "packet" "16MiB", Bytes 32..=MAXIMUM_REMAINING_LENGTH + 5,
        "a packet of a client. A larger one ends its connection (0x95). Before CONNECT is \
         accepted it is at most 100,000 bytes.";
    Memory "memory" "1GiB", Bytes 16 * MIB..=1024 * GIB,
        "what the process has in use: incomplete packets, what is not yet sent, queues, retained \
         messages, subscriptions. When only an eighth is left, MQTT 5 messages of QoS 1 and 2 and \
         subscriptions are refused (0x97), and all other messages are read slowly; connections \
         with incomplete packets are ended, the oldest first, if these packets together take an \
         eighth (0x97), or if nothing has come for 10 s. When nothing is left, messages of QoS 0 \
         are lost; connections with other messages, which get no acknowledgement, and with \
         incomplete packets are ended; clients with a will, or with an identifier of more than 256 \
         bytes, are refused (0x89). stderr is told.";
    ReceiveMaximum "receive-maximum" "1024", Count 1..=65_535,
        "messages of QoS 2 that a client may send without PUBREL. One more ends its connection \
         (0x93); before MQTT 5 there is no limit.";
    TopicAliases "topic-aliases" "16", Count 0..=65_535,
        "topic aliases that a client may set. A higher one ends its connection (0x94).";
    KeepAlive "keep-alive" "0", Seconds 0..=65_535,
        "the longest keep alive: a client of MQTT 5 that asks for a longer one, or for none, \
         gets this one. 0 leaves it to the client, and so it is before MQTT 5 in any case.";
    MaxQos "max-qos" "2", Count 0..=2,
        "the highest QoS. A message above it ends the connection (0x9B), a will above it is \
         refused, a subscription is granted this QoS.";
    Retain "retain" "yes", YesNo 0..=1,
        "whether messages can be retained. If not, a message with the retain flag ends the \
         connection (0x9A), and a will with that flag is refused.";
    Wildcards "wildcards" "yes", YesNo 0..=1,
        "whether topic filters can have wildcards. If not, a filter that has one ends the \
         connection (0xA2); in MQTT 3.1.1 it is refused (0x80).";
    SubscriptionIdentifiers "subscription-identifiers" "yes", YesNo 0..=1,
        "whether subscriptions can have identifiers. If not, a SUBSCRIBE with one ends the \
         connection (0xA1).";
    Shared "shared" "yes", YesNo 0..=1,
        "whether subscriptions can be shared. If not, a shared one ends the connection (0x9E); in \
         MQTT 3.1.1 it is refused (0x80).";
}

/// The values of all limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits([usize; TABLE.len()]);

impl Default for Limits {
    fn default() -> Self {
        let default = |row: &LimitRow| row.unit.parse(row.default);
        Self(std::array::from_fn(|at| default(&TABLE[at]).expect("the table is well written")))
    }
}

impl Limits {
    /// The value of one.
    pub fn get(&self, limit: Limit) -> usize {
        self.0[limit as usize]
    }

    /// Whether what a `yes` or `no` stands for is there.
    pub fn has(&self, limit: Limit) -> bool {
        self.get(limit) != 0
    }

    /// The value of one that fits 16 bits by its range.
    pub fn get_u16(&self, limit: Limit) -> u16 {
        u16::try_from(self.get(limit)).unwrap_or(u16::MAX)
    }

    /// The highest QoS.
    pub fn max_qos(&self) -> QoS {
        match self.get(Limit::MaxQos) {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        }
    }

    /// The same limits but for one.
    #[cfg(test)]
    pub fn with(mut self, limit: Limit, value: usize) -> Self {
        self.set(&LimitSetting { limit, value });
        self
    }

    /// Changes one.
    pub fn set(&mut self, setting: &LimitSetting) {
        self.0[setting.limit as usize] = setting.value;
    }
}

/// A limit and its new value, as `NAME=VALUE` in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitSetting {
    limit: Limit,
    value: usize,
}

impl FromStr for LimitSetting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = || TABLE.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| format!("expected NAME=VALUE; the names are {}", names()))?;
        let row = TABLE
            .iter()
            .find(|row| row.name == name)
            .ok_or_else(|| format!("there is no such limit; the names are {}", names()))?;
        let value = row.unit.parse(value).filter(|value| row.range.contains(value));
        let value = value.ok_or_else(|| format!("expected {}", row.expected()))?;
        Ok(Self { limit: row.limit, value })
    }
}

impl LimitRow {
    /// The values that it may have, in words.
    pub fn expected(&self) -> String {
        let (least, most) = (self.show(*self.range.start()), self.show(*self.range.end()));
        match self.unit {
            LimitUnit::YesNo => "yes or no".to_owned(),
            LimitUnit::Count => format!("a number from {least} to {most}"),
            LimitUnit::Seconds => format!("seconds from {least} to {most}"),
            LimitUnit::Bytes => format!("bytes from {least} to {most}, such as 64KiB or 16MiB"),
        }
    }

    /// A value of it as a user writes it.
    pub fn show(&self, value: usize) -> String {
        match (self.unit, value) {
            (LimitUnit::YesNo, 0) => "no".to_owned(),
            (LimitUnit::YesNo, _) => "yes".to_owned(),
            (LimitUnit::Bytes, _) => Bytes(value).to_string(),
            _ => value.to_string(),
        }
    }
}

/// A number of bytes in the largest unit that needs no fraction.
struct Bytes(usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")];
        let unit = units.iter().find(|(unit, _)| self.0 > 0 && self.0.is_multiple_of(*unit));
        match unit {
            Some((unit, name)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}", self.0),
        }
    }
}

impl LimitUnit {
    fn parse(self, text: &str) -> Option<usize> {
        match self {
            Self::YesNo if text == "yes" => Some(1),
            Self::YesNo if text == "no" => Some(0),
            Self::Bytes => bytes(text),
            Self::Seconds => number(text.strip_suffix('s').unwrap_or(text)),
            Self::Count | Self::YesNo => number(text),
        }
    }
}

fn number(digits: &str) -> Option<usize> {
    // `parse` takes a sign, too.
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// A number of bytes with its unit, if it has one: `1000`, `64K`, `64KiB`.
fn bytes(text: &str) -> Option<usize> {
    let (digits, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let unit = match unit.strip_suffix("iB").unwrap_or(unit) {
        "" => 1,
        "K" | "k" => KIB,
        "M" | "m" => MIB,
        "G" | "g" => GIB,
        _ => return None,
    };
    number(digits)?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_order_of_the_names() {
        for (at, row) in TABLE.iter().enumerate() {
            assert_eq!(row.limit as usize, at, "{}", row.name);
            let default = row.unit.parse(row.default).unwrap();
            assert!(row.range.contains(&default), "{}", row.name);
            assert_eq!(row.show(default), row.default, "{}", row.name);
        }
    }

    #[test]
    fn every_value_is_read_as_it_is_shown() {
        for row in TABLE {
            for value in [*row.range.start(), *row.range.end()] {
                let text = format!("{}={}", row.name, row.show(value));
                assert_eq!(text.parse(), Ok(LimitSetting { limit: row.limit, value }), "{text}");
            }
        }
    }

    #[test]
    fn sizes_have_units() {
        for (text, value) in [
            ("packet=1000", Some(1000)),
            ("packet=64K", Some(64 * KIB)),
            ("packet=64KiB", Some(64 * KIB)),
            ("packet=2m", Some(2 * MIB)),
            ("packet=64KB", None),
            ("packet=KiB", None),
            ("packet=+64", None),
            ("packet=1.5M", None),
            ("packet=31", None),
            ("packet=1G", None),
            ("packet=99999999999999999999", None),
            ("packet=", None),
        ] {
            let read = text.parse::<LimitSetting>().map(|setting| setting.value);
            assert_eq!(read.clone().ok(), value, "{text}: {read:?}");
        }
    }

    #[test]
    fn errors_say_what_is_allowed() {
        let told = |text: &str| text.parse::<LimitSetting>().unwrap_err();
        assert_eq!(told("max-qos=3"), "expected a number from 0 to 2");
        assert_eq!(told("retain=maybe"), "expected yes or no");
        assert_eq!(told("keep-alive=1h"), "expected seconds from 0 to 65535");
        assert_eq!(told("packet=0"), "expected bytes from 32 to 268435460, such as 64KiB or 16MiB");
        assert!(told("speed=9").starts_with("there is no such limit; the names are connections, "));
        assert!(told("packet").starts_with("expected NAME=VALUE; the names are connections, "));
    }
}
