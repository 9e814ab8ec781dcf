//! The file that `siskin mrt dump` writes.
//!
//! The command line makes it, with the rights of whoever typed the command, and hands the daemon its descriptor: so
//! nobody writes through the daemon what he could not write himself. The name gets its new content at once or not at all.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// As for a file that a shell makes; the umask takes away from it.
const MODE: u32 = 0o666;

/// A file that takes its name once it is whole, and is removed if it never is.
#[derive(Debug)]
pub(super) struct Unfinished {
    path: PathBuf,
    part: PathBuf,
    file: File,
    whole: bool,
}

impl Unfinished {
    /// Makes a file beside `path`.
    ///
    /// # Errors
    ///
    /// When something that is no regular file has the name already, and as `open(2)`.
    pub(super) fn beside(path: &Path) -> io::Result<Self> {
        refuse_special(path)?;
        let mut name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let part = path.with_file_name(name);
        let file = File::options().write(true).create_new(true).mode(MODE).open(&part)?;
        Ok(Self { path: path.to_owned(), part, file, whole: false })
    }

    /// The file to write.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Gives it its name.
    ///
    /// # Errors
    ///
    /// As `fsync(2)` and `rename(2)`.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        refuse_special(&self.path)?;
        fs::rename(&self.part, &self.path)?;
        self.whole = true;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.whole {
            let _gone_already = fs::remove_file(&self.part);
        }
    }
}

/// A device, a pipe or a link is not replaced by a file.
fn refuse_special(path: &Path) -> io::Result<()> {
    let kind = match fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let what = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => "a directory",
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {what}; only a regular file is replaced")))
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn a_file_appears_when_it_is_whole_and_leaves_nothing_otherwise() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("rib.mrt");
        fs::write(&path, "old").expect("writes");
        drop(Unfinished::beside(&path).expect("made"));
        assert_eq!(fs::read_to_string(&path).expect("there"), "old");
        let unfinished = Unfinished::beside(&path).expect("made");
        unfinished.file().write_all(b"new").expect("writes");
        assert_eq!(fs::read_to_string(&path).expect("there"), "old");
        unfinished.finish().expect("renames");
        assert_eq!(fs::read_to_string(&path).expect("there"), "new");
        assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 1);
    }

    #[test]
    fn what_is_no_regular_file_is_never_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        let link = dir.path().join("link");
        symlink("elsewhere", &link).expect("a link");
        for (path, what) in
            [(Path::new("/dev/null"), "a device"), (dir.path(), "a directory"), (&link, "a symbolic link")]
        {
            let error = Unfinished::beside(path).expect_err("refused").to_string();
            assert!(error.contains(what), "{error}");
        }
    }
}
