//! What `serve` says once it listens, as a line of JSON.

use serde_json::json;

/// What there is to know about a broker that listens.
#[derive(Debug)]
pub struct StartLine<'a> {
    /// What a client connects to.
    pub url: &'a str,
    /// The port that it listens at.
    pub port: u16,
    /// The process.
    pub pid: u32,
    /// The file with the authority of its certificate.
    pub ca: Option<&'a str>,
}

impl StartLine<'_> {
    /// As one line of JSON.
    pub fn json(&self) -> String {
        let Self { url, port, pid, ca } = self;
        let (url, ca) = (json!(url), json!(ca));
        format!(r#"{{"url":{url},"port":{port},"pid":{pid},"ca":{ca}}}"#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_line_is_json() {
        let url = "ws://127.0.0.1:1883/mqtt";
        let line = StartLine { url, port: 1883, pid: 42, ca: None };
        assert_eq!(
            line.json(),
            r#"{"url":"ws://127.0.0.1:1883/mqtt","port":1883,"pid":42,"ca":null}"#
        );
    }
}
