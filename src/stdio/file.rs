//! A file that is read block by block from any place: at once where the system has the block in
//! memory, and otherwise by a thread that may wait for the disk.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};

/// How much is read at once, in bytes: 64 KiB when two headers of WebSocket frames stand before its
/// halves. A few bytes more would be a frame of their own, and a write.
const BLOCK: usize = 64 * 1024 - 16;

/// A file that is read from any place.
#[derive(Debug)]
pub struct FileBlocks {
    file: Arc<File>,
    /// The same, for the thread.
    shared: Arc<Mutex<Arc<File>>>,
    /// Where the thread reads next.
    wanted: Arc<AtomicU64>,
    /// The memory of the latest block: the next one is read into it when that is no longer in use.
    memory: Bytes,
}

impl FileBlocks {
    /// The blocks of `file`.
    pub fn new(file: File) -> Self {
        let file = Arc::new(file);
        let shared = Arc::new(Mutex::new(Arc::clone(&file)));
        Self { file, shared, wanted: Arc::default(), memory: Bytes::new() }
    }

    /// From now on another file is read.
    pub fn replace(&mut self, file: File) {
        self.file = Arc::new(file);
        // Nothing that holds it can panic.
        *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&self.file);
    }

    /// What a thread reads the file with: each call gives the block that was last
    /// [wanted](Self::want); `None` after the end.
    pub fn source(&self) -> impl FnMut() -> io::Result<Option<Bytes>> + Send + 'static {
        let (shared, wanted) = (Arc::clone(&self.shared), Arc::clone(&self.wanted));
        move || {
            let file = Arc::clone(&shared.lock().unwrap_or_else(PoisonError::into_inner));
            let mut block = vec![0; BLOCK];
            let count = loop {
                match file.read_at(&mut block, wanted.load(Ordering::Acquire)) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => break result?,
                }
            };
            block.truncate(count);
            Ok(Some(Bytes::from(block)).filter(|block| !block.is_empty()))
        }
    }

    /// Sets the place that the source reads next.
    pub fn want(&self, at: usize) {
        self.wanted.store(at as u64, Ordering::Release);
    }

    /// The block at this place, if it can be read without waiting for the disk: a switch between
    /// two threads costs more than the copy.
    #[cfg(target_os = "linux")]
    pub fn at_once(&mut self, at: usize) -> Option<Bytes> {
        use std::io::IoSliceMut;

        use rustix::io::{ReadWriteFlags, preadv2};

        let latest = std::mem::take(&mut self.memory);
        let mut memory = latest.try_into_mut().unwrap_or_else(|_| BytesMut::zeroed(BLOCK));
        let target = &mut [IoSliceMut::new(&mut memory)];
        let count = preadv2(&*self.file, target, at as u64, ReadWriteFlags::NOWAIT).unwrap_or(0);
        // All of it is kept: what was zeroed once need not be zeroed again.
        self.memory = memory.freeze();
        Some(self.memory.slice(..count)).filter(|block| !block.is_empty())
    }

    /// Only Linux can read without waiting for the disk.
    #[cfg(not(target_os = "linux"))]
    pub fn at_once(&mut self, _: usize) -> Option<Bytes> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_block_that_is_in_use_stays_as_it_is() {
        let path =
            std::env::temp_dir().join(format!("mqttws-blocks-in-use-{}", std::process::id()));
        let content: Vec<u8> = (0..=250).cycle().take(2 * BLOCK).collect();
        File::create_new(&path).unwrap().write_all(&content).unwrap();
        let mut blocks = FileBlocks::new(File::open(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
        // A file system that cannot tell has no blocks at once.
        let Some(first) = blocks.at_once(0) else { return };
        let address = first.as_ptr();
        let second = blocks.at_once(1).unwrap();
        assert!(first == content[..BLOCK] && second == content[1..=BLOCK]);
        drop((first, second));
        let third = blocks.at_once(2).unwrap();
        assert!(third == content[2..BLOCK + 2] && third.as_ptr() != address);
        let address = third.as_ptr();
        drop(third);
        assert_eq!(blocks.at_once(3).unwrap().as_ptr(), address);
    }

    #[test]
    fn the_file_is_the_same_both_ways() {
        let path = std::env::temp_dir().join(format!("mqttws-blocks-{}", std::process::id()));
        let content: Vec<u8> = (0..=250).cycle().take(3 * BLOCK + 17).collect();
        File::create_new(&path).unwrap().write_all(&content).unwrap();
        let mut blocks = FileBlocks::new(File::open(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
        let mut source = blocks.source();
        for at in [0, BLOCK, 5, 3 * BLOCK, content.len() - 1] {
            blocks.want(at);
            let block = source().unwrap().unwrap();
            assert_eq!(block, content[at..(at + BLOCK).min(content.len())]);
            assert!(blocks.at_once(at).is_none_or(|now| now == block), "at {at}");
        }
        blocks.want(content.len());
        assert_eq!((source().unwrap(), blocks.at_once(content.len())), (None, None));
    }
}
