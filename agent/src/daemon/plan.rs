//! What each layer is told, a dry run included. Pure.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bgp::{
    config::{ConnectMode, SpeakerConfig},
    policy::{Policy, RejectReason, Verdict},
};
use fib::config::{FibConfig, Programming, TunnelPermission};
use ipip::{TunnelConfig, TunnelStatus};
use ipnet::IpNet;

use super::flows::permission;
use crate::{api::protocol::status::RunMode, config::Intent, translate};

/// What the speaker is told. In a dry run it waits to be called, and has nothing to say.
#[must_use]
pub(super) fn speaker(intent: &Intent, mode: RunMode) -> SpeakerConfig {
    let mut config = translate::speaker(intent);
    if mode == RunMode::DryRun {
        config.graceful_restart_time = Duration::ZERO;
        let silent =
            Arc::new(Policy { terms: Vec::new(), default: Verdict::Reject(RejectReason::ExportNone) });
        for peer in &mut config.peers {
            peer.mode = ConnectMode::Passive;
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
    config.tunnel.permission = match (mode, tunnel) {
        (RunMode::DryRun, _) => TunnelPermission::Granted,
        (RunMode::Normal, Some(status)) => permission(status),
        (RunMode::Normal, None) => TunnelPermission::Withheld,
    };
    config
}

/// What the tunnel is told.
#[must_use]
pub(super) fn tunnel(intent: &Intent) -> TunnelConfig {
    translate::tunnel(intent)
}

/// Whether the kernel is written to.
#[must_use]
pub(super) fn programming(mode: RunMode) -> Programming {
    match mode {
        RunMode::Normal => Programming::On,
        RunMode::DryRun => Programming::DryRun,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Flags, Inputs, ThisHost, load};

    #[test]
    fn a_dry_run_waits_to_be_called_and_has_nothing_to_say() {
        let flags = Flags {
            node_address: Some("10.0.0.1/24".into()),
            mesh: vec!["10.0.0.2".into()],
            pool: vec!["172.16.0.0/16,Always".into()],
            ..Flags::default()
        };
        let intent = load(&Inputs { flags, ..Inputs::default() }, &ThisHost).expect("valid").intent;
        let config = speaker(&intent, RunMode::DryRun);
        let [peer] = config.peers.as_slice() else { panic!("one peer") };
        assert_eq!(peer.mode, ConnectMode::Passive);
        assert_eq!(peer.export.default, Verdict::Reject(RejectReason::ExportNone));
        assert!(config.graceful_restart_time.is_zero());
        assert_eq!(fib(&intent, RunMode::DryRun, None).programming, Programming::DryRun);
        assert_eq!(fib(&intent, RunMode::Normal, None).tunnel.permission, TunnelPermission::Withheld);
    }
}
