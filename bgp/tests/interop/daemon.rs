//! Another daemon as a child process with its own directory, both gone when the test is over.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

/// A running daemon.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) directory: PathBuf,
}

impl Daemon {
    /// Starts `program` in a directory of its own that holds `configuration` as `conf`; `{}` in the arguments stands
    /// for the directory. `None`, said loudly, when the program is not installed.
    pub(crate) fn start(program: &str, arguments: &[&str], configuration: &str) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !is_installed(program) {
            eprintln!("SKIPPED: {program} is not installed");
            return None;
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("siskin-interop-{}-{number}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        // FRR drops its privileges and must still find its files.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(&directory, mode).unwrap();
        fs::write(directory.join("conf"), configuration).unwrap();
        let place = directory.to_str().unwrap();
        let child = Command::new(program)
            .args(arguments.iter().map(|argument| argument.replace("{}", place)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Some(Self { child, directory })
    }

    /// Starts BIRD; its control socket is `ctl` in its directory, its log `log`.
    pub(crate) fn bird(configuration: &str) -> Option<Self> {
        let arguments = ["-f", "-c", "{}/conf", "-s", "{}/ctl", "-P", "{}/pid", "-D", "{}/log"];
        Self::start("bird", &arguments, configuration)
    }

    /// Runs a client of the daemon and returns what it prints.
    pub(crate) fn ask<S: AsRef<OsStr>>(&self, program: &str, arguments: &[S]) -> String {
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Kills the process as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both may be gone already.
        self.child.kill().ok();
        self.child.wait().ok();
        fs::remove_dir_all(&self.directory).ok();
    }
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Path::new(program).is_file()
        || std::env::split_paths(&path).chain(["/usr/sbin".into()]).any(|place| place.join(program).is_file())
}
