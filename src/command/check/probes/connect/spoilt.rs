//! Probes of CONNECT packets that must be refused.

use super::spoken_version;
use crate::command::check::bench::Bench;
use crate::command::check::finding::{Finding, Probed, Verdict};
use crate::mqtt::packet::Credentials;
use crate::mqtt::version::Version;

/// The connect flags (§3.1.2.3).
const RESERVED: u8 = 1;
const CLEAN_START: u8 = 1 << 1;
const WILL: u8 = 1 << 2;
const WILL_QOS_1: u8 = 1 << 3;
const WILL_QOS_3: u8 = 3 << 3;
const WILL_RETAIN: u8 = 1 << 5;
const PASSWORD: u8 = 1 << 6;
const USER_NAME: u8 = 1 << 7;

/// A CONNECT in parts, to be spoilt.
#[derive(Clone)]
struct RawConnect {
    version: Version,
    /// The name of the protocol.
    name: Vec<u8>,
    flags: u8,
    /// The properties without their length; MQTT 5 only.
    properties: Vec<u8>,
    /// The client identifier with its length.
    client_id: Vec<u8>,
    /// The will: its properties in MQTT 5, topic and payload.
    will: Vec<u8>,
    /// User name and password, with their lengths.
    credentials: Vec<u8>,
}

impl RawConnect {
    /// A legal one with the user's credentials.
    fn new(bench: &Bench, version: Version) -> Self {
        let Credentials { username, password } = &bench.target.login.credentials;
        let (mut flags, mut credentials) = (CLEAN_START, Vec::new());
        if let Some(username) = username {
            flags |= USER_NAME;
            credentials.extend(prefixed(username.as_bytes()));
        }
        if let Some(password) = password {
            flags |= PASSWORD;
            credentials.extend(prefixed(password));
        }
        Self {
            version,
            name: version.protocol_name().into(),
            flags,
            properties: Vec::new(),
            client_id: prefixed(bench.client_id("").as_bytes()),
            will: Vec::new(),
            credentials,
        }
    }

    /// The same with more flags.
    fn flagged(mut self, flags: u8) -> Self {
        self.flags |= flags;
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let keep_alive = [0, 60];
        let mut body = prefixed(&self.name);
        body.extend([self.version.level(), self.flags]);
        body.extend(keep_alive);
        if self.version.has_properties() {
            body.extend(variable_byte_integer(self.properties.len()));
            body.extend(&self.properties);
        }
        for part in [&self.client_id, &self.will, &self.credentials] {
            body.extend(part);
        }
        [&[0x10][..], &variable_byte_integer(body.len()), &body].concat()
    }
}

/// A string or binary data, with its length before it (§1.5.4, §1.5.6).
fn prefixed(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), bytes].concat()
}

/// A Variable Byte Integer (§1.5.5).
fn variable_byte_integer(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let [low, ..] = (value % 128).to_le_bytes();
        value /= 128;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

pub fn connect_malformed(bench: &mut Bench) -> Probed {
    let version = spoken_version(bench)?;
    let legal = RawConnect::new(bench, version);
    let mut cut = legal.clone();
    cut.client_id.truncate(2 + 1);
    cut.credentials.clear();
    cut.flags = CLEAN_START;
    let mut longer = legal.clone();
    longer.credentials.extend(*b"\0\x01x");
    let mut name = legal.clone();
    if let Some(last) = name.name.last_mut() {
        *last = b'X';
    }
    let not_utf8 = RawConnect { client_id: prefixed(b"mqttws\xc3\x28"), ..legal };
    let found = each_refused(
        bench,
        &[
            ("cut short inside the client id", cut),
            ("3 bytes behind the payload", longer),
            ("another protocol name", name),
            ("a client id that is not UTF-8", not_utf8),
        ],
    )?;
    Ok(match (version, found.verdict) {
        // "The server should close the connection" (MQTT 3.1, 3.1).
        (Version::V3_1, Verdict::Fail) => Finding { verdict: Verdict::Warn, ..found },
        _ => found,
    })
}

pub fn connect_flags_checked(bench: &mut Bench) -> Probed {
    let version = spoken_version(bench)?;
    let legal = RawConnect::new(bench, version);
    let mut will = if version.has_properties() { vec![0] } else { Vec::new() };
    will.extend(prefixed(bench.topic("").as_bytes()));
    will.extend(prefixed(b"will"));
    let qos_3 = RawConnect { will, ..legal.clone() }.flagged(WILL | WILL_QOS_3);
    let mut tries = vec![("a will of QoS 3", qos_3)];
    // MQTT 3.1 has no rule about the reserved flag, and ignores the will's flags without a will.
    if version > Version::V3_1 {
        tries.push(("the reserved flag", legal.clone().flagged(RESERVED)));
        tries.push(("a will QoS without a will", legal.clone().flagged(WILL_QOS_1)));
        tries.push(("will retain without a will", legal.clone().flagged(WILL_RETAIN)));
    }
    if version == Version::V3_1_1 {
        let flags = CLEAN_START | PASSWORD;
        let password = RawConnect { flags, credentials: prefixed(b"password"), ..legal };
        tries.push(("a password without a user name", password));
    }
    each_refused(bench, &tries)
}

pub fn connect_properties_checked(bench: &mut Bench) -> Probed {
    let version = spoken_version(bench)?;
    let legal = RawConnect::new(bench, version);
    let with = |properties: &[u8]| RawConnect { properties: properties.into(), ..legal.clone() };
    each_refused(
        bench,
        &[
            ("Receive Maximum 0", with(b"\x21\0\0")),
            ("Maximum Packet Size 0", with(b"\x27\0\0\0\0")),
            ("Session Expiry Interval twice", with(b"\x11\0\0\0\0\x11\0\0\0\0")),
            ("Topic Alias, which is no property of CONNECT", with(b"\x23\0\x01")),
            ("the unknown property 0x7e", with(b"\x7e\0")),
        ],
    )
}

/// REFUSED for each of these, on a connection of its own.
fn each_refused(bench: &mut Bench, tries: &[(&str, RawConnect)]) -> Probed {
    let mut found = Finding::pass("");
    for (tried, connect) in tries {
        let conn = bench.up()?;
        bench.link(conn).mqtt.speak(connect.version);
        bench.send_bytes(conn, &connect.bytes());
        found = bench.refused_connect(conn)?.of_try(tried);
        bench.close(conn);
        if found.verdict != Verdict::Pass {
            break;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_mqtt_writes_them() {
        assert_eq!(variable_byte_integer(0), [0]);
        assert_eq!(variable_byte_integer(127), [0x7f]);
        assert_eq!(variable_byte_integer(321), [0xc1, 0x02]);
        assert_eq!(prefixed(b"MQTT"), b"\0\x04MQTT");
    }
}
