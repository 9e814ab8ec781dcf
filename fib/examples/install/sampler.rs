//! How many routes the main table holds, asked again and again while something happens.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::process;

/// How often the kernel is asked: each time it walks through the whole table.
const PAUSE: Duration = Duration::from_millis(20);

/// What was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// How often the kernel was asked.
    pub(crate) samples: usize,
    /// The fewest routes.
    pub(crate) least: usize,
    /// The most.
    pub(crate) most: usize,
    /// The processor's time it took to see it.
    pub(crate) busy: Duration,
}

/// A thread that asks again and again, in the network namespace of the one that started it.
pub(crate) struct Sampler {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

impl Sampler {
    pub(crate) fn start() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let asked = over.clone();
        let thread = thread::spawn(move || {
            let mut seen = Seen { samples: 0, least: usize::MAX, most: 0, busy: Duration::ZERO };
            loop {
                // The last sample is taken after the end.
                let is_last = asked.load(Ordering::Relaxed);
                let routes = held();
                seen = Seen {
                    samples: seen.samples + 1,
                    least: seen.least.min(routes),
                    most: seen.most.max(routes),
                    busy: process::thread_busy(),
                };
                if is_last {
                    return seen;
                }
                thread::sleep(PAUSE);
            }
        });
        Self { over, thread }
    }

    pub(crate) fn end(self) -> Seen {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// The prefixes of the main table, several routes of the same one counted each.
fn held() -> usize {
    let text = fs::read_to_string("/proc/thread-self/net/fib_triestat").unwrap();
    let main = text.split("Main:").nth(1).unwrap_or_default();
    let line = main.lines().find_map(|line| line.trim().strip_prefix("Prefixes:"));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}
