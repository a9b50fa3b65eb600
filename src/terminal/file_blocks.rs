//! A file, block by block, from wherever it is wanted: at once where the system has it in memory, and otherwise
//! in a thread that may wait for the disk. It must never know what becomes of it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};

/// How much is read at once, in bytes.
const BLOCK: usize = 64 * 1024;

/// A file that is read from places that its user says.
#[derive(Debug)]
pub struct FileBlocks {
    file: Arc<File>,
    /// Where the thread reads next.
    wanted: Arc<AtomicU64>,
    /// Blocks that are no longer in use leave their memory to the next ones.
    memory: BytesMut,
}

impl FileBlocks {
    /// The blocks of `file`.
    pub fn new(file: File) -> Self {
        Self { file: Arc::new(file), wanted: Arc::default(), memory: BytesMut::new() }
    }

    /// What a thread reads the file with: each call gives the block that was last [wanted](Self::want); `None`
    /// behind the end.
    pub fn source(&self) -> impl FnMut() -> io::Result<Option<Bytes>> + Send + 'static {
        let (file, wanted) = (Arc::clone(&self.file), Arc::clone(&self.wanted));
        move || {
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

    /// The source reads here next.
    pub fn want(&self, at: usize) {
        self.wanted.store(at as u64, Ordering::Release);
    }

    /// What stands here, if it can be had without waiting for the disk: two threads that take turns cost more
    /// than the copy does.
    #[cfg(target_os = "linux")]
    pub fn at_once(&mut self, at: usize) -> Option<Bytes> {
        use std::io::IoSliceMut;

        use rustix::io::{ReadWriteFlags, preadv2};

        self.memory.resize(BLOCK, 0);
        let target = &mut [IoSliceMut::new(&mut self.memory)];
        let count = preadv2(&*self.file, target, at as u64, ReadWriteFlags::NOWAIT).unwrap_or(0);
        self.memory.truncate(count);
        Some(self.memory.split().freeze()).filter(|block| !block.is_empty())
    }

    /// Other systems cannot tell.
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
