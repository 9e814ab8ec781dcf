//! The first file system of the guest: busybox, a few modules and a script that mounts the host's root.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};

use super::kernel::Kernel;
use crate::command::on_path;

/// Modules for the way to the host's root file system.
const MODULES: &[&str] = &["virtio_pci", "9pnet_virtio", "9p"];

/// An initramfs that continues with a script on the host's root file system.
pub(super) fn for_host_root(kernel: &Kernel, script: &Path) -> Result<Vec<u8>> {
    let mut archive = base()?;
    let mut load = String::new();
    for file in kernel.modules(MODULES)? {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let name = name.trim_end_matches(".xz");
        archive.file(&format!("modules/{name}"), 0o644, &read_module(&file)?);
        load.push_str(&format!("insmod /modules/{name}\n"));
    }
    let script = shell_words::quote(&script.to_string_lossy()).into_owned();
    let init = format!(
        "#!/bin/busybox sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
{load}mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose host /host
for kept in proc sys dev; do mount --move /$kept /host/$kept; done
exec switch_root /host /bin/sh {script}
"
    );
    archive.file("init", 0o755, init.as_bytes());
    Ok(archive.finish())
}

/// An initramfs that says a word on the console and switches the machine off.
pub(super) fn for_probe(word: &str) -> Result<Vec<u8>> {
    let mut archive = base()?;
    let init = format!(
        "#!/bin/busybox sh
/bin/mount -t proc proc /proc
echo {word}
echo o >/proc/sysrq-trigger
/bin/sleep 60
"
    );
    archive.file("init", 0o755, init.as_bytes());
    Ok(archive.finish())
}

fn base() -> Result<Archive> {
    let busybox = on_path("busybox").context("there is no busybox")?;
    let mut archive = Archive::default();
    for folder in ["bin", "dev", "host", "modules", "proc", "sys"] {
        archive.folder(folder);
    }
    archive.file("bin/busybox", 0o755, &fs::read(busybox)?);
    for applet in ["insmod", "mount", "sleep", "switch_root"] {
        archive.link(&format!("bin/{applet}"), "busybox");
    }
    Ok(archive)
}

/// A module's bytes; busybox's `insmod` does not unpack them.
fn read_module(file: &Path) -> Result<Vec<u8>> {
    if file.extension().is_none_or(|extension| extension != "xz") {
        return Ok(fs::read(file)?);
    }
    crate::install::ensure_programs(&["xz"])?;
    let done = Command::new("xz").arg("-dc").arg(file).output().context("cannot run xz")?;
    Ok(done.stdout)
}

/// A cpio archive in the `newc` form, as the kernel unpacks it.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    count: u32,
}

impl Archive {
    fn folder(&mut self, name: &str) {
        self.entry(name, 0o040_755, &[]);
    }

    fn file(&mut self, name: &str, mode: u32, data: &[u8]) {
        self.entry(name, 0o100_000 | mode, data);
    }

    fn link(&mut self, name: &str, target: &str) {
        self.entry(name, 0o120_777, target.as_bytes());
    }

    fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, data: &[u8]) {
        self.count += 1;
        let fields = [self.count, mode, 0, 0, 1, 0, data.len() as u32, 0, 0, 0, 0, name.len() as u32 + 1, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(data);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_and_data_are_aligned_and_the_trailer_comes_last() {
        let mut archive = Archive::default();
        archive.file("init", 0o755, b"abc");
        let bytes = archive.finish();
        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(&bytes[..14], b"07070100000001");
        assert_eq!(&bytes[14..22], b"000081ed");
        let data = (6 + 13 * 8 + 5_usize).next_multiple_of(4);
        assert_eq!(&bytes[data..data + 4], b"abc\0");
        assert!(bytes.windows(10).any(|w| w == b"TRAILER!!!"));
    }
}
