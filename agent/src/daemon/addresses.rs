//! Problems of addresses: the node's own is gone, a peer has one of ours, the tunnel's outer source is another. Pure.

use std::net::{IpAddr, Ipv4Addr};

use super::{
    host::HostLinks,
    problems::{error, warning},
};
use crate::{
    api::protocol::problem::{Problem, ProblemCode},
    config::Intent,
};

/// Nodes whose outer source is looked at: one example suffices.
const PROBED_NODES: usize = 32;

/// The node's addresses that no link of this host has, so that sessions bound to them cannot come up and tunnels cannot
/// end here.
#[must_use]
pub(super) fn of_node(intent: &Intent, links: &HostLinks) -> Vec<Problem> {
    let node = &intent.node;
    let v4 = node.address.map(|net| ("node.address", IpAddr::from(net.addr())));
    let v6 = node.address6.map(|net| ("node.address6", IpAddr::from(net.addr())));
    let missing = |(_, address): &(&str, IpAddr)| links.is_known() && links.link_of(*address).is_none();
    let addresses = v4.into_iter().chain(v6).filter(missing);
    addresses
        .map(|(key, address)| {
            let message = format!("{key} {address} is no address of this host now");
            let remedy =
                format!("put it back (`ip address add`), or correct {key}; sessions follow by themselves");
            error(ProblemCode::NodeAddressMissing, message, remedy).about(key)
        })
        .collect()
}

/// Peers that are this host itself, as when an address that moves between hosts was taken for the node's.
#[must_use]
pub(super) fn of_peers<'a>(
    peers: impl Iterator<Item = (&'a str, IpAddr)>,
    links: &HostLinks,
) -> Vec<Problem> {
    let own = peers.filter_map(|(name, address)| Some((name, address, links.link_of(address)?)));
    own.map(|(name, address, link)| {
        let message = format!("the peer {name} is this host itself: {address} is on {link}");
        let remedy = "if node.address is an address that moves between hosts, set it to the host's own; \
                      else take the peer out of the configuration";
        error(ProblemCode::PeerIsSelf, message, remedy).about(name)
    })
    .collect()
}

/// Tunnelled packets to these nodes leave with a source that is not the node's address. The other side's guard, Felix's
/// too, lets in known nodes only, and drops them.
#[must_use]
pub(super) fn of_outer_source(
    node: Option<Ipv4Addr>,
    nodes: impl Iterator<Item = Ipv4Addr>,
    source_towards: impl Fn(IpAddr) -> Option<IpAddr>,
) -> Option<Problem> {
    let node = node?;
    let differs = |target: Ipv4Addr| {
        let source = source_towards(target.into())?;
        (source != IpAddr::from(node)).then_some((target, source))
    };
    let (target, source) = nodes.filter(|target| *target != node).take(PROBED_NODES).find_map(differs)?;
    let message = format!(
        "tunnelled packets to {target} leave from {source}, not from this node's address {node}: the guard there drops them"
    );
    let remedy =
        "set source = \"node\" in [tunnel], or give the route to the nodes the node's address as its source";
    Some(error(ProblemCode::OuterSource, message, remedy))
}

/// Tunnel devices of others on this host whose other end the guard does not let in.
#[must_use]
pub(super) fn of_other_tunnels<'a>(
    devices: impl Iterator<Item = (&'a str, Option<Ipv4Addr>)>,
    is_allowed: impl Fn(Ipv4Addr) -> bool,
) -> Vec<Problem> {
    let dropped = devices.filter(|(_, remote)| !remote.is_some_and(&is_allowed));
    dropped
        .map(|(device, remote)| {
            let from =
                remote.map_or_else(|| "nodes that are not known".to_owned(), |remote| remote.to_string());
            let message = format!(
                "the tunnel's guard drops what {device}, an ipip device of another program, gets from {from}"
            );
            let remedy = "name the other end in tunnel.allow_from";
            warning(ProblemCode::OtherTunnelGuarded, message, remedy).about(device)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::protocol::problem::Severity,
        autodetect::{Interface, InterfaceAddress, Standing},
    };

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn v4(text: &str) -> Ipv4Addr {
        text.parse().expect("an address")
    }

    fn links(nets: &[&str]) -> HostLinks {
        let address =
            |net: &&str| InterfaceAddress { net: net.parse().expect("a net"), standing: Standing::Primary };
        let addresses = nets.iter().map(address).collect();
        HostLinks::new(vec![Interface { index: 2, name: "eth0".into(), addresses }])
    }

    #[test]
    fn a_peer_whose_address_is_on_this_host_is_this_host() {
        let links = links(&["10.0.0.1/24", "10.0.0.100/32"]);
        let peers = [("a", ip("10.0.0.1")), ("b", ip("10.0.0.2"))];
        let problems = of_peers(peers.into_iter(), &links);
        let found: Vec<_> = problems.iter().map(|p| (p.code, p.subject.as_str())).collect();
        assert_eq!(found, [(ProblemCode::PeerIsSelf, "a")]);
    }

    #[test]
    fn an_outer_source_that_is_not_the_nodes_address_is_an_error_with_an_example() {
        let nodes = || [v4("10.0.0.1"), v4("10.9.0.2")].into_iter();
        let found =
            of_outer_source(Some(v4("10.0.0.1")), nodes(), |_| Some(ip("10.9.0.1"))).expect("a problem");
        assert_eq!((found.code, found.severity), (ProblemCode::OuterSource, Severity::Error));
        assert!(found.message.contains("to 10.9.0.2 leave from 10.9.0.1, not from"), "{}", found.message);
        assert_eq!(of_outer_source(Some(v4("10.0.0.1")), nodes(), |_| Some(ip("10.0.0.1"))), None);
        assert_eq!(
            of_outer_source(Some(v4("10.0.0.1")), nodes(), |_| None),
            None,
            "no way is another problem"
        );
    }

    #[test]
    fn another_programs_tunnel_is_told_of_unless_its_other_end_is_let_in() {
        let devices = [("ok0", Some(v4("192.0.2.1"))), ("vpn0", Some(v4("192.0.2.2"))), ("any0", None)];
        let problems = of_other_tunnels(devices.into_iter(), |remote| remote == v4("192.0.2.1"));
        let subjects: Vec<_> = problems.iter().map(|p| p.subject.as_str()).collect();
        assert_eq!(subjects, ["vpn0", "any0"]);
    }
}
