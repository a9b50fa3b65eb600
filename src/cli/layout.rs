//! How messages are written: the flags that `sub` and `pub --request` share the meaning of.

use crate::exit::Usage;
use crate::format::encoding::Encoding;
use crate::format::escape::ControlCharacters;
use crate::format::json::Style;
use crate::format::layout::Content;
use crate::format::record::RecordWriter;
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
    /// What is written of each message.
    pub fn content(&self, control_characters: ControlCharacters) -> Result<Content, Usage> {
        let Self { pretty, verbose, encoding, .. } = *self;
        match (self.format, self.json) {
            (Some(format), _) => {
                let style = if pretty { Style::CJsonPretty } else { Style::CJson };
                Template::parse(format, style, control_characters)
                    .map(Content::Template)
                    .map_err(|wrong| Usage::new(format!("-F: {wrong}")))
            }
            (None, Some(parsed)) => {
                let style = if pretty { Style::Pretty } else { Style::Compact };
                Ok(Content::Record(RecordWriter { parsed, style }))
            }
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
