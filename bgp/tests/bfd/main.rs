//! Many BFD sessions with BIRD in another network namespace: what they cost, and that nothing but a dead path ends one.
//!
//! `SISKIN_BFD=sessions,milliseconds,multiplier,prefixes` asks for other sizes than the modest ones of a test run.
#![allow(clippy::unwrap_used)]

#[path = "../interop/namespace.rs"]
mod namespace;

use std::{
    collections::BTreeSet,
    env, fs,
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU8,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bgp::{
    bfd::{BfdConfig, Parameters, PathChoice, State},
    config::{ConnectMode, PeerConfig, SpeakerConfig},
    net::{self, SpeakerHandle, SpeakerOptions},
    types::{Asn, RouterId},
};
use namespace::{Place, enter};

const SOON: Duration = Duration::from_secs(30);

/// How much of everything.
#[derive(Clone, Copy, Debug)]
struct Size {
    sessions: u16,
    interval: u64,
    multiplier: u8,
    prefixes: u32,
}

impl Size {
    fn or(self) -> Self {
        let Ok(text) = env::var("SISKIN_BFD") else { return self };
        let mut numbers = text.split(',').map(|number| number.parse::<u32>().unwrap());
        let mut next = || numbers.next().unwrap();
        Self {
            sessions: u16::try_from(next()).unwrap(),
            interval: next().into(),
            multiplier: u8::try_from(next()).unwrap(),
            prefixes: next(),
        }
    }
}

/// The address of an end of a session: 10.8.0.0/16 is ours, 10.9.0.0/16 BIRD's.
fn end(network: u8, number: u16) -> Ipv4Addr {
    let [high, low] = (number + 1).to_be_bytes();
    Ipv4Addr::new(10, network, high, low)
}

/// BIRD behind a cable.
struct Neighbor {
    bird: Child,
    directory: PathBuf,
}

impl Neighbor {
    fn start(size: Size) -> Option<Self> {
        let directory = env::temp_dir().join(format!("siskin-bfd-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let Size { sessions, interval, multiplier, .. } = size;
        let neighbors: String = (0..sessions)
            .map(|n| format!("neighbor {} dev \"eth0\" local {};\n", end(8, n), end(9, n)))
            .collect();
        let timers = format!("interval {interval} ms; idle tx interval 1 s; multiplier {multiplier};");
        let config = format!(
            "router id 10.9.0.1;\nprotocol device {{}}\nprotocol bfd {{ interface \"*\" {{ {timers} }};\n{neighbors}}}\n"
        );
        fs::write(directory.join("conf"), config).unwrap();
        let batch: String =
            (0..sessions).map(|n| format!("address add {}/8 dev eth0\n", end(9, n))).collect();
        fs::write(directory.join("addresses"), format!("link set lo up\nlink set eth0 up\n{batch}")).unwrap();
        // BIRD shall not be late because we are busy: it is not what is tested.
        let script = format!(
            "while ! ip link show eth0 >/dev/null 2>&1; do sleep 0.05; done; ip -batch {0}/addresses &&
             exec nice -n -15 bird -f -c {0}/conf -s {0}/ctl -P {0}/pid",
            directory.display()
        );
        let bird =
            Command::new("unshare").args(["--net", "--", "sh", "-c", &script]).stderr(Stdio::null()).spawn();
        let neighbor = Self { bird: bird.unwrap(), directory };
        neighbor.cable(sessions);
        neighbor.there()
    }

    fn cable(&self, sessions: u16) {
        let ours = fs::read_link("/proc/self/ns/net").unwrap();
        let theirs = format!("/proc/{}/ns/net", self.bird.id());
        while fs::read_link(&theirs).is_ok_and(|link| link == ours) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let addresses: String =
            (0..sessions).map(|n| format!("address add {}/8 dev eth0\n", end(8, n))).collect();
        let cable =
            format!("link add eth0 type veth peer name eth0 netns {}\nlink set eth0 up\n", self.bird.id());
        let file = self.directory.join("ours");
        fs::write(&file, cable + &addresses).unwrap();
        assert!(Command::new("ip").arg("-batch").arg(file).status().unwrap().success());
    }

    fn there(self) -> Option<Self> {
        let end = Instant::now() + Duration::from_secs(10);
        while !self.directory.join("ctl").exists() {
            if Instant::now() > end {
                eprintln!("SKIPPED: BIRD does not start here");
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(self)
    }
}

impl Drop for Neighbor {
    fn drop(&mut self) {
        // Both may be gone already.
        self.bird.kill().ok();
        self.bird.wait().ok();
        fs::remove_dir_all(&self.directory).ok();
    }
}

fn start(size: Size) -> SpeakerHandle {
    let interval = Duration::from_millis(size.interval);
    let multiplier = NonZeroU8::new(size.multiplier).unwrap();
    let parameters = Parameters { min_tx: interval, min_rx: interval, multiplier };
    let peer = |n: u16| {
        let mut peer = PeerConfig::new(&format!("peer{n}"), IpAddr::from(end(9, n)), Asn(64512));
        peer.transport.source = Some(end(8, n).into());
        peer.transport.mode = ConnectMode::Passive;
        peer.bfd = Some(BfdConfig { parameters, path: PathChoice::SingleHop });
        peer
    };
    let mut config = SpeakerConfig::new(Asn(64512), RouterId(end(8, 0)));
    config.peers = (0..size.sessions).map(peer).collect();
    net::start(config, SpeakerOptions::default()).0
}

/// How many sessions are Up, and how many have failed so far.
async fn count(speaker: &SpeakerHandle) -> (usize, usize) {
    let sessions = speaker.bfd().await.sessions;
    let up = sessions.iter().filter(|view| view.state == State::Up).count();
    (up, sessions.iter().filter(|view| view.last_down.is_some()).count())
}

async fn all_up(speaker: &SpeakerHandle, size: Size) {
    let end = Instant::now() + SOON;
    while count(speaker).await.0 < size.sessions.into() {
        assert!(Instant::now() < end, "{:?} up within {SOON:?}", count(speaker).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Processor time that the BFD thread has had so far.
fn processor_time() -> Duration {
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        if fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "bfd") {
            let statistics = fs::read_to_string(task.join("schedstat")).unwrap();
            return Duration::from_nanos(statistics.split(' ').next().unwrap().parse().unwrap());
        }
    }
    panic!("no BFD thread");
}

#[tokio::test]
async fn three_hundred_sessions_cost_little() {
    if enter("three_hundred_sessions_cost_little") == Place::Outside {
        return;
    }
    let size = Size { sessions: 300, interval: 300, multiplier: 5, prefixes: 0 }.or();
    let Some(_bird) = Neighbor::start(size) else { return };
    let speaker = start(size);
    all_up(&speaker, size).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (before, began) = (processor_time(), Instant::now());
    tokio::time::sleep(Duration::from_secs(4)).await;
    let share = (processor_time() - before).as_secs_f64() / began.elapsed().as_secs_f64() * 100.0;
    println!("{size:?}: {share:.1} % of one processor");
    assert_eq!(count(&speaker).await, (size.sessions.into(), 0), "Up and failed");
    assert!(share < 60.0, "{share} %");
}

#[tokio::test]
async fn no_session_suffers_while_the_speaker_is_busy_with_routes() {
    if enter("no_session_suffers_while_the_speaker_is_busy_with_routes") == Place::Outside {
        return;
    }
    let size = Size { sessions: 20, interval: 100, multiplier: 5, prefixes: 150_000 }.or();
    let Some(_bird) = Neighbor::start(size) else { return };
    let speaker = start(size);
    all_up(&speaker, size).await;
    let prefixes = (0..size.prefixes).map(|n| (Ipv4Addr::from(0x0b00_0000 + (n << 4)), 28));
    let prefixes: BTreeSet<_> =
        prefixes.map(|(ip, length)| ipnet::IpNet::new(ip.into(), length).unwrap()).collect();
    let (mut longest, began) = (Duration::ZERO, Instant::now());
    for round in [prefixes.clone(), BTreeSet::new(), prefixes] {
        speaker.originate(round).await.unwrap();
        let asked = Instant::now();
        speaker.query(|_, _| ()).await.unwrap();
        longest = longest.max(asked.elapsed());
    }
    println!("{size:?}: busy for {:?}, {longest:?} without an answer from the speaker", began.elapsed());
    let detection = Duration::from_millis(size.interval) * u32::from(size.multiplier);
    assert!(longest > detection / 2, "not busy enough to tell: {longest:?}");
    assert_eq!(count(&speaker).await, (size.sessions.into(), 0), "Up and failed");
}
