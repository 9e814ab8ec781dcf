//! A stream of numbered UDP packets between two nodes, counted where it arrives.
//!
//! ```text
//! namespace A                                      namespace B
//!   sender   --- number 0, 1, 2 ... --------------> receiver -> Tally
//!   receiver <-------------- number 0, 1, 2 ... --- sender
//! ```
//!
//! Each sender and receiver is a thread of this process that enters the node's network namespace and opens its socket
//! there. A [`Lap`] is what became of the packets sent since the last one; the stream itself never stops in between.

mod lap;
mod socket;
mod tally;

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

pub use self::lap::{Case, Lap};
use self::{
    socket::{Overflow, Packets},
    tally::Tally,
};

/// How often a sender wakes to send what is due.
const TICK: Duration = Duration::from_millis(1);
/// Ticks whose packets may be sent at once after a delay: what a sleepy machine owes beyond that is not sent at all,
/// lest the burst overflow a queue and be taken for a loss of the route.
const CATCH_UP: u64 = 4;
/// How long a packet may be on its way before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(2);

/// One end of a stream.
#[derive(Clone, Debug)]
pub struct Side {
    /// The network namespace, as `ip netns` names it.
    pub namespace: String,
    /// The address packets are sent from and to.
    pub address: Ipv4Addr,
}

/// Which packets are sent.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Packets per second in each direction.
    pub rate: u32,
    /// Octets of UDP payload; fewer than sixteen are made sixteen.
    pub size: usize,
    /// The UDP port of both ends.
    pub port: u16,
}

/// A stream that runs until it is dropped.
pub struct Stream {
    directions: Vec<Direction>,
}

struct Direction {
    shared: Arc<Shared>,
    overflow: Overflow,
    lap: (u64, Instant),
    threads: Vec<JoinHandle<()>>,
}

/// What the threads of a direction and the one who asks have in common.
#[derive(Default)]
struct Shared {
    /// The next number to be sent, which is how many were.
    sent: AtomicU64,
    tally: Mutex<Tally>,
    /// Set once nobody wants more.
    over: std::sync::atomic::AtomicBool,
}

impl Shared {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn tally<T>(&self, look: impl FnOnce(&mut Tally) -> T) -> T {
        look(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Stream {
    /// Starts sending from the first of each pair to the second. All receivers listen before anything is sent.
    pub fn start(pairs: &[(Side, Side)], shape: Shape) -> Result<Self> {
        let mut directions = Vec::new();
        for (_, to) in pairs {
            let shared = Arc::new(Shared::default());
            let (overflow, receiver) =
                receive(to, shape, &shared).with_context(|| format!("cannot receive in {}", to.namespace))?;
            directions.push(Direction {
                shared,
                overflow,
                lap: (0, Instant::now()),
                threads: vec![receiver],
            });
        }
        for (direction, (from, to)) in directions.iter_mut().zip(pairs) {
            let sender = send(from, to, shape, &direction.shared)
                .with_context(|| format!("cannot send from {}", from.namespace))?;
            direction.lap.1 = Instant::now();
            direction.threads.push(sender);
        }
        Ok(Self { directions })
    }

    /// What became of the packets sent since the start or the last lap, both directions together. Waits for those under
    /// way, at most two seconds.
    pub fn lap(&mut self) -> Lap {
        let marks: Vec<u64> =
            self.directions.iter().map(|direction| direction.shared.sent.load(Ordering::Acquire)).collect();
        let now = Instant::now();
        let deadline = now + PATIENCE;
        let mut whole = Lap::default();
        for (direction, mark) in self.directions.iter_mut().zip(marks) {
            while direction.shared.tally(|tally| tally.missing_below(mark)) > 0 && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
            whole = whole.with(direction.close_lap(mark, now));
        }
        whole
    }
}

impl Direction {
    fn close_lap(&mut self, mark: u64, now: Instant) -> Lap {
        let (first, began) = std::mem::replace(&mut self.lap, (mark, now));
        let seen = self.shared.tally(|tally| tally.close(mark));
        Lap {
            sent: mark.saturating_sub(first),
            lost: seen.missing,
            reordered: seen.reordered,
            duplicated: seen.duplicated,
            longest_gap: seen.longest_gap,
            longest_silence: seen.longest_silence,
            overflowed: self.overflow.since_last_time(),
            lasted: now.saturating_duration_since(began),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.directions.iter().for_each(|direction| direction.shared.over.store(true, Ordering::Relaxed));
        for thread in self.directions.iter_mut().flat_map(|direction| direction.threads.drain(..)) {
            // A thread that panicked has told so already.
            thread.join().ok();
        }
    }
}

/// Starts the thread that receives, and waits until its socket is open.
fn receive(to: &Side, shape: Shape, shared: &Arc<Shared>) -> Result<(Overflow, JoinHandle<()>)> {
    let (side, shared) = (to.clone(), shared.clone());
    in_thread(move |opened| {
        let port = shape.port;
        let Some((packets, buffer)) = hand_over(opened, || {
            let packets = Packets::open(&side, port)?;
            Ok((packets.overflow(port)?, (packets, vec![0; shape.size.max(socket::HEADER)])))
        }) else {
            return;
        };
        let mut buffer = buffer;
        while !shared.is_over() {
            if let Some(number) = packets.receive(&mut buffer) {
                shared.tally(|tally| tally.arrived(number, Instant::now()));
            }
        }
    })
}

/// Starts the thread that sends, and waits until its socket is open.
fn send(from: &Side, to: &Side, shape: Shape, shared: &Arc<Shared>) -> Result<JoinHandle<()>> {
    let (side, shared) = (from.clone(), shared.clone());
    let target = SocketAddrV4::new(to.address, shape.port);
    let opened = in_thread(move |opened| {
        let Some(packets) = hand_over(opened, || Ok(((), Packets::open(&side, 0)?))) else { return };
        let mut payload = vec![0; shape.size.max(socket::HEADER)];
        let (start, mut forgiven) = (Instant::now(), 0_u64);
        let most = (u64::from(shape.rate) * CATCH_UP / 1000).max(CATCH_UP);
        while !shared.is_over() {
            let sent = shared.sent.load(Ordering::Relaxed);
            let due = due(start.elapsed(), shape.rate).saturating_sub(forgiven).saturating_sub(sent);
            forgiven = forgiven.saturating_add(due.saturating_sub(most));
            for number in sent..sent.saturating_add(due.min(most)) {
                if packets.send(&mut payload, number, target) {
                    shared.sent.store(number + 1, Ordering::Release);
                } else {
                    // The sender's own queue is full: the number is not used up, the moment is.
                    forgiven = forgiven.saturating_add(1);
                    break;
                }
            }
            std::thread::sleep(TICK);
        }
    });
    opened.map(|((), thread)| thread)
}

fn due(elapsed: Duration, rate: u32) -> u64 {
    let packets = elapsed.as_nanos().saturating_mul(u128::from(rate)) / 1_000_000_000;
    u64::try_from(packets).unwrap_or(u64::MAX)
}

type Opened<T> = mpsc::Sender<Result<T>>;

/// Runs a thread and waits for the first thing it has to say.
fn in_thread<T: Send + 'static>(
    body: impl FnOnce(Opened<T>) + Send + 'static,
) -> Result<(T, JoinHandle<()>)> {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || body(sender));
    let first = receiver.recv().context("the thread has died")??;
    Ok((first, thread))
}

/// Tells the one who waits how opening went; the thread keeps its own part.
fn hand_over<T, K>(opened: Opened<T>, open: impl FnOnce() -> Result<(T, K)>) -> Option<K> {
    let (told, kept) = match open() {
        Ok((told, kept)) => (Ok(told), Some(kept)),
        Err(error) => (Err(error), None),
    };
    opened.send(told).ok()?;
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_grows_with_time_and_rate() {
        assert_eq!(due(Duration::from_millis(1500), 1000), 1500);
        assert_eq!(due(Duration::from_micros(2500), 20_000), 50);
        assert_eq!(due(Duration::ZERO, 20_000), 0);
    }
}
