//! What we offer the peer, and what the end of a session means for its routes.

mod offers;

use std::time::Duration;

use crate::{
    config::AsnRule,
    event::{Negotiated, Retention},
    fsm::{
        Config, Failure, Fallback, Restarting, Stopped,
        backoff::Weight,
        connection::{Agreement, Connection, Stage},
    },
    wire::{
        capability::{Capability, GracefulFamily, GracefulRestart},
        capability_code::CapabilityCode,
        notification::{ErrorKind, Notification},
        open::Open,
        role::Role,
    },
};

/// The OPEN of this speaker towards the peer, without what the operator or the peer does not want to see in it;
/// capabilities ascend by code.
pub(super) fn open(config: &Config, fallback: &Fallback) -> Open {
    let mut capabilities: Vec<Capability> =
        config.peer.families.iter().map(Capability::multiprotocol).collect();
    capabilities.push(Capability::RouteRefresh);
    if !config.restart_time.is_zero() {
        capabilities.push(Capability::GracefulRestart(graceful_restart(config)));
    }
    capabilities.extend(role(config).map(Role::capability));
    capabilities.push(Capability::FourOctetAsn(config.local_asn));
    capabilities.extend(offers::offered(config));
    let withhold = &config.peer.capabilities.withhold;
    capabilities.retain(|c| !withhold.contains(&CapabilityCode(c.code())) && !fallback.withholds(c));
    capabilities.sort_by_key(Capability::code);
    let hold_time = u16::try_from(config.peer.timers.hold_time.as_secs()).unwrap_or(u16::MAX);
    Open::new(config.local_asn, hold_time, config.router_id, capabilities)
}

/// Our role towards a peer that is not known to be internal; inside an AS there are none (RFC 9234 section 4).
pub(super) fn role(config: &Config) -> Option<Role> {
    let internal = config.peer.asn_rule == AsnRule::Configured && config.peer.asn == config.local_asn;
    config.peer.switches.role.filter(|_| !internal)
}

fn graceful_restart(config: &Config) -> GracefulRestart {
    let restart = config.restart;
    GracefulRestart {
        restarting: restart.restarting == Restarting::Yes,
        notification: true,
        restart_time: u16::try_from(config.restart_time.as_secs()).unwrap_or(u16::MAX),
        families: config
            .peer
            .families
            .iter()
            .map(|family| GracefulFamily {
                afi: family.afi(),
                safi: family.safi(),
                forwarding: restart.forwarding.contains(family),
            })
            .collect(),
    }
}

/// What holds for the session from now on.
pub(super) fn agreement(config: &Config, negotiated: Negotiated) -> Agreement {
    let third = negotiated.hold_time / 3;
    let keepalive = match config.peer.timers.keepalive_time {
        Some(interval) if !interval.is_zero() => interval.min(third),
        _ => third,
    };
    let send_hold = config.peer.timers.send_hold_time.unwrap_or_else(|| send_hold_time(negotiated.hold_time));
    Agreement { negotiated, keepalive, send_hold }
}

/// The longer of eight minutes and twice the hold time (RFC 9687 section 3.1); zero, as for the hold time: none.
fn send_hold_time(hold_time: Duration) -> Duration {
    const SHORTEST: Duration = Duration::from_secs(8 * 60);
    if hold_time.is_zero() { Duration::ZERO } else { SHORTEST.max(hold_time.saturating_mul(2)) }
}

/// Whether the peer, connecting anew, may have restarted gracefully (RFC 4724 section 5): it has announced the
/// capability with at least one family.
pub(super) fn restarts_gracefully(connection: &Connection) -> bool {
    let restart = connection.agreement.as_ref().and_then(|a| a.negotiated.graceful_restart.as_ref());
    restart.is_some_and(|r| !r.families.is_empty())
}

/// Whether the peer keeps our routes while we restart: it has announced the capability, with families or, when it
/// cannot restart gracefully itself, without (RFC 4724 section 3).
fn helps_restart(connection: &Connection) -> bool {
    connection.agreement.as_ref().is_some_and(|a| a.negotiated.graceful_restart.is_some())
}

/// Whether graceful restart also follows a NOTIFICATION (RFC 8538).
fn survives_notifications(connection: &Connection) -> bool {
    let restart = connection.agreement.as_ref().and_then(|a| a.negotiated.graceful_restart.as_ref());
    restart.is_some_and(|r| r.notification)
}

/// The last words to a peer that is stopped on purpose.
pub(super) fn farewell(config: &Config, stopped: Stopped, connection: &Connection) -> Option<Notification> {
    let kind = match stopped {
        _ if connection.stage < Stage::OpenSent => return None,
        Stopped::Restarting if connection.stage == Stage::Established && helps_restart(connection) => {
            return None;
        }
        Stopped::Restarting | Stopped::Shutdown | Stopped::Drain => ErrorKind::ADMINISTRATIVE_SHUTDOWN,
        Stopped::Deconfigured => ErrorKind::PEER_DECONFIGURED,
        Stopped::Reset => ErrorKind::ADMINISTRATIVE_RESET,
        Stopped::ConfigurationChanged => ErrorKind::OTHER_CONFIGURATION_CHANGE,
    };
    let notification = match config.peer.shutdown_text.as_str() {
        text if kind == ErrorKind::ADMINISTRATIVE_SHUTDOWN && !text.is_empty() => {
            Notification::with_communication(kind, text)
        }
        _ => Notification::from(kind),
    };
    let for_good = matches!(stopped, Stopped::Shutdown | Stopped::Drain | Stopped::Deconfigured);
    let kept = connection.stage == Stage::Established && survives_notifications(connection);
    Some(if for_good && kept { notification.into_hard_reset() } else { notification })
}

/// A NOTIFICATION of the core's, as the session's terms have it: what runs over a path that has failed is over, however
/// gracefully the peer might restart (RFC 5882 section 4.3.2.2, RFC 8538 section 3).
pub(super) fn parting(notification: Notification, connection: &Connection) -> Notification {
    let final_word = notification.kind == ErrorKind::BFD_DOWN && survives_notifications(connection);
    if final_word { notification.into_hard_reset() } else { notification }
}

/// Whether BFD ended the session, at this end or the other.
pub(super) fn is_path_failure(failure: &Failure) -> bool {
    match failure {
        Failure::Sent { notification, .. } | Failure::Received { notification, .. } => {
            notification.innermost().kind == ErrorKind::BFD_DOWN
        }
        _ => false,
    }
}

/// Whether the routes of an established session that ended so may be kept for a while.
pub(super) fn retention(failure: &Failure, connection: &Connection) -> Retention {
    let kept = match failure {
        Failure::Transport(_) | Failure::PeerRestarted => true,
        Failure::Sent { notification, .. } | Failure::Received { notification, .. } => {
            let final_word = [ErrorKind::HARD_RESET, ErrorKind::MAXIMUM_PREFIXES_REACHED];
            survives_notifications(connection) && !final_word.contains(&notification.kind)
        }
        Failure::SendHold => survives_notifications(connection),
        Failure::Stopped(Stopped::Reset | Stopped::ConfigurationChanged) => {
            survives_notifications(connection)
        }
        Failure::Stopped(Stopped::Restarting) => restarts_gracefully(connection),
        Failure::Stopped(Stopped::Shutdown | Stopped::Deconfigured | Stopped::Drain) => false,
    };
    if kept { Retention::MayRestart } else { Retention::Flush }
}

impl Weight {
    /// How heavily a NOTIFICATION, sent or received, weighs.
    pub(super) fn of(notification: &Notification) -> Self {
        match notification.innermost().kind {
            ErrorKind::UNSUPPORTED_VERSION => Self::Version,
            ErrorKind::MAXIMUM_PREFIXES_REACHED => Self::MaxPrefixes,
            ErrorKind::CONNECTION_COLLISION_RESOLUTION => Self::Lost,
            ErrorKind::ADMINISTRATIVE_SHUTDOWN
            | ErrorKind::PEER_DECONFIGURED
            | ErrorKind::ADMINISTRATIVE_RESET
            | ErrorKind::OTHER_CONFIGURATION_CHANGE
            | ErrorKind::BFD_DOWN
            | ErrorKind::HOLD_TIMER_EXPIRED => Self::Asked,
            _ => Self::Error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notification_weighs_by_its_kind_and_a_hard_reset_by_what_it_carries() {
        let of = |kind: &ErrorKind| match *kind {
            ErrorKind::UNSUPPORTED_VERSION => Weight::Version,
            ErrorKind::MAXIMUM_PREFIXES_REACHED => Weight::MaxPrefixes,
            ErrorKind::CONNECTION_COLLISION_RESOLUTION => Weight::Lost,
            kind if kind.code == 4 => Weight::Asked,
            kind if kind.code == 6 && matches!(kind.subcode, 2 | 3 | 4 | 6 | 10) => Weight::Asked,
            _ => Weight::Error,
        };
        for kind in ErrorKind::ALL {
            let notification = Notification::from(*kind);
            assert_eq!(Weight::of(&notification), of(kind), "{kind}");
            if *kind != ErrorKind::HARD_RESET {
                assert_eq!(Weight::of(&notification.into_hard_reset()), of(kind), "{kind}");
            }
        }
    }
}
