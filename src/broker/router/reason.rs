//! The reason of an answer: a code, and for people a string (§2.4, §3.14.2.2.3).

use std::borrow::Cow;

use crate::mqtt::reason::ReasonCode;

/// A reason code, and the Reason String that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The code.
    pub code: ReasonCode,
    /// Empty says no more than the code.
    pub string: Cow<'static, str>,
}

impl Reason {
    /// A code and why it is sent.
    pub fn new(code: ReasonCode, string: impl Into<Cow<'static, str>>) -> Self {
        Self { code, string: string.into() }
    }

    /// A violation of the protocol.
    pub fn protocol_error(string: &'static str) -> Self {
        Self::new(ReasonCode::PROTOCOL_ERROR, string)
    }
}

impl From<ReasonCode> for Reason {
    fn from(code: ReasonCode) -> Self {
        Self { code, string: Cow::Borrowed("") }
    }
}
