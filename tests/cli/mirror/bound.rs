//! What a mirror holds in memory is bounded, whatever the source sends at once.

use super::*;

/// The source sends messages that have more than 64 MiB in memory (their properties are many and
/// small), and the target, which takes two messages at once, waits for the PUBRELs of those before.
/// The last message is left to the source, which is connected to again.
#[test]
fn what_is_over_the_bound_is_left_to_the_source_which_sends_it_again() {
    let source = Broker::start(vec![
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 00 00 00"),
        packet("82 id 00 <t> 1e"),
        Step::Send("90 id 00 02 ; 34 <t> 00 01 00 'x' ; 34 <t> 00 02 00 'x'"),
        packet("50 00 01"),
        packet("50 00 02"),
        Step::Raw((3..14).flat_map(large).collect()),
        Step::Send("34 <t> 00 0e 00 'z'"),
        packet("e0"),
        Step::Close(1000),
        Step::Gone,
        Step::Reconnect,
        Step::Upgrade,
        packet("10 <MQTT> 05 *"),
        Step::Send("20 01 00 00 ; 62 00 01 ; 62 00 02"),
        packet("70 00 01"),
        Step::Tell,
        packet("e0 00 05 11 00 00 00 00"),
        Step::Close(1000),
        Step::Gone,
    ]);
    let target = target(
        "20 00 00 03 21 00 02",
        [
            packet("34 <t> 00 01 00 'x'"),
            Step::Send("50 00 01"),
            packet("34 <t> 00 02 00 'x'"),
            Step::Send("50 00 02"),
            packet("62 00 01"),
            Step::Send("70 00 01"),
            packet("34 <t> 00 03 *"),
        ],
    );
    let flags = ["-V", "5", "-D", "connect", "receive-maximum", "20"];
    let mirror = mirror(&source, &target, &flags).spawn();
    source.wait();
    mirror.signal("INT");
    let outcome = mirror.finish();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let expected = "mqttws: warning: the source sends more at once than the target takes: what is \
                    over 64 MiB is left to it, and comes again on other connections\n\
                    mqttws: mirrored 2 messages, 2 bytes; 12 not finished\n";
    assert!(is_like(&String::from_utf8_lossy(&outcome.stderr), expected), "{outcome}");
}

/// A PUBLISH of QoS 2 with this identifier and as many user properties as may be, in one frame.
fn large(id: u8) -> Vec<u8> {
    const PROPERTIES: usize = 65_536;
    let mut body = vec![0, 1, b't', 0, id];
    body.extend(variable(5 * PROPERTIES));
    body.extend(b"\x26\x00\x00\x00\x00".repeat(PROPERTIES));
    body.push(b'y');
    let mut packet = vec![0x34];
    packet.extend(variable(body.len()));
    packet.extend(body);
    let mut frame = vec![0x82, 127];
    frame.extend((packet.len() as u64).to_be_bytes());
    frame.extend(packet);
    frame
}

/// A Variable Byte Integer (§1.5.5).
fn variable(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let digit = u8::try_from(number % 128).unwrap();
        number /= 128;
        if number == 0 {
            bytes.push(digit);
            return bytes;
        }
        bytes.push(digit | 128);
    }
}
