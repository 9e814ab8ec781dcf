//! Debian's kernel packages, unpacked into the cache.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{
    command::{command, output},
    debian::{Archive, COMPLETE},
    features::Feature,
    install, ui,
};

/// Which of Debian's kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Build {
    /// That of the host's release.
    Stock,
    /// The newest of the backports to the release after: Debian builds its 6.18 with TCP-AO, its 6.12 without.
    Newest,
}

impl Build {
    /// The kernel that has all these features.
    pub(crate) fn with(needs: &[Feature]) -> Self {
        if needs.contains(&Feature::TcpAo) { Self::Newest } else { Self::Stock }
    }

    /// Its word on a command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stock => "stock",
            Self::Newest => "newest",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Stock => "kernel",
            Self::Newest => "kernel-newest",
        }
    }
}

/// The suite of the newest kernels.
const BACKPORTS: &str = "trixie-backports";
/// The meta package that depends on the current kernel.
const META: &str = "linux-image-amd64";

/// An unpacked kernel with its modules.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    /// Its release, as `uname -r` says it.
    pub(super) release: String,
    /// The folder that holds `boot` and `lib/modules`.
    pub(super) root: PathBuf,
}

impl Kernel {
    /// Whether a cache has this kernel.
    pub(super) fn is_in(cache: &Path, build: Build) -> bool {
        cache.join(build.folder()).join(COMPLETE).exists()
    }

    /// Finds the kernel in the cache, or fetches it. One process at a time.
    pub(super) fn fetch(cache: &Path, build: Build) -> Result<Self> {
        let lock = fs::File::create(cache.join("kernel.lock"))?;
        lock.lock()?;
        let root = cache.join(build.folder());
        if !root.join(COMPLETE).exists() {
            fs::remove_dir_all(&root).ok();
            fs::create_dir_all(&root)?;
            match build {
                Build::Stock => unpack_stock(&root)?,
                Build::Newest => unpack_newest(&cache.join("backports-lists"), &root)?,
            }
            complete(&root)?;
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

fn unpack_stock(root: &Path) -> Result<()> {
    let package = install::kernel_package()?;
    ui::note(&format!("fetching Debian's package {package}"));
    let mut download = Command::new("apt-get");
    download.args(["-qq", "-o", "APT::Sandbox::User=root", "download", &package]).current_dir(root);
    output(&mut download)?;
    let file = find(root, |name| name.ends_with(".deb"))?.context("apt-get brought no package")?;
    output(&mut command("dpkg", ["-x".as_ref(), file.as_os_str(), root.as_os_str()]))?;
    Ok(fs::remove_file(file)?)
}

/// The image, its modules and the list of what is built in, which are packages of their own in newer kernels.
fn unpack_newest(lists: &Path, root: &Path) -> Result<()> {
    ui::note(&format!("fetching the kernel of Debian's {BACKPORTS}"));
    let archive = Archive::open(lists, BACKPORTS)?;
    let mut packages = archive.dependencies(META)?;
    packages.retain(|name| name.starts_with("linux-image-"));
    let image = packages.first().context("the archive has no kernel")?;
    let parts = archive.dependencies(image)?;
    let ours = ["linux-base-", "linux-binary-", "linux-modules-"];
    packages.extend(parts.into_iter().filter(|name| ours.iter().any(|part| name.starts_with(part))));
    archive.unpack(&packages, root)
}

/// Brings what the packages hold into the form [`Kernel`] promises.
fn complete(root: &Path) -> Result<()> {
    // Newer packages keep modules below /usr; kmod looks for them in /lib.
    if !root.join("lib").exists() {
        std::os::unix::fs::symlink("usr/lib", root.join("lib"))?;
    }
    let modules = root.join("lib/modules");
    let release = find(&modules, |_| true)?.context("the package holds no modules")?;
    let release = release.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let image = root.join("boot").join(format!("vmlinuz-{release}"));
    if !image.exists() {
        // The newest keep the image beside its modules.
        fs::create_dir_all(root.join("boot"))?;
        fs::rename(modules.join(&release).join("vmlinuz"), image).context("the package holds no kernel")?;
    }
    output(&mut command("depmod", ["-b".as_ref(), root.as_os_str(), release.as_ref()]))?;
    Ok(fs::write(root.join(COMPLETE), release)?)
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
