use std::{
    fs::File,
    io::{BufRead, BufReader},
    os::fd::AsFd,
    process::{Command, Stdio},
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::*;
use crate::config::{Host, ThisHost};

/// A host with two links, a container bridge, tunl0 and a virtual address, in the kernel's order.
fn host() -> Vec<Interface> {
    vec![
        interface(1, "lo", &["127.0.0.1/8"]),
        interface(2, "eth0", &["192.168.92.128/24", "192.168.92.200/32", "fe80::1/64", "fd00::128/64"]),
        interface(3, "eth1", &["10.1.0.5/16"]),
        interface(4, "docker0", &["172.17.0.1/16"]),
        interface(5, "tunl0", &["172.16.241.64/32"]),
        interface(6, "cali12345", &["169.254.1.1/32"]),
    ]
}

fn interface(index: u32, name: &str, addresses: &[&str]) -> Interface {
    let address = |text: &&str| InterfaceAddress { net: text.parse().unwrap(), standing: Standing::Primary };
    Interface { index, name: name.into(), addresses: addresses.iter().map(address).collect() }
}

fn towards_eth0(_: &str) -> io::Result<IpAddr> {
    Ok("192.168.92.128".parse().unwrap())
}

fn detected_on(interfaces: &[Interface], method: &str, family: Family) -> Result<String, String> {
    let method = method.parse::<Method>().map_err(|e| e.to_string())?;
    let found = detect(&method, family, interfaces, towards_eth0).map_err(|e| e.to_string())?;
    Ok(format!("{}: {}", found.net, found.why))
}

fn detected(method: &str) -> Result<String, String> {
    detected_on(&host(), method, Family::Ipv4Unicast)
}

#[test]
fn the_newest_interface_that_is_not_virtual_is_first_found() {
    assert_eq!(detected("first-found").unwrap(), "10.1.0.5/16: autodetected by first-found on eth1");
}

#[test]
fn interfaces_can_be_named_and_the_first_pattern_wins() {
    assert_eq!(
        detected("interface=eth0,eth1").unwrap(),
        "192.168.92.128/24: autodetected by interface=eth0,eth1 on eth0"
    );
    assert!(detected("interface=eth.*").unwrap().starts_with("10.1.0.5/16"));
    assert!(detected(r"interface=^eth\d$").unwrap().starts_with("10.1.0.5/16"));
}

#[test]
fn named_interfaces_know_no_exclusions() {
    assert!(detected("interface=docker0").unwrap().starts_with("172.17.0.1/16"));
}

#[test]
fn skipped_interfaces_come_on_top_of_the_usual_exclusions() {
    assert!(detected("skip-interface=eth1").unwrap().starts_with("192.168.92.128/24"));
    let error = detected("skip-interface=eth.*").unwrap_err();
    assert_eq!(error, "skip-interface=eth.* finds no ipv4 address on any interface");
}

#[test]
fn a_cidr_selects_by_address() {
    assert!(detected("cidr=192.168.0.0/16,172.17.0.0/16").unwrap().starts_with("192.168.92.128/24"));
    assert!(detected("cidr=172.17.0.0/16").is_err(), "docker0 stays excluded");
}

#[test]
fn can_reach_takes_the_address_used_towards_a_host() {
    assert_eq!(
        detected("can-reach=192.0.2.1").unwrap(),
        "192.168.92.128/24: autodetected by can-reach=192.0.2.1 on eth0"
    );
}

#[test]
fn a_lone_virtual_address_is_the_last_choice_of_its_interface() {
    let vip_first = [interface(2, "eth0", &["192.168.92.200/32", "192.168.92.128/24"])];
    let found = detected_on(&vip_first, "first-found", Family::Ipv4Unicast).unwrap();
    assert!(found.starts_with("192.168.92.128/24"), "{found}");
    let only = [interface(2, "eth0", &["10.128.0.2/32"])];
    let found = detected_on(&only, "first-found", Family::Ipv4Unicast).unwrap();
    assert!(found.starts_with("10.128.0.2/32"), "some clouds give nothing else: {found}");
}

#[test]
fn a_secondary_address_gives_way_and_an_unfit_one_is_no_address() {
    let mut host = vec![interface(2, "eth0", &["10.0.0.9/24", "10.0.0.1/24"])];
    host[0].addresses[0].standing = Standing::Secondary;
    assert!(detected_on(&host, "first-found", Family::Ipv4Unicast).unwrap().starts_with("10.0.0.1/24"));
    host[0].addresses[1].standing = Standing::Unfit;
    assert!(detected_on(&host, "first-found", Family::Ipv4Unicast).unwrap().starts_with("10.0.0.9/24"));
}

#[test]
fn link_local_addresses_are_never_taken() {
    let found = detected_on(&host(), "interface=eth0", Family::Ipv6Unicast).unwrap();
    assert!(found.starts_with("fd00::128/64"), "{found}");
}

#[test]
fn every_interface_of_calicos_list_is_excluded() {
    let names = [
        "docker0",
        "cbr0",
        "dummy0",
        "podman1",
        "virbr0",
        "lxcbr0",
        "veth1",
        "lo",
        "br-12",
        "cali1",
        "tunl0",
        "flannel.1",
        "kube-ipvs0",
        "cni0",
        "vxlan.calico",
        "vxlan-v6.calico",
        "wireguard.cali",
        "wg-v6.cali",
        "nodelocaldns",
    ];
    for name in names {
        let host = [interface(2, name, &["10.0.0.1/24"])];
        assert!(detected_on(&host, "first-found", Family::Ipv4Unicast).is_err(), "{name}");
    }
}

#[test]
fn wrong_methods_say_what_to_write() {
    let error = |text: &str| text.parse::<Method>().unwrap_err().to_string();
    assert!(
        error("kubernetes-internal-ip").starts_with("kubernetes-internal-ip needs the Kubernetes source")
    );
    assert!(error("can-reach").starts_with("can-reach wants an argument"));
    assert!(error("interface=eth[").starts_with("`eth[` is no regular expression"));
    assert!(error("cidr=10.0.0.0").starts_with("`10.0.0.0` is no prefix"));
    assert!(error("first").starts_with("`first` is no autodetection method"));
}

#[test]
fn this_hosts_loopback_is_listed() {
    let all = interfaces::list().unwrap();
    let lo = all.iter().find(|i| i.name == "lo").unwrap();
    assert!(lo.addresses.iter().all(|a| a.net.addr().is_loopback()), "{lo:?}");
    assert!(all.windows(2).all(|pair| pair[0].index < pair[1].index));
}

/// Runs a test on a thread in a network namespace of its own, after these `ip` commands.
fn in_namespace(commands: &[&str], test: impl FnOnce() + Send) {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: a network namespace needs root");
        return;
    }
    let inside = || {
        enter_namespace();
        for command in commands {
            let done = Command::new("ip").args(command.split_whitespace()).status().unwrap();
            assert!(done.success(), "ip {command}");
        }
        test();
    };
    thread::scope(|scope| scope.spawn(inside).join()).unwrap();
}

/// Moves this thread into a namespace that a short-lived child makes.
fn enter_namespace() {
    let mut maker = Command::new("unshare")
        .args(["--net", "sh", "-c", "echo; read line"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    BufReader::new(maker.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    let namespace = File::open(format!("/proc/{}/ns/net", maker.id())).unwrap();
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
    drop(maker.stdin.take());
    maker.wait().unwrap();
}

#[test]
fn the_kernels_flags_and_routes_decide_on_a_real_host() {
    let commands = [
        "link add eth0 type veth peer name wire0",
        "link add br-1 type bridge",
        "link set eth0 up",
        "link set wire0 up",
        "addr add 192.168.92.128/24 dev eth0",
        "addr add 192.168.92.129/24 dev eth0",
        "addr add 192.168.92.200/32 dev eth0",
        "addr add 172.20.0.1/16 dev br-1",
        "-6 addr add fd00::128/64 dev eth0 nodad",
        "-6 addr add fd00::129/64 dev eth0 preferred_lft 0 nodad",
        "route add 198.51.100.0/24 dev eth0 src 192.168.92.129",
    ];
    in_namespace(&commands, || {
        let all = ThisHost.interfaces().unwrap();
        let eth0 = all.iter().find(|i| i.name == "eth0").unwrap();
        let standing = |text: &str| {
            let address = text.parse::<IpAddr>().unwrap();
            eth0.addresses.iter().find(|a| a.net.addr() == address).unwrap().standing
        };
        assert_eq!(standing("192.168.92.128"), Standing::Primary);
        assert_eq!(standing("192.168.92.129"), Standing::Secondary);
        assert_eq!(standing("fd00::128"), Standing::Primary);
        assert_eq!(standing("fd00::129"), Standing::Unfit);
        let detected = |method: &str, family| {
            let source = |target: &str| ThisHost.source_towards(target, family);
            detect(&method.parse().unwrap(), family, &all, source).unwrap().net.to_string()
        };
        assert_eq!(detected("first-found", Family::Ipv4Unicast), "192.168.92.128/24");
        assert_eq!(detected("first-found", Family::Ipv6Unicast), "fd00::128/64");
        assert_eq!(detected("can-reach=198.51.100.7", Family::Ipv4Unicast), "192.168.92.129/24");
    });
}
