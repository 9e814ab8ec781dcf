//! The unix socket as a file.

use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt, chown},
        net::UnixStream,
    },
    path::{Path, PathBuf},
};

use tokio::net::UnixListener;

const MODE: u32 = 0o660;
/// Bound under this extension first: the name appears only when the socket is complete.
const UNFINISHED: &str = "new";

/// Why the socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another daemon answers there.
    #[error("another daemon answers on {0}: choose a different `socket` in [api]")]
    InUse(PathBuf),
    /// Something else bears the name.
    #[error("{0} exists and is no socket: remove it, or choose a different `socket` in [api]")]
    NotASocket(PathBuf),
    /// The group that is to use it is not known here.
    #[error(
        "the socket {path} is for the group `{group}`, which /etc/group does not have\n  \
             make it (`groupadd {group}`), or give its number"
    )]
    NoGroup {
        /// The path.
        path: PathBuf,
        /// The group.
        group: String,
    },
    /// The system refused.
    #[error("cannot create the socket {path}: {source}")]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A listening socket whose file goes when it is dropped, unless another has taken its place.
#[derive(Debug)]
pub struct ApiSocket {
    listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl ApiSocket {
    /// Creates the socket for the daemon's user and a group (`None`: the daemon's own); replaces one that nobody listens on any more.
    /// Only for who holds the daemon's lock.
    ///
    /// # Errors
    ///
    /// [`SocketError`], each with its remedy.
    pub fn bind(path: &Path, group: Option<&str>) -> Result<Self, SocketError> {
        let failed = |source| SocketError::Io { path: path.to_owned(), source };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        refuse_if_occupied(path)?;
        let group = group.map(|group| number_of(group, path)).transpose()?;
        let fresh = path.with_added_extension(UNFINISHED);
        remove(&fresh).map_err(failed)?;
        let listener = UnixListener::bind(&fresh).map_err(failed)?;
        if group.is_some() {
            chown(&fresh, None, group).map_err(failed)?;
        }
        fs::set_permissions(&fresh, fs::Permissions::from_mode(MODE)).map_err(failed)?;
        fs::rename(&fresh, path).map_err(failed)?;
        let inode = fs::symlink_metadata(path).map_err(failed)?.ino();
        Ok(Self { listener, path: path.to_owned(), inode })
    }

    /// The next client.
    ///
    /// # Errors
    ///
    /// As `accept(2)`.
    pub async fn accept(&self) -> io::Result<tokio::net::UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for ApiSocket {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|m| m.ino() == self.inode) {
            let _gone_already = fs::remove_file(&self.path);
        }
    }
}

fn number_of(group: &str, path: &Path) -> Result<u32, SocketError> {
    if let Ok(number) = group.parse() {
        return Ok(number);
    }
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let found = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(group)).then(|| fields.nth(1)?.parse().ok())?
    });
    found.ok_or_else(|| SocketError::NoGroup { path: path.to_owned(), group: group.to_owned() })
}

fn refuse_if_occupied(path: &Path) -> Result<(), SocketError> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => Err(SocketError::NotASocket(path.to_owned())),
        Ok(_) if UnixStream::connect(path).is_ok() => Err(SocketError::InUse(path.to_owned())),
        _ => Ok(()),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("run/s.sock");
        let first = ApiSocket::bind(&path, None).expect("binds");
        assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o660);
        assert!(matches!(ApiSocket::bind(&path, None), Err(SocketError::InUse(_))));
        drop(first);
        assert!(!path.exists());
        drop(std::os::unix::net::UnixListener::bind(&path).expect("binds"));
        assert!(path.exists(), "stale");
        drop(ApiSocket::bind(&path, None).expect("replaces"));
    }

    #[tokio::test]
    async fn a_socket_is_its_groups_and_a_group_that_is_unknown_is_said() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s.sock");
        let error = ApiSocket::bind(&path, Some("no-such-group")).expect_err("refused").to_string();
        assert!(error.contains("groupadd no-such-group"), "{error}");
        let own = rustix::process::getegid().as_raw();
        let _socket = ApiSocket::bind(&path, Some(&own.to_string())).expect("binds");
        assert_eq!(fs::metadata(&path).expect("there").gid(), own);
        assert_eq!(number_of("root", &path).expect("everywhere"), 0);
    }

    #[tokio::test]
    async fn a_file_is_never_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s.sock");
        fs::write(&path, "mine").expect("writes");
        assert!(matches!(ApiSocket::bind(&path, None), Err(SocketError::NotASocket(_))));
    }
}
