//! What this process has used, by `/proc/self`.

use std::{fs, time::Duration};

use crate::sampler;

/// Nanoseconds in a tick of the clock by which the kernel counts the time of children.
const TICK: u64 = 10_000_000;

/// The memory it has.
pub(crate) fn resident_kilobytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The processor's time of all threads but the sampler's, and of children that have ended. Other processes lengthen the
/// time by the clock, but hardly this one.
pub(crate) fn busy() -> Duration {
    let threads = fs::read_dir("/proc/self/task").unwrap().map(|thread| thread.unwrap().path());
    let ours = threads.filter(|path| fs::read_to_string(path.join("comm")).unwrap().trim() != sampler::NAME);
    let spent = |path: std::path::PathBuf| number(&fs::read_to_string(path.join("schedstat")).unwrap(), 0);
    Duration::from_nanos(ours.map(spent).sum::<u64>() + children())
}

fn children() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    // After the name come the state and 12 other fields, then user and system time.
    let fields = stat.rsplit(')').next().unwrap();
    TICK * (number(fields, 13) + number(fields, 14))
}

fn number(text: &str, field: usize) -> u64 {
    text.split_whitespace().nth(field).unwrap().parse().unwrap()
}
