//! One ping between the hosts, as tcpdump decodes it.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::screen::Screen;
use crate::{
    lab::Lab,
    launch::Service,
    node::{Node, init::INSIDE},
};

/// The program's name in the node.
const SERVICE: &str = "tcpdump";

/// Shows a ping's request on the way from `pod1` to `address`; it must have this many IP headers.
pub(super) fn show(screen: &Screen, lab: &Lab, address: &str, headers: usize) -> Result<()> {
    let switch = lab.node("switch")?;
    switch.forget_log(SERVICE);
    switch.start(&tcpdump())?;
    screen.prompt("switch", "tcpdump -n -v -i master01 'icmp or ip proto 4'");
    let pinged = lab.node("pod1")?.run(["ping", "-n", "-c", "1", "-W", "2", address])?;
    let log = stop(switch)?;
    ensure!(pinged.status.success(), "the ping was not answered:\n{log}");
    let packet = request(&log, address).with_context(|| format!("no request was captured:\n{log}"))?;
    screen.output(&packet);
    let seen = count(&packet);
    ensure!(seen == headers, "{seen} IP headers instead of {headers}");
    Ok(())
}

fn tcpdump() -> Service {
    let argv = ["tcpdump", "-n", "-t", "-v", "-l", "-i", "master01", "icmp or ip proto 4"];
    let listening = format!("grep -q 'listening on' {INSIDE}/log/{SERVICE}.log");
    Service {
        name: SERVICE.into(),
        argv: argv.map(str::to_owned).to_vec(),
        ready: ["sh", "-c", &listening].map(str::to_owned).to_vec(),
    }
}

/// tcpdump reads in batches: what it has not read yet arrives within its own time-out.
fn stop(node: &Node) -> Result<String> {
    std::thread::sleep(Duration::from_millis(500));
    node.kill(SERVICE, "INT")?;
    Ok(node.log(SERVICE))
}

/// The first request for an address, with the lines that belong to it.
fn request(log: &str, address: &str) -> Option<String> {
    let mut packets: Vec<String> = Vec::new();
    for line in log.lines() {
        match packets.last_mut() {
            Some(packet) if line.starts_with(char::is_whitespace) => packet.push_str(&format!("\n{line}")),
            _ if line.starts_with("IP ") => packets.push(line.to_owned()),
            _ => {}
        }
    }
    let wanted = format!("> {address}: ICMP echo request");
    packets.into_iter().find(|packet| packet.contains(&wanted))
}

/// IP headers of a packet.
fn count(packet: &str) -> usize {
    packet.matches("IP (tos").count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
tcpdump: listening on master01, link-type EN10MB (Ethernet), snapshot length 262144 bytes
IP (tos 0x0, ttl 63, id 5, offset 0, flags [DF], proto IPIP (4), length 104)
    192.168.92.129 > 192.168.92.128: IP (tos 0x0, ttl 63, id 4, proto ICMP (1), length 84)
    172.16.196.132 > 172.16.241.69: ICMP echo reply, id 1, seq 1, length 64
IP (tos 0x0, ttl 63, id 5, offset 0, flags [DF], proto IPIP (4), length 104)
    192.168.92.128 > 192.168.92.129: IP (tos 0x0, ttl 63, id 4, proto ICMP (1), length 84)
    172.16.241.69 > 172.16.196.132: ICMP echo request, id 1, seq 1, length 64
2 packets captured
";

    #[test]
    fn the_request_is_found_with_all_its_headers() {
        let packet = request(LOG, "172.16.196.132").unwrap();
        assert_eq!(packet.lines().count(), 3);
        assert!(packet.contains("192.168.92.128 > 192.168.92.129: IP"));
        assert_eq!(count(&packet), 2);
    }

    #[test]
    fn a_log_without_a_request_has_none() {
        assert_eq!(request("0 packets captured\n", "172.16.196.132"), None);
    }
}
