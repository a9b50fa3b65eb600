//! Whether the program was stopped (Ctrl-Z) and goes on (`fg`): what it had drawn may be anywhere
//! on the terminal then.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::SIGCONT;
use signal_hook::flag;

/// Notices SIGCONT.
#[derive(Debug)]
pub struct Continued(Arc<AtomicBool>);

impl Continued {
    /// Notices it from now on.
    pub fn watch() -> io::Result<Self> {
        let came = Arc::default();
        flag::register(SIGCONT, Arc::clone(&came))?;
        Ok(Self(came))
    }

    /// Whether it has come since the last call.
    pub fn take(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }
}
