//! How messages are written: the flags that `sub` and `pub --request` share the meaning of.

use crate::exit::Usage;
use crate::format::encoding::Encoding;
use crate::format::layout::Content;
use crate::format::record;
use crate::format::template::Template;

/// The flags about the form of a message.
pub struct Form<'a> {
    /// `-F`
    pub format: Option<&'a str>,
    /// `--json`; whether payloads are parsed, too.
    pub json: Option<bool>,
    /// `--pretty`
    pub pretty: bool,
    /// `-v`
    pub verbose: bool,
    /// `--hex`, `--base64`
    pub encoding: Option<Encoding>,
}

impl Form<'_> {
    /// What is written of each message; `sanitise` escapes what could drive a terminal.
    pub fn content(&self, sanitise: bool) -> Result<Content, Usage> {
        let Self { pretty, verbose, encoding, .. } = *self;
        match (self.format, self.json) {
            (Some(format), _) => Template::parse(format, pretty, sanitise)
                .map(Content::Template)
                .map_err(|wrong| Usage::new(format!("-F: {wrong}"))),
            (None, Some(parsed)) => Ok(Content::Record(record::RecordWriter { parsed, pretty })),
            (None, None) => Ok(Content::Payload { verbose, encoding }),
        }
    }
}

/// `--hex` or `--base64`.
pub fn encoding(hex: bool, base64: bool) -> Option<Encoding> {
    match (hex, base64) {
        (true, _) => Some(Encoding::Hex),
        (false, true) => Some(Encoding::Base64),
        (false, false) => None,
    }
}
