//! Tests of the wire, and [`Recorder`], the outlet of all tests that need no socket.

use std::sync::{Arc, Mutex};

use super::*;

/// The calls on an outlet.
#[derive(Default)]
pub struct Log {
    pub written: Vec<u8>,
    /// The length of each write.
    pub writes: Vec<usize>,
    pub shut: Vec<Shutdown>,
    /// Writes fail with this error once `written` has the length.
    pub failure: Option<(usize, io::ErrorKind)>,
    /// The most bytes that one write takes.
    pub at_most: Option<usize>,
}

/// An outlet that records its calls.
#[derive(Clone, Default)]
pub struct Recorder(pub Arc<Mutex<Log>>);

impl Recorder {
    /// The bytes that were written since the last call.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().expect("no test panics while it holds the log").written)
    }
}

impl Write for Recorder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().expect("no test panics while it holds the log");
        let count = match log.failure {
            Some((limit, kind)) if log.written.len() >= limit => return Err(kind.into()),
            Some((limit, _)) => bytes.len().min(limit - log.written.len()),
            None => bytes.len(),
        };
        let count = count.min(log.at_most.unwrap_or(usize::MAX));
        log.written.extend_from_slice(&bytes[..count]);
        log.writes.push(count);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Outlet for Recorder {
    fn shut(&mut self, how: Shutdown) {
        self.0.lock().expect("no test panics while it holds the log").shut.push(how);
    }
}

/// A chunk that holds `bytes`.
pub fn chunk(bytes: &[u8]) -> Chunk {
    let mut chunk = Chunk::with_capacity(bytes.len().max(1));
    assert_eq!(chunk.fill_from(&mut &*bytes).expect("reading from memory"), bytes.len());
    chunk
}

#[test]
fn reads_come_from_the_inbox_and_never_block() {
    let mut wire = Wire::new(Recorder::default());
    let mut buffer = [0; 4];
    assert_eq!(wire.read(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    wire.deliver(chunk(b"abcdef"));
    wire.deliver(chunk(b"g"));
    assert_eq!(wire.peek(), b"abcdef");
    assert_eq!((wire.read(&mut buffer).unwrap(), &buffer), (4, b"abcd"));
    assert!(wire.take_spent().is_none());
    assert_eq!((wire.read(&mut buffer).unwrap(), &buffer[..2]), (2, &b"ef"[..]));
    assert_eq!(wire.read(&mut buffer).unwrap(), 1);
    assert_eq!(wire.read(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert_eq!(wire.take_spent().unwrap().buffer.len(), 1);
    assert_eq!(wire.take_spent().unwrap().buffer.len(), 6);
    assert!(wire.take_spent().is_none());
}

#[test]
fn the_end_comes_behind_all_bytes() {
    let mut wire = Wire::new(Recorder::default());
    wire.deliver(chunk(b"x"));
    wire.end(Some(io::ErrorKind::ConnectionReset.into()));
    let mut buffer = [0; 4];
    assert_eq!(wire.read(&mut buffer).unwrap(), 1);
    assert_eq!(wire.read(&mut buffer).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(wire.read(&mut buffer).unwrap(), 0);
    assert_eq!(wire.read(&mut buffer).unwrap(), 0);
}

#[test]
fn spent_chunks_are_refilled_and_bounded() {
    let mut wire = Wire::new(Recorder::default());
    for _ in 0..SPENT_LIMIT + 9 {
        wire.deliver(chunk(b""));
    }
    assert_eq!(wire.spent.len(), SPENT_LIMIT);
    let mut chunk = chunk(b"first");
    assert_eq!(chunk.fill_from(&mut &b"2nd"[..]).unwrap(), 3);
    assert_eq!(chunk.unread(), b"2nd");
    assert_eq!(format!("{chunk:?}"), "Chunk(3 of 5)");
}

#[test]
fn a_write_takes_everything_even_in_small_steps() {
    let recorder = Recorder::default();
    recorder.0.lock().unwrap().at_most = Some(3);
    let mut wire = Wire::new(recorder.clone());
    assert_eq!(wire.write(b"0123456789").unwrap(), 10);
    assert_eq!(recorder.take(), b"0123456789");
    assert_eq!(recorder.0.lock().unwrap().writes, [3, 3, 3, 1]);
}

#[test]
fn a_failed_write_is_remembered_and_stops_nothing() {
    let recorder = Recorder::default();
    recorder.0.lock().unwrap().failure = Some((4, io::ErrorKind::BrokenPipe));
    let mut wire = Wire::new(recorder.clone());
    wire.deliver(chunk(b"400"));
    assert_eq!(wire.write(b"0123456789").unwrap(), 10);
    assert_eq!(wire.write(b"more").unwrap(), 4);
    wire.flush().unwrap();
    assert_eq!(wire.write_error().unwrap().kind(), io::ErrorKind::BrokenPipe);
    assert!(!wire.is_congested() && wire.stuck_since().is_none());
    assert_eq!(recorder.take(), b"0123");
    assert_eq!(wire.read(&mut [0; 9]).unwrap(), 3);
}

/// A wire whose socket takes nothing after `limit` bytes: on Unix, the write time-out of a socket.
fn full(limit: usize) -> (Wire, Recorder) {
    let recorder = Recorder::default();
    recorder.0.lock().unwrap().failure = Some((limit, io::ErrorKind::WouldBlock));
    (Wire::new(recorder.clone()), recorder)
}

#[test]
fn what_the_socket_does_not_take_waits_its_turn() {
    let (mut wire, recorder) = full(4);
    assert_eq!(wire.write(b"0123456").unwrap(), 7);
    assert!(wire.is_congested() && wire.stuck_since().is_some());
    assert_eq!(wire.write_vectored(&[IoSlice::new(b"78"), IoSlice::new(b"9")]).unwrap(), 3);
    wire.push();
    assert_eq!(recorder.take(), b"0123");
    recorder.0.lock().unwrap().failure = Some((5, io::ErrorKind::WouldBlock));
    wire.push();
    assert_eq!((recorder.take(), wire.is_congested()), (b"45678".to_vec(), true));
    recorder.0.lock().unwrap().failure = None;
    wire.push();
    assert_eq!((recorder.take(), wire.is_congested()), (b"9".to_vec(), false));
    assert!(wire.stuck_since().is_none() && wire.write_error().is_none());
}

#[test]
fn vectors_are_taken_as_a_whole() {
    let (mut wire, recorder) = full(3);
    assert_eq!(wire.write_vectored(&[IoSlice::new(b"01"), IoSlice::new(b"234")]).unwrap(), 5);
    assert_eq!(wire.write_vectored(&[]).unwrap(), 0);
    recorder.0.lock().unwrap().failure = None;
    wire.push();
    assert_eq!(recorder.take(), b"01234");
}

#[test]
fn nothing_is_read_while_too_much_waits() {
    let (mut wire, _) = full(0);
    wire.deliver(chunk(b"ping"));
    wire.write_all(&vec![0; BACKLOG_LIMIT - 1]).unwrap();
    assert_eq!(wire.read(&mut [0; 1]).unwrap(), 1);
    wire.write_all(b"x").unwrap();
    assert_eq!(wire.read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    wire.give_up();
    assert_eq!(wire.write_error().unwrap().kind(), io::ErrorKind::TimedOut);
    assert!(!wire.is_congested() && wire.stuck_since().is_none());
    assert_eq!(wire.read(&mut [0; 9]).unwrap(), 3);
}

#[test]
fn a_dropped_wire_shuts_both_directions() {
    let recorder = Recorder::default();
    let mut wire = Wire::new(recorder.clone());
    wire.finish();
    drop(wire);
    assert_eq!(recorder.0.lock().unwrap().shut, [Shutdown::Write, Shutdown::Both]);
}
