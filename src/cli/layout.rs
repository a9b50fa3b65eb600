//! How messages are written: the flags that `sub` and `pub --request` share the meaning of.

use super::choice::Flag;
use crate::exit::Usage;
use crate::format::annotated::Annotations;
use crate::format::encoding::Encoding;
use crate::format::escape::ControlCharacters;
use crate::format::json::Style;
use crate::format::layout::Content;
use crate::format::record::RecordWriter;
use crate::format::template::Template;

/// The form of a message.
pub enum Form<'a> {
    /// `-F`
    Format(&'a str),
    /// `--json`
    Json {
        /// Payloads are parsed, too.
        parsed: bool,
    },
    /// `--time`, `--hexdump`
    Annotated(Annotations),
    /// The payload.
    Payload {
        /// `-v`
        verbose: bool,
        /// `--hex`, `--base64`
        encoding: Option<Encoding>,
    },
}

impl Form<'_> {
    /// What is written of each message; `pretty` spreads JSON over several lines.
    pub fn content(
        self,
        pretty: bool,
        control_characters: ControlCharacters,
    ) -> Result<Content, Usage> {
        match self {
            Form::Format(format) => {
                let style = if pretty { Style::CJsonPretty } else { Style::CJson };
                Template::parse(format, style, control_characters)
                    .map(Content::Template)
                    .map_err(|wrong| Usage::new(format!("-F: {wrong}")))
            }
            Form::Json { parsed } => {
                let style = if pretty { Style::Pretty } else { Style::Compact };
                Ok(Content::Record(RecordWriter { parsed, style }))
            }
            Form::Annotated(annotations) => Ok(Content::Annotated(annotations)),
            Form::Payload { verbose, encoding } => Ok(Content::Payload { verbose, encoding }),
        }
    }
}

/// `--hex`
pub const fn hex(help: &'static str, conflicts: &'static [&'static str]) -> Flag<Option<Encoding>> {
    let value = Some(Encoding::Hex);
    Flag { id: "hex", short: None, long: Some("hex"), help, conflicts, value }
}

/// `--base64`
pub const fn base64(
    help: &'static str,
    conflicts: &'static [&'static str],
) -> Flag<Option<Encoding>> {
    let value = Some(Encoding::Base64);
    Flag { id: "base64", short: None, long: Some("base64"), help, conflicts, value }
}

/// `-N`: no byte stands after a message.
pub const fn no_newline(help: &'static str) -> Flag<Option<u8>> {
    Flag { id: "no_newline", short: Some('N'), long: None, help, conflicts: &[], value: None }
}
