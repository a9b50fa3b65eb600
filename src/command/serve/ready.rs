//! What `serve` says once it listens: a line of JSON, and the file descriptor of `--ready-fd`.

use std::fs::File;
use std::io::{self, Write};

use anyhow::{Context, Result};
use serde_json::json;

use crate::exit::Usage;

/// What there is to know about a broker that listens.
#[derive(Debug)]
pub struct StartLine<'a> {
    /// What a client connects to.
    pub url: &'a str,
    /// The port that it listens at.
    pub port: u16,
    /// The process.
    pub pid: u32,
    /// The file with the authority of its certificate.
    pub ca: Option<&'a str>,
}

impl StartLine<'_> {
    /// As one line of JSON.
    pub fn json(&self) -> String {
        let Self { url, port, pid, ca } = self;
        let (url, ca) = (json!(url), json!(ca));
        format!(r#"{{"url":{url},"port":{port},"pid":{pid},"ca":{ca}}}"#)
    }
}

/// The file descriptor that is told when the broker listens.
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
    fn the_start_line_is_json() {
        let url = "ws://127.0.0.1:1883/mqtt";
        let line = StartLine { url, port: 1883, pid: 42, ca: None };
        assert_eq!(
            line.json(),
            r#"{"url":"ws://127.0.0.1:1883/mqtt","port":1883,"pid":42,"ca":null}"#
        );
    }

    #[test]
    fn a_descriptor_that_is_not_open_is_named() {
        let error = ReadyFile::take(1_000_000).expect_err("it is not open");
        assert!(error.to_string().starts_with("--ready-fd: file descriptor 1000000 is not usable"));
        assert!(error.is::<Usage>());
    }
}
