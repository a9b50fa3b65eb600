//! A folder with a file for each message. No topic makes a name that points outside of it, and each
//! file is written as a whole or not at all.

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use data_encoding::HEXUPPER;

use crate::mqtt::topic::TopicName;

/// The longest part of a name that comes from a topic, in bytes: file systems take 255 for all of
/// it.
const LONGEST: usize = 180;

/// Stands for the `/` of a topic: no topic name has a `+`.
const LEVEL: char = '+';

/// How often a temporary name is made up that exists already.
const ATTEMPTS: u32 = 16;

/// Numbers of more digits are not ours: a name may end in a time stamp, or in anything else.
const LONGEST_NUMBER: usize = 12;

/// Where files are written, by the thread of the output: the topic, made harmless, and a number
/// that goes on after the highest one in the folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// The number of the next file.
    next: u64,
}

impl Folder {
    /// The folder at `path`, which is created if it does not exist. If it cannot be written to, the
    /// error comes now, and not with the first message.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&path)?;
        let (unfinished, _) = create_unfinished(&path)?;
        fs::remove_file(unfinished)?;
        let mut last = 0;
        for entry in fs::read_dir(&path)? {
            last = last.max(entry?.file_name().to_str().and_then(number).unwrap_or(0));
        }
        Ok(Self { path, next: last + 1 })
    }

    /// Writes a file under a temporary name and then gives it the next name that is free, so that
    /// no reader sees half of it, and no file is replaced.
    pub fn store(&mut self, stem: &str, pieces: &[Bytes]) -> io::Result<()> {
        let (unfinished, mut file) = create_unfinished(&self.path)?;
        let mut write = || {
            pieces.iter().try_for_each(|piece| file.write_all(piece))?;
            file.sync_all()?;
            self.publish(&unfinished, stem)
        };
        write().inspect_err(|_| {
            // Half a file is of no use.
            let _ = fs::remove_file(&unfinished);
        })
    }

    /// Gives a complete file its name. Others may write into the folder, too: their names are
    /// passed over.
    fn publish(&mut self, unfinished: &Path, stem: &str) -> io::Result<()> {
        loop {
            let name = self.path.join(format!("{stem}-{:06}", self.next));
            self.next += 1;
            match rename_without_replacing(unfinished, &name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => return result,
            }
        }
    }

    /// Makes the files of [`Folder::store`] durable, even if the machine stops now.
    pub fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

/// The number at the end of a name of ours.
fn number(name: &str) -> Option<u64> {
    let digits = name.rsplit_once('-')?.1;
    let is_ours = digits.len() <= LONGEST_NUMBER && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| is_ours)
}

/// A new file, until it is complete. Nobody can foresee its name, and what has that name already
/// (a link, perhaps) is left alone.
pub(super) fn create_unfinished(folder: &Path) -> io::Result<(PathBuf, File)> {
    let mut attempts = 0;
    loop {
        // The keys are the system's random numbers: clones of a container differ, too.
        let random = RandomState::new().hash_one(attempts);
        let path = folder.join(format!(".mqttws-{random:016x}.part"));
        attempts += 1;
        match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempts < ATTEMPTS => {}
            result => return result.map(|file| (path, file)),
        }
    }
}

/// Renames a file, unless something has the new name.
fn rename_without_replacing(old: &Path, new: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, old, CWD, new, RenameFlags::NOREPLACE) {
            // Not every file system can do it, nor every kernel.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            result => return Ok(result?),
        }
    }
    fs::hard_link(old, new)?;
    fs::remove_file(old)
}

/// The name of the file of a message to this topic, without its number.
pub fn stem(topic: Option<&TopicName>) -> String {
    harmless(topic.map_or("", TopicName::as_str))
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

    /// A new folder of this name, with these files in it.
    fn folder(name: &str, files: &[&str]) -> PathBuf {
        let path = std::env::temp_dir().join(format!("mqttws-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder");
        for file in files {
            fs::write(path.join(file), "known").expect("a file");
        }
        path
    }

    #[test]
    fn numbers_go_on_where_the_folder_ends() {
        let path = folder("numbers", &[]);
        let mut first = Folder::open(path.clone()).expect("a folder");
        let stem = stem(TopicName::new("a/b").ok().as_ref());
        for text in ["one", "two"] {
            first.store(&stem, &[text.into(), "\n".into()]).expect("a file");
        }
        first.sync().expect("a folder");
        assert_eq!(fs::read_to_string(path.join("a+b-000002")).expect("a file"), "two\n");
        assert_eq!(Folder::open(path.clone()).expect("a folder").next, 3);
        assert_eq!(fs::read_dir(&path).expect("a folder").count(), 2, "nothing unfinished stays");
        fs::remove_dir_all(path).expect("ours to remove");
    }

    #[test]
    fn other_names_do_not_confuse_the_numbers() {
        for (names, expected) in [
            (&["a-000007", "b-000003"][..], 8),
            (&["a-1000000"], 1_000_001),
            (&["a-18446744073709551615", "a-18446744073709551616"], 1),
            (&["a-20261129194337123", "a-000001"], 2),
            (&["a-+9", "a-", "-", "a", "a-9x", "a-\u{0663}", "000009"], 1),
            (&["a-999999999999"], 1_000_000_000_000),
        ] {
            let path = folder("names", names);
            let mut opened = Folder::open(path.clone()).expect("a folder");
            assert_eq!(opened.next, expected, "{names:?}");
            opened.store("a", &["new".into()]).expect("a file");
            let all = fs::read_dir(&path).expect("a folder").count();
            assert_eq!(all, names.len() + 1, "{names:?}");
        }
        fs::remove_dir_all(folder("names", &[])).expect("ours to remove");
    }

    /// Whatever was there first stays as it is, whether it is a file, a folder or a link.
    #[test]
    fn nothing_is_replaced_or_followed() {
        let path = folder("links", &[]);
        let mut opened = Folder::open(path.clone()).expect("a folder");
        fs::write(path.join("a-000001"), "known").expect("a file");
        fs::create_dir(path.join("a-000002")).expect("a folder");
        let target = path.join("target");
        std::os::unix::fs::symlink(&target, path.join("a-000003")).expect("a link");
        opened.store("a", &["new".into()]).expect("a file");
        assert_eq!(fs::read(path.join("a-000001")).expect("a file"), b"known");
        assert_eq!(fs::read(path.join("a-000004")).expect("a file"), b"new");
        assert!(!target.exists());
        fs::remove_dir_all(path).expect("ours to remove");
    }
}
