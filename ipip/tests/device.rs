//! The device on the real kernel: ipip where it has that, a bridge as its stand-in elsewhere.

mod support;

use std::{io::BufRead, net::Ipv4Addr, time::Duration};

use ipip::{
    Completeness::Complete, DeviceKind, Mtu, Need, SysctlCare, TunnelConfig, TunnelHandle, TunnelState,
};
use support::{Namespace, environment, known, needed, settled, start, until};

/// A host whose underlay has an MTU of 1450.
fn host() -> Option<Namespace> {
    let host = Namespace::new()?;
    host.run("ip link add eth0 mtu 1450 type veth peer name far");
    host.run("ip addr add 10.9.0.100/24 dev eth0 && ip link set eth0 up && ip link set far up");
    Some(host)
}

async fn up(tunnel: &TunnelHandle) {
    until(tunnel, |status| status.state == TunnelState::Up).await;
}

/// Does something to the device and says how long it took until that was put right.
async fn repaired(host: &Namespace, tunnel: &TunnelHandle, act: &str) -> Duration {
    let before = tunnel.status().repairs;
    host.run(act);
    // The kernel is asked only then: asking stops this thread and with it the service.
    settled(act, || tunnel.status().repairs > before && is_as_wanted(host)).await
}

fn is_as_wanted(host: &Namespace) -> bool {
    let addresses = host.try_run("ip -4 -br addr show dev tunl0").unwrap_or_default();
    let link = host.try_run("ip link show dev tunl0 up").unwrap_or_default();
    addresses.split_whitespace().skip(2).eq(["172.16.241.64/32"]) && link.contains("mtu 1430 ")
}

#[test]
fn a_tunnel_that_is_needed_is_created_with_address_and_mtu_and_brought_up() {
    let Some(host) = host() else { return };
    host.block_on(|| async {
        let tunnel = start(&host, needed(), known(&[], Complete));
        up(&tunnel).await;
        assert!(is_as_wanted(&host));
        let status = tunnel.status();
        assert_eq!(status.mtu, Some(1430));
        assert_eq!(status.underlay.as_ref().unwrap().name, "eth0");
        assert_eq!(status.repairs, 0);
    });
    assert!(is_as_wanted(&host), "also when the service has ended");
}

#[test]
fn nothing_is_created_until_the_tunnel_is_needed_and_then_it_stays() {
    let Some(host) = host() else { return };
    host.block_on(|| async {
        let not_needed = TunnelConfig { need: Need::NotNeeded, ..needed() };
        let tunnel = start(&host, not_needed.clone(), known(&[], Complete));
        let status = tunnel.refresh().await.unwrap();
        assert_eq!(status.state, TunnelState::Idle);
        assert_eq!(host.run("nft list tables"), "");
        assert_eq!(host.run("ip -br link show up | grep -c tunl0; true"), "0\n");
        tunnel.configure(needed());
        up(&tunnel).await;
        tunnel.configure(not_needed);
        tunnel.refresh().await.unwrap();
        repaired(&host, &tunnel, "ip link set tunl0 down").await;
    });
}

#[test]
fn whatever_others_do_to_the_device_is_put_right_within_a_second() {
    let Some(host) = host() else { return };
    let mut acts = vec![
        "ip link set tunl0 down",
        "ip link set tunl0 mtu 1300",
        "ip addr del 172.16.241.64/32 dev tunl0",
        "ip addr add 10.77.0.1/24 dev tunl0",
        "ip addr flush dev tunl0; ip addr add 172.16.241.64/26 dev tunl0",
        "ip link set tunl0 down; ip link set tunl0 name other0",
    ];
    if host.device_kind() == DeviceKind::Bridge {
        // The kernel's own tunl0 cannot be deleted.
        acts.push("ip link del tunl0");
    }
    host.block_on(|| async {
        let tunnel = start(&host, needed(), known(&[], Complete));
        up(&tunnel).await;
        for act in acts {
            let took = repaired(&host, &tunnel, act).await;
            assert!(took < host.a_second(), "{act}: {took:?}");
        }
    });
}

#[test]
fn the_mtu_follows_the_underlay_and_a_fixed_one_that_is_too_large_is_told() {
    let Some(host) = host() else { return };
    host.block_on(|| async {
        let tunnel = start(&host, needed(), known(&[], Complete));
        up(&tunnel).await;
        host.run("ip link set eth0 mtu 1400");
        let status = until(&tunnel, |status| status.mtu == Some(1380)).await;
        assert_eq!(status.repairs, 0, "following is not repairing");
        host.run("ip addr del 10.9.0.100/24 dev eth0 && ip link set far mtu 1350 && ip addr add 10.9.0.100/24 dev far");
        until(&tunnel, |status| status.mtu == Some(1330)).await;
        tunnel.configure(TunnelConfig { mtu: Mtu::Fixed(1480), ..needed() });
        let status = until(&tunnel, |status| status.mtu == Some(1480)).await;
        assert!(status.warnings.iter().any(|warning| warning.code == ipip::NoticeCode::MtuTooLarge));
    });
}

#[test]
fn a_new_address_is_added_before_the_old_one_is_removed() {
    let Some(host) = host() else { return };
    host.block_on(|| async {
        let tunnel = start(&host, needed(), known(&[], Complete));
        up(&tunnel).await;
        let mut monitor = host.spawn("exec stdbuf -oL ip -4 -o monitor address");
        let lines = std::io::BufReader::new(monitor.stdout.take().unwrap()).lines();
        tokio::time::sleep(Duration::from_millis(300)).await;
        tunnel.configure(TunnelConfig { address: Some(Ipv4Addr::new(172, 16, 99, 1)), ..needed() });
        until(&tunnel, |status| status.addresses == ["172.16.99.1/32".parse().unwrap()]).await;
        let seen: Vec<String> = lines.map_while(Result::ok).take(2).collect();
        monitor.kill().unwrap();
        monitor.wait().unwrap();
        assert!(!seen[0].contains("Deleted") && seen[0].contains("172.16.99.1/32"), "{seen:?}");
        assert!(seen[1].contains("Deleted") && seen[1].contains("172.16.241.64/32"), "{seen:?}");
    });
}

#[test]
fn without_an_address_only_those_we_configured_are_removed() {
    let Some(host) = host() else { return };
    host.block_on(|| async {
        let tunnel = start(&host, needed(), known(&[], Complete));
        up(&tunnel).await;
        tunnel.configure(TunnelConfig { address: None, ..needed() });
        until(&tunnel, |status| status.addresses.is_empty()).await;
        host.run("ip addr add 10.77.0.1/24 dev tunl0");
        let status = until(&tunnel, |status| !status.addresses.is_empty()).await;
        assert_eq!(status.repairs, 0);
    });
}

#[test]
fn an_existing_device_is_adopted_and_one_of_another_kind_left_alone() {
    let Some(host) = host() else { return };
    // Where the module is loaded the kernel has made its own in every namespace.
    let fallback = host.try_run("ip link set tunl0 name aside").is_ok();
    host.run("ip link add tunl0 type veth peer name tunl1");
    host.block_on(|| async {
        let tunnel = start(&host, needed(), known(&[], Complete));
        let status = until(&tunnel, |status| status.problem.is_some()).await;
        assert_eq!(status.problem.as_ref().unwrap().code, ipip::NoticeCode::ForeignDevice);
        assert_eq!(host.run("ip -br link show up | grep -c tunl0; true"), "0\n");
        host.run("ip link del tunl0");
        let kind = host.device_kind();
        host.run(&match fallback {
            true => "ip link set aside name tunl0".to_owned(),
            false => format!("ip link add tunl0 type {}", kind.kernel_name()),
        });
        until(&tunnel, |status| status.state == TunnelState::Up && status.problem.is_none()).await;
        assert!(is_as_wanted(&host));
        tunnel.flush().await.unwrap();
        if kind == DeviceKind::Bridge {
            assert!(
                host.run("ip link show tunl0").contains("state DOWN"),
                "an adopted device is not deleted"
            );
        }
    });
}

#[test]
fn a_flush_takes_everything_down_and_the_service_rests_until_it_is_configured_again() {
    let Some(host) = host() else { return };
    host.block_on(|| async {
        let tunnel = start(&host, needed(), known(&[], Complete));
        up(&tunnel).await;
        tunnel.flush().await.unwrap();
        assert_eq!(tunnel.status().state, TunnelState::Idle);
        tokio::time::sleep(Duration::from_millis(300)).await;
        tunnel.refresh().await.unwrap();
        assert_eq!(host.run("nft list tables"), "");
        assert_eq!(host.run("ip -br link show up | grep -c tunl0; true"), "0\n");
        tunnel.configure(needed());
        up(&tunnel).await;
        assert!(is_as_wanted(&host));
    });
    host.block_on(|| async {
        ipip::flush(environment(host.device_kind()), &needed()).await.unwrap();
    });
    assert_eq!(host.run("nft list tables"), "");
    assert!(host.try_run("ip link show up dev tunl0").unwrap_or_default().is_empty());
}

#[test]
fn a_flush_leaves_alone_what_was_never_ours() {
    let Some(host) = host() else { return };
    let kind = host.device_kind().kernel_name();
    let _ = host.try_run(&format!("ip link add tunl0 type {kind}"));
    host.run("ip addr add 10.77.0.1/24 dev tunl0 && ip link set tunl0 up");
    host.block_on(|| async {
        let tunnel = start(&host, TunnelConfig::default(), known(&[], Complete));
        tunnel.flush().await.unwrap();
    });
    assert!(host.run("ip -br addr show up dev tunl0").contains("10.77.0.1/24"));
}

#[test]
fn a_missing_module_is_told_with_its_remedy() {
    let Some(host) = host() else { return };
    if host.device_kind() == DeviceKind::Ipip {
        println!("SKIPPED: this kernel has ipip");
        return;
    }
    host.block_on(|| async {
        let tunnel = TunnelHandle::spawn(environment(DeviceKind::Ipip)).unwrap();
        tunnel.configure(needed());
        let status = until(&tunnel, |status| status.problem.is_some()).await;
        let problem = status.problem.clone().unwrap();
        assert_eq!(problem.code, ipip::NoticeCode::ModuleMissing);
        assert_eq!(problem.remedy.as_deref(), Some("modprobe ipip"));
        assert_eq!(status.state, TunnelState::Down);
    });
}

#[test]
fn forwarding_off_and_strict_filtering_are_told_with_their_commands_and_not_changed() {
    let Some(host) = host() else { return };
    host.run("echo 0 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter");
    host.block_on(|| async {
        let tunnel = start(&host, needed(), known(&[], Complete));
        up(&tunnel).await;
        let status = tunnel.refresh().await.unwrap();
        let remedies: Vec<&str> = status.warnings.iter().filter_map(|w| w.remedy.as_deref()).collect();
        assert_eq!(
            remedies,
            [
                "sysctl -w net.ipv4.ip_forward=1",
                "sysctl -w net.ipv4.conf.tunl0.rp_filter=2",
                "sysctl -w net.ipv4.conf.eth0.rp_filter=2"
            ]
        );
        for remedy in remedies {
            host.run(remedy);
        }
        assert!(tunnel.refresh().await.unwrap().warnings.is_empty());
    });
}

#[test]
fn settings_that_stand_in_the_way_are_changed_when_that_is_asked() {
    let Some(host) = host() else { return };
    host.run("echo 0 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter");
    let settings =
        "cd /proc/sys/net/ipv4; cat ip_forward conf/tunl0/rp_filter conf/eth0/rp_filter conf/all/rp_filter";
    host.block_on(|| async {
        let tunnel = start(&host, needed(), known(&[], Complete));
        up(&tunnel).await;
        assert_eq!(tunnel.refresh().await.unwrap().warnings.len(), 3);
        tunnel.configure(TunnelConfig { sysctls: SysctlCare::Set, ..needed() });
        let status = until(&tunnel, |status| status.warnings.is_empty()).await;
        assert_eq!(status.repairs, 0, "the device needed no repair");
        assert_eq!(host.run(settings), "1\n2\n2\n1\n");
        host.run("echo 0 > /proc/sys/net/ipv4/ip_forward");
        assert!(tunnel.refresh().await.unwrap().warnings.is_empty());
        assert_eq!(host.run(settings), "1\n2\n2\n1\n", "again, when someone else turns it off");
    });
}

#[test]
fn addresses_of_other_users_of_the_device_are_left_alone_and_the_device_up_for_them() {
    let Some(host) = host() else { return };
    let keep_addresses = ["10.77.0.0/24".parse().unwrap()].into();
    let config = TunnelConfig { keep_addresses, ..needed() };
    let addresses = || {
        let all = host.run("ip -4 -br addr show dev tunl0 up");
        let mut all: Vec<String> = all.split_whitespace().skip(2).map(str::to_owned).collect();
        all.sort();
        all
    };
    host.block_on(|| async {
        let tunnel = start(&host, config.clone(), known(&[], Complete));
        up(&tunnel).await;
        host.run("ip addr add 10.77.0.1/32 dev tunl0 && ip addr add 10.78.0.1/32 dev tunl0");
        settled("the other address is gone", || addresses() == ["10.77.0.1/32", "172.16.241.64/32"]).await;
        tunnel.configure(TunnelConfig { address: Some(Ipv4Addr::new(172, 16, 241, 65)), ..config.clone() });
        settled("ours is another", || addresses() == ["10.77.0.1/32", "172.16.241.65/32"]).await;
        tunnel.flush().await.unwrap();
        assert_eq!(addresses(), ["10.77.0.1/32"]);
    });
}
