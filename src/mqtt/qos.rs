//! Quality of service: whether a message may be lost or arrive twice (MQTT 5 §4.3).

/// The delivery guarantee of one message or of one subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
#[expect(clippy::enum_variant_names, reason = "the names are the specification's")]
pub enum QoS {
    /// `QoS` 0: sent once, never acknowledged (§4.3.1).
    #[default]
    AtMostOnce = 0,
    /// `QoS` 1: acknowledged by PUBACK (§4.3.2).
    AtLeastOnce = 1,
    /// `QoS` 2: acknowledged by PUBREC, PUBREL and PUBCOMP (§4.3.3).
    ExactlyOnce = 2,
}

impl QoS {
    /// The `QoS` of a two-bit field; 3 is reserved `[MQTT-3.3.1-4]`.
    pub fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }

    /// The value of the two-bit field.
    pub fn bits(self) -> u8 {
        self as u8
    }
}

impl std::fmt::Display for QoS {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.bits())
    }
}
