//! What is not ours to change but stands in the tunnel's way, with the command that mends it. Pure.

use crate::{
    config::{GuardMode, IPIP_OVERHEAD, Mtu, TunnelConfig},
    notice::{Notice, NoticeCode},
    plan::Observed,
    sysctl::{Correction, Sysctls},
};

/// What an operator should know, sorted.
pub(crate) fn advise(
    config: &TunnelConfig,
    device: &str,
    observed: &Observed,
    sysctls: &Sysctls,
    unmarked: usize,
) -> Vec<Notice> {
    let found = [
        (config.guard == GuardMode::On && unmarked > 0).then(|| nodes_unbound(unmarked)),
        underlay_unknown(config, observed),
        mtu_too_large(config, device, observed),
        (config.guard == GuardMode::Off).then(guard_off),
    ];
    let settings = sysctls.corrections();
    let settings = settings.iter().map(Correction::notice);
    let mut notices: Vec<Notice> = found.into_iter().flatten().chain(settings).collect();
    notices.sort();
    notices
}

fn underlay_unknown(config: &TunnelConfig, observed: &Observed) -> Option<Notice> {
    (config.mtu == Mtu::Auto && observed.underlay.is_none()).then(|| {
        let message = match config.node_address {
            Some(address) => {
                format!("no link carries the node's address {address}, so the MTU stays as it is")
            }
            None => "the node has no address, so the MTU stays as it is".to_owned(),
        };
        notice(
            NoticeCode::UnderlayUnknown,
            &message,
            Some("set tunnel.mtu, or node.address to an address of this host"),
        )
    })
}

fn mtu_too_large(config: &TunnelConfig, device: &str, observed: &Observed) -> Option<Notice> {
    let underlay = observed.underlay.as_ref()?;
    let tunnel = observed.device.as_ref()?.mtu;
    let most = underlay.mtu.saturating_sub(IPIP_OVERHEAD);
    (config.mtu != Mtu::Auto && tunnel > most).then(|| {
        let message = format!(
            "{device} has an MTU of {tunnel}, but {} with {} carries {most} at most: full packets are fragmented or lost",
            underlay.name, underlay.mtu
        );
        notice(NoticeCode::MtuTooLarge, &message, Some(&format!("set tunnel.mtu to {most} or to \"auto\"")))
    })
}

/// The guard tells fewer nodes apart than there are.
fn nodes_unbound(unmarked: usize) -> Notice {
    notice(
        NoticeCode::GuardBindExhausted,
        &format!(
            "guard_bind has no number left for {unmarked} nodes, which are not told apart from one another"
        ),
        Some("give tunnel.guard_mark more bits"),
    )
}

fn guard_off() -> Notice {
    notice(
        NoticeCode::GuardOff,
        "anyone who reaches this host can send packets into the pods' network through the tunnel",
        Some("set tunnel.guard to \"on\""),
    )
}

fn notice(code: NoticeCode, message: &str, remedy: Option<&str>) -> Notice {
    Notice { code, message: message.to_owned(), remedy: remedy.map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{plan::Device, status::Underlay};

    fn codes(config: &TunnelConfig, observed: &Observed) -> Vec<NoticeCode> {
        advise(config, "tunl0", observed, &Sysctls::default(), 0)
            .into_iter()
            .map(|notice| notice.code)
            .collect()
    }

    fn observed(tunnel: u32, underlay: u32) -> Observed {
        Observed {
            device: Some(Device {
                index: 2,
                kind: "ipip".into(),
                mtu: tunnel,
                dont_fragment: None,
                admin: crate::plan::AdminState::Up,
                addresses: [].into(),
                origin: crate::plan::Origin::Adopted,
            }),
            underlay: Some(Underlay {
                name: "eth0".into(),
                index: 3,
                mtu: underlay,
                address: [192, 168, 92, 128].into(),
            }),
            ..Observed::default()
        }
    }

    #[test]
    fn a_host_that_is_well_set_up_needs_no_advice() {
        assert!(codes(&TunnelConfig::default(), &observed(1480, 1500)).is_empty());
    }

    #[test]
    fn settings_and_an_open_guard_are_told_in_the_order_of_their_codes() {
        let config = TunnelConfig { guard: GuardMode::Off, ..TunnelConfig::default() };
        let sysctls = Sysctls { ip_forward: Some(0), ..Sysctls::default() };
        let notices = advise(&config, "tunl0", &observed(1480, 1500), &sysctls, 0);
        let codes: Vec<NoticeCode> = notices.iter().map(|notice| notice.code).collect();
        assert_eq!(codes, [NoticeCode::GuardOff, NoticeCode::IpForwardOff]);
        assert_eq!(notices[1].remedy.as_deref(), Some("sysctl -w net.ipv4.ip_forward=1"));
    }

    #[test]
    fn nodes_that_found_no_mark_are_told_while_there_is_a_guard() {
        let told = |guard, unmarked| {
            let config = TunnelConfig { guard, ..TunnelConfig::default() };
            advise(&config, "tunl0", &observed(1480, 1500), &Sysctls::default(), unmarked)
        };
        let [notice] = &told(GuardMode::On, 3)[..] else { panic!("one notice") };
        assert_eq!(notice.code, NoticeCode::GuardBindExhausted);
        assert!(notice.message.contains("3 nodes"), "{}", notice.message);
        assert!(told(GuardMode::Off, 3).iter().all(|notice| notice.code == NoticeCode::GuardOff));
    }

    #[test]
    fn a_fixed_mtu_that_the_underlay_cannot_carry_is_told() {
        let config = TunnelConfig { mtu: Mtu::Fixed(1480), ..TunnelConfig::default() };
        assert_eq!(codes(&config, &observed(1480, 1450)), [NoticeCode::MtuTooLarge]);
    }

    #[test]
    fn an_automatic_mtu_without_an_underlay_is_told() {
        let nowhere = Observed { underlay: None, ..observed(1480, 1500) };
        assert_eq!(codes(&TunnelConfig::default(), &nowhere), [NoticeCode::UnderlayUnknown]);
    }
}
