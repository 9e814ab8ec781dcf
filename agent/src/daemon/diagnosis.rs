//! Why a session does not come up, from what this host knows. Pure.
//!
//! An error of `connect` says what the kernel met, not why. Whether our source address is on the link that leads to the
//! peer, and whether the peer connects to another address of ours and is refused here, is known on this host, and is the
//! commonest mistake on hosts with several links. Only where nothing of the kind is found, the error's own sentence stands.

use std::{net::IpAddr, time::Duration};

use bgp::{
    fsm::{Cause, Failure},
    net::{RefusalReason, RefusedConnections},
};

use super::host::HostLinks;

/// Refused connections that are older than this say nothing about now.
const RECENT: Duration = Duration::from_secs(5 * 60);

/// A peer without a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patient<'a> {
    /// Its address.
    pub(super) address: IpAddr,
    /// The address that its session is bound to.
    pub(super) source: Option<IpAddr>,
    /// The interface that its session is bound to.
    pub(super) interface: Option<&'a str>,
    /// Why there is no session, as the state machine has it.
    pub(super) cause: &'a Cause,
}

/// What is known of this host.
pub(super) struct Evidence<'a> {
    /// Its links.
    pub(super) links: &'a HostLinks,
    /// Connections that it refused.
    pub(super) refusals: &'a [RefusedConnections],
    /// The address the kernel sends from towards an address.
    pub(super) source_towards: &'a dyn Fn(IpAddr) -> Option<IpAddr>,
}

/// The reason in one sentence, where the facts show one.
#[must_use]
pub(super) fn of(patient: &Patient<'_>, evidence: &Evidence<'_>) -> Option<String> {
    let unexplained =
        matches!(patient.cause, Cause::Failed(Failure::Transport(_)) | Cause::Starting | Cause::AwaitingPeer);
    if !unexplained || patient.address.is_unspecified() {
        return None;
    }
    with_ourselves(patient, evidence)
        .or_else(|| binding_missing(patient, evidence))
        .or_else(|| refused_by_us(patient, evidence))
        .or_else(|| on_another_link(patient, evidence))
}

fn with_ourselves(patient: &Patient<'_>, evidence: &Evidence<'_>) -> Option<String> {
    let link = evidence.links.link_of(patient.address)?;
    Some(format!("{} is an address of this host itself (on {link})", patient.address))
}

/// The address or interface that the session is bound to is not there.
fn binding_missing(patient: &Patient<'_>, evidence: &Evidence<'_>) -> Option<String> {
    let links = evidence.links;
    if !links.is_known() {
        return None;
    }
    if let Some(interface) = patient.interface.filter(|name| !links.has_link(name)) {
        return Some(format!("there is no interface {interface} on this host"));
    }
    let source = patient.source.filter(|source| links.link_of(*source).is_none())?;
    Some(format!("the source address {source} is not on this host"))
}

/// The peer connects, and is turned away here.
fn refused_by_us(patient: &Patient<'_>, evidence: &Evidence<'_>) -> Option<String> {
    let of_the_peer =
        |refused: &&RefusedConnections| refused.remote == patient.address && refused.age <= RECENT;
    let latest = evidence.refusals.iter().filter(of_the_peer).min_by_key(|refused| refused.age)?;
    let RefusedConnections { remote, local, count, .. } = latest;
    let times = if *count == 1 { String::new() } else { format!(" {count} times") };
    match (latest.reason, patient.source) {
        (RefusalReason::OtherLocalAddress, Some(source)) => Some(format!(
            "{remote} connects to {local} and was refused{times}: the session is bound to {source}; \
             set source = \"{local}\" for it, or let {remote} connect to {source}"
        )),
        (RefusalReason::OtherInterface, _) => {
            let interface = patient.interface.unwrap_or("the one it is bound to");
            Some(format!("{remote} connects over another interface than {interface} and was refused{times}"))
        }
        (RefusalReason::KeyNotInForce, _) => Some(format!(
            "{remote} connects and was refused{times}: its key is not in force on the listening socket (see the log)"
        )),
        _ => None,
    }
}

/// Our packets to the peer leave over a link that does not have their source address.
fn on_another_link(patient: &Patient<'_>, evidence: &Evidence<'_>) -> Option<String> {
    let peer = patient.address;
    let source = patient.source?;
    let links = evidence.links;
    let natural = (evidence.source_towards)(peer)?;
    let (way, home) = (links.link_of(natural)?, links.link_of(source)?);
    (way != home).then(|| {
        format!(
            "the way to {peer} leads over {way}, where this host is {natural}, but the session is bound to {source} on \
             {home}: {peer} must know that address and a way back to it, else set source = \"{natural}\""
        )
    })
}

#[cfg(test)]
mod tests {
    use bgp::fsm::TransportError;

    use super::*;
    use crate::autodetect::{Interface, InterfaceAddress, Standing};

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// A host with two links, and the node's address on the first.
    fn links() -> HostLinks {
        let link = |index, name: &str, net: &str| Interface {
            index,
            name: name.to_owned(),
            addresses: vec![InterfaceAddress {
                net: net.parse().expect("a net"),
                standing: Standing::Primary,
            }],
        };
        HostLinks::new(vec![link(2, "eth0", "10.0.0.1/24"), link(3, "eth1", "10.1.0.1/24")])
    }

    fn refusal(remote: &str, local: &str, reason: RefusalReason) -> RefusedConnections {
        let age = Duration::from_secs(3);
        RefusedConnections { remote: ip(remote), local: ip(local), reason, count: 7, age }
    }

    const SILENT: Cause = Cause::Failed(Failure::Transport(TransportError::NoAnswer));

    fn diagnose(
        peer: &str,
        source: Option<&str>,
        cause: &Cause,
        refusals: &[RefusedConnections],
    ) -> Option<String> {
        let patient = Patient { address: ip(peer), source: source.map(ip), interface: None, cause };
        let way = |target: IpAddr| match target.to_string() {
            text if text.starts_with("10.1.0.") => Some(ip("10.1.0.1")),
            text if text.starts_with("10.0.0.") => Some(ip("10.0.0.1")),
            _ => None,
        };
        of(&patient, &Evidence { links: &links(), refusals, source_towards: &way })
    }

    #[test]
    fn a_source_on_another_link_than_the_way_is_named_with_the_address_to_take() {
        let text = diagnose("10.1.0.2", Some("10.0.0.1"), &SILENT, &[]).expect("a diagnosis");
        assert!(
            text.starts_with("the way to 10.1.0.2 leads over eth1, where this host is 10.1.0.1"),
            "{text}"
        );
        assert!(text.ends_with("else set source = \"10.1.0.1\""), "{text}");
        assert_eq!(diagnose("10.0.0.2", Some("10.0.0.1"), &SILENT, &[]), None);
        assert_eq!(diagnose("10.1.0.2", None, &SILENT, &[]), None);
    }

    #[test]
    fn a_peer_that_connects_to_another_address_of_ours_is_said_to_be_refused_here() {
        let refused = [refusal("10.1.0.2", "10.1.0.1", RefusalReason::OtherLocalAddress)];
        let text = diagnose("10.1.0.2", Some("10.0.0.1"), &SILENT, &refused).expect("a diagnosis");
        assert!(
            text.starts_with(
                "10.1.0.2 connects to 10.1.0.1 and was refused 7 times: the session is bound to"
            )
        );
        assert_eq!(diagnose("10.0.0.2", Some("10.0.0.1"), &SILENT, &refused), None, "of somebody else");
        let old = [RefusedConnections { age: Duration::from_secs(3600), ..refused[0].clone() }];
        let text = diagnose("10.1.0.2", Some("10.0.0.1"), &SILENT, &old).expect("a diagnosis");
        assert!(text.starts_with("the way to"), "{text}");
    }

    #[test]
    fn a_peer_that_is_this_host_itself_and_a_source_that_is_gone_are_named() {
        let own = diagnose("10.1.0.1", Some("10.0.0.1"), &SILENT, &[]);
        assert_eq!(own.as_deref(), Some("10.1.0.1 is an address of this host itself (on eth1)"));
        let gone = diagnose("10.0.0.2", Some("10.0.0.9"), &SILENT, &[]);
        assert_eq!(gone.as_deref(), Some("the source address 10.0.0.9 is not on this host"));
    }

    #[test]
    fn what_the_peer_itself_has_said_is_left_alone() {
        for cause in [Cause::AdministrativelyDown, Cause::Handshake, Cause::Failed(Failure::PeerRestarted)] {
            assert_eq!(diagnose("10.1.0.2", Some("10.0.0.1"), &cause, &[]), None);
        }
    }
}
