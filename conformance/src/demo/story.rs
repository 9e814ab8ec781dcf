//! The acts.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    picture::{self, TOPOLOGY},
    screen::Screen,
    wire,
};
use crate::{
    expect::{
        Names, Verdict,
        ping::{Flood, FloodEnds},
        watch::{Number, Watch, WatchEnds},
    },
    lab::Lab,
    node::Shell as _,
    run,
    topology::Topology,
    ui,
};

/// Each host with the other's block, and the pod behind it.
const HOSTS: [(&str, &str); 2] = [("master01", "172.16.196.128/26"), ("node01", "172.16.241.64/26")];
/// The address of `pod2`.
const POD2: &str = "172.16.196.132";
/// The address of `pod1`.
const POD1: &str = "172.16.241.69";
/// Where the daemons have their configuration.
const CONFIGURATION: &str = "/etc/siskin/siskin.toml";
/// A route may take this long; software emulation is slow.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time the pings go on before, between and after the changes.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells everything, and takes the lab down.
pub(super) fn tell(topology: &Path) -> Result<()> {
    run::on_a_copy(topology, &BTreeMap::new(), |copy| {
        let mut screen = Screen::default();
        screen.act("Two hosts, a pod on each, and the way between the pods to be found");
        screen.gap();
        screen.output(TOPOLOGY);
        let lab = Lab::build_up(Topology::read(copy)?)?;
        let told = acts(&mut screen, &lab);
        if told.is_err() {
            evidence(&lab);
        }
        told
    })
}

fn acts(screen: &mut Screen, lab: &Lab) -> Result<()> {
    configurations(screen, lab)?;
    screen.act("They tell each other their blocks by BGP; the routes lead through the tunnel");
    arrive(lab, "dev tunl0", HOSTS)?;
    routes(screen, lab)?;
    screen.act("siskin says why the way leads through the tunnel");
    let why = screen.run(lab, "master01", &format!("siskin explain {POD2}"))?;
    ensure!(why.contains("tunl0"), "siskin does not say that the route leads through tunl0");
    screen.act("The pods reach each other: two IP headers on the wire, the hosts' outside, the pods' inside");
    ping(screen, lab)?;
    wire::show(screen, lab, POD2, 2)?;
    screen.act("A stranger forges packets that say they come from a pod: none gets in");
    forge(screen, lab)?;
    screen.act("kill -9, under a ping every 2 ms both ways: the kernel goes on forwarding");
    crash(screen, lab)?;
    screen.act("Always becomes CrossSubnet in the running daemons, under a ping every 2 ms both ways");
    change(screen, lab)?;
    screen.act("The hosts share a subnet, so the routes are direct now: one IP header");
    routes(screen, lab)?;
    ping(screen, lab)?;
    wire::show(screen, lab, POD2, 1)?;
    screen.act("siskin says why");
    screen.run(lab, "master01", &format!("siskin explain {POD2}"))?;
    screen.run(lab, "master01", "siskin peers")?;
    screen.act("What was seen, and what to do next");
    screen.gap();
    SEEN.iter().for_each(|line| screen.output(line));
    Ok(())
}

/// The address the stranger takes, in the hosts' network.
const STRANGER: &str = "192.168.92.66/24";
/// How many packets it sends.
const FORGED: u32 = 3;
/// Sends packets into the tunnel of master01, which say that they come from the other host's pods.
const FORGE: &str = r#"
import socket, struct
def checksum(octets):
    total = sum(struct.unpack("!%dH" % (len(octets) // 2), octets))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF
addresses = socket.inet_aton("172.16.196.140") + socket.inet_aton("172.16.241.69")
udp = struct.pack("!HHHH", 9999, 9999, 8, 0)
header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0) + addresses
packet = header[:10] + struct.pack("!H", checksum(header)) + header[12:] + udp
out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IPIP)
for _ in range(COUNT):
    out.sendto(packet, ("192.168.92.128", 0))
"#;
/// The end of the story.
const SEEN: &[&str] = &[
    "Seen: two hosts found the way between their pods by BGP alone, through tunl0 and then without it; the change and",
    "a killed daemon lost no packet, routes were replaced in place, and forged packets were dropped and counted.",
    "",
    "Next: `cargo conformance quick` runs the tests, `cargo conformance` the labs with BIRD, FRR, GoBGP and OpenBGPD;",
    "docs/operations.md runs siskin on a host of yours, docs/configuration.md has every key of its file,",
    "and `target/release/siskin-lab up conformance/labs/mesh-peers` leaves a lab running to play with.",
];

/// A machine that is no node sends packets with the tunnel's protocol to a host: the guard drops and counts each.
fn forge(screen: &Screen, lab: &Lab) -> Result<()> {
    let stranger = lab.node("switch")?;
    stranger.ip(["address", "add", STRANGER, "dev", "br0"])?;
    screen.prompt(
        "stranger",
        &format!("forge {FORGED} packets from 172.16.196.140 to {POD1}, in IPIP to master01"),
    );
    let script = FORGE.replace("COUNT", &FORGED.to_string());
    stranger.ask(&["python3", "-c", &script])?;
    stranger.ip(["address", "del", STRANGER, "dev", "br0"])?;
    let wanted = format!("dropped: {FORGED} from strangers");
    let host = lab.node("master01")?;
    let deadline = Instant::now() + PATIENCE;
    // The counters are read every few seconds.
    while !host.ask(&["siskin", "status"])?.contains(&wanted) {
        ensure!(Instant::now() < deadline, "the forged packets were not dropped and counted");
        std::thread::sleep(Duration::from_millis(200));
    }
    screen.run(lab, "master01", "siskin status | grep dropped").map(drop)
}

/// Kills the daemon of a host and starts it again while the pods talk: nothing is lost, and no route is touched.
fn crash(screen: &Screen, lab: &Lab) -> Result<()> {
    let (host, block) = HOSTS[0];
    let floods = [flood("through", "pod1", POD2), flood("home", "pod2", POD1)];
    floods.iter().try_for_each(|flood| flood.start(lab))?;
    let watch = Watch { name: "crash".into(), node: Names::One(host.to_owned()) };
    watch.start(lab)?;
    std::thread::sleep(PAUSE);
    let node = lab.node(host)?;
    screen.prompt(host, "kill -9 $(pidof siskin)");
    node.kill("siskin", "KILL")?;
    std::thread::sleep(PAUSE);
    screen.run(lab, host, &format!("ip route show {block}"))?;
    screen.prompt(host, "siskin run -c /etc/siskin/siskin.toml &");
    let services = node.services();
    node.start(services.first().context("master01 runs nothing")?)?;
    established(lab, host)?;
    std::thread::sleep(PAUSE);
    screen.gap();
    lossless(screen, lab, &floods)?;
    let inside = "172.16.0.0/16".parse()?;
    let (deleted, replaced) = (Number::default(), Number::default());
    let end = WatchEnds { name: "crash".into(), inside, deleted, replaced };
    let words = held(end.finish(&watch, lab)?)?;
    screen.say(&format!("routes, by `ip monitor route`: {words}"));
    Ok(())
}

/// Waits until a host's session is up.
fn established(lab: &Lab, host: &str) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let node = lab.node(host)?;
    while !node.router.sessions(node)?.iter().any(|session| session.is_established()) {
        ensure!(Instant::now() < deadline, "{host} has no session with its neighbour");
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Ends floods of which nothing may be lost.
fn lossless(screen: &Screen, lab: &Lab, floods: &[Flood]) -> Result<()> {
    for flood in floods {
        let end = FloodEnds { name: flood.name.clone(), lost: 0 };
        let words = held(end.finish(flood, lab)?)?;
        screen.say(&format!("{} to {}: {words}", flood.from, flood.to));
    }
    Ok(())
}

fn configurations(screen: &mut Screen, lab: &Lab) -> Result<()> {
    screen.act("Each host runs one siskin, and this is all it is told");
    let mut columns = Vec::new();
    for (host, _) in HOSTS {
        let mut column = vec![format!("# {host}: {CONFIGURATION}")];
        column.extend(picture::brief(&lab.node(host)?.ask(&["cat", CONFIGURATION])?));
        columns.push(column);
    }
    screen.gap();
    if let [left, right] = columns.as_slice() {
        screen.output(&picture::side_by_side(left, right));
    }
    Ok(())
}

fn routes(screen: &Screen, lab: &Lab) -> Result<()> {
    HOSTS.iter().try_for_each(|(host, _)| screen.run(lab, host, "ip route").map(drop))
}

fn ping(screen: &Screen, lab: &Lab) -> Result<()> {
    let said = screen.run(lab, "pod1", &format!("ping -n -c 3 -i 0.3 {POD2}"))?;
    ensure!(said.contains("ttl=62"), "the answers did not come over two hosts");
    ensure!(said.contains(" 0% packet loss"), "not every ping was answered");
    Ok(())
}

/// Waits until the routes of some hosts to the other's block look as they should.
fn arrive<const N: usize>(lab: &Lab, look: &str, hosts: [(&str, &str); N]) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    for (host, prefix) in hosts {
        loop {
            let route = lab.node(host)?.ip(["route", "show", prefix])?;
            if route.contains(look) {
                break;
            }
            if Instant::now() >= deadline {
                bail!("{host} has no route to {prefix} with `{look}`, but `{}`", route.trim());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(())
}

/// Changes the pool's mode on one host after the other; no ping may be lost, and the kernel must have seen exactly one
/// replacement on each.
fn change(screen: &Screen, lab: &Lab) -> Result<()> {
    let floods = [flood("there", "pod1", POD2), flood("back", "pod2", POD1)];
    floods.iter().try_for_each(|flood| flood.start(lab))?;
    let names = HOSTS.map(|(host, _)| host.to_owned()).to_vec();
    let watch = Watch { name: "change".into(), node: Names::Many(names) };
    watch.start(lab)?;
    for host in HOSTS {
        std::thread::sleep(PAUSE);
        screen.run(lab, host.0, &format!("sed -i 's/\"Always\"/\"CrossSubnet\"/' {CONFIGURATION}"))?;
        arrive(lab, "dev eth0", [host])?;
    }
    std::thread::sleep(PAUSE);
    screen.gap();
    lossless(screen, lab, &floods)?;
    let end = WatchEnds {
        name: "change".into(),
        inside: "172.16.0.0/16".parse()?,
        deleted: Number::default(),
        replaced: Number::Exactly(1),
    };
    let words = held(end.finish(&watch, lab)?)?;
    screen.say(&format!("routes, by `ip monitor route`: {words}"));
    Ok(())
}

fn flood(name: &str, from: &str, to: &str) -> Flood {
    Flood { name: name.into(), from: from.into(), to: to.into(), every: 0.002 }
}

fn held(verdict: Verdict) -> Result<String> {
    match verdict {
        Verdict::Pass(words) => Ok(words),
        Verdict::Fail { difference, .. } => bail!(difference),
    }
}

/// What helps when something went wrong.
fn evidence(lab: &Lab) {
    for (host, _) in HOSTS {
        if let Ok(node) = lab.node(host) {
            ui::line(&format!("\n{host}, the end of siskin's log:\n{}", node.log_tail("siskin", 15)));
        }
    }
}
