//! Every line that the program writes to standard error when it fails, in one table, and the comparison with
//! what it wrote. `*` stands for what differs from run to run (ports, times) and for what rustls words.

use super::program::Outcome;

pub const ANSWER_404: &str = "mqttws: *404*";
pub const ANSWER_302: &str = "mqttws: *302*";
pub const ANSWER_401: &str = "mqttws: *401*";
pub const ANSWER_400: &str = "mqttws: *400*";
pub const SILENT_CLOSE: &str = "mqttws: *WebSocket upgrade*";
pub const UPGRADE_TIMED_OUT: &str = "mqttws: *WebSocket upgrade*";
pub const CONNACK_TIMED_OUT: &str = "mqttws: *CONNACK*";
pub const TLS_TIMED_OUT: &str = "mqttws: *TLS*";
pub const PLAIN_MQTT: &str = "mqttws: *MQTT*";
pub const NOT_HTTP: &str = "mqttws: *HTTP*";
pub const WRONG_ACCEPT_KEY: &str = "mqttws: *Sec-WebSocket-Accept*";
pub const OTHER_SUBPROTOCOL: &str = "mqttws: *stomp*";
pub const TEXT_FRAME: &str = "mqttws: *text*";
pub const MASKED_FRAME: &str = "mqttws: *mask*";
pub const MALFORMED: &str = "mqttws: *";
pub const UNKNOWN_ISSUER: &str = "mqttws: *certificate*--cafile*";
pub const EXPIRED: &str = "mqttws: *certificate*expired*";
pub const WRONG_NAME: &str = "mqttws: *certificate*elsewhere.example*";
pub const NOT_TLS: &str = "mqttws: *TLS*";
pub const NO_CA_FILE: &str = "mqttws: *no-such-file.pem*";
pub const INSECURE_WARNING: &str = "mqttws: *certificate*";
pub const NAME_NOT_FOUND: &str = "mqttws: *host.invalid*";
pub const CONNECTION_REFUSED: &str = "mqttws: *refused*";
pub const BAD_CREDENTIALS: &str = "mqttws: *user name or password*";
pub const NOT_AUTHORIZED: &str = "mqttws: *not authorized*";
pub const SUBSCRIPTION_REFUSED: &str = "mqttws: *t*refused*";
pub const PUBLISH_REFUSED: &str = "mqttws: *refused*not authorized*";
pub const CONNECTION_LOST: &str = "mqttws: *connection*";
pub const DISCONNECTED: &str = "mqttws: *shutting down*";
pub const WAIT_IS_OVER: &str = "mqttws: *";
/// The line of an answered probe.
pub const PING_PROBE: &str = "*seq=*ms";
/// Standard output of two answered probes.
pub const PING_TWICE: &[&str] = &["*127.0.0.1*", "*1*ms", "*2*ms", "*2*0%*", "*min*"];
pub const PING_UNANSWERED: &str = "mqttws: *";
pub const NO_SUCH_FILE: &str = "mqttws: *no-such-file*";
pub const NOT_LOOPBACK: &str = "mqttws: *0.0.0.0*";
pub const ANY: &str = "mqttws: *";

/// Checks that the program failed as design.md §5 says: this exit code and one line like `pattern`.
pub fn fails(outcome: &Outcome, code: i32, pattern: &str) {
    fails_after(outcome, b"", code, pattern);
}

/// The same, after `stdout` was written.
pub fn fails_after(outcome: &Outcome, stdout: &[u8], code: i32, pattern: &str) {
    assert_eq!(outcome.code(), Some(code), "the exit code of:\n{outcome}");
    assert!(is_one_line(&outcome.stderr), "one line should begin with `mqttws: `:\n{outcome}");
    let line = String::from_utf8_lossy(&outcome.stderr);
    assert!(is_like(line.trim_end(), pattern), "standard error is not like {pattern}:\n{outcome}");
    assert_eq!(outcome.stdout, stdout, "standard output of:\n{outcome}");
}

/// Whether this is one line and names the program.
pub fn is_one_line(stderr: &[u8]) -> bool {
    stderr.starts_with(b"mqttws: ") && stderr.iter().position(|byte| *byte == b'\n') == Some(stderr.len() - 1)
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
