//! The protocol version, which every encoder and decoder gets as a value.

/// A version of MQTT, ordered by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// MQTT 3.1 (IBM, 2010): protocol name `MQIsdp`, level 3.
    V3_1,
    /// MQTT 3.1.1 (OASIS, 2014): protocol name `MQTT`, level 4.
    V3_1_1,
    /// MQTT 5 (OASIS, 2019): protocol name `MQTT`, level 5.
    V5,
}

impl Version {
    /// The protocol name of CONNECT (§3.1.2.1).
    pub fn protocol_name(self) -> &'static str {
        match self {
            Self::V3_1 => "MQIsdp",
            Self::V3_1_1 | Self::V5 => "MQTT",
        }
    }

    /// The protocol level (version) byte of CONNECT (§3.1.2.2).
    pub fn level(self) -> u8 {
        match self {
            Self::V3_1 => 3,
            Self::V3_1_1 => 4,
            Self::V5 => 5,
        }
    }

    /// Whether packets of this version carry properties and reason codes.
    pub fn has_properties(self) -> bool {
        self == Self::V5
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::V3_1 => "3.1",
            Self::V3_1_1 => "3.1.1",
            Self::V5 => "5",
        })
    }
}

/// Accepts mosquitto's spelling (`mqttv5`, `311`) and the version's own (`3.1.1`, `5.0`).
impl std::str::FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("mqttv").unwrap_or(text) {
            "31" | "3.1" | "3" => Ok(Self::V3_1),
            "311" | "3.1.1" | "4" => Ok(Self::V3_1_1),
            "5" | "5.0" | "50" => Ok(Self::V5),
            _ => Err("expected 5, 311 or 31".to_owned()),
        }
    }
}
