//! The virtual machine.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{initramfs, kernel::Kernel};

/// The guest's kernel messages, in the job's folder.
pub(super) const CONSOLE: &str = "console.log";
/// A guest that is silent for this long is stuck.
pub(super) const SILENCE: Duration = Duration::from_secs(300);
/// A boot with KVM takes a second or two; nested ones may hang.
const PROBE_LIMIT: Duration = Duration::from_secs(12);

/// How the processor is virtualised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accelerator {
    /// By the processor itself.
    Kvm,
    /// In software.
    Emulation,
}

impl Accelerator {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kvm => "KVM",
            Self::Emulation => "software emulation",
        }
    }

    fn arguments(self) -> [&'static str; 4] {
        match self {
            Self::Kvm => ["-accel", "kvm", "-cpu", "host"],
            Self::Emulation => ["-accel", "tcg,thread=multi", "-cpu", "max"],
        }
    }
}

/// KVM where it really works, found by a trial boot whose result is remembered until the host reboots.
pub(super) fn accelerator(kernel: &Kernel) -> Result<Accelerator> {
    if fs::File::options().read(true).write(true).open("/dev/kvm").is_err() {
        return Ok(Accelerator::Emulation);
    }
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let memory = kernel.root.with_file_name("kvm-probe");
    if let Ok(known) = fs::read_to_string(&memory)
        && let Some(answer) = known.strip_prefix(&boot)
    {
        return Ok(if answer == "works" { Accelerator::Kvm } else { Accelerator::Emulation });
    }
    let works = probe(kernel)?;
    fs::write(memory, format!("{boot}{}", if works { "works" } else { "hangs" }))?;
    Ok(if works { Accelerator::Kvm } else { Accelerator::Emulation })
}

fn probe(kernel: &Kernel) -> Result<bool> {
    const WORD: &str = "siskin-lab-alive";
    let file = kernel.root.with_file_name(format!("probe-{}", std::process::id()));
    fs::write(&file, initramfs::for_probe(WORD)?)?;
    let mut command = qemu(kernel, Accelerator::Kvm, &file);
    let mut child =
        command.args(["-serial", "stdio"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let deadline = Instant::now() + PROBE_LIMIT;
    while child.try_wait()?.is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().ok();
    let output = child.wait_with_output()?;
    fs::remove_file(file)?;
    Ok(String::from_utf8_lossy(&output.stdout).contains(WORD))
}

/// The part of the command line that every boot shares. QEMU dies with this process.
fn qemu(kernel: &Kernel, accelerator: Accelerator, initramfs: &Path) -> Command {
    let mut command = Command::new("setpriv");
    let processors = std::thread::available_parallelism().map_or(1, |n| n.get().min(4)).to_string();
    command
        .args(["--pdeathsig", "KILL", "qemu-system-x86_64", "-machine", "q35"])
        .args(accelerator.arguments())
        .args(["-smp", &processors, "-m", "2G", "-nodefaults", "-display", "none", "-no-reboot"])
        // On a busy machine the emulated timer is late for the kernel's check of it, which is a panic.
        .args(["-append", "console=ttyS0 quiet panic=-1 no_timer_check"])
        .arg("-kernel")
        .arg(kernel.image())
        .arg("-initrd")
        .arg(initramfs)
        .stdin(Stdio::null());
    command
}

/// A running guest.
pub(super) struct Machine {
    child: Child,
}

impl Machine {
    /// Boots with the host's root over 9p; kernel messages go to [`CONSOLE`], the lab's words to standard output. `ask`
    /// becomes a socket that leads to the guest's third terminal.
    pub(super) fn boot(
        kernel: &Kernel,
        accelerator: Accelerator,
        initramfs: &Path,
        job: &Path,
        ask: Option<&Path>,
    ) -> Result<Self> {
        let console = format!("file:{}", job.join(CONSOLE).display());
        let mut command = qemu(kernel, accelerator, initramfs);
        command
            .args(["-serial", &console, "-chardev", "stdio,id=lab,signal=off", "-serial", "chardev:lab"])
            .args(ask.into_iter().flat_map(|ask| {
                let socket = format!("socket,id=ask,path={},server=on,wait=off", ask.display());
                ["-chardev".to_owned(), socket, "-serial".to_owned(), "chardev:ask".to_owned()]
            }))
            .args(["-fsdev", "local,id=root,path=/,security_model=none,multidevs=remap"])
            .args(["-device", "virtio-9p-pci,fsdev=root,mount_tag=host"])
            .stdout(Stdio::piped())
            .stderr(fs::File::create(job.join("qemu.log"))?);
        Ok(Self { child: command.spawn().context("cannot start QEMU")? })
    }

    /// Hands over each line the guest prints, until it has switched itself off; one that is silent for longer than
    /// `silence` is stuck.
    pub(super) fn lines(mut self, silence: Option<Duration>, mut each: impl FnMut(&str)) -> Result<()> {
        let stdout = self.child.stdout.take().context("QEMU has no output")?;
        let (sender, receiver) = mpsc::sync_channel(64);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        loop {
            match receiver.recv_timeout(silence.unwrap_or(Duration::MAX)) {
                Ok(line) => each(String::from_utf8_lossy(&line).trim_end_matches('\r')),
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    bail!("the guest was silent for {} s", silence.unwrap_or_default().as_secs())
                }
            }
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
