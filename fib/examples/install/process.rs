//! What this process has used, by `/proc/self`.

use std::{fs, time::Duration};

/// Nanoseconds in a tick, by which the kernel counts the time of processes.
const TICK: u64 = 10_000_000;

/// The memory it has.
pub(crate) fn resident_kilobytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The processor's time of all threads, also those that have ended, and of children that have. Other processes lengthen
/// the time by the clock, but hardly this one.
pub(crate) fn busy() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    // After the name come the state, ten other fields, and user and system time: ours, then that of children.
    let fields = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(4);
    Duration::from_nanos(TICK * fields.map(|ticks| ticks.parse::<u64>().unwrap()).sum::<u64>())
}

/// The processor's time of the calling thread.
pub(crate) fn thread_busy() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}
