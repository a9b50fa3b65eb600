//! Retained messages in a file, as records of `sub --json`: `--load` and `--save`.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use bytes::{BufMut, BytesMut};

use crate::broker::limits::Limits;
use crate::format::json::Style;
use crate::format::record::{Record, RecordWriter};
use crate::mqtt::packet::Publish;
use crate::stdio::{self, replace};

/// The longest line, in bytes: the largest payload, each byte of which takes six characters.
const LONGEST_LINE: usize = 6 * (1 << 28);

/// How the records are written.
const FORM: RecordWriter = RecordWriter { parsed: false, style: Style::Compact };

/// What becomes of a file that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingFile {
    /// It is an error.
    Wrong,
    /// It holds no messages: it will be written when the broker ends.
    Empty,
}

/// Reads the messages of a file.
///
/// # Errors
/// When it cannot be read, a line of it is no record of a retained message, or these limits leave
/// too little memory for it.
pub fn load(path: &Path, missing: MissingFile, limits: &Limits) -> Result<Vec<Publish>> {
    let reading = || format!("reading {}", path.display());
    match File::open(path) {
        Ok(file) => read(BufReader::new(file), || limits.leave_memory()).with_context(reading),
        Err(error) if error.kind() == ErrorKind::NotFound && missing == MissingFile::Empty => {
            Ok(Vec::new())
        }
        Err(error) => Err(error).with_context(reading),
    }
}

/// Reads the messages as long as there is memory.
fn read(mut file: impl BufRead, is_memory_left: impl Fn() -> bool) -> Result<Vec<Publish>> {
    let (mut messages, mut line) = (Vec::new(), Vec::new());
    for number in 1_u64.. {
        line.clear();
        if file.by_ref().take(LONGEST_LINE as u64 + 1).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let in_line = |wrong| anyhow!("line {number}: {wrong}");
        ensure!(line.len() <= LONGEST_LINE, in_line("it is too long for a message".to_owned()));
        let count = messages.len();
        ensure!(
            is_memory_left(),
            "there is memory for the first {count} of its messages; --limit memory makes more"
        );
        if !Record::is_blank(&line) {
            messages.push(message(&line).map_err(in_line)?);
        }
    }
    Ok(messages)
}

/// The message of a line.
fn message(line: &[u8]) -> Result<Publish, String> {
    let Record { topic, qos, retain, properties, payload, .. } = Record::parse(line)?;
    let topic = topic.ok_or("no topic")?;
    if retain == Some(false) {
        return Err("retain is false: expected retained messages (sub --retained-only)".to_owned());
    }
    if topic.as_str() == "$SYS" || topic.as_str().starts_with("$SYS/") {
        return Err("$SYS and what is below it are the broker's own".to_owned());
    }
    let qos = qos.unwrap_or_default();
    Ok(Publish { qos, retain: true, properties, ..Publish::new(topic, payload) })
}

/// Writes the messages to a file, which is replaced as a whole.
pub fn save(path: &Path, messages: &[Publish]) -> Result<()> {
    let time = stdio::local_time();
    let write = |out: &mut dyn Write| {
        let mut line = BytesMut::new();
        messages.iter().filter(|message| !is_of_broker(message)).try_for_each(|message| {
            line.clear();
            FORM.write(message, Some(&time), &mut line);
            line.put_u8(b'\n');
            out.write_all(&line)
        })
    };
    replace::replace(path, write).with_context(|| saving(path))
}

/// Fails where [`save`] would certainly fail.
pub fn check_save(path: &Path) -> Result<()> {
    replace::check_folder(path).with_context(|| saving(path))
}

fn saving(path: &Path) -> String {
    format!("saving retained messages in {}", path.display())
}

/// Whether the broker itself has published it.
fn is_of_broker(message: &Publish) -> bool {
    message.topic_or_empty().starts_with("$SYS/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        format!("{:#}", read(text.as_bytes(), || true).expect_err("a wrong line"))
    }

    #[test]
    fn a_wrong_line_is_named() {
        let good = r#"{"topic":"a","payload":"x"}"#;
        for (line, wrong) in [
            (r#"{"payload":"x"}"#, "no topic"),
            (r#"{"topic":"a"}"#, "no payload, payload_base64, payload_hex or payload_json"),
            (
                r#"{"topic":"a","payload":"x","retain":false}"#,
                "retain is false: expected retained messages (sub --retained-only)",
            ),
            (
                r#"{"topic":"$SYS/x","payload":"x"}"#,
                "$SYS and what is below it are the broker's own",
            ),
            (r#"{"topic":"$SYS","payload":"x"}"#, "$SYS and what is below it are the broker's own"),
        ] {
            assert_eq!(error(&format!("{good}\n\n{line}\n{good}")), format!("line 3: {wrong}"));
        }
        assert!(error("{").starts_with("line 1: not JSON"));
    }

    #[test]
    fn topics_that_only_look_like_the_brokers_own() {
        let messages =
            read(&br#"{"topic":"$SYSTEM/x","payload":"1"}"#[..], || true).expect("a record");
        assert_eq!(messages[0].topic_or_empty(), "$SYSTEM/x");
    }

    #[test]
    fn reading_ends_with_the_memory() {
        let text = "{\"topic\":\"a\",\"payload\":\"x\"}\n".repeat(5);
        let lines = std::cell::Cell::new(0);
        let is_memory_left = || lines.replace(lines.get() + 1) < 2;
        let error = read(text.as_bytes(), is_memory_left).expect_err("no memory");
        let words = "there is memory for the first 2 of its messages; --limit memory makes more";
        assert_eq!((error.to_string().as_str(), lines.get()), (words, 3));
    }

    #[test]
    fn the_last_line_needs_no_end() {
        let text = b"\xef\xbb\xbf\n{\"topic\":\"a\",\"payload\":\"x\",\"qos\":2}";
        let messages = read(&text[..], || true);
        let messages = messages.expect("a record");
        assert_eq!((messages[0].qos as u8, messages[0].retain), (2, true));
    }
}
