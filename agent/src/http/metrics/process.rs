//! What the process itself uses, by the names that every Prometheus client has for it.

use std::{fmt, fs};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, metrics::MetricType};
use rustix::process::{Resource, getrlimit};

use super::{NO_LABELS, family, gauges, signed};

/// Ticks of a second in `/proc/PID/stat` (USER_HZ), whatever the kernel's own clock has.
const TICKS: f64 = 100.0;

/// Use of the host by this process.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Process {
    cpu_seconds: f64,
    start_seconds: f64,
    virtual_bytes: u64,
    resident_bytes: u64,
    threads: u64,
    open_files: u64,
    most_files: u64,
}

impl Process {
    /// As the kernel has it now; what it does not say is 0.
    pub(super) fn now() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let (stat, status) = (read("/proc/self/stat"), read("/proc/self/status"));
        // The second field is the name in parentheses, which may have blanks in it.
        let fields: Vec<f64> = stat
            .rsplit_once(')')
            .map(|(_, rest)| rest.split_whitespace().map(|field| field.parse().unwrap_or_default()).collect())
            .unwrap_or_default();
        let field =
            |number: usize| number.checked_sub(3).and_then(|n| fields.get(n)).copied().unwrap_or_default();
        let boot = line_of(&read("/proc/stat"), "btime");
        Self {
            cpu_seconds: (field(14) + field(15)) / TICKS,
            start_seconds: f64::from(u32::try_from(boot).unwrap_or_default()) + field(22) / TICKS,
            virtual_bytes: line_of(&status, "VmSize:") * 1024,
            resident_bytes: line_of(&status, "VmRSS:") * 1024,
            threads: line_of(&status, "Threads:"),
            open_files: fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64),
            most_files: getrlimit(Resource::Nofile).current.unwrap_or_default(),
        }
    }
}

/// The number after a name at the beginning of a line.
fn line_of(text: &str, name: &str) -> u64 {
    let rest = text.lines().find_map(|line| line.strip_prefix(name));
    rest.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let e = &mut encoder;
        let cpu = [(NO_LABELS, self.cpu_seconds)];
        family(
            e,
            "process_cpu_seconds",
            "Processor time used.",
            MetricType::Counter,
            cpu,
            |sample, value| sample.encode_counter::<[(&str, &str); 0], _, u64>(value, None),
        )?;
        let start = [(NO_LABELS, self.start_seconds)];
        gauges(e, "process_start_time_seconds", "When the process started, since 1970.", start)?;
        let number = |number: u64| [(NO_LABELS, signed(number))];
        gauges(e, "process_virtual_memory_bytes", "Virtual memory.", number(self.virtual_bytes))?;
        gauges(e, "process_resident_memory_bytes", "Memory in use.", number(self.resident_bytes))?;
        gauges(e, "process_threads", "Threads.", number(self.threads))?;
        gauges(e, "process_open_fds", "Open files.", number(self.open_files))?;
        gauges(e, "process_max_fds", "Most files that may be open.", number(self.most_files))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_what_this_process_uses() {
        let process = Process::now();
        assert!(
            process.start_seconds > 1e9 && process.open_files >= 3 && process.threads >= 1,
            "{process:?}"
        );
        assert!(process.resident_bytes > 1 << 20 && process.virtual_bytes >= process.resident_bytes);
        assert!(process.most_files >= process.open_files);
    }
}
