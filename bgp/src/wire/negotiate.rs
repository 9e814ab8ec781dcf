//! What two OPENs agree on (RFC 4271 section 6.2, RFC 4760 section 8, RFC 5492, RFC 6793, RFC 4724).

mod extensions;

use std::time::Duration;

use bytes::BytesMut;

use super::{
    capability::{Capability, GracefulRestart},
    context::{MAX_EXTENDED_MESSAGE, MAX_MESSAGE},
    notification::{ErrorKind, Notification},
    open::Open,
};
use crate::{
    event::{Negotiated, PeerRestart},
    types::{Asn, Families, Family, PeerType},
};

/// Judges the peer's OPEN beside ours. `expected` is the AS number the peer must show.
///
/// # Errors
/// The NOTIFICATION to send: another AS number (2/2), our own identifier on an internal session (2/3), no
/// family in common (2/7, with the capabilities we would have needed).
pub fn negotiate(ours: &Open, theirs: &Open, expected: Asn) -> Result<Negotiated, Notification> {
    // AS_TRANS is nobody's number, but stands for one that the capability tells (RFC 6793 section 9).
    if theirs.asn() != expected || theirs.asn() == Asn::TRANS {
        return Err(ErrorKind::BAD_PEER_AS.into());
    }
    let peer_type = PeerType::of(ours.asn(), theirs.asn());
    if theirs.router_id == ours.router_id && peer_type == PeerType::Internal {
        return Err(ErrorKind::BAD_BGP_IDENTIFIER.into());
    }
    let families = ours.families().intersection(theirs.families());
    if families.is_empty() {
        return Err(no_common_family(ours));
    }
    let both = |capability| ours.announces(&capability) && theirs.announces(&capability);
    Ok(Negotiated {
        peer_asn: theirs.asn(),
        peer_type,
        peer_id: theirs.router_id,
        families,
        four_octet_asn: ours.four_octet_asn().is_some() && theirs.four_octet_asn().is_some(),
        route_refresh: theirs.announces(&Capability::RouteRefresh),
        hold_time: Duration::from_secs(ours.hold_time.min(theirs.hold_time).into()),
        max_message: if both(Capability::ExtendedMessage) { MAX_EXTENDED_MESSAGE } else { MAX_MESSAGE },
        graceful_restart: ours
            .graceful_restart()
            .zip(theirs.graceful_restart())
            .map(|(ours, theirs)| peer_restart(ours, theirs, families)),
        extensions: extensions::agreed(ours, theirs, families),
    })
}

fn no_common_family(ours: &Open) -> Notification {
    let mut data = BytesMut::new();
    for family in ours.families().iter() {
        Capability::multiprotocol(family).encode(&mut data);
    }
    Notification { kind: ErrorKind::UNSUPPORTED_CAPABILITY, data: data.freeze() }
}

fn peer_restart(ours: &GracefulRestart, theirs: &GracefulRestart, negotiated: Families) -> PeerRestart {
    let named =
        || theirs.families.iter().filter_map(|f| Some((Family::from_codes(f.afi, f.safi)?, f.forwarding)));
    let families: Families = named().map(|(family, _)| family).collect();
    let forwarding: Families = named().filter(|(_, kept)| *kept).map(|(family, _)| family).collect();
    PeerRestart {
        restarting: theirs.restarting,
        notification: ours.notification && theirs.notification,
        restart_time: Duration::from_secs(theirs.restart_time.into()),
        families: families.intersection(negotiated),
        forwarding: forwarding.intersection(negotiated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{types::RouterId, wire::capability::GracefulFamily};

    fn open(asn: u32, id: [u8; 4], capabilities: Vec<Capability>) -> Open {
        Open::new(Asn(asn), 90, RouterId(id.into()), capabilities)
    }

    fn full(asn: u32, id: [u8; 4]) -> Open {
        let family = |family: Family| GracefulFamily { afi: family.afi(), safi: 1, forwarding: true };
        let restart = GracefulRestart {
            restarting: true,
            notification: true,
            restart_time: 120,
            families: vec![family(Family::Ipv4Unicast), family(Family::Ipv6Unicast)],
        };
        open(
            asn,
            id,
            vec![
                Capability::multiprotocol(Family::Ipv4Unicast),
                Capability::FourOctetAsn(Asn(asn)),
                Capability::RouteRefresh,
                Capability::ExtendedMessage,
                Capability::GracefulRestart(restart),
            ],
        )
    }

    const OUR_ID: [u8; 4] = [10, 0, 0, 1];
    const THEIR_ID: [u8; 4] = [10, 0, 0, 2];

    #[test]
    fn everything_both_announce_is_agreed() {
        let agreed = negotiate(&full(64512, OUR_ID), &full(200_000, THEIR_ID), Asn(200_000)).unwrap();
        let ipv4 = Families::from_iter([Family::Ipv4Unicast]);
        assert!(agreed.four_octet_asn && agreed.route_refresh);
        assert_eq!((agreed.families, agreed.max_message), (ipv4, 65535));
        let restart = agreed.graceful_restart.unwrap();
        assert_eq!((restart.families, restart.forwarding), (ipv4, ipv4));
        assert!(restart.restarting && restart.notification);
        assert_eq!(restart.restart_time, Duration::from_secs(120));
    }

    #[test]
    fn a_peer_without_capabilities_speaks_ipv4_and_two_octets() {
        let agreed = negotiate(&full(64512, OUR_ID), &open(64513, THEIR_ID, vec![]), Asn(64513)).unwrap();
        assert_eq!(agreed.families, Families::from_iter([Family::Ipv4Unicast]));
        assert!(!agreed.four_octet_asn);
        assert_eq!((agreed.max_message, agreed.graceful_restart), (4096, None));
    }

    #[test]
    fn another_as_number_is_bad_peer_as() {
        let error = negotiate(&full(64512, OUR_ID), &full(64513, THEIR_ID), Asn(64514)).unwrap_err();
        assert_eq!(error, ErrorKind::BAD_PEER_AS.into());
    }

    #[test]
    fn as_trans_without_the_capability_is_not_the_number_it_stands_for() {
        let error =
            negotiate(&full(64512, OUR_ID), &open(200_000, THEIR_ID, vec![]), Asn(200_000)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::BAD_PEER_AS);
    }

    #[test]
    fn as_trans_is_nobodys_number_whoever_is_expected() {
        for theirs in [full(23456, THEIR_ID), open(23456, THEIR_ID, vec![])] {
            let error = negotiate(&full(64512, OUR_ID), &theirs, Asn(23456)).unwrap_err();
            assert_eq!(error.kind, ErrorKind::BAD_PEER_AS);
        }
    }

    #[test]
    fn our_own_identifier_is_refused_from_an_internal_peer_only() {
        let error = negotiate(&full(64512, OUR_ID), &full(64512, OUR_ID), Asn(64512)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::BAD_BGP_IDENTIFIER);
        assert!(negotiate(&full(64512, OUR_ID), &full(64513, OUR_ID), Asn(64513)).is_ok());
    }

    #[test]
    fn the_numbers_in_the_opens_make_a_session_internal_or_external() {
        let kind = |ours, theirs| {
            negotiate(&full(ours, OUR_ID), &full(theirs, THEIR_ID), Asn(theirs)).unwrap().peer_type
        };
        assert_eq!(kind(64512, 64512), PeerType::Internal);
        assert_eq!(kind(200_000, 200_000), PeerType::Internal);
        assert_eq!(kind(65000, 64512), PeerType::External, "by the number we show, not by another of ours");
    }

    #[test]
    fn no_common_family_names_the_capability_we_need() {
        let theirs = open(64513, THEIR_ID, vec![Capability::multiprotocol(Family::Ipv6Unicast)]);
        let error = negotiate(&full(64512, OUR_ID), &theirs, Asn(64513)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::UNSUPPORTED_CAPABILITY);
        assert_eq!(error.data.as_ref(), [1, 4, 0, 1, 0, 1]);
    }

    #[test]
    fn the_smaller_hold_time_wins_and_zero_is_the_smallest() {
        let mut theirs = full(64513, THEIR_ID);
        theirs.hold_time = 0;
        let agreed = negotiate(&full(64512, OUR_ID), &theirs, Asn(64513)).unwrap();
        assert_eq!(agreed.hold_time, Duration::ZERO);
    }
}
