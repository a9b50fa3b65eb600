//! What many idle sessions at once need: to give back memory, and to be watched.

use super::Session;

impl Session {
    /// Gives back the buffers in which nothing waits.
    pub fn release_memory(&mut self) {
        self.receiver.decoder.release_memory();
        self.outbox.release_memory();
    }

    /// Makes room for so many bytes of packets at once: a buffer that was given back would grow
    /// packet by packet.
    pub fn make_room(&mut self, bytes: usize) {
        self.outbox.buffer().reserve(bytes);
    }

    /// Whether the PINGREQ of the keep alive waits for its answer.
    pub fn awaits_pong(&self) -> bool {
        self.keep_alive.awaits_answer()
    }
}
