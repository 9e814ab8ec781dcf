//! Reading and writing the kernel's settings.

use std::{fs, path::PathBuf};

use tracing::{debug, info, warn};

use crate::{
    status::Underlay,
    sysctl::{Correction, LinkFilter, Sysctls},
};

/// Reads the settings that decide whether packets pass.
pub(crate) fn read(device: &str, underlay: Option<&Underlay>) -> Sysctls {
    let filter = |link: &str| {
        let rp_filter = value(&["ipv4", "conf", link, "rp_filter"])?;
        Some(LinkFilter { link: link.to_owned(), rp_filter })
    };
    Sysctls {
        ip_forward: value(&["ipv4", "ip_forward"]),
        rp_filter_all: value(&["ipv4", "conf", "all", "rp_filter"]),
        device: filter(device),
        underlay: underlay.and_then(|underlay| filter(&underlay.name)),
    }
}

/// Makes a correction. One that cannot be made stays what it was: told, with its command.
pub(crate) fn write(correction: &Correction) {
    match fs::write(path(&correction.key), correction.value.to_string()) {
        Ok(()) => info!(setting = %correction, "kernel setting changed"),
        Err(error) => warn!(setting = %correction, %error, "kernel setting not changed"),
    }
}

fn value(key: &[&str]) -> Option<u8> {
    let path = path(key);
    match fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().ok(),
        Err(error) => {
            debug!(path = %path.display(), %error, "setting not readable");
            None
        }
    }
}

fn path(key: &[impl AsRef<std::path::Path>]) -> PathBuf {
    key.iter().fold(PathBuf::from("/proc/sys/net"), |path, part| path.join(part))
}
