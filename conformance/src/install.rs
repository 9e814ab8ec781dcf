//! Programs the labs need, from Debian's packages.

use std::{
    collections::{BTreeMap, BTreeSet},
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
    ("promtool", "prometheus"),
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
    ("prometheus", "prometheus.service"),
];
/// Debian's hook that decides whether a package may start its services.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Programs every lab uses.
pub const LAB: &[&str] = &["ip", "nft", "ping", "python3", "tcpdump", "tshark"];
/// Programs the guest needs besides.
pub const GUEST: &[&str] = &["busybox", "modprobe", "qemu-system-x86_64"];

/// Packages that could not be had, each with the reason.
#[derive(Debug, Default)]
pub struct Missing {
    packages: BTreeMap<&'static str, String>,
}

impl Missing {
    /// The first of these programs' packages that is missing, and why.
    pub fn of(&self, programs: &[&str]) -> Option<String> {
        let packages: BTreeSet<_> = programs.iter().filter_map(|program| package_of(program)).collect();
        self.iter()
            .find(|(package, _)| packages.contains(package))
            .map(|(package, why)| not_there(package, why))
    }

    /// Packages and reasons, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.packages.iter().map(|(package, why)| (*package, why.as_str()))
    }
}

fn not_there(package: &str, why: &str) -> String {
    format!("Debian's package {package} is not installed and cannot be: {why}")
}

/// Installs the packages of those programs that are missing, saying so; one that cannot be had is an error.
pub fn ensure_programs(programs: &[&str]) -> Result<()> {
    match obtain(programs).iter().next() {
        Some((package, why)) => bail!(not_there(package, why)),
        None => Ok(()),
    }
}

/// Installs the packages of those programs that are missing, saying so, each that can be had. Their services are
/// neither started now nor at the next boot.
pub fn obtain(programs: &[&str]) -> Missing {
    let packages = missing(programs);
    if packages.is_empty() {
        return Missing::default();
    }
    let error = match install(&packages) {
        Ok(()) => None,
        Err(error) => Some(format!("{error:#}")),
    };
    for (_, service) in SERVICES.iter().filter(|(package, _)| packages.contains(package)) {
        disable(service);
    }
    let why = |package: &str| {
        let error = error.as_deref().unwrap_or_default();
        let own = error.lines().find(|line| line.starts_with("E: ") && line.contains(package));
        let any = || error.lines().find(|line| line.starts_with("E: "));
        own.or_else(any).or(error.lines().next()).unwrap_or("its program is not on the path").to_owned()
    };
    Missing { packages: missing(programs).into_iter().map(|package| (package, why(package))).collect() }
}

/// The packages of those programs that are missing, sorted.
pub fn missing(programs: &[&str]) -> Vec<&'static str> {
    let absent = programs.iter().filter(|program| on_path(program).is_none());
    absent.filter_map(|program| package_of(program)).collect::<BTreeSet<_>>().into_iter().collect()
}

fn package_of(program: &str) -> Option<&'static str> {
    PACKAGES.iter().find(|(name, _)| *name == program).map(|(_, package)| *package)
}

/// Installs packages: all at once, and where that fails one by one, so that each that can be had is there. The error
/// has the complaints of the others.
fn install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    ensure!(
        on_path("apt-get").is_some(),
        "missing: {list} (Debian's names); there is no apt-get to install them with"
    );
    crate::lab::require_root()?;
    ui::note(&format!("installing from Debian's packages: {list}"));
    let _policy = Policy::forbid_starts()?;
    // Without a network the lists of before may do.
    let update = apt(["update", "-qq"].iter());
    let one =
        |packages: &[&str]| apt(["install", "-qq", "-y", "--no-install-recommends"].iter().chain(packages));
    if one(packages).is_ok() {
        return Ok(());
    }
    let mut complaints = Vec::new();
    for package in packages {
        complaints.extend(one(&[package]).err().map(|error| format!("{error:#}")));
    }
    complaints.extend(update.err().filter(|_| !complaints.is_empty()).map(|error| format!("{error:#}")));
    ensure!(complaints.is_empty(), "{}", complaints.join("\n"));
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_is_told_which_of_its_packages_is_missing_and_why() {
        let missing = Missing { packages: BTreeMap::from([("bird2", "E: no".to_owned())]) };
        let words = "Debian's package bird2 is not installed and cannot be: E: no";
        assert_eq!(missing.of(&["zebra", "bird"]).as_deref(), Some(words));
        assert_eq!(missing.of(&["zebra", "ip"]), None);
    }

    #[test]
    fn what_is_there_is_not_asked_for() {
        assert!(obtain(&["sh"]).iter().next().is_none());
        assert!(missing(&["no-such-program-of-ours"]).is_empty());
    }
}
