//! A line about each frame for `-dd`: its header, never its payload.

use std::collections::VecDeque;

use super::frame::FrameHeader;

/// The lines that were not taken yet; `None` if no lines are wanted.
#[derive(Debug, Default)]
pub struct FrameLog(Option<VecDeque<String>>);

impl FrameLog {
    /// A log that stays empty unless lines `is_wanted`.
    pub fn new(is_wanted: bool) -> Self {
        Self(is_wanted.then(VecDeque::new))
    }

    /// Whether lines are wanted.
    pub fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Adds the header of a frame that was received.
    #[inline]
    pub fn received(&mut self, header: FrameHeader) {
        if let Some(lines) = &mut self.0 {
            let masked = if header.key.is_some() { ", masked" } else { "" };
            lines.push_back(format!("< frame: {header}{masked}"));
        }
    }

    /// Adds the headers of whole frames that were sent.
    pub fn sent(&mut self, mut frames: &[u8]) {
        let Some(lines) = &mut self.0 else { return };
        while let Some(header) = FrameHeader::read(frames) {
            lines.push_back(format!("> frame: {header}"));
            let payload = usize::try_from(header.payload).unwrap_or(usize::MAX);
            frames = frames.get(header.length.saturating_add(payload)..).unwrap_or_default();
        }
    }

    /// Takes the oldest line.
    pub fn take(&mut self) -> Option<String> {
        self.0.as_mut()?.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_that_were_sent_are_noted_without_their_masks() {
        let mut log = FrameLog::new(true);
        log.sent(&[0x82, 0x81, 1, 2, 3, 4, 5, 0x88, 0x80, 1, 2, 3, 4]);
        assert_eq!(log.take().as_deref(), Some("> frame: binary, length 1"));
        assert_eq!(log.take().as_deref(), Some("> frame: close, length 0"));
        assert_eq!(log.take(), None);
    }
}
