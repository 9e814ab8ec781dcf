//! What each layer is told, a dry run included. Pure.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bgp::{
    config::{ConnectMode, SpeakerConfig},
    ndp::Advertising,
    policy::{Policy, RejectReason},
};
use fib::config::{FibConfig, Programming, TunnelPermission, TunnelUse};
use ipip::{TunnelConfig, TunnelStatus};
use ipnet::IpNet;

use crate::{api::protocol::status::RunMode, config::Intent, translate};

/// What the speaker is told. In a dry run it waits to be called, and has nothing to say.
#[must_use]
pub(super) fn speaker(intent: &Intent, mode: RunMode) -> SpeakerConfig {
    let mut config = translate::speaker(intent);
    if mode == RunMode::DryRun {
        config.graceful_restart_time = Duration::ZERO;
        let silent = Arc::new(Policy::reject_all(RejectReason::ExportNone));
        for peer in &mut config.peers {
            peer.transport.mode = ConnectMode::Passive;
            peer.transport.advertising = Advertising::Off;
            peer.bfd = None;
            peer.export = Arc::clone(&silent);
        }
    }
    config
}

/// What the speaker originates.
#[must_use]
pub(super) fn originated(intent: &Intent) -> BTreeSet<IpNet> {
    translate::originated(intent).into_iter().collect()
}

/// What the FIB layer is told.
#[must_use]
pub(super) fn fib(intent: &Intent, mode: RunMode, tunnel: Option<&TunnelStatus>) -> FibConfig {
    let mut config = translate::fib(intent, programming(mode));
    config.tunnel.usage = tunnel_use(intent, mode, tunnel);
    config
}

/// What routes do with the tunnel.
#[must_use]
pub(super) fn tunnel_use(intent: &Intent, mode: RunMode, tunnel: Option<&TunnelStatus>) -> TunnelUse {
    let underlay = tunnel.and_then(|status| status.underlay.as_ref()).map(|link| link.mtu);
    TunnelUse {
        permission: match (mode, tunnel) {
            (RunMode::DryRun, _) => TunnelPermission::Granted,
            (RunMode::Normal, Some(status)) if status.state.is_usable() => TunnelPermission::Granted,
            (RunMode::Normal, _) => TunnelPermission::Withheld,
        },
        route_mtu: translate::route_mtu(intent, underlay),
    }
}

/// What the tunnel is told. `locals` are addresses of pods here outside our blocks.
#[must_use]
pub(super) fn tunnel(intent: &Intent, locals: &BTreeSet<IpNet>) -> TunnelConfig {
    let mut config = translate::tunnel(intent);
    config.local.extend(translate::v4(locals));
    config
}

/// Whether the kernel is written to.
#[must_use]
pub(super) fn programming(mode: RunMode) -> Programming {
    match mode {
        RunMode::Normal => Programming::On,
        RunMode::DryRun => Programming::DryRun,
    }
}
