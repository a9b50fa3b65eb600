//! A folder with a file for each message. No topic makes a name that points outside of it, and each
//! file is written as a whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use bytes::Bytes;
use data_encoding::HEXUPPER;

use crate::mqtt::topic::TopicName;

/// The longest part of a name that comes from a topic, in bytes: file systems take 255 for all of
/// it.
const LONGEST: usize = 180;

/// Stands for the `/` of a topic: no topic name has a `+`.
const LEVEL: char = '+';

/// Where files are written, by the thread of the output.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

/// The names of the files: the topic, made harmless, and a number that goes on after the highest
/// one in the folder.
#[derive(Debug)]
pub struct Names {
    next: u64,
}

impl Folder {
    /// The folder at `path`, which is created if it does not exist, and the names of its next
    /// files. If it cannot be written to, the error comes now, and not with the first message.
    pub fn open(path: PathBuf) -> io::Result<(Self, Names)> {
        fs::create_dir_all(&path)?;
        let folder = Self { path };
        File::create(folder.unfinished())?;
        fs::remove_file(folder.unfinished())?;
        let mut last = 0_u64;
        for entry in fs::read_dir(&folder.path)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.rsplit_once('-')?.1.parse().ok());
            last = last.max(number.unwrap_or(0));
        }
        Ok((folder, Names { next: last.saturating_add(1) }))
    }

    /// Writes a file under a temporary name and renames it, so that no reader sees half of it.
    pub fn store(&self, name: &str, pieces: &[Bytes]) -> io::Result<()> {
        let unfinished = self.unfinished();
        let write = || {
            let mut file = File::create(&unfinished)?;
            pieces.iter().try_for_each(|piece| file.write_all(piece))?;
            file.sync_all()?;
            fs::rename(&unfinished, self.path.join(name))
        };
        write().inspect_err(|_| {
            // Half a file is of no use.
            let _ = fs::remove_file(&unfinished);
        })
    }

    /// The name of a file until it is complete.
    fn unfinished(&self) -> PathBuf {
        self.path.join(format!(".mqttws-{}.part", std::process::id()))
    }

    /// Makes the files of [`Folder::store`] durable, even if the machine stops now.
    pub fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

impl Names {
    /// The name for the next message.
    pub fn next(&mut self, topic: Option<&TopicName>) -> String {
        let name = format!("{}-{:06}", harmless(topic.map_or("", TopicName::as_str)), self.next);
        self.next += 1;
        name
    }
}

/// Letters, digits, `-`, `_` and dots inside stay; `/` becomes `+`, everything else `%` and two
/// digits.
fn harmless(topic: &str) -> String {
    let mut name = String::with_capacity(topic.len());
    for character in topic.chars() {
        let known = name.len();
        match character {
            '/' => name.push(LEVEL),
            '.' if known > 0 => name.push('.'),
            _ if character.is_alphanumeric() || "-_".contains(character) => name.push(character),
            _ => {
                for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                    name.push('%');
                    HEXUPPER.encode_append(&[byte], &mut name);
                }
            }
        }
        if name.len() > LONGEST {
            name.truncate(known);
            break;
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_topic_leads_out_of_the_folder() {
        for (topic, expected) in [
            ("lab/door", "lab+door"),
            ("../../etc/passwd", "%2E.+..+etc+passwd"),
            ("..", "%2E."),
            (".", "%2E"),
            ("/", "+"),
            ("/etc/passwd", "+etc+passwd"),
            ("c:\\windows", "c%3A%5Cwindows"),
            (".hidden", "%2Ehidden"),
            ("a b\x1b[2J\u{202e}", "a%20b%1B%5B2J%E2%80%AE"),
            ("grün/日本", "grün+日本"),
            ("%2E", "%252E"),
            ("$SYS/x", "%24SYS+x"),
        ] {
            assert_eq!(harmless(topic), expected);
        }
        assert_eq!(harmless(&"日".repeat(1000)).len(), LONGEST);
    }

    #[test]
    fn numbers_go_on_where_the_folder_ends() {
        let path = std::env::temp_dir().join(format!("mqttws-folder-{}", std::process::id()));
        let (folder, mut names) = Folder::open(path.clone()).expect("a folder");
        let topic = TopicName::new("a/b").ok();
        for text in ["one", "two"] {
            let name = names.next(topic.as_ref());
            folder.store(&name, &[text.into(), "\n".into()]).expect("a file");
        }
        folder.sync().expect("a folder");
        assert_eq!(fs::read_to_string(path.join("a+b-000002")).expect("a file"), "two\n");
        let (_, mut names) = Folder::open(path.clone()).expect("a folder");
        assert_eq!(names.next(None), "-000003");
        assert_eq!(fs::read_dir(&path).expect("a folder").count(), 2, "nothing unfinished stays");
        fs::remove_dir_all(path).expect("ours to remove");
    }
}
