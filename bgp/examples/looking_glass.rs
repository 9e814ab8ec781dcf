//! A looking glass: takes a peer's routes, announces nothing, installs nothing, and answers prefixes on standard input
//! with the decision told step by step; an empty line lists the table.
//!
//!     cargo run -p siskin-bgp --example looking_glass -- 64512 192.0.2.1 192.0.2.2

use std::{env, error::Error, net::IpAddr, sync::Arc};

use bgp::{
    config::{Install, PeerConfig, SpeakerConfig, TransportConfig},
    core::RouteView,
    event::Reachability,
    net::{self, SpeakerEvent, SpeakerHandle, SpeakerOptions},
    policy::{Policy, RejectReason},
    types::{Asn, Family, RouterId},
};
use tokio::sync::mpsc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [asn, local, peer] = arguments.as_slice() else {
        return Err("usage: looking_glass ASN OWN-ADDRESS PEER-ADDRESS".into());
    };
    let (asn, local, peer): (Asn, IpAddr, IpAddr) = (asn.parse()?, local.parse()?, peer.parse()?);
    let IpAddr::V4(identifier) = local else {
        return Err("an IPv4 address serves as identifier here".into());
    };
    let peer = PeerConfig {
        transport: TransportConfig { source: Some(local), ..TransportConfig::default() },
        export: Arc::new(Policy::reject_all(RejectReason::ExportNone)),
        install: Install::RibOnly,
        ..PeerConfig::new("peer", peer, asn)
    };
    let config = SpeakerConfig { peers: vec![peer], ..SpeakerConfig::new(asn, RouterId(identifier)) };
    let (speaker, mut outputs) = net::start(config, SpeakerOptions::default());
    let (sender, mut questions) = mpsc::channel(1);
    std::thread::spawn(move || {
        std::io::stdin().lines().map_while(Result::ok).try_for_each(|line| sender.blocking_send(line))
    });
    loop {
        tokio::select! {
            Some(event) = outputs.events.recv() => match event {
                SpeakerEvent::WatchNextHop(address) => {
                    speaker.next_hop(address, Reachability::Reachable { metric: 0 }).await?;
                }
                other => eprintln!("{other:?}"),
            },
            question = questions.recv() => match question.as_deref() {
                Some("") => list(&speaker).await?,
                Some(prefix) => explain(&speaker, prefix).await?,
                None => return Ok(()),
            },
        }
    }
}

/// The table, a page at a time.
async fn list(speaker: &SpeakerHandle) -> Result<(), Box<dyn Error>> {
    for family in Family::ALL {
        let mut after = None;
        loop {
            let page = speaker.loc_rib(family, after, 256).await?;
            page.items.iter().for_each(show);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(())
}

async fn explain(speaker: &SpeakerHandle, prefix: &str) -> Result<(), Box<dyn Error>> {
    match speaker.explain(prefix.parse()?).await? {
        None => eprintln!("no such route"),
        Some(explanation) => {
            show(&explanation.route);
            for step in explanation.steps {
                eprintln!("  {:?}: {:?}, left: {:?}", step.step, step.values, step.remaining);
            }
        }
    }
    Ok(())
}

fn show(route: &RouteView) {
    for path in &route.paths {
        let attributes = &path.attributes;
        let next_hop = attributes.next_hop.address();
        eprintln!("{} via {next_hop} path [{}] {}", route.prefix, attributes.as_path, path.reason.name());
    }
}
