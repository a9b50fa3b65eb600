//! Hides our secrets in what a server sends back: error pages, redirects and reasons often repeat
//! the query of the request, or a password.

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use memchr::memmem;

use super::HttpHeader;

/// Stands for a secret.
const HIDDEN: &str = "***";

/// The shortest part of a query that is hidden wherever it stands, in bytes.
const SHORTEST: usize = 4;

/// Words that servers use by themselves, and that hide nothing.
const COMMON: [&str; 12] = [
    "mqtt",
    "mqttv3.1",
    "websocket",
    "upgrade",
    "http",
    "https",
    "http/1.1",
    "true",
    "false",
    "null",
    "none",
    "localhost",
];

/// The most values inside values that are looked at.
const DEPTH: u8 = 3;

/// The secrets of a request, in each form in which a server might write them; the longest first.
#[derive(Clone, Default)]
pub struct Echo(Vec<SecretForm>);

#[derive(Clone)]
struct SecretForm {
    text: Vec<u8>,
    instead: &'static str,
    /// The shortest beginning of it that is hidden at the end of a text that was cut.
    shortest: usize,
}

impl Echo {
    /// The secrets of a request for `target` with these headers.
    pub fn new(target: &str, headers: &[HttpHeader]) -> Self {
        let mut echo = Self::default();
        if let Some((_, query)) = target.split_once('?').filter(|(_, query)| !query.is_empty()) {
            for form in forms(&format!("?{query}")) {
                echo.0.push(SecretForm { text: form.into_bytes(), instead: "?***", shortest: 2 });
            }
            echo.add_query(query, DEPTH);
        }
        for (_, value) in headers.iter().filter(|(name, _)| is_secret(name)) {
            echo.add_header(value);
        }
        echo.sort();
        echo
    }

    /// Hides this, too.
    pub fn hide(&mut self, secret: &str) {
        self.add(secret);
        self.sort();
    }

    /// A secret must be found before another one that is a part of it.
    fn sort(&mut self) {
        self.0.sort_by_key(|form| std::cmp::Reverse(form.text.len()));
    }

    /// The value of a header, and what it consists of: credentials after a scheme, which is no
    /// secret itself, the password in them, cookies.
    fn add_header(&mut self, value: &str) {
        self.add(value);
        let credentials = value.split_once(' ').map_or("", |(_, credentials)| credentials);
        self.add(credentials);
        let decoded = BASE64.decode(credentials.as_bytes()).ok();
        if let Some(pair) = decoded.and_then(|bytes| String::from_utf8(bytes).ok()) {
            self.add(&pair);
            self.add(pair.split_once(':').map_or("", |(_, password)| password));
        }
        for cookie in value.split(';') {
            self.add(cookie.split_once('=').map_or("", |(_, value)| value.trim()));
        }
    }

    /// A query, and each value in it: some servers repeat only a part.
    fn add_query(&mut self, query: &str, depth: u8) {
        self.add(query);
        for parameter in query.split(['&', ';']) {
            let value = parameter.split_once('=').map_or(parameter, |(_, value)| value);
            self.add(value);
            let decoded = decoded(value);
            if let Some((_, inner)) = decoded.split_once('?').filter(|_| depth > 0) {
                self.add_query(inner, depth - 1);
            }
        }
    }

    fn add(&mut self, secret: &str) {
        let is_common = COMMON.iter().any(|word| secret.eq_ignore_ascii_case(word));
        if secret.len() < SHORTEST || is_common {
            return;
        }
        for form in forms(secret).into_iter().filter(|form| form.len() >= SHORTEST) {
            let text = form.into_bytes();
            self.0.push(SecretForm { text, instead: HIDDEN, shortest: SHORTEST });
        }
    }

    /// The text without the secrets. The beginning of one at the end of the text is hidden, too:
    /// the text may have been cut.
    pub fn masked(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        String::from_utf8_lossy(&self.masked_bytes(text.as_bytes())).into_owned()
    }

    /// The same for bytes.
    pub fn masked_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let mut masked = bytes.to_vec();
        for form in &self.0 {
            masked = form.replaced(&masked);
        }
        let ends = self.0.iter().filter_map(|form| Some((form.cut_at_end(&masked)?, form.instead)));
        if let Some((length, instead)) = ends.max_by_key(|(length, _)| *length) {
            masked.truncate(masked.len() - length);
            masked.extend_from_slice(instead.as_bytes());
        }
        masked
    }
}

impl SecretForm {
    fn replaced(&self, bytes: &[u8]) -> Vec<u8> {
        let mut replaced = Vec::with_capacity(bytes.len());
        let mut from = 0;
        for at in memmem::find_iter(bytes, &self.text) {
            replaced.extend_from_slice(&bytes[from..at]);
            replaced.extend_from_slice(self.instead.as_bytes());
            from = at + self.text.len();
        }
        replaced.extend_from_slice(&bytes[from..]);
        replaced
    }

    /// The length of the beginning of this form with which the bytes end.
    fn cut_at_end(&self, bytes: &[u8]) -> Option<usize> {
        let longest = bytes.len().min(self.text.len().saturating_sub(1));
        (self.shortest..=longest).rev().find(|length| bytes.ends_with(&self.text[..*length]))
    }
}

/// A text as it is, percent-decoded and percent-encoded, each also as HTML and JSON write it.
fn forms(text: &str) -> Vec<String> {
    let decoded = decoded(text);
    let encoded = [percent_encoded(text, false), percent_encoded(&decoded, false)];
    let lower = [percent_encoded(text, true), percent_encoded(&decoded, true)];
    let mut forms = vec![text.to_owned(), decoded];
    for plain in forms.clone() {
        forms.push(plain.replace('&', "&amp;"));
        forms.push(plain.replace('&', "&#38;"));
        forms.push(plain.replace('&', "\\u0026"));
        forms.push(plain.replace('/', "\\/"));
    }
    forms.extend(encoded);
    forms.extend(lower);
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// What stands in the place of `%` and two digits, and of `+`; anything else stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let byte = tail.get(..2).and_then(|digits| HEXLOWER_PERMISSIVE.decode(digits).ok());
        if let (b'%', Some(byte)) = (first, byte) {
            bytes.extend(byte);
            rest = &tail[2..];
        } else {
            bytes.push(if *first == b'+' { b' ' } else { *first });
            rest = tail;
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// Every byte that is not unreserved (RFC 3986 §2.3) as `%` and two digits.
fn percent_encoded(text: &str, in_lower_case: bool) -> String {
    let encoded = |byte: u8| match byte {
        b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => char::from(b).to_string(),
        b if in_lower_case => format!("%{b:02x}"),
        b => format!("%{b:02X}"),
    };
    text.bytes().map(encoded).collect()
}

/// Whether a header with this name probably holds a secret.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let marks = [
        "authorization",
        "cookie",
        "token",
        "secret",
        "pass",
        "signature",
        "pwd",
        "psk",
        "csrf",
        "xsrf",
        "credential",
        "session",
        "x-auth",
        "jwt",
        "apikey",
    ];
    let is_key = name.ends_with("-key") && !name.starts_with("sec-websocket-");
    is_key || marks.iter().any(|mark| name.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_hidden_in_each_form() {
        let echo = Echo::new("/mqtt?token=S%2F3cret&id=dev-17&v=5", &[]);
        let rows = [
            ("https://h/mqtt?token=S%2F3cret&id=dev-17&v=5", "https://h/mqtt?***"),
            ("GET /mqtt?token=S/3cret&id=dev-17&v=5 HTTP/1.1", "GET /mqtt?*** HTTP/1.1"),
            ("no /mqtt?token=S%2F3cret&amp;id=dev-17&amp;v=5 here", "no /mqtt?*** here"),
            ("\"/mqtt?token=S\\/3cret&id=dev-17\"", "\"/mqtt?token=***&id=***\""),
            (
                "/login?next=%2Fmqtt%3Ftoken%3DS%252F3cret%26id%3Ddev-17%26v%3D5",
                "/login?next=%2Fmqtt?***",
            ),
            (
                "/login?next=%2fmqtt%3ftoken%3dS%2f3cret%26id%3ddev-17%26v%3d5",
                "/login?next=%2fmqtt?***",
            ),
            ("token=S/3cret is bad", "token=*** is bad"),
            ("S%2F3cret", "***"),
            ("the query was token=S%2F3cret&id=dev-17&v=5.", "the query was ***."),
            ("page about MQTT 5", "page about MQTT 5"),
            ("cut at https://h/mqtt?token=S%2F3", "cut at https://h/mqtt?***"),
            ("cut at token S/3c", "cut at token ***"),
        ];
        for (text, expected) in rows {
            assert_eq!(echo.masked(text), expected, "{text}");
        }
    }

    #[test]
    fn what_a_server_says_by_itself_stays() {
        let echo = Echo::new("/mqtt?transport=websocket&p=mqtt&v=5", &[]);
        for text in ["Upgrade: websocket", "Sec-WebSocket-Protocol: mqtt", "HTTP/1.1 5"] {
            assert_eq!(echo.masked(text), text);
        }
        let echo = Echo::new("/mqtt?", &[]);
        assert_eq!(echo.masked("what?"), "what?");
    }

    #[test]
    fn secret_headers_and_nested_queries_are_hidden() {
        let header = ("Authorization".to_owned(), "Bearer abcd.efg".to_owned());
        let plain = ("X-Lab".to_owned(), "visible".to_owned());
        let echo = Echo::new("/login?next=%2Fmqtt%3Ftoken%3Ds3cret", &[header, plain]);
        assert_eq!(echo.masked("bad abcd.efg"), "bad ***");
        assert_eq!(echo.masked("Bearer abcd.efg visible"), "*** visible");
        assert_eq!(echo.masked("bad s3cret"), "bad ***");
    }

    #[test]
    fn the_parts_of_secret_headers_and_further_secrets_are_hidden() {
        let headers = [
            ("Proxy-Authorization".to_owned(), "Basic YW5uOnA6dzFyZA==".to_owned()),
            ("Cookie".to_owned(), "a=1; session=abcdef; lang=en".to_owned()),
        ];
        let mut echo = Echo::new("", &headers);
        echo.hide("hunter2");
        for (text, expected) in [
            ("no YW5uOnA6dzFyZA== here", "no *** here"),
            ("ann:p:w1rd, and p:w1rd of ann", "***, and *** of ann"),
            ("session abcdef of en", "session *** of en"),
            ("bad password hunter2, hunt", "bad password ***, ***"),
        ] {
            assert_eq!(echo.masked(text), expected);
        }
    }
}
