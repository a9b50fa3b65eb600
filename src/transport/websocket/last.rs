//! The last bytes that were read: tungstenite hides which code a Close frame had when that is none. It must
//! never take part in anything else.

/// A Close frame of a server has so many bytes at most (RFC 6455 §5.5).
const LONGEST: usize = 2 + 125;

/// See the module.
#[derive(Debug, Default)]
pub struct Last(Vec<u8>);

impl Last {
    /// The code of the Close frame that was read last.
    pub fn close_code(&self) -> Option<u16> {
        let bytes = &self.0;
        (0..bytes.len()).find_map(|at| match bytes[at..] {
            [0x88, length, high, low, ..] if usize::from(length) + 2 == bytes.len() - at => {
                Some(u16::from_be_bytes([high, low]))
            }
            _ => None,
        })
    }

    /// Takes what was read next.
    pub fn note(&mut self, bytes: &[u8]) {
        let new = &bytes[bytes.len().saturating_sub(LONGEST)..];
        let old = self.0.len().saturating_sub(LONGEST - new.len());
        self.0.drain(..old);
        self.0.extend_from_slice(new);
    }
}
