//! An upgrade request that may be spoilt: in the program's other rooms it cannot.

use data_encoding::BASE64;

use crate::websocket::upgrade::{self, USER_AGENT, accept_key};

/// A request to send.
#[derive(Debug, Clone)]
pub struct UpgradeRequest {
    /// `GET`, unless a probe wants to see another method refused.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// `HTTP/1.1`, unless a probe wants to see another version refused.
    pub version: String,
    /// Name, what stands between it and the value, and the value.
    pub headers: Vec<(String, &'static str, String)>,
    /// Bytes of a piece, if it is written in pieces.
    pub pieces: Option<usize>,
    /// Whose request it is.
    pub origin: RequestOrigin,
}

/// Whose request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestOrigin {
    /// The user's, unchanged.
    User,
    /// A probe's.
    Probe,
}

impl UpgradeRequest {
    /// A legal request with a new key.
    pub fn new(target: &str, host: &str, subprotocols: &[&str]) -> Self {
        let mut request = Self {
            method: "GET".to_owned(),
            target: target.to_owned(),
            version: "HTTP/1.1".to_owned(),
            headers: Vec::new(),
            pieces: None,
            origin: RequestOrigin::Probe,
        };
        let random: [u8; 16] = std::array::from_fn(|_| fastrand::u8(..));
        let agent = format!("{USER_AGENT} check");
        for (name, value) in [
            ("Host", host),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", &BASE64.encode(&random)),
            ("Sec-WebSocket-Version", "13"),
        ] {
            request = request.with(name, value);
        }
        if !subprotocols.is_empty() {
            request = request.with("Sec-WebSocket-Protocol", &subprotocols.join(", "));
        }
        request.with("User-Agent", &agent)
    }

    /// The same with one more header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), ": ", value.to_owned()));
        self.origin = RequestOrigin::Probe;
        self
    }

    /// The same with another value of this header.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        let same = |header: &&mut (String, &str, String)| header.0.eq_ignore_ascii_case(name);
        match self.headers.iter_mut().find(same) {
            Some(header) => value.clone_into(&mut header.2),
            None => return self.with(name, value),
        }
        self.origin = RequestOrigin::Probe;
        self
    }

    /// The same without this header.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|header| !header.0.eq_ignore_ascii_case(name));
        self.origin = RequestOrigin::Probe;
        self
    }

    /// The same for another path and query.
    pub fn to(self, target: &str) -> Self {
        Self { target: target.to_owned(), origin: RequestOrigin::Probe, ..self }
    }

    /// Whether it is the user's request, unchanged.
    pub fn is_plain(&self) -> bool {
        self.origin == RequestOrigin::User
    }

    /// The value of a header.
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut same = self.headers.iter().filter(|header| header.0.eq_ignore_ascii_case(name));
        same.next().map(|header| header.2.as_str())
    }

    /// Whether it asks for an upgrade as RFC 6455 §4.1 demands.
    pub fn is_legal(&self) -> bool {
        let has = |name: &str, wanted: &str| {
            let tokens = self.value(name).unwrap_or_default().split(',');
            tokens.into_iter().any(|token| token.trim().eq_ignore_ascii_case(wanted))
        };
        let key = self.value("Sec-WebSocket-Key").unwrap_or_default().trim();
        let is_key = BASE64.decode(key.as_bytes()).is_ok_and(|key| key.len() == 16);
        let is_get = self.method == "GET" && self.version == "HTTP/1.1";
        is_get
            && is_key
            && has("Upgrade", "websocket")
            && has("Connection", "upgrade")
            && has("Sec-WebSocket-Version", "13")
    }

    /// What `Sec-WebSocket-Accept` must be.
    pub fn accept_value(&self) -> String {
        accept_key(self.value("Sec-WebSocket-Key").unwrap_or_default())
    }

    /// The subprotocols that it offers.
    pub fn offered(&self) -> Vec<&str> {
        let lines = self.headers.iter();
        let lines = lines.filter(|header| header.0.eq_ignore_ascii_case("Sec-WebSocket-Protocol"));
        lines.flat_map(|header| header.2.split(',')).map(str::trim).collect()
    }

    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} {}\r\n", self.method, self.target, self.version);
        for (name, between, value) in &self.headers {
            head.extend([name.as_str(), between, value.as_str(), "\r\n"]);
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// It in words, without secrets.
    pub fn words(&self) -> String {
        let head = upgrade::masked(&String::from_utf8_lossy(&self.bytes()));
        head.trim_end().replace("\r\n", " | ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_what_was_asked_for() {
        let request = UpgradeRequest::new("/mqtt?t=1", "h:8080", &["mqtt", "mqttv3.1"])
            .without("upgrade")
            .set("Sec-WebSocket-Key", "k")
            .with("Authorization", "Bearer s3cret");
        assert_eq!(request.offered(), ["mqtt", "mqttv3.1"]);
        assert_eq!(request.words().matches("***").count(), 2, "{}", request.words());
        let text = String::from_utf8(request.bytes()).unwrap();
        assert!(
            text.starts_with("GET /mqtt?t=1 HTTP/1.1\r\nHost: h:8080\r\nConnection: Upgrade\r\n")
        );
        assert!(text.ends_with("Authorization: Bearer s3cret\r\n\r\n"), "{text}");
    }
}
