//! The first process of a node: it gives the node its own view of the file system, then reaps orphans until it is
//! killed, and everything in the node with it.

use std::{
    ffi::CString,
    fs,
    io::Write as _,
    os::{
        fd::AsRawFd as _,
        unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use rustix::{
    mount::{MountFlags, mount, mount_bind_recursive, mount_remount},
    process::{WaitOptions, wait},
};
use serde::{Deserialize, Serialize};

use crate::topology::{Access, Bind};

/// Where a node finds its logs, pid files and the programs under test.
pub const INSIDE: &str = "/run/lab";
/// In the node's folder: places on the host that had to be made for its binds, one a line.
pub const MADE: &str = "made";
/// Folders the node may write to without the host seeing it.
const PRIVATE: &[&str] = &["/etc", "/var", "/opt", "/srv", "/mnt", "/root", "/home", "/tmp", "/usr/local"];

/// What the first process has to set up.
#[derive(Debug, Serialize, Deserialize)]
pub struct Spec {
    /// Host name.
    pub hostname: String,
    /// The node's folder on the host, seen as [`INSIDE`] in the node.
    pub state: PathBuf,
    /// Files and folders to show.
    pub binds: Vec<Bind>,
    /// Kernel settings.
    pub sysctls: Vec<(String, String)>,
    /// Folders to make, with their owner (empty: root).
    pub folders: Vec<(PathBuf, String)>,
}

/// Runs as the first process: sets up, prints `ready`, then reaps. Never returns but with an error.
pub fn main(spec: &Path) -> Result<()> {
    let spec: Spec = serde_json::from_str(&fs::read_to_string(spec)?)?;
    rustix::system::sethostname(spec.hostname.as_bytes()).context("cannot set the host name")?;
    set_up(&spec)?;
    let mut out = std::io::stdout();
    out.write_all(b"ready\n")?;
    out.flush()?;
    loop {
        if wait(WaitOptions::empty()).is_err() {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn set_up(spec: &Spec) -> Result<()> {
    let scratch = spec.state.join("fs");
    fs::create_dir_all(&scratch)?;
    mount("lab", &scratch, "tmpfs", MountFlags::empty(), None).context("cannot mount a tmpfs")?;
    let sources = hold_sources(&spec.binds, &scratch)?;
    let outside = hold(&spec.state, &scratch.join("state"))?;
    for folder in PRIVATE.iter().map(Path::new).filter(|f| f.is_dir() && !f.is_symlink()) {
        overlay(folder, &scratch)?;
    }
    let kept = keep_run(&scratch, outside)?;
    let mut made = fs::File::options().create(true).append(true).open(Path::new(INSIDE).join(MADE))?;
    for (bind, source) in spec.binds.iter().zip(sources) {
        if let Some(first) = first_missing(&bind.target) {
            writeln!(made, "{}", first.display())?;
        }
        show(bind, &kept.join(source))?;
    }
    mount("proc", "/proc", "proc", MountFlags::empty(), None).context("cannot mount /proc")?;
    mount("sysfs", "/sys", "sysfs", MountFlags::empty(), None).context("cannot mount /sys")?;
    for (name, value) in &spec.sysctls {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        fs::write(&path, value).with_context(|| format!("sysctl {name}={value}"))?;
    }
    for (folder, owner) in &spec.folders {
        make_folder(folder, owner)?;
    }
    Ok(())
}

/// The first folder or file on the way to a place that has to be made for it, where that is on the host: what is in a
/// folder of the node's own goes with the node.
fn first_missing(place: &Path) -> Option<&Path> {
    let own = PRIVATE.iter().chain(&["/run", "/proc", "/sys"]);
    if own.map(Path::new).any(|folder| place.starts_with(folder)) {
        return None;
    }
    let mut ways: Vec<_> = place.ancestors().collect();
    ways.reverse();
    ways.into_iter().find(|way| !way.exists())
}

/// Opens the binds' sources by mounting them aside, before the overlays change what their paths mean.
fn hold_sources(binds: &[Bind], scratch: &Path) -> Result<Vec<PathBuf>> {
    let mut held = Vec::new();
    for (index, bind) in binds.iter().enumerate() {
        held.push(hold(&bind.source, &scratch.join(format!("bind{index}")))?);
    }
    Ok(held)
}

/// Mounts `source` at `place` and returns the place's name within its folder.
fn hold(source: &Path, place: &Path) -> Result<PathBuf> {
    make_place(source, place)?;
    mount_bind_recursive(source, place).with_context(|| format!("cannot bind {}", source.display()))?;
    Ok(place.file_name().map(PathBuf::from).unwrap_or_default())
}

fn overlay(folder: &Path, scratch: &Path) -> Result<()> {
    let name = folder.to_string_lossy().replace('/', "_");
    let (upper, work) = (scratch.join(format!("upper{name}")), scratch.join(format!("work{name}")));
    fs::create_dir_all(&upper)?;
    fs::create_dir_all(&work)?;
    like(folder, &upper)?;
    let (lower, upper, work) = (folder.display(), upper.display(), work.display());
    let options = CString::new(format!("lowerdir={lower},upperdir={upper},workdir={work}"))?;
    mount("lab", folder, "overlay", MountFlags::empty(), Some(options.as_c_str()))
        .with_context(|| format!("cannot lay a private copy over {lower} (overlayfs is needed)"))
}

/// The merged folder shows owner and mode of its upper half: make them those of the folder below.
fn like(folder: &Path, upper: &Path) -> Result<()> {
    let host = fs::metadata(folder)?;
    chown(upper, Some(host.uid()), Some(host.gid()))?;
    Ok(fs::set_permissions(upper, fs::Permissions::from_mode(host.mode() & 0o7777))?)
}

/// Gives the node a `/run` of its own, in which the scratch folder stays reachable.
fn keep_run(scratch: &Path, outside: PathBuf) -> Result<PathBuf> {
    let run = Path::new("/run");
    let held = fs::File::open(scratch)?;
    mount("run", run, "tmpfs", MountFlags::empty(), None).context("cannot mount /run")?;
    let kept = run.join("lab-fs");
    fs::create_dir_all(&kept)?;
    fs::create_dir_all(run.join("lock"))?;
    fs::create_dir_all(INSIDE)?;
    let held = format!("/proc/self/fd/{}", held.as_raw_fd());
    mount_bind_recursive(held.as_str(), &kept).context("cannot keep the scratch folder")?;
    mount_bind_recursive(kept.join(outside), INSIDE).context("cannot show the node's folder")?;
    Ok(kept)
}

fn show(bind: &Bind, source: &Path) -> Result<()> {
    make_place(source, &bind.target)
        .with_context(|| format!("cannot make {} in the node", bind.target.display()))?;
    mount_bind_recursive(source, &bind.target)
        .with_context(|| format!("cannot show {}", bind.target.display()))?;
    if bind.access == Access::ReadOnly {
        mount_remount(&bind.target, MountFlags::BIND | MountFlags::RDONLY, "")?;
    }
    Ok(())
}

fn make_place(source: &Path, place: &Path) -> Result<()> {
    if source.is_dir() {
        fs::create_dir_all(place)?;
    } else {
        place.parent().map(fs::create_dir_all).transpose()?;
        if !place.exists() {
            fs::write(place, "")?;
        }
    }
    Ok(())
}

fn make_folder(folder: &Path, owner: &str) -> Result<()> {
    fs::create_dir_all(folder)?;
    if !owner.is_empty() {
        crate::command::output(&mut crate::command::command("chown", [owner, &folder.to_string_lossy()]))?;
    }
    Ok(())
}
