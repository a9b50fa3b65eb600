//! The head of a request or of its answer, as text: deviations leave out, add and repeat headers.

/// A head, with the empty line that ends it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RewrittenHead(pub String);

impl RewrittenHead {
    /// The path of a request, with its query.
    pub fn target(&self) -> &str {
        self.0.split(' ').nth(1).unwrap_or_default()
    }

    /// The first value of a header.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.lines().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All values of a header that is a list.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let lines = self.lines().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        lines.flat_map(|(_, value)| value.split(',')).map(str::trim).collect()
    }

    fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.0.lines().filter_map(|line| line.split_once(':'));
        lines.map(|(name, value)| (name, value.trim()))
    }

    /// The same without a header.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let is_it = |line: &str| {
            line.split_once(':').is_some_and(|(key, _)| key.eq_ignore_ascii_case(name))
        };
        Self(self.0.split_inclusive("\r\n").filter(|line| !is_it(line)).collect())
    }

    /// The same with this header in the place of all of its name.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let Self(text) = self.without(name);
        Self(format!("{}{name}: {value}\r\n\r\n", text.strip_suffix("\r\n").unwrap_or(&text)))
    }

    /// Whether it is an answer that grants the upgrade.
    pub fn is_upgrade(&self) -> bool {
        self.0.starts_with("HTTP/1.1 101")
    }

    /// Whether it is a request for an upgrade.
    pub fn asks_for_upgrade(&self) -> bool {
        self.value("Upgrade").is_some()
    }
}

/// An answer with a body in words.
pub fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
