//! Every line that the program writes to standard error when it fails, in one table, and the
//! comparison with what it wrote. `*` stands for what differs from run to run (ports, times) and
//! for what rustls words.

use super::program::Outcome;

pub const ANSWER_404: &str = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the server answered HTTP 404 Not Found; no \
     WebSocket at this path: try /ws or /";
pub const ELSEWHERE: &str = "mqttws: connecting to ws://127.0.0.1:*/elsewhere: the server answered HTTP 404 Not Found: \
     mqttws serve listens at /mqtt, not at /elsewhere; no WebSocket at this path: try /mqtt, /ws or /";
pub const ANSWER_302: &str = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the server answered HTTP 302 Found, pointing \
     to /there; connect to that address, or use --follow";
pub const ANSWER_401: &str = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the server answered HTTP 401 Unauthorized: \
     Basic; give its user name and password with --basic-auth, or check them";
pub const ANSWER_400: &str = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the server answered HTTP 400 Bad Request; check the path, --subprotocol, and whether a proxy drops the Upgrade header";
pub const SILENT_CLOSE: &str = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the server closed the connection without an \
     HTTP answer; most often --subprotocol or --origin is wrong, or the port speaks another protocol (TLS, plain MQTT) or expects the PROXY protocol";
pub const UPGRADE_TIMED_OUT: &str = "mqttws: connecting to ws://127.0.0.1:*/mqtt: no WebSocket upgrade within 0.5 s; does a WebSocket server listen at this port and path? a plain MQTT or TLS port does not answer, and neither do some brokers at a wrong path";
pub const CONNACK_TIMED_OUT: &str = "mqttws: connecting to ws://127.0.0.1:*/mqtt: no CONNACK within 0.5 s; the WebSocket is open, but no MQTT broker answers: try another --path or -V";
pub const PLAIN_MQTT: &str = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the server speaks MQTT without WebSockets on \
     this port; use the port of the broker's WebSocket listener";
pub const NOT_HTTP: &str = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the server does not speak HTTP on this port \
     (it sent \"SSH-2.0-OpenSSH_9.2\\r\\n\"); check the port";
pub const WRONG_ACCEPT_KEY: &str = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the server answered 101 with a wrong \
     Sec-WebSocket-Accept; the answer does not come from a WebSocket server, but perhaps from a cache or a proxy";
pub const OTHER_SUBPROTOCOL: &str = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the server answered with subprotocol \"stomp\" \
     (offered: mqtt); try another --subprotocol";
pub const TEXT_FRAME: &str = "mqttws: subscribed at ws://127.0.0.1:*/mqtt: the server sent a text frame \
     (\"*\"), but MQTT needs binary frames; another service may be at this path: try another path, such as /mqtt";
pub const MASKED_FRAME: &str = "mqttws: subscribed at ws://127.0.0.1:*/mqtt: the server broke the \
     WebSocket protocol: a masked frame from the server; the frames may be compressed without agreement, \
     or changed by a proxy on the way: -dd shows them";
pub const INVALID_CLOSE_CODE: &str = "mqttws: subscribed at ws://127.0.0.1:*/mqtt: the server broke the \
     WebSocket protocol: a Close frame with the invalid code 9";
pub const RESERVED_BITS: &str = "mqttws: subscribed at ws://127.0.0.1:*/mqtt: the server broke the \
     WebSocket protocol: a frame with reserved bits set; the frames may be compressed without agreement, or changed \
     by a proxy on the way: -dd shows them";
pub const MALFORMED: &str = "mqttws: subscribed at ws://127.0.0.1:*/mqtt: the broker broke the protocol: malformed packet: *";
pub const SECOND_CONNACK: &str = "mqttws: subscribed at ws://127.0.0.1:*/mqtt: the broker broke the protocol: an unexpected CONNACK";
pub const INSECURE_WARNING: &str =
    "mqttws: warning: --insecure: the server's certificate is not verified";
pub const NAME_NOT_FOUND: &str = "mqttws: connecting to ws://host.invalid/mqtt: no address for host.invalid: *; check the host name";
pub const CONNECTION_REFUSED: &str = "mqttws: connecting to ws://127.0.0.1:*/mqtt: connection refused; nothing \
     listens at this port: check it, or start `mqttws serve`";
pub const BAD_CREDENTIALS: &str = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the broker refused: bad user name or password; \
     check -u and -P";
pub const NOT_AUTHORIZED: &str = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the broker refused: not authorized; check -u and -P";
pub const NOT_AUTHORIZED_WITH_REASON: &str = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the broker refused: not authorized (shut); \
     check -u and -P";
pub const SUBSCRIPTION_REFUSED: &str = "mqttws: subscribing to t: refused: unspecified error";
pub const PUBLISH_REFUSED: &str = "mqttws: publishing to t: message refused: not authorized; \
                                   choose another topic, or another user with -u";
pub const LINE_REFUSED: &str = "mqttws: publishing to t: message 1 refused: not authorized";
pub const CONNECTION_ENDED: &str = "mqttws: subscribed at ws://127.0.0.1:*/mqtt: connection lost: the server closed the connection";
pub const CONNECTION_RESET: &str =
    "mqttws: subscribed at ws://127.0.0.1:*/mqtt: connection lost: connection reset by the server";
pub const WEBSOCKET_CLOSED: &str = "mqttws: subscribed at ws://127.0.0.1:*/mqtt: connection lost: the server closed the \
     WebSocket with code 1001 (going away): going away";
pub const DISCONNECTED: &str =
    "mqttws: subscribed at ws://127.0.0.1:*/mqtt: the broker disconnected us: server shutting down";
pub const WAIT_IS_OVER: &str = "mqttws: subscribed: timed out after 0.3 s with 1 of 2 messages";
pub const PINGING_LOST: &str =
    "mqttws: pinging ws://127.0.0.1:*/mqtt: connection lost: the server closed the connection";
pub const PING_UNANSWERED: &str = "mqttws: pinging ws://127.0.0.1:*/mqtt: no probe was answered";
pub const NO_SUCH_FILE: &str = "mqttws: reading /no-such-file: No such file or directory";
pub const NO_SUCH_COMMAND: &str = "mqttws: running /no-such-file: No such file or directory";
pub const NO_SUCH_LIMIT: &str = "mqttws: invalid value 'speed=9' for '--limit <NAME=VALUE>': there is no such limit; the names are \
     connections, sessions, subscriptions, queue-messages, queue-bytes, retained-messages, \
     retained-bytes, packet, memory, receive-maximum, topic-aliases, keep-alive, max-qos, retain, wildcards, \
     subscription-identifiers, shared; see mqttws help serve";
pub const LIMIT_WITHOUT_VALUE: &str = "mqttws: invalid value 'packet' for '--limit <NAME=VALUE>': expected NAME=VALUE; the names are \
     connections, sessions, subscriptions, queue-messages, queue-bytes, retained-messages, \
     retained-bytes, packet, memory, receive-maximum, topic-aliases, keep-alive, max-qos, retain, wildcards, \
     subscription-identifiers, shared; see mqttws help serve";
pub const LIMIT_IN_BYTES: &str = "mqttws: invalid value 'packet=1KB' for '--limit <NAME=VALUE>': expected \
     bytes from 32 to 268435460, such as 64KiB or 16MiB; see mqttws help serve";
pub const LIMIT_FROM_TO: &str = "mqttws: invalid value 'max-qos=3' for '--limit <NAME=VALUE>': expected \
     a number from 0 to 2; see mqttws help serve";
pub const LIMIT_YES_OR_NO: &str = "mqttws: invalid value 'retain=maybe' for '--limit <NAME=VALUE>': expected \
     yes or no; see mqttws help serve";
pub const QOS_ABOVE_LIMIT: &str = "mqttws: publishing to t at ws://127.0.0.1:*/mqtt: connection lost: the server closed \
     the WebSocket with code 1002 (protocol error); the broker takes what it was sent for a breach of the \
     protocol: it may forbid the topic or filter, its QoS or size";
pub const NOT_LOOPBACK: &str = "mqttws: -h: serve listens on this machine only (127.0.0.1 or ::1), not on 0.0.0.0, \
     without --allow-remote";
pub const PORT_TAKEN: &str = "mqttws: listening at 127.0.0.1:*: Address already in use: something else listens there: \
     -p 0 takes a free port";
/// The line of an answered probe.
pub const PING_PROBE: &str = "answer from *: seq=* time=* ms";
/// Standard output of two answered probes.
pub const PING_TWICE: &[&str] = &[
    "PING ws://127.0.0.1:*/mqtt (127.0.0.1:*, subprotocol mqtt, MQTT 3.1.1): \
     name * ms, tcp * ms, upgrade * ms, connack * ms",
    "answer from 127.0.0.1:*: seq=1 time=* ms",
    "answer from 127.0.0.1:*: seq=2 time=* ms",
    "--- ws://127.0.0.1:*/mqtt ---",
    "2 sent, 2 answered, 0% lost, time * ms",
    "round trip min/avg/p50/p99/max/stddev = */*/*/*/*/* ms",
];

/// Checks that the program failed as design.md §5 says: this exit code and one line like `pattern`.
pub fn fails(outcome: &Outcome, code: i32, pattern: &str) {
    fails_after(outcome, b"", code, pattern);
}

/// The same, after `stdout` was written.
pub fn fails_after(outcome: &Outcome, stdout: &[u8], code: i32, pattern: &str) {
    assert_eq!(outcome.code(), Some(code), "the exit code of:\n{outcome}");
    assert!(is_line(&outcome.stderr, pattern), "standard error is not like {pattern}:\n{outcome}");
    assert_eq!(outcome.stdout, stdout, "standard output of:\n{outcome}");
}

/// Whether this is one line and names the program.
pub fn is_one_line(stderr: &[u8]) -> bool {
    stderr.starts_with(b"mqttws: ")
        && stderr.iter().position(|byte| *byte == b'\n') == Some(stderr.len() - 1)
}

/// Whether this is one line like `pattern`.
pub fn is_line(stderr: &[u8], pattern: &str) -> bool {
    is_one_line(stderr) && is_like(String::from_utf8_lossy(stderr).trim_end(), pattern)
}

/// Whether `text` is `pattern` with something in the place of each `*`.
pub fn is_like(text: &str, pattern: &str) -> bool {
    let Some((start, pattern)) = pattern.split_once('*') else { return text == pattern };
    let Some(mut left) = text.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = pattern.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match left.split_once(part) {
            Some((_, rest)) => left = rest,
            None => return false,
        }
    }
    left.ends_with(end)
}

#[test]
fn patterns_match_what_they_say() {
    assert!(is_like("mqttws: a: b", "mqttws: a: b"));
    assert!(is_like("mqttws: port 123: refused", "mqttws: *: refused"));
    assert!(is_like("mqttws: port 123: refused; try", "mqttws: *123*try"));
    assert!(!is_like("mqttws: port 123: refused", "mqttws: *: refuse"));
    assert!(!is_like("mqttws: b a", "mqttws: *a*b*"));
}
