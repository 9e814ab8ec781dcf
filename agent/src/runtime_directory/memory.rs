//! What a daemon leaves for the one after it: which routes in the kernel are its own, and who sent them.
//!
//! It is one small file in the [`RuntimeDirectory`] for each network namespace and API socket, so that a daemon finds
//! its own again although the file has given it another table or protocol meanwhile. It is a hint: without it, or with one
//! that cannot be read, every configured peer counts as one that was up.

use std::{
    collections::BTreeSet,
    fs,
    fs::File,
    io::{self, Read as _, Write as _},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, OFlags, openat, renameat, unlinkat},
    io::Errno,
};
use serde::{Deserialize, Serialize};

use super::{FILE_MODE, RuntimeDirectory};

/// The form of the file; another one is not read.
const VERSION: u32 = 1;
/// A longer file is none of ours: 100,000 peers take a tenth of it.
const MOST_READ: u64 = 64 << 20;

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// Where the routes are: the present place first, then those of lives before that are not cleared yet.
    pub owned: Vec<Place>,
    /// Names of the peers whose routes may be among them, hosts of ranges included.
    pub peers: BTreeSet<String>,
}

/// Where a daemon's routes, and its next-hop objects, are in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The protocol number they carry.
    pub protocol: u8,
    /// The table of the routes.
    pub table: u32,
}

/// The file's content.
#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    /// The kernel's, since nothing of ours outlives a boot.
    boot: String,
    #[serde(flatten)]
    life: Life,
}

/// The file.
#[derive(Debug)]
pub struct Memory {
    directory: RuntimeDirectory,
    name: String,
    boot: String,
    written: Option<Life>,
}

impl Memory {
    /// The file for the network namespace of the calling thread and a daemon with this socket.
    ///
    /// # Errors
    ///
    /// When /proc cannot be read.
    pub fn of(directory: RuntimeDirectory, socket: &Path) -> io::Result<Self> {
        let namespace = fs::metadata("/proc/thread-self/ns/net")?;
        let socket = plain(&std::path::absolute(socket)?);
        let name = format!("netns-{}-{}.{socket}.state", namespace.dev(), namespace.ino());
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
        Ok(Self { directory, name, boot, written: None })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.path().join(&self.name)
    }

    /// What the life before left; `None`: nothing, or the host has booted since.
    ///
    /// # Errors
    ///
    /// When there is something, and it cannot be read or is not what we write.
    pub fn recall(&self) -> io::Result<Option<Life>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&self.directory.handle, &self.name, flags, FILE_MODE) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut text = Vec::new();
        file.take(MOST_READ).read_to_end(&mut text)?;
        let content: Content = serde_json::from_slice(&text)?;
        if content.version != VERSION {
            let told =
                format!("it is of version {}, and this daemon reads version {VERSION}", content.version);
            return Err(io::Error::new(io::ErrorKind::InvalidData, told));
        }
        Ok((content.boot == self.boot).then_some(content.life))
    }

    /// Writes another content in place of the one before, whole or not at all. Does nothing if it is the same.
    ///
    /// # Errors
    ///
    /// When the file system refuses.
    pub fn keep(&mut self, life: Life) -> io::Result<()> {
        if self.written.as_ref() == Some(&life) {
            return Ok(());
        }
        let content = Content { version: VERSION, boot: self.boot.clone(), life };
        let text = serde_json::to_vec(&content)?;
        let unfinished = format!("{}.new", self.name);
        let flags = OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.directory.handle, &unfinished, flags, FILE_MODE)?);
        file.write_all(&text)?;
        // A host that loses its power loses the routes too: the file need not be on the disk, only whole.
        renameat(&self.directory.handle, &unfinished, &self.directory.handle, &self.name)?;
        self.written = Some(content.life);
        Ok(())
    }

    /// Removes the file: nothing is left to remember.
    ///
    /// # Errors
    ///
    /// When the file system refuses.
    pub fn forget(&mut self) -> io::Result<()> {
        self.written = None;
        match unlinkat(&self.directory.handle, &self.name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// A path as part of a file's name: `run-siskin-siskin.sock`.
fn plain(path: &Path) -> String {
    let octets = path.as_os_str().as_bytes().iter().skip_while(|octet| **octet == b'/');
    let mut name = String::new();
    for octet in octets {
        match octet {
            b'/' => name.push('-'),
            b'-' | b'%' | 0..=32 | 127.. => name.push_str(&format!("%{octet:02x}")),
            octet => name.push(char::from(*octet)),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime_directory::Passage;

    fn memory(dir: &Path) -> Memory {
        let directory = RuntimeDirectory::open(&dir.join("run"), Passage::Closed).expect("a directory");
        Memory::of(directory, Path::new("/run/siskin/siskin.sock")).expect("a name")
    }

    fn life() -> Life {
        Life {
            owned: vec![Place { protocol: 179, table: 254 }, Place { protocol: 12, table: 100 }],
            peers: ["tor", "rack/10.1.0.7"].map(String::from).into(),
        }
    }

    #[test]
    fn what_is_kept_is_recalled_by_the_next_and_the_file_is_its_owners_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(memory(dir.path()).recall().expect("nothing there"), None);
        memory(dir.path()).keep(life()).expect("writes");
        let next = memory(dir.path());
        assert_eq!(next.recall().expect("reads"), Some(life()));
        assert!(next.path().to_string_lossy().ends_with(".run-siskin-siskin.sock.state"));
        assert_eq!(fs::metadata(next.path()).expect("there").mode() & 0o7777, 0o600);
        assert_eq!(fs::read_dir(dir.path().join("run")).expect("lists").count(), 1, "nothing unfinished");
        memory(dir.path()).forget().expect("removes");
        assert_eq!(memory(dir.path()).recall().expect("nothing there"), None);
    }

    #[test]
    fn what_is_cut_off_or_nonsense_or_of_another_version_is_an_error_and_is_overwritten() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut memory = memory(dir.path());
        memory.keep(life()).expect("writes");
        let whole = fs::read(memory.path()).expect("reads");
        for length in 0..whole.len() {
            fs::write(memory.path(), &whole[..length]).expect("writes");
            assert!(memory.recall().is_err(), "cut off at {length}");
        }
        for text in
            ["null", "[]", "{\"version\":1}", "{\"version\":2,\"boot\":\"\",\"owned\":[],\"peers\":[]}"]
        {
            fs::write(memory.path(), text).expect("writes");
            assert!(memory.recall().is_err(), "{text}");
        }
        let other = Life { peers: BTreeSet::new(), ..life() };
        memory.keep(other.clone()).expect("writes");
        assert_eq!(memory.recall().expect("reads"), Some(other));
    }

    #[test]
    fn what_was_kept_before_a_boot_is_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut before = memory(dir.path());
        before.boot = "another".to_owned();
        before.keep(life()).expect("writes");
        assert_eq!(memory(dir.path()).recall().expect("reads"), None);
    }

    #[test]
    fn paths_that_differ_have_names_that_differ() {
        let names = ["/a/b", "/a-b", "/a%2db", "/a b", "/ä"].map(|path| plain(Path::new(path)));
        assert_eq!(names, ["a-b", "a%2db", "a%252db", "a%20b", "%c3%a4"]);
    }
}
