//! Lines on their way to standard error, and the thread that writes them.
//!
//! Standard error may be a pipe that nobody reads, or a terminal that was stopped. Only the thread waits for it. Lines
//! that find no room are dropped; once lines are written again, the log says how many are missing.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc::{self, RecvTimeoutError, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use super::throttle::Throttle;

/// Lines that may wait.
const LINES: usize = 8192;
/// Octets that may wait.
const OCTETS: usize = 2 << 20;
/// Standard error that takes a line within this time does not count as blocked.
const SLOW: Duration = Duration::from_secs(1);
/// Standard error that would block, because somebody has told it not to wait, is tried again after this long.
const RETRY: Duration = Duration::from_millis(50);
/// How often the thread looks for what was left out.
const TICK: Duration = Duration::from_secs(1);

/// The waiting lines.
#[derive(Debug)]
pub(super) struct Queue {
    sender: SyncSender<Vec<u8>>,
    counts: Arc<Counts>,
}

#[derive(Debug)]
struct Counts {
    started: Instant,
    /// Octets not yet written.
    waiting: AtomicUsize,
    dropped: AtomicU64,
    /// When the write under way began, in milliseconds since the start and plus one; 0: none is.
    writing: AtomicU64,
}

/// Starts the thread.
///
/// # Errors
///
/// As for threads.
pub(super) fn start(throttle: Throttle) -> io::Result<Arc<Queue>> {
    let (sender, lines) = mpsc::sync_channel(LINES);
    let counts = Arc::new(Counts {
        started: Instant::now(),
        waiting: AtomicUsize::new(0),
        dropped: AtomicU64::new(0),
        writing: AtomicU64::new(0),
    });
    let mut writer = Writer { counts: Arc::clone(&counts), throttle, told: 0 };
    thread::Builder::new().name("log".to_owned()).spawn(move || writer.run(&lines, &mut io::stderr()))?;
    Ok(Arc::new(Queue { sender, counts }))
}

impl Queue {
    /// Lines that are missing.
    pub(super) fn dropped(&self) -> u64 {
        self.counts.dropped.load(Relaxed)
    }

    /// How long standard error has been refusing a line, if it does.
    pub(super) fn blocked(&self) -> Option<Duration> {
        let begun = self.counts.writing.load(Relaxed).checked_sub(1)?;
        let lasting = self.counts.started.elapsed().saturating_sub(Duration::from_millis(begun));
        (lasting >= SLOW).then_some(lasting)
    }

    /// Waits until all is written, at most for `limit`.
    pub(super) fn settle(&self, limit: Duration) {
        let begun = Instant::now();
        while self.counts.waiting.load(Relaxed) > 0 && begun.elapsed() < limit {
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn take(&self, line: &[u8]) {
        let octets = line.len();
        let fits = self.counts.waiting.fetch_add(octets, Relaxed).saturating_add(octets) <= OCTETS;
        if !fits || self.sender.try_send(line.to_vec()).is_err() {
            self.counts.waiting.fetch_sub(octets, Relaxed);
            self.counts.dropped.fetch_add(1, Relaxed);
        }
    }
}

/// One line for the queue: the subscriber writes each with one call.
pub(super) struct Line(pub(super) Arc<Queue>);

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.take(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The thread's state.
struct Writer {
    counts: Arc<Counts>,
    throttle: Throttle,
    /// Dropped lines that the log has mentioned.
    told: u64,
}

impl Writer {
    fn run(&mut self, lines: &mpsc::Receiver<Vec<u8>>, output: &mut impl Write) {
        loop {
            match lines.recv_timeout(TICK) {
                Ok(line) => self.write(&line, output),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.throttle.tell(Instant::now());
            self.tell_dropped();
        }
    }

    fn write(&self, line: &[u8], output: &mut impl Write) {
        let begun = u64::try_from(self.counts.started.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.counts.writing.store(begun + 1, Relaxed);
        if write_all(line, output).is_err() {
            self.counts.dropped.fetch_add(1, Relaxed);
        }
        self.counts.writing.store(0, Relaxed);
        self.counts.waiting.fetch_sub(line.len(), Relaxed);
    }

    /// Says how many lines are missing, once there is room for saying so.
    fn tell_dropped(&mut self) {
        let dropped = self.counts.dropped.load(Relaxed);
        if dropped > self.told && self.counts.waiting.load(Relaxed) < OCTETS / 2 {
            let missing = dropped - self.told;
            self.told = dropped;
            tracing::warn!(missing, "lines are missing here: standard error took none for a while");
        }
    }
}

fn write_all(mut line: &[u8], output: &mut impl Write) -> io::Result<()> {
    while !line.is_empty() {
        match output.write(line) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(taken) => line = line.get(taken..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(RETRY),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue whose lines nobody takes.
    fn stuck() -> (Arc<Queue>, mpsc::Receiver<Vec<u8>>) {
        let (sender, lines) = mpsc::sync_channel(4);
        let counts = Counts {
            started: Instant::now(),
            waiting: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            writing: AtomicU64::new(0),
        };
        (Arc::new(Queue { sender, counts: Arc::new(counts) }), lines)
    }

    #[test]
    fn lines_without_room_are_dropped_and_counted_and_nobody_waits() {
        let (queue, lines) = stuck();
        for _ in 0..10 {
            Line(Arc::clone(&queue)).write_all(b"line\n").expect("never fails");
        }
        assert_eq!((queue.dropped(), queue.counts.waiting.load(Relaxed)), (6, 20));
        queue.settle(Duration::from_millis(10));
        drop(lines);
        Line(Arc::clone(&queue)).write_all(b"line\n").expect("never fails");
        assert_eq!(queue.dropped(), 7);
    }

    #[test]
    fn a_line_too_large_for_what_is_left_is_dropped_whole() {
        let (queue, lines) = stuck();
        Line(Arc::clone(&queue)).write_all(&vec![b'x'; OCTETS]).expect("never fails");
        Line(Arc::clone(&queue)).write_all(b"y").expect("never fails");
        assert_eq!((queue.dropped(), lines.try_iter().count()), (1, 1));
    }

    /// Takes one octet at a time, and would block every other time.
    struct Reluctant(Vec<u8>, bool);

    impl Write for Reluctant {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.0.extend(octets.first());
            Ok(1)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_output_that_would_block_gets_the_whole_line_all_the_same() {
        let mut output = Reluctant(Vec::new(), false);
        write_all(b"ab\n", &mut output).expect("takes it");
        assert_eq!(output.0, b"ab\n");
    }
}
