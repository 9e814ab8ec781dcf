//! Debian's stock kernel under QEMU, on the host's own root file system: for labs that need what the host's kernel
//! lacks.

mod initramfs;
mod kernel;
mod qemu;
pub(crate) mod stay;

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

pub(crate) use self::kernel::Build;
use self::{
    kernel::Kernel,
    qemu::{Accelerator, Machine},
};
use crate::{install, interrupt::OnInterrupt, run::LabResult, ui};

/// Set in the guest.
pub const INSIDE: &str = "SISKIN_LAB_GUEST";
/// Set by a process that wants each result as a line of its own, as it comes.
pub const REPORT: &str = "SISKIN_LAB_REPORT";
/// Lines from the guest that are not for people begin with this.
const MARK: &str = "@@siskin-lab ";
/// Variables the guest takes over.
const PASSED_ON: &[&str] = &["SISKIN_BIN", "SISKIN_LAB_CACHE", "NO_COLOR", "RUST_BACKTRACE", "RUST_LOG"];

/// Whether this process runs in the guest.
pub fn inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Whether somebody reads the results line by line.
pub fn relays() -> bool {
    inside() || std::env::var_os(REPORT).is_some()
}

/// The result in a line, if that is what it is.
pub fn reported(line: &str) -> Option<LabResult> {
    serde_json::from_str(line.strip_prefix(MARK)?).ok()
}

/// Tells the host, or whoever set [`REPORT`], how a run went.
pub fn report(result: &LabResult) -> Result<()> {
    ui::line(&format!("{MARK}{}", serde_json::to_string(result)?));
    Ok(())
}

/// A kernel that can be booted here.
pub(crate) struct Boot {
    kernel: Kernel,
    accelerator: Accelerator,
}

impl Boot {
    /// Installs QEMU and fetches the kernel, where they are missing.
    pub(crate) fn prepare(build: Build) -> Result<Self> {
        crate::lab::require_root()?;
        install::ensure_programs(install::GUEST)?;
        let kernel = Kernel::fetch(&folder_of(build)?, build)?;
        let accelerator = qemu::accelerator(&kernel)?;
        Ok(Self { kernel, accelerator })
    }

    /// Boots the guest and runs this same program in it with other arguments. What it prints is printed; the results
    /// it reports are returned.
    pub(crate) fn run(&self, arguments: &[OsString], why: &str) -> Result<Vec<LabResult>> {
        ui::note(&format!(
            "{why}; running on Debian's kernel {} in QEMU ({})",
            self.kernel.release,
            self.accelerator.name()
        ));
        let job = Job::create(&self.kernel, arguments)?;
        let folder = job.folder.clone();
        let _undo = OnInterrupt::new(move || drop(fs::remove_dir_all(folder)));
        let machine = Machine::boot(&self.kernel, self.accelerator, &job.initramfs, &job.folder, None)?;
        results_of(machine, &job)
    }
}

/// Shows what the guest prints, and collects what it reports.
fn results_of(machine: Machine, job: &Job) -> Result<Vec<LabResult>> {
    let mut results = Vec::new();
    let mut status = None;
    machine.lines(Some(qemu::SILENCE), |line| {
        let mark = line.strip_prefix(MARK);
        let result = reported(line);
        if mark.is_none() || (result.is_some() && relays()) {
            ui::line(line);
        }
        results.extend(result);
        let ended = mark.and_then(|text| text.strip_prefix("exit ")?.trim().parse::<i32>().ok());
        status = ended.or(status);
    })?;
    match status {
        Some(_) => Ok(results),
        None => bail!("the guest ended early; the last words of its kernel:\n{}", job.last_words()),
    }
}

/// Where results, captures and jobs are kept: `SISKIN_LAB_CACHE`, else `target/siskin-lab`, else the user's cache.
pub(crate) fn cache() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let target = own.ancestors().find(|folder| folder.ends_with("target"));
    match (std::env::var_os("SISKIN_LAB_CACHE"), target) {
        (None, Some(target)) => made(target.join("siskin-lab")),
        _ => downloads(),
    }
}

/// Where kernels and other releases' packages are kept, for every checkout: `SISKIN_LAB_CACHE`, else the user's cache.
pub(crate) fn downloads() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("SISKIN_LAB_CACHE") {
        return made(PathBuf::from(folder));
    }
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
    made(base.or_else(home).context("HOME is not set")?.join("siskin-lab"))
}

fn made(folder: PathBuf) -> Result<PathBuf> {
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder.canonicalize()?)
}

/// The folder a kernel is or will be in: a checkout may have fetched one for itself.
fn folder_of(build: Build) -> Result<PathBuf> {
    let own = cache()?;
    if Kernel::is_in(&own, build) { Ok(own) } else { downloads() }
}

/// What one boot runs: a folder with its script, removed afterwards.
struct Job {
    folder: PathBuf,
    initramfs: PathBuf,
}

impl Job {
    fn create(kernel: &Kernel, arguments: &[OsString]) -> Result<Self> {
        let folder = cache()?.join(format!("job-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let job = Self { initramfs: folder.join("initramfs"), folder };
        let modules = kernel.root.display();
        job.script("modprobe", &format!("#!/bin/sh\nexec /sbin/modprobe -d '{modules}' \"$@\"\n"))?;
        job.script("run", &guest_script(&job.folder, arguments)?)?;
        fs::write(&job.initramfs, initramfs::for_host_root(kernel, &job.folder.join("run"))?)?;
        Ok(job)
    }

    fn script(&self, name: &str, text: &str) -> Result<()> {
        let path = self.folder.join(name);
        fs::write(&path, text)?;
        Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
    }

    fn last_words(&self) -> String {
        let log = fs::read(self.folder.join(qemu::CONSOLE)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// The first thing that runs on the host's root file system in the guest.
fn guest_script(job: &Path, arguments: &[OsString]) -> Result<String> {
    let own = std::env::current_exe()?;
    let here = std::env::current_dir()?;
    let words = std::iter::once(own.as_os_str()).chain(arguments.iter().map(OsString::as_os_str));
    let command = shell_words::join(words.map(|word| word.to_string_lossy()));
    let path = std::env::var("PATH").unwrap_or_default();
    let mut variables =
        format!("export PATH={} HOME=/root LANG=C.UTF-8 TMPDIR=/run/tmp {INSIDE}=1\n", quote(&path));
    for name in PASSED_ON {
        if let Ok(value) = std::env::var(name) {
            variables.push_str(&format!("export {name}={}\n", quote(&value)));
        }
    }
    if let Some(base) = downloads()?.parent() {
        variables.push_str(&format!("export XDG_CACHE_HOME={}\n", quote(&base.to_string_lossy())));
    }
    variables.push_str(&format!("export SISKIN_LAB_COLOUR={}\n", u8::from(ui::coloured())));
    Ok(format!(
        "#!/bin/sh
mount -t tmpfs run /run
mkdir -p /run/lock /run/tmp
mount -t devpts -o mode=620 devpts /dev/pts 2>/dev/null || {{ mkdir -p /dev/pts; mount -t devpts devpts /dev/pts; }}
mkdir -p /dev/shm; mount -t tmpfs shm /dev/shm
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin; ln -s fd/1 /dev/stdout; ln -s fd/2 /dev/stderr
echo {modprobe} >/proc/sys/kernel/modprobe
ip link set lo up
{variables}cd {here}
stty -F /dev/ttyS1 raw -echo
{command} >/dev/ttyS1 2>&1 </dev/null
echo \"{MARK}exit $?\" >/dev/ttyS1
echo o >/proc/sysrq-trigger
sleep 60
",
        modprobe = quote(&job.join("modprobe").to_string_lossy()),
        here = quote(&here.to_string_lossy()),
    ))
}

fn quote(text: &str) -> String {
    shell_words::quote(text).into_owned()
}
