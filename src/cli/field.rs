//! What fits into a field of an MQTT packet.

use anyhow::{Result, ensure};

use crate::exit::Usage;

/// The longest field of text or binary data, in bytes: its length has 16 bits (MQTT 5 §1.5.4).
pub const LONGEST_FIELD: usize = 65_535;

/// A text that becomes an MQTT string (MQTT 5 §1.5.4).
pub fn check_text(what: &str, text: Option<&str>) -> Result<()> {
    let fits = text.is_none_or(|text| text.len() <= LONGEST_FIELD && !text.contains('\0'));
    ensure!(fits, Usage::new(format!("{what}: expected at most 65535 bytes, without U+0000")));
    Ok(())
}
