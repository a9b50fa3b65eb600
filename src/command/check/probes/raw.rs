//! MQTT packets byte by byte: those that the codec does not write, because they are not legal.

use crate::mqtt::version::Version;

/// A packet with this first byte.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let (mut bytes, mut length) = (vec![first], body.len());
    while length > 0x7f {
        bytes.push(length.to_le_bytes()[0] | 0x80);
        length >>= 7;
    }
    bytes.push(length.to_le_bytes()[0]);
    bytes.extend_from_slice(body);
    bytes
}

/// Bytes behind their length, as strings are written.
pub fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("strings of probes are short");
    [&length.to_be_bytes()[..], bytes].concat()
}

/// Properties behind their length; before MQTT 5 there are none.
pub fn properties(version: Version, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).expect("properties of probes are short");
    if version.has_properties() { [&[length][..], bytes].concat() } else { Vec::new() }
}

/// A PUBLISH of `x` with this first byte; `id` stands where its QoS asks for one.
pub fn publish(version: Version, first: u8, topic: &[u8], id: Option<u16>) -> Vec<u8> {
    let id = id.map(u16::to_be_bytes);
    let id = id.as_ref().map_or(&[][..], |id| &id[..]);
    packet(first, &[&string(topic), id, &properties(version, b""), b"x"].concat())
}

/// The body of a SUBSCRIBE with the identifier 1: filters with their options.
pub fn subscribe(version: Version, list: &[u8], filters: &[(&[u8], u8)]) -> Vec<u8> {
    let mut body = [&[0, 1][..], &properties(version, list)].concat();
    for (filter, options) in filters {
        body.extend(string(filter));
        body.push(*options);
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_mqtt_writes_them() {
        assert_eq!(packet(0xc0, b""), [0xc0, 0]);
        assert_eq!(packet(0x30, &[7; 200])[..4], [0x30, 0xc8, 0x01, 7]);
        assert_eq!(publish(Version::V5, 0x32, b"t", Some(3)), *b"\x32\x07\0\x01t\0\x03\0x");
        assert_eq!(publish(Version::V3_1_1, 0x30, b"t", None), *b"\x30\x04\0\x01tx");
        let filters: &[(&[u8], u8)] = &[(b"t", 2)];
        assert_eq!(subscribe(Version::V5, b"\x0b\x00", filters), *b"\0\x01\x02\x0b\0\0\x01t\x02");
    }
}
