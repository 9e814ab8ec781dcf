//! The same pseudo-random routes for several daemons, and after each step the question whether all of them chose the
//! same ones.
//!
//! Five neighbours, played here, tell every daemon the same: two and one external ones in two ASes, and two internal
//! ones. A sixth, a client in route reflection, hears from every daemon what it has chosen. Steps are reproducible from
//! the seed. A step is over when the observer has heard its number from every neighbour that said something, by way of
//! every daemon.

mod astray;
mod compare;
mod random;
mod routes;
mod session;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use self::{
    astray::Astray,
    compare::{Difference, Tally, normalize},
    random::Random,
    routes::{Source, Step, World},
    session::Session,
};
use crate::ui;

/// What to run.
#[derive(Clone, Debug)]
pub struct Feed {
    /// The daemons by name, with their addresses.
    pub daemons: Vec<(String, Ipv4Addr)>,
    /// Where the pseudo-random numbers start.
    pub seed: u64,
    /// How many steps.
    pub steps: u32,
    /// The daemon that has BIRD's `deterministic med`, and its one peculiarity.
    pub deterministic_med: Option<String>,
}

/// Time for all sessions to come up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time for a step to come out on the other side.
const STEP: Duration = Duration::from_secs(15);
/// Time that different choices are given to become the same.
const SETTLE: Duration = Duration::from_secs(2);

/// Time that a difference which is explained is given all the same.
const GRACE: Duration = Duration::from_millis(100);

/// A daemon with its sessions.
struct Daemon {
    name: String,
    sources: Vec<Session>,
    observer: Session,
}

impl Feed {
    /// Runs it; the words for the report, or the first difference nobody explains.
    pub fn run(&self) -> Result<String> {
        let mut daemons = self.connect()?;
        let mut random = Random::new(self.seed);
        let mut world = World::default();
        let mut tally = Tally::new();
        let mut astray = self.deterministic_med.clone().map(Astray::new);
        for number in 1..=self.steps {
            let before = world.clone();
            let step = world.step(number, &mut random);
            for daemon in &mut daemons {
                daemon.send(&step)?;
            }
            arrive(&daemons, &step).with_context(|| self.place(number))?;
            let worlds = [&before, &world];
            agree(&daemons, worlds, &mut tally, astray.as_mut()).with_context(|| self.place(number))?;
        }
        let explained: String = tally.iter().map(|(name, count)| format!("; {count} times {name}")).collect();
        Ok(format!("{} steps from seed {}: all choose the same{explained}", self.steps, self.seed))
    }

    fn place(&self, number: u32) -> String {
        format!("step {number} from seed {}", self.seed)
    }

    /// Waits for every daemon to connect to every neighbour.
    fn connect(&self) -> Result<Vec<Daemon>> {
        let deadline = Instant::now() + PATIENCE;
        let mut sessions: BTreeMap<(Ipv4Addr, Source), Session> = BTreeMap::new();
        let mut listeners = Vec::new();
        for source in Source::ALL {
            let listener = TcpListener::bind((source.address(), 179))
                .with_context(|| format!("cannot listen on {}", source.address()))?;
            listener.set_nonblocking(true)?;
            listeners.push((source, listener));
        }
        while sessions.len() < self.daemons.len() * Source::ALL.len() {
            for (source, listener) in &listeners {
                let Ok((stream, SocketAddr::V4(peer))) = listener.accept() else { continue };
                if !self.daemons.iter().any(|(_, address)| address == peer.ip()) {
                    continue;
                }
                if let Some(session) = Session::open(stream, *source) {
                    sessions.insert((*peer.ip(), *source), session);
                }
            }
            if Instant::now() > deadline {
                bail!("only {} sessions came up: {:?}", sessions.len(), sessions.keys().collect::<Vec<_>>());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let daemon = |(name, address): &(String, Ipv4Addr)| {
            let mut take = |source| sessions.remove(&(*address, source)).context("a session is missing");
            let sources = Source::SPEAKERS.iter().map(|source| take(*source)).collect::<Result<_>>()?;
            Ok(Daemon { name: name.clone(), sources, observer: take(Source::Observer)? })
        };
        self.daemons.iter().map(daemon).collect()
    }
}

impl Daemon {
    fn send(&mut self, step: &Step) -> Result<()> {
        for (session, said) in self.sources.iter_mut().zip(&step.said) {
            session.say(said).with_context(|| format!("{} has gone", self.name))?;
        }
        Ok(())
    }
}

/// Waits until the step has come out everywhere.
fn arrive(daemons: &[Daemon], step: &Step) -> Result<()> {
    let began = Instant::now();
    for daemon in daemons {
        while !daemon.observer.has_heard(step) {
            daemon.observer.still_up().with_context(|| daemon.name.clone())?;
            if began.elapsed() > STEP {
                bail!("{} does not tell the observer that the step has arrived", daemon.name);
            }
            daemon.observer.wait();
        }
    }
    Ok(())
}

/// Compares the choices until they are the same, or explained. The worlds are those before and behind the step.
fn agree(
    daemons: &[Daemon],
    [before, world]: [&World; 2],
    tally: &mut Tally,
    mut astray: Option<&mut Astray>,
) -> Result<()> {
    let calm = Instant::now();
    loop {
        let mut met = Tally::new();
        let table = |daemon: &Daemon| (daemon.name.clone(), normalize(daemon.observer.table(), &mut met));
        let tables: Vec<_> = daemons.iter().map(table).collect();
        let mut differences = Difference::all(&tables);
        let settled = differences.is_empty() || calm.elapsed() > GRACE;
        if let Some(astray) = astray.as_deref_mut().filter(|_| settled) {
            let explained = astray.explain(&mut differences, before, world);
            met.extend((explained > 0).then_some((astray::NAME, explained)));
        }
        let Some(first) = differences.first() else {
            met.into_iter().for_each(|(name, count)| *tally.entry(name).or_default() += count);
            return Ok(());
        };
        if calm.elapsed() > SETTLE {
            ui::line(&first.show(world));
            bail!("{} prefixes are chosen differently, the first is {}", differences.len(), first.prefix);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
