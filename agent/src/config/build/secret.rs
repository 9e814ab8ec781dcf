//! TCP MD5 passwords (RFC 2385), given in the file or in a file of their own.

use std::path::{Path, PathBuf};

use bgp::config::Auth;

use crate::config::{
    error::Fault,
    host::Host,
    origin::Origin,
    reader::{Entry, Reader},
    values,
};

/// The kernel's limit, TCP_MD5SIG_MAXKEYLEN.
const MAX_BYTES: usize = 80;

/// Reads passwords and remembers which files they came from.
pub(super) struct Secrets<'a> {
    host: &'a dyn Host,
    /// Every password file, readable or not.
    pub(super) files: Vec<PathBuf>,
}

impl<'a> Secrets<'a> {
    pub(super) fn new(host: &'a dyn Host) -> Self {
        Self { host, files: Vec::new() }
    }

    /// The authentication a table asks for by `password_key` or `file_key`.
    pub(super) fn auth(
        &mut self,
        reader: &mut Reader,
        table: &Entry,
        password_key: Option<&str>,
        file_key: &str,
    ) -> Auth {
        let password = password_key.and_then(|key| reader.get(table, key, password));
        let file = reader.get(table, file_key, values::path);
        match (password, file) {
            (None, None) => Auth::None,
            (Some(password), None) => {
                if let Origin::File { path, .. } = &password.origin {
                    let key = table.path(password_key.unwrap_or_default());
                    self.warn_if_public(reader, Path::new(path), &password.origin, key);
                }
                Auth::Md5(password.value)
            }
            (None, Some(file)) => {
                let path = beside(&file.origin, &file.value);
                let auth = self.of_file(&path);
                self.warn_if_public(reader, &path, &file.origin, table.path(file_key));
                if let Auth::Unavailable(reason) = &auth {
                    let fault = Fault::new(reason.clone(), "no session comes up until it can be read");
                    reader.warning(&file.origin, table.path(file_key), fault);
                }
                auth
            }
            (Some(_), Some(file)) => {
                let fault = Fault::new("password and password_file are both given", "drop one of them");
                reader.problem(&file.origin, table.path(file_key), fault);
                Auth::None
            }
        }
    }

    fn warn_if_public(&self, reader: &mut Reader, path: &Path, origin: &Origin, key: String) {
        if self.host.is_readable_by_all(path) {
            let shown = path.display();
            let what = format!("every user of this host may read the secret in {shown}");
            let fault =
                Fault::new(what, format!("chmod 600 {shown} (defaultMode 0400 of a Kubernetes secret)"));
            reader.warning(origin, key, fault);
        }
    }

    fn of_file(&mut self, path: &Path) -> Auth {
        self.files.push(path.to_owned());
        let shown = path.display();
        match self.host.read_small(path) {
            Err(error) => Auth::Unavailable(format!("{shown} cannot be read: {error}")),
            Ok(mut content) => {
                while matches!(content.last(), Some(b'\n' | b'\r')) {
                    content.pop();
                }
                match content.len() {
                    0 => Auth::Unavailable(format!("{shown} is empty")),
                    1..=MAX_BYTES => Auth::Md5(content.into()),
                    length => {
                        Auth::Unavailable(format!("{shown} holds {length} bytes, TCP MD5 takes {MAX_BYTES}"))
                    }
                }
            }
        }
    }
}

/// A relative path written in a file is meant from the directory of that file.
fn beside(origin: &Origin, path: &Path) -> PathBuf {
    match origin {
        Origin::File { path: file, .. } => Path::new(file).with_file_name("").join(path),
        _ => path.to_owned(),
    }
}

fn password(text: &str) -> Result<Box<[u8]>, Fault> {
    match text.len() {
        0 => Err(Fault::new("the password is empty", "drop the key for a session without one")),
        1..=MAX_BYTES => Ok(text.as_bytes().into()),
        length => Err(Fault::new(
            format!("the password has {length} bytes"),
            format!("TCP MD5 takes 1 to {MAX_BYTES} bytes"),
        )),
    }
}
