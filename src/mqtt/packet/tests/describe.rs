//! The lines of `-d`.

use super::*;

#[test]
fn packets_are_described_in_mosquittos_words() {
    let lines = [
        ("10 12 0004 'MQTT' 04 C2 003C 0000 0001 'u' 0001 'p'", "CONNECT"),
        ("20 03 00 87 00", "CONNACK (135)"),
        ("32 0B 0003 't/x' 0001 00 'hi!'", "PUBLISH (d0, q1, r0, m1, 't/x', ... (3 bytes))"),
        ("3D 08 0003 't/x' FFFF 00", "PUBLISH (d1, q2, r1, m65535, 't/x', ... (0 bytes))"),
        ("30 06 0000 03 23 0001", "PUBLISH (d0, q0, r0, m0, '', ... (0 bytes))"),
        ("40 02 0001", "PUBACK (Mid: 1, RC:0)"),
        ("40 03 0001 87", "PUBACK (Mid: 1, RC:135)"),
        ("50 02 0001", "PUBREC (Mid: 1)"),
        ("50 03 0001 97", "PUBREC (Mid: 1, RC:151)"),
        ("62 02 0001", "PUBREL (Mid: 1)"),
        ("70 02 0001", "PUBCOMP (Mid: 1, RC:0)"),
        ("82 09 0001 00 0003 'a/#' 01", "SUBSCRIBE (Mid: 1, Topic: a/#, QoS: 1, Options: 0x00)"),
        (
            "82 0B 0002 00 0001 'a' 2E 0001 'b' 00",
            "SUBSCRIBE (Mid: 2, Topic: a, QoS: 2, Options: 0x2c, Topic: b, QoS: 0, Options: 0x00)",
        ),
        ("90 04 0001 00 00", "SUBACK"),
        ("A2 06 0001 00 0001 'a'", "UNSUBSCRIBE (Mid: 1, Topic: a)"),
        ("B0 04 0001 00 00", "UNSUBACK"),
        ("C0 00", "PINGREQ"),
        ("D0 00", "PINGRESP"),
        ("E0 00", "DISCONNECT (0)"),
        ("E0 01 8E", "DISCONNECT (142)"),
        ("F0 00", "AUTH (0)"),
    ];
    for (wire, line) in lines {
        let packet = decode(Version::V5, &hex(wire)).unwrap().unwrap();
        assert_eq!(packet.describe(), line);
    }
}

#[test]
fn debugging_shows_no_password() {
    let wire = hex("10 1A 0004 'MQTT' 04 C2 003C 0000 0004 'user' 0006 'secret'");
    let packet = decode(Version::V3_1_1, &wire).unwrap().unwrap();
    let text = format!("{packet:?} {}", packet.describe());
    assert!(text.contains("user") && !text.contains("secret"), "{text}");
}
