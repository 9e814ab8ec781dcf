//! A BGP speaker inside another program: one peer, one route of our own, best routes printed as they change.
//!
//!     cargo run -p siskin-bgp --example speaker -- 64512 192.0.2.1 192.0.2.2 198.51.100.0/24
//!
//! Port 179 takes root or CAP_NET_BIND_SERVICE: without it nothing is accepted, and we still connect to the peer.

use std::{env, error::Error, net::IpAddr, time::Duration};

use bgp::{
    config::{PeerConfig, SpeakerConfig, TransportConfig},
    event::Reachability,
    net::{self, ShutdownMode, SpeakerEvent, SpeakerOptions},
    types::{Asn, RouterId},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [asn, local, peer, prefix] = arguments.as_slice() else {
        return Err("usage: speaker ASN OWN-ADDRESS PEER-ADDRESS PREFIX".into());
    };
    let (asn, local, peer): (Asn, IpAddr, IpAddr) = (asn.parse()?, local.parse()?, peer.parse()?);
    let IpAddr::V4(identifier) = local else {
        return Err("an IPv4 address serves as identifier here".into());
    };
    let transport = TransportConfig { source: Some(local), ..TransportConfig::default() };
    let config = SpeakerConfig {
        listen: vec![(local, 179).into()],
        peers: vec![PeerConfig { transport, ..PeerConfig::new("peer", peer, asn) }],
        ..SpeakerConfig::new(asn, RouterId(identifier))
    };

    let (speaker, mut outputs) = net::start(config, SpeakerOptions::default());
    speaker.originate([prefix.parse()?].into()).await?;
    loop {
        tokio::select! {
            Some(event) = outputs.events.recv() => match event {
                // A program with a forwarding table would ask it.
                SpeakerEvent::WatchNextHop(address) => {
                    speaker.next_hop(address, Reachability::Reachable { metric: 0 }).await?;
                }
                other => eprintln!("{other:?}"),
            },
            Some(changes) = outputs.best.recv() => changes.iter().for_each(|change| eprintln!("{change:?}")),
            () = tokio::time::sleep(Duration::from_secs(3600)) => break,
        }
    }
    Ok(speaker.shut_down(ShutdownMode::Drain).await?)
}
