//! A file that a property fills again and again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A file of this thread in the folder for temporary files, removed with it.
pub struct InputFile(PathBuf);

static NEXT: AtomicUsize = AtomicUsize::new(0);

impl InputFile {
    pub fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mqttws-fuzz-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    pub fn fill(&self, content: &[u8]) -> &Path {
        fs::write(&self.0, content).expect("the folder for temporary files can be written");
        &self.0
    }
}

impl Drop for InputFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
