//! Reason codes (MQTT 5 §2.4) and the return codes of the older versions.

/// One reason code. Any byte is representable: brokers send codes that no table knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ReasonCode(pub u8);

impl ReasonCode {
    /// 0x00: success, normal disconnection, granted QoS 0.
    pub const SUCCESS: Self = Self(0x00);
    /// 0x80: what is returned as "failure" before MQTT 5, too.
    pub const UNSPECIFIED_ERROR: Self = Self(0x80);

    /// Whether it means that something failed (0x80 and above).
    pub fn is_error(self) -> bool {
        self.0 >= 0x80
    }
}
