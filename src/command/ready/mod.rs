//! What is told that a verb is ready: the file descriptor of `--ready-fd`, and a service manager.

mod notify;

use std::fs::File;
use std::io::{self, Write};

use anyhow::{Context, Result};

use crate::exit::Usage;

pub use notify::{SOCKET, ServiceManager};

/// The file descriptor that is told when the verb is ready.
#[derive(Debug)]
pub struct ReadyFile {
    number: u32,
    file: File,
}

impl ReadyFile {
    /// Takes the descriptor that whoever started us has opened.
    ///
    /// # Errors
    /// When it is not open.
    pub fn take(number: u32) -> Result<Self> {
        match open(number) {
            Ok(file) => Ok(Self { number, file }),
            Err(error) => {
                let text = format!("--ready-fd: file descriptor {number} is not usable: {error}");
                Err(Usage::new(text).into())
            }
        }
    }

    /// Writes a line to it, and closes it.
    pub fn write(mut self, line: &str) -> Result<()> {
        let number = self.number;
        match self.file.write_all(format!("{line}\n").as_bytes()) {
            // Whoever reads may have gone: nobody is left to be told.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result.with_context(|| format!("writing to file descriptor {number}")),
        }
    }
}

/// A duplicate of one of our descriptors, by its number, which has no other safe way. On Linux the
/// system call for those of other processes also takes our own, of every kind; where it is
/// forbidden, and elsewhere, the path of a descriptor opens pipes and files.
fn open(number: u32) -> io::Result<File> {
    #[cfg(target_os = "linux")]
    if let Some(file) = duplicate(number)? {
        return Ok(file);
    }
    File::options().append(true).open(format!("/dev/fd/{number}"))
}

#[cfg(target_os = "linux")]
fn duplicate(number: u32) -> io::Result<Option<File>> {
    use rustix::io::Errno;
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    let number = i32::try_from(number).map_err(|_| Errno::BADF)?;
    // The number could be that of the descriptor that is opened here.
    if !std::path::Path::new(&format!("/proc/self/fd/{number}")).exists() {
        return Err(Errno::BADF.into());
    }
    let ourselves = pidfd_open(getpid(), PidfdFlags::empty());
    match ourselves.and_then(|pid| pidfd_getfd(pid, number, PidfdGetfdFlags::empty())) {
        Ok(descriptor) => Ok(Some(descriptor.into())),
        Err(Errno::BADF) => Err(Errno::BADF.into()),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_that_is_not_open_is_named() {
        let error = ReadyFile::take(1_000_000).expect_err("it is not open");
        assert!(error.to_string().starts_with("--ready-fd: file descriptor 1000000 is not usable"));
        assert!(error.is::<Usage>());
    }
}
