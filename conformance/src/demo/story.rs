//! The acts.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};

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
    screen.act("The pods reach each other: two IP headers on the wire, the hosts' outside, the pods' inside");
    ping(screen, lab)?;
    wire::show(screen, lab, POD2, 2)?;
    screen.act("Always becomes CrossSubnet in the running daemons, under a ping every 2 ms both ways");
    change(screen, lab)?;
    screen.act("The hosts share a subnet, so the routes are direct now: one IP header");
    routes(screen, lab)?;
    ping(screen, lab)?;
    wire::show(screen, lab, POD2, 1)?;
    screen.act("siskin says why");
    screen.run(lab, "master01", &format!("siskin explain {POD2}"))?;
    screen.run(lab, "master01", "siskin peers")?;
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
    for flood in &floods {
        let end = FloodEnds { name: flood.name.clone(), lost: 0 };
        let words = held(end.finish(flood, lab)?)?;
        screen.say(&format!("{} to {}: {words}", flood.from, flood.to));
    }
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
