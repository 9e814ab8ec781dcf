//! Debian's kernel package, unpacked into the cache.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{
    command::{command, output},
    install, ui,
};

/// An unpacked kernel with its modules.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    /// Its release, as `uname -r` says it.
    pub(super) release: String,
    /// The folder that holds `boot` and `lib/modules`.
    pub(super) root: PathBuf,
}

/// Written last: without it the folder is half unpacked.
const COMPLETE: &str = "complete";

impl Kernel {
    /// Finds the kernel in the cache, or fetches it. One process at a time.
    pub(super) fn fetch(cache: &Path) -> Result<Self> {
        let lock = fs::File::create(cache.join("kernel.lock"))?;
        lock.lock()?;
        let root = cache.join("kernel");
        if !root.join(COMPLETE).exists() {
            unpack(&root)?;
        }
        let release = fs::read_to_string(root.join(COMPLETE))?.trim().to_owned();
        Ok(Self { release, root })
    }

    /// The kernel itself.
    pub(super) fn image(&self) -> PathBuf {
        self.root.join("boot").join(format!("vmlinuz-{}", self.release))
    }

    /// The files of some modules and of all that they need, in loading order.
    pub(super) fn modules(&self, names: &[&str]) -> Result<Vec<PathBuf>> {
        let mut files: Vec<PathBuf> = Vec::new();
        for name in names {
            let root = self.root.to_string_lossy();
            let words = ["-d", root.as_ref(), "-S", &self.release, "--show-depends", name];
            // Built-in ones are named as such, and need nothing.
            for line in output(&mut command("modprobe", words))?.lines() {
                if let Some(file) = line.strip_prefix("insmod ").map(|rest| PathBuf::from(rest.trim()))
                    && !files.contains(&file)
                {
                    files.push(file);
                }
            }
        }
        Ok(files)
    }
}

fn unpack(root: &Path) -> Result<()> {
    let package = install::kernel_package()?;
    ui::note(&format!("fetching Debian's package {package}"));
    fs::remove_dir_all(root).ok();
    fs::create_dir_all(root)?;
    let mut download = Command::new("apt-get");
    download.args(["-qq", "-o", "APT::Sandbox::User=root", "download", &package]).current_dir(root);
    output(&mut download)?;
    let file = find(root, |name| name.ends_with(".deb"))?.context("apt-get brought no package")?;
    output(&mut command("dpkg", ["-x".as_ref(), file.as_os_str(), root.as_os_str()]))?;
    fs::remove_file(file)?;
    let image = find(&root.join("boot"), |name| name.starts_with("vmlinuz-"))?;
    let image = image.context("the package holds no kernel")?;
    let name = image.file_name().unwrap_or_default().to_string_lossy();
    let release = name.trim_start_matches("vmlinuz-");
    // Newer packages keep modules below /usr; kmod looks for them in /lib.
    if !root.join("lib").exists() {
        std::os::unix::fs::symlink("usr/lib", root.join("lib"))?;
    }
    output(&mut command("depmod", ["-b".as_ref(), root.as_os_str(), release.as_ref()]))?;
    fs::write(root.join(COMPLETE), release)?;
    Ok(())
}

fn find(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if wanted(&entry.file_name().to_string_lossy()) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}
