//! Reason codes (MQTT 5 §2.4) and the return codes of the older versions, with their names.

use std::borrow::Cow;
use std::fmt;

use crate::mqtt::packet::PacketType;

/// One reason code. Any byte can be one: brokers send codes that are in no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ReasonCode(pub u8);

impl ReasonCode {
    /// 0x00: success, normal disconnection, granted `QoS` 0.
    pub const SUCCESS: Self = Self(0x00);
    /// 0x01: SUBACK only.
    pub const GRANTED_QOS_1: Self = Self(0x01);
    /// 0x02: SUBACK only.
    pub const GRANTED_QOS_2: Self = Self(0x02);
    /// 0x04: DISCONNECT only; the server publishes the will.
    pub const DISCONNECT_WITH_WILL_MESSAGE: Self = Self(0x04);
    /// 0x10: PUBACK and PUBREC; accepted, but no client is subscribed.
    pub const NO_MATCHING_SUBSCRIBERS: Self = Self(0x10);
    /// 0x11: UNSUBACK only.
    pub const NO_SUBSCRIPTION_EXISTED: Self = Self(0x11);
    /// 0x18: AUTH only.
    pub const CONTINUE_AUTHENTICATION: Self = Self(0x18);
    /// 0x19: AUTH only.
    pub const RE_AUTHENTICATE: Self = Self(0x19);
    /// 0x80: unspecified error; also the code of a failed subscription before MQTT 5.
    pub const UNSPECIFIED_ERROR: Self = Self(0x80);
    /// 0x81: a packet that cannot be read.
    pub const MALFORMED_PACKET: Self = Self(0x81);
    /// 0x82: a packet that can be read but is not allowed.
    pub const PROTOCOL_ERROR: Self = Self(0x82);
    /// 0x83: valid, but not accepted by this receiver.
    pub const IMPLEMENTATION_SPECIFIC_ERROR: Self = Self(0x83);
    /// 0x84: CONNACK only.
    pub const UNSUPPORTED_PROTOCOL_VERSION: Self = Self(0x84);
    /// 0x85: CONNACK only.
    pub const CLIENT_IDENTIFIER_NOT_VALID: Self = Self(0x85);
    /// 0x86: CONNACK only.
    pub const BAD_USER_NAME_OR_PASSWORD: Self = Self(0x86);
    /// 0x87: the client is not authorized to do this.
    pub const NOT_AUTHORIZED: Self = Self(0x87);
    /// 0x88: CONNACK only.
    pub const SERVER_UNAVAILABLE: Self = Self(0x88);
    /// 0x89: try again later.
    pub const SERVER_BUSY: Self = Self(0x89);
    /// 0x8A: CONNACK only.
    pub const BANNED: Self = Self(0x8A);
    /// 0x8B: DISCONNECT only.
    pub const SERVER_SHUTTING_DOWN: Self = Self(0x8B);
    /// 0x8C: CONNACK and DISCONNECT.
    pub const BAD_AUTHENTICATION_METHOD: Self = Self(0x8C);
    /// 0x8D: DISCONNECT only.
    pub const KEEP_ALIVE_TIMEOUT: Self = Self(0x8D);
    /// 0x8E: DISCONNECT only; another connection uses the same client identifier.
    pub const SESSION_TAKEN_OVER: Self = Self(0x8E);
    /// 0x8F: well formed, but not accepted by this server.
    pub const TOPIC_FILTER_INVALID: Self = Self(0x8F);
    /// 0x90: well formed, but not accepted by this receiver.
    pub const TOPIC_NAME_INVALID: Self = Self(0x90);
    /// 0x91: the identifier is already in use.
    pub const PACKET_IDENTIFIER_IN_USE: Self = Self(0x91);
    /// 0x92: PUBREL and PUBCOMP; not an error during recovery.
    pub const PACKET_IDENTIFIER_NOT_FOUND: Self = Self(0x92);
    /// 0x93: DISCONNECT only.
    pub const RECEIVE_MAXIMUM_EXCEEDED: Self = Self(0x93);
    /// 0x94: DISCONNECT only.
    pub const TOPIC_ALIAS_INVALID: Self = Self(0x94);
    /// 0x95: larger than the receiver's Maximum Packet Size.
    pub const PACKET_TOO_LARGE: Self = Self(0x95);
    /// 0x96: DISCONNECT only.
    pub const MESSAGE_RATE_TOO_HIGH: Self = Self(0x96);
    /// 0x97: a limit imposed by the receiver or its administrator.
    pub const QUOTA_EXCEEDED: Self = Self(0x97);
    /// 0x98: DISCONNECT only.
    pub const ADMINISTRATIVE_ACTION: Self = Self(0x98);
    /// 0x99: the payload does not match its Payload Format Indicator.
    pub const PAYLOAD_FORMAT_INVALID: Self = Self(0x99);
    /// 0x9A: CONNACK and DISCONNECT.
    pub const RETAIN_NOT_SUPPORTED: Self = Self(0x9A);
    /// 0x9B: CONNACK and DISCONNECT.
    pub const QOS_NOT_SUPPORTED: Self = Self(0x9B);
    /// 0x9C: temporarily; a Server Reference may name the other server.
    pub const USE_ANOTHER_SERVER: Self = Self(0x9C);
    /// 0x9D: permanently; a Server Reference may name the other server.
    pub const SERVER_MOVED: Self = Self(0x9D);
    /// 0x9E: SUBACK and DISCONNECT.
    pub const SHARED_SUBSCRIPTIONS_NOT_SUPPORTED: Self = Self(0x9E);
    /// 0x9F: CONNACK and DISCONNECT.
    pub const CONNECTION_RATE_EXCEEDED: Self = Self(0x9F);
    /// 0xA0: DISCONNECT only.
    pub const MAXIMUM_CONNECT_TIME: Self = Self(0xA0);
    /// 0xA1: SUBACK and DISCONNECT.
    pub const SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED: Self = Self(0xA1);
    /// 0xA2: SUBACK and DISCONNECT.
    pub const WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED: Self = Self(0xA2);

    /// Whether the code means a failure (0x80 and above).
    pub fn is_error(self) -> bool {
        self.0 >= 0x80
    }

    /// Whether a server may send the code in this packet (§2.4). Every code of 0x80 and above is
    /// taken for a failure, even one that the packet does not define.
    pub fn is_valid_in(self, packet: PacketType) -> bool {
        let successes: &[u8] = match packet {
            // The return codes of the older versions come in answer to MQTT 5, too.
            PacketType::ConnAck => &[0, 1, 2, 3, 4, 5],
            PacketType::PubAck | PacketType::PubRec => &[0x00, 0x10],
            PacketType::SubAck => &[0x00, 0x01, 0x02],
            PacketType::UnsubAck => &[0x00, 0x11],
            _ => &[0x00],
        };
        self.is_error() || successes.contains(&self.0)
    }

    /// The name of the code where the packet is not known. A code without a name is "reason code
    /// 0xNN".
    pub fn words(self) -> Cow<'static, str> {
        self.known()
            .map_or_else(|| Cow::Owned(format!("reason code {:#04X}", self.0)), Cow::Borrowed)
    }

    /// The name of a code in CONNACK: a reason code, or a return code from 1 to 5 of the older
    /// versions (3.1.1 Table 3.1), which servers send even in answer to a CONNECT of MQTT 5.
    pub fn connack_name(self) -> Cow<'static, str> {
        Cow::Borrowed(match self.0 {
            1 => "unacceptable protocol version",
            2 => "client identifier rejected",
            3 => "server unavailable",
            4 => "bad user name or password",
            5 => "not authorized",
            _ => return self.words(),
        })
    }

    /// The name of the code in this packet: 0x00 to 0x02 mean different things in different packets
    /// (§2.4).
    pub fn name(self, packet: PacketType) -> Cow<'static, str> {
        match (packet, self.0) {
            (PacketType::ConnAck, _) => self.connack_name(),
            (PacketType::Disconnect, 0x00) => Cow::Borrowed("normal disconnection"),
            (PacketType::SubAck, 0x00) => Cow::Borrowed("granted QoS 0"),
            _ => self.words(),
        }
    }

    /// The name of the code in Table 2-6, in a user's words.
    fn known(self) -> Option<&'static str> {
        NAMES.iter().find(|(code, _)| *code == self).map(|(_, name)| *name)
    }
}

/// The names of Table 2-6, in a user's words.
const NAMES: [(ReasonCode, &str); 43] = [
    (ReasonCode::SUCCESS, "success"),
    (ReasonCode::GRANTED_QOS_1, "granted QoS 1"),
    (ReasonCode::GRANTED_QOS_2, "granted QoS 2"),
    (ReasonCode::DISCONNECT_WITH_WILL_MESSAGE, "disconnect with will message"),
    (ReasonCode::NO_MATCHING_SUBSCRIBERS, "no matching subscribers"),
    (ReasonCode::NO_SUBSCRIPTION_EXISTED, "no subscription existed"),
    (ReasonCode::CONTINUE_AUTHENTICATION, "continue authentication"),
    (ReasonCode::RE_AUTHENTICATE, "re-authenticate"),
    (ReasonCode::UNSPECIFIED_ERROR, "unspecified error"),
    (ReasonCode::MALFORMED_PACKET, "malformed packet"),
    (ReasonCode::PROTOCOL_ERROR, "protocol error"),
    (ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR, "implementation specific error"),
    (ReasonCode::UNSUPPORTED_PROTOCOL_VERSION, "unsupported protocol version"),
    (ReasonCode::CLIENT_IDENTIFIER_NOT_VALID, "client identifier not valid"),
    (ReasonCode::BAD_USER_NAME_OR_PASSWORD, "bad user name or password"),
    (ReasonCode::NOT_AUTHORIZED, "not authorized"),
    (ReasonCode::SERVER_UNAVAILABLE, "server unavailable"),
    (ReasonCode::SERVER_BUSY, "server busy"),
    (ReasonCode::BANNED, "banned"),
    (ReasonCode::SERVER_SHUTTING_DOWN, "server shutting down"),
    (ReasonCode::BAD_AUTHENTICATION_METHOD, "bad authentication method"),
    (ReasonCode::KEEP_ALIVE_TIMEOUT, "keep alive timeout"),
    (ReasonCode::SESSION_TAKEN_OVER, "session taken over"),
    (ReasonCode::TOPIC_FILTER_INVALID, "topic filter invalid"),
    (ReasonCode::TOPIC_NAME_INVALID, "topic name invalid"),
    (ReasonCode::PACKET_IDENTIFIER_IN_USE, "packet identifier in use"),
    (ReasonCode::PACKET_IDENTIFIER_NOT_FOUND, "packet identifier not found"),
    (ReasonCode::RECEIVE_MAXIMUM_EXCEEDED, "receive maximum exceeded"),
    (ReasonCode::TOPIC_ALIAS_INVALID, "topic alias invalid"),
    (ReasonCode::PACKET_TOO_LARGE, "packet too large"),
    (ReasonCode::MESSAGE_RATE_TOO_HIGH, "message rate too high"),
    (ReasonCode::QUOTA_EXCEEDED, "quota exceeded"),
    (ReasonCode::ADMINISTRATIVE_ACTION, "administrative action"),
    (ReasonCode::PAYLOAD_FORMAT_INVALID, "payload format invalid"),
    (ReasonCode::RETAIN_NOT_SUPPORTED, "retain not supported"),
    (ReasonCode::QOS_NOT_SUPPORTED, "QoS not supported"),
    (ReasonCode::USE_ANOTHER_SERVER, "use another server"),
    (ReasonCode::SERVER_MOVED, "server moved"),
    (ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED, "shared subscriptions not supported"),
    (ReasonCode::CONNECTION_RATE_EXCEEDED, "connection rate exceeded"),
    (ReasonCode::MAXIMUM_CONNECT_TIME, "maximum connect time"),
    (ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED, "subscription identifiers not supported"),
    (ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED, "wildcard subscriptions not supported"),
];

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_words() {
        assert_eq!(ReasonCode::NOT_AUTHORIZED.to_string(), "not authorized");
        assert_eq!(ReasonCode(0x8E).words(), "session taken over");
        assert_eq!(ReasonCode(0x03).words(), "reason code 0x03");
        assert_eq!(ReasonCode(0xFF).words(), "reason code 0xFF");
        let known =
            (0..=255).filter(|&code| !ReasonCode(code).words().starts_with("reason code")).count();
        assert_eq!(known, 43, "Table 2-6 has 43 values");
    }

    /// Table 2-6, as far as a server sends the codes.
    #[test]
    fn a_packet_defines_its_successes() {
        let successes = |packet: PacketType| -> Vec<u8> {
            (0..0x80).filter(|&code| ReasonCode(code).is_valid_in(packet)).collect()
        };
        assert_eq!(successes(PacketType::PubAck), [0, 0x10]);
        assert_eq!(successes(PacketType::PubRec), [0, 0x10]);
        assert_eq!(successes(PacketType::PubRel), [0]);
        assert_eq!(successes(PacketType::PubComp), [0]);
        assert_eq!(successes(PacketType::SubAck), [0, 1, 2]);
        assert_eq!(successes(PacketType::UnsubAck), [0, 0x11]);
        assert_eq!(successes(PacketType::Disconnect), [0]);
        assert!((0x80..=0xFF).all(|code| ReasonCode(code).is_valid_in(PacketType::PubComp)));
    }

    #[test]
    fn words_depend_on_the_packet() {
        assert_eq!(ReasonCode(0).name(PacketType::PubAck), "success");
        assert_eq!(ReasonCode(0).name(PacketType::Disconnect), "normal disconnection");
        assert_eq!(ReasonCode(0).name(PacketType::SubAck), "granted QoS 0");
        assert_eq!(ReasonCode(1).name(PacketType::SubAck), "granted QoS 1");
        assert_eq!(ReasonCode(4).name(PacketType::Disconnect), "disconnect with will message");
        assert_eq!(ReasonCode(4).name(PacketType::ConnAck), "bad user name or password");
    }

    #[test]
    fn connack_codes_of_the_older_versions_have_words() {
        let words: Vec<_> = (0..=6).map(|code| ReasonCode(code).connack_name()).collect();
        assert_eq!(
            words,
            [
                "success",
                "unacceptable protocol version",
                "client identifier rejected",
                "server unavailable",
                "bad user name or password",
                "not authorized",
                "reason code 0x06"
            ]
        );
        assert_eq!(ReasonCode(0x86).connack_name(), "bad user name or password");
    }
}
