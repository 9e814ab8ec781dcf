//! Packages of a Debian release other than the host's, unpacked into the cache. Nothing of them is installed, and the
//! host's own lists of packages stay as they are.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{
    command::{command, output},
    ui,
};

/// The release whose programs labs may ask for, as the tag of a node's image.
const NEWER: &str = "trixie";
/// BIRD of that release, and every library it loads.
const BIRD: &[&str] = &[
    "bird2",
    "libc6",
    "libcom-err2",
    "libgssapi-krb5-2",
    "libk5crypto3",
    "libkeyutils1",
    "libkrb5-3",
    "libkrb5support0",
    "libreadline8t64",
    "libssh-4",
    "libssl3t64",
    "libtinfo6",
    "libzstd1",
    "zlib1g",
];
/// Written last: without it a folder is half unpacked.
pub(crate) const COMPLETE: &str = "complete";

/// One suite of Debian's archive, seen through lists of our own.
pub(crate) struct Archive {
    options: Vec<String>,
}

impl Archive {
    /// Fetches the suite's list of packages; `folder` is emptied and holds it.
    pub(crate) fn open(folder: &Path, suite: &str) -> Result<Self> {
        fs::remove_dir_all(folder).ok();
        fs::create_dir_all(folder.join("lists/partial"))?;
        let list = folder.join("sources.list");
        let keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
        fs::write(&list, format!("deb [signed-by={keys}] http://deb.debian.org/debian {suite} main\n"))?;
        let shown = folder.display();
        let settings = [
            "APT::Sandbox::User=root".to_owned(),
            format!("Dir::Etc::SourceList={shown}/sources.list"),
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            format!("Dir::State::Lists={shown}/lists"),
            format!("Dir::Cache={shown}"),
        ];
        let options = settings.into_iter().flat_map(|setting| ["-o".to_owned(), setting]).collect();
        let archive = Self { options };
        output(archive.apt("apt-get").args(["-qq", "update"]))?;
        Ok(archive)
    }

    fn apt(&self, program: &str) -> Command {
        command(program, &self.options)
    }

    /// The names of packages that a package depends on.
    pub(crate) fn dependencies(&self, package: &str) -> Result<Vec<String>> {
        let text = output(self.apt("apt-cache").args(["depends", package]))?;
        let names = text.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
        Ok(names.map(|name| name.trim().to_owned()).collect())
    }

    /// Unpacks packages into a folder.
    pub(crate) fn unpack<S: AsRef<str>>(&self, packages: &[S], root: &Path) -> Result<()> {
        let mut download = self.apt("apt-get");
        download.args(["-qq", "download"]).args(packages.iter().map(AsRef::as_ref)).current_dir(root);
        output(&mut download)?;
        for entry in fs::read_dir(root)? {
            let file = entry?.path();
            if file.extension().is_some_and(|extension| extension == "deb") {
                output(&mut command("dpkg", ["-x".as_ref(), file.as_os_str(), root.as_os_str()]))?;
                fs::remove_file(file)?;
            }
        }
        Ok(())
    }
}

/// Whether a node's image is of the newer release.
pub(crate) fn is_newer(image: &str) -> bool {
    image.rsplit_once(':').is_some_and(|(_, tag)| tag == NEWER)
}

/// Fetches the newer release's BIRD, once.
pub(crate) fn fetch_bird(cache: &Path) -> Result<()> {
    let lock = fs::File::create(cache.join("newer.lock"))?;
    lock.lock()?;
    let root = bird_folder(cache);
    if root.join(COMPLETE).exists() {
        return Ok(());
    }
    ui::note(&format!("fetching BIRD of Debian's release {NEWER}"));
    let archive = Archive::open(&cache.join(format!("{NEWER}-lists")), NEWER)?;
    fs::remove_dir_all(&root).ok();
    fs::create_dir_all(&root)?;
    archive.unpack(BIRD, &root).context("BIRD cannot be had")?;
    Ok(fs::write(root.join(COMPLETE), "")?)
}

fn bird_folder(cache: &Path) -> PathBuf {
    cache.join(format!("{NEWER}-bird"))
}

/// Puts scripts into `bin` that run the newer release's BIRD with its own libraries.
pub(crate) fn link_bird(cache: &Path, bin: &Path) -> Result<()> {
    let usr = bird_folder(cache).join("usr");
    let usr = usr.display();
    for program in ["bird", "birdc"] {
        let path = bin.join(program);
        let libraries = format!("{usr}/lib/x86_64-linux-gnu");
        let script = format!(
            "#!/bin/sh\nexec '{libraries}/ld-linux-x86-64.so.2' --library-path '{libraries}' '{usr}/sbin/{program}' \"$@\"\n"
        );
        fs::write(&path, script)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_names_the_release_in_its_tag() {
        assert!(is_newer("bird:trixie"));
        assert!(!is_newer("bird:2") && !is_newer("trixie"));
    }
}
