//! Programs the labs need, from Debian's packages.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{command::on_path, ui};

/// Programs, and the Debian package each comes in.
const PACKAGES: &[(&str, &str)] = &[
    ("bgpctl", "openbgpd"),
    ("bird", "bird2"),
    ("bgpdump", "bgpdump"),
    ("busybox", "busybox-static"),
    ("c++", "g++"),
    ("exabgp", "exabgp"),
    ("gobgpd", "gobgpd"),
    ("ip", "iproute2"),
    ("modprobe", "kmod"),
    ("nft", "nftables"),
    ("ping", "iputils-ping"),
    ("python3", "python3"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("tcpdump", "tcpdump"),
    ("tshark", "tshark"),
    ("xz", "xz-utils"),
    ("zebra", "frr"),
];
/// Services the packages would start at the next boot.
const SERVICES: &[(&str, &str)] = &[
    ("bird2", "bird.service"),
    ("exabgp", "exabgp.service"),
    ("frr", "frr.service"),
    ("gobgpd", "gobgpd.service"),
    ("openbgpd", "openbgpd.service"),
];
/// Debian's hook that decides whether a package may start its services.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Programs every lab uses.
pub const LAB: &[&str] = &["ip", "nft", "ping", "python3", "tcpdump", "tshark"];
/// Programs the guest needs besides.
pub const GUEST: &[&str] = &["busybox", "modprobe", "qemu-system-x86_64"];

/// Installs the packages of those programs that are missing, saying so. Their services are neither started now nor at
/// the next boot.
pub fn ensure_programs(programs: &[&str]) -> Result<()> {
    let packages = missing(programs);
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    ensure!(
        on_path("apt-get").is_some(),
        "missing: {list} (Debian's names); there is no apt-get to install them with"
    );
    crate::lab::require_root()?;
    ui::note(&format!("installing from Debian's packages: {list}"));
    let policy = Policy::forbid_starts()?;
    let installed = install(&packages);
    drop(policy);
    installed?;
    for (_, service) in SERVICES.iter().filter(|(package, _)| packages.contains(package)) {
        disable(service);
    }
    Ok(())
}

/// The packages of those programs that are missing, sorted.
pub fn missing(programs: &[&str]) -> Vec<&'static str> {
    let absent = programs.iter().filter(|program| on_path(program).is_none());
    let package =
        |program: &&str| PACKAGES.iter().find(|(name, _)| name == program).map(|(_, package)| *package);
    absent.filter_map(package).collect::<BTreeSet<_>>().into_iter().collect()
}

fn install(packages: &[&str]) -> Result<()> {
    apt(["update", "-qq"].iter())?;
    apt(["install", "-qq", "-y", "--no-install-recommends"].iter().chain(packages))
}

/// Runs apt-get; its chatter is shown only when it fails.
fn apt<'a>(arguments: impl Iterator<Item = &'a &'a str>) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    crate::command::output(&mut command).map(drop)
}

fn disable(service: &str) {
    let mut command = Command::new("systemctl");
    command.args(["disable", "--quiet", service]).stdout(Stdio::null()).stderr(Stdio::null());
    // Without systemd there is nothing that would start it.
    command.status().ok();
}

/// While it exists, packages start no services. An administrator's own hook is left alone: it has decided already.
struct Policy {
    written: bool,
}

impl Policy {
    fn forbid_starts() -> Result<Self> {
        if Path::new(POLICY).exists() {
            return Ok(Self { written: false });
        }
        fs::write(POLICY, "#!/bin/sh\nexit 101\n").with_context(|| format!("cannot write {POLICY}"))?;
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))?;
        Ok(Self { written: true })
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if self.written {
            fs::remove_file(POLICY).ok();
        }
    }
}

/// The program that stands for a router's package.
pub fn program_of(router: crate::launch::Router) -> Option<&'static str> {
    let package = router.package()?;
    PACKAGES.iter().find(|(_, name)| *name == package).map(|(program, _)| *program)
}

/// The name of the package that Debian's kernel is in, and nothing else: the meta package's only kernel.
pub fn kernel_package() -> Result<String> {
    let depends = || crate::command::output(Command::new("apt-cache").args(["depends", "linux-image-amd64"]));
    let find = |text: &str| {
        let names = text.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
        names.map(str::trim).find(|name| name.starts_with("linux-image-")).map(str::to_owned)
    };
    if let Some(name) = depends().ok().as_deref().and_then(find) {
        return Ok(name);
    }
    apt(["update", "-qq"].iter())?;
    match find(&depends()?) {
        Some(name) => Ok(name),
        None => bail!("Debian's package linux-image-amd64 is not to be had here"),
    }
}
