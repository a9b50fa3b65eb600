//! Replaces a file as a whole: whoever reads it sees the old file or the new one.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;

use super::folder::create_unfinished;

/// Writes a file under a temporary name beside `path`, and gives it that name when it is complete.
/// A link stays one, and its target is replaced; what is no regular file (a device, a FIFO) is
/// written to.
pub fn replace(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let old = match fs::metadata(&path) {
        Ok(old) if old.is_dir() => return Err(ErrorKind::IsADirectory.into()),
        Ok(old) if !old.is_file() => {
            return written(File::options().write(true).open(&path)?, write).map(drop);
        }
        old => old.ok(),
    };
    let (unfinished, file) = create_unfinished(folder_of(&path)).map_err(as_of_folder)?;
    let finish = || {
        if let Some(old) = old {
            fs::set_permissions(&unfinished, old.permissions())?;
        }
        written(file, write)?.sync_all()?;
        fs::rename(&unfinished, &path)
    };
    finish().inspect_err(|_| {
        // Half a file is of no use.
        let _ = fs::remove_file(&unfinished);
    })
}

/// Fails if there is no folder for the file at this path: an error that is better told before the
/// work than after it.
pub fn check_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    fs::read_dir(folder_of(path)).map(drop).map_err(as_of_folder)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => path,
    }
}

/// A file that is to be written cannot be missing.
fn as_of_folder(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::NotFound => io::Error::new(ErrorKind::NotFound, "there is no such folder"),
        _ => error,
    }
}

fn written(file: File, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<File> {
    let mut writer = BufWriter::new(file);
    write(&mut writer)?;
    writer.into_inner().map_err(io::IntoInnerError::into_error)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn folder() -> PathBuf {
        let path = std::env::temp_dir().join(format!("mqttws-replace-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder");
        path
    }

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let folder = folder();
        let (path, link) = (folder.join("file"), folder.join("link"));
        replace(&path, |out| out.write_all(b"one")).expect("a file");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        replace(&link, |out| out.write_all(b"two")).expect("a file");
        assert_eq!(fs::read(&path).expect("a file"), b"two");
        assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
        let failed = replace(&path, |out| {
            out.write_all(b"half")?;
            Err(ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.map_err(|error| error.kind()), Err(ErrorKind::StorageFull));
        assert_eq!(fs::read(&path).expect("a file"), b"two");
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 2, "nothing unfinished stays");
        replace(Path::new("/dev/null"), |out| out.write_all(b"x")).expect("a device");
        assert!(check_folder(&folder.join("new")).is_ok());
        assert!(check_folder(&folder.join("no/such")).is_err());
        assert!(check_folder(&folder).is_err());
        fs::remove_dir_all(folder).expect("ours to remove");
    }
}
