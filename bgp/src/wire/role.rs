//! BGP roles (RFC 9234): the capability's values, which fit, and what they mean for Only to Customer.

use bytes::Bytes;

use super::{
    capability::Capability,
    notification::{ErrorKind, Notification},
    open::Open,
};
use crate::{config::RoleDemand, types::Asn};

/// The capability code (RFC 9234 section 4.1).
pub const CAPABILITY: u8 = 9;

/// What a speaker is to its external peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Role {
    /// It sells transit to the peer.
    Provider = 0,
    /// It is a route server, the peer its client.
    RouteServer = 1,
    /// It is a client of the peer, a route server.
    RouteServerClient = 2,
    /// It buys transit from the peer.
    Customer = 3,
    /// Both exchange their own and their customers' routes.
    Peer = 4,
}

/// What Only to Customer says about a received route (RFC 9234 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leak {
    /// Nothing, or what it should.
    None,
    /// The route has gone where it should not.
    Leaked,
}

impl Role {
    /// Every role, ascending by value.
    pub const ALL: [Self; 5] =
        [Self::Provider, Self::RouteServer, Self::RouteServerClient, Self::Customer, Self::Peer];

    /// The role the other side of the session has.
    pub fn counterpart(self) -> Self {
        match self {
            Self::Provider => Self::Customer,
            Self::RouteServer => Self::RouteServerClient,
            Self::RouteServerClient => Self::RouteServer,
            Self::Customer => Self::Provider,
            Self::Peer => Self::Peer,
        }
    }

    /// The capability that announces the role.
    pub fn capability(self) -> Capability {
        Capability::Unknown { code: CAPABILITY, value: Bytes::copy_from_slice(&[self as u8]) }
    }

    /// Judges a route received by a speaker of this role from the peer with AS number `from`.
    pub fn judge(self, otc: Option<Asn>, from: Asn) -> Leak {
        match (self, otc) {
            (Self::Provider | Self::RouteServer, Some(_)) => Leak::Leaked,
            (Self::Peer, Some(asn)) if asn != from => Leak::Leaked,
            _ => Leak::None,
        }
    }

    /// Whether a speaker of this role marks what it receives and finds unmarked: it comes from a provider, a lateral
    /// peer or a route server.
    pub fn marks_received(self) -> bool {
        matches!(self, Self::Customer | Self::Peer | Self::RouteServerClient)
    }

    /// Whether a speaker of this role marks what it sends and finds unmarked: it goes to a customer, a lateral peer or a
    /// route server's client.
    pub fn marks_sent(self) -> bool {
        matches!(self, Self::Provider | Self::Peer | Self::RouteServer)
    }

    /// Whether a speaker of this role may send what is marked: to customers and clients only.
    pub fn sends_marked(self) -> bool {
        matches!(self, Self::Provider | Self::RouteServer)
    }
}

/// Compares our role with what the external peer's OPEN says.
///
/// # Errors
/// Role Mismatch (2/11): the peer's role does not fit ours, it has announced several or an unknown one, or none
/// where one is demanded (RFC 9234 section 4.2).
pub fn check(ours: Option<Role>, demand: RoleDemand, theirs: &Open) -> Result<(), Notification> {
    let Some(ours) = ours else { return Ok(()) };
    let mut announced = theirs.capabilities.iter().filter_map(|capability| match capability {
        Capability::Unknown { code: CAPABILITY, value } => Some(value.as_ref()),
        _ => None,
    });
    let wanted = [ours.counterpart() as u8];
    let (fits, none) = (announced.clone().all(|value| value == wanted), announced.next().is_none());
    match (fits, none) {
        (_, true) if demand == RoleDemand::Optional => Ok(()),
        (true, false) => Ok(()),
        _ => Err(ErrorKind::ROLE_MISMATCH.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::RouterId;

    fn open(values: &[&[u8]]) -> Open {
        let role =
            |value: &&[u8]| Capability::Unknown { code: CAPABILITY, value: Bytes::copy_from_slice(value) };
        Open::new(Asn(65001), 90, RouterId([10, 0, 0, 1].into()), values.iter().map(role).collect())
    }

    fn judge(ours: Role, demand: RoleDemand, values: &[&[u8]]) -> Result<(), ErrorKind> {
        check(Some(ours), demand, &open(values)).map_err(|n| n.kind)
    }

    #[test]
    fn only_counterparts_fit() {
        let fitting: Vec<_> = Role::ALL
            .into_iter()
            .flat_map(|a| Role::ALL.map(|b| (a, b)))
            .filter(|(a, b)| judge(*a, RoleDemand::Optional, &[&[*b as u8]]).is_ok())
            .map(|(a, b)| (a as u8, b as u8))
            .collect();
        assert_eq!(fitting, [(0, 3), (1, 2), (2, 1), (3, 0), (4, 4)]);
    }

    #[test]
    fn a_peer_without_a_role_is_refused_in_strict_mode_only() {
        assert_eq!(judge(Role::Peer, RoleDemand::Optional, &[]), Ok(()));
        assert_eq!(judge(Role::Peer, RoleDemand::Required, &[]), Err(ErrorKind::ROLE_MISMATCH));
        assert_eq!(check(None, RoleDemand::Required, &open(&[])), Ok(()));
    }

    #[test]
    fn several_different_unknown_and_malformed_roles_are_a_mismatch() {
        for values in [&[&[0_u8][..], &[3]][..], &[&[5]], &[&[]], &[&[0, 0]]] {
            assert_eq!(judge(Role::Customer, RoleDemand::Optional, values), Err(ErrorKind::ROLE_MISMATCH));
        }
        assert_eq!(judge(Role::Customer, RoleDemand::Optional, &[&[0], &[0]]), Ok(()));
    }

    #[test]
    fn a_marked_route_is_a_leak_from_below_and_from_a_peer_that_did_not_mark_it() {
        let from = Asn(65001);
        let leaks = |role: Role, otc| role.judge(otc, from) == Leak::Leaked;
        for role in [Role::Provider, Role::RouteServer] {
            assert!(leaks(role, Some(from)) && !leaks(role, None));
        }
        assert!(leaks(Role::Peer, Some(Asn(1))) && !leaks(Role::Peer, Some(from)));
        for role in [Role::Customer, Role::RouteServerClient] {
            assert!(!leaks(role, Some(Asn(1))));
        }
    }
}
