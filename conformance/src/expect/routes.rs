//! Kernel routes, read with `ip -j -N route` and written as `ip -N route` writes them.

use anyhow::{Context as _, Result};
use ipnet::IpNet;
use serde::Deserialize;

use super::{Names, Verdict};
use crate::lab::Lab;

/// The routes of a node are exactly these, in whatever order.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routes {
    /// The node, or several that must hold the same.
    pub node: Names,
    /// Only routes of this protocol count.
    pub protocol: Option<u8>,
    /// Only routes inside this prefix count.
    pub inside: Option<IpNet>,
    /// The table; the main one unless named.
    pub table: Option<String>,
    /// The lines, protocol and type as in `ip -N route`, but `blackhole` in words.
    pub are: Vec<String>,
}

impl Routes {
    /// Reads the routes and compares.
    pub fn check(&self, lab: &Lab) -> Result<Verdict> {
        let mut expected: Vec<_> = self.are.iter().map(|line| squeeze(line)).collect();
        expected.sort();
        let mut verdict = Verdict::pass();
        for node in self.node.iter() {
            verdict = Verdict::compare(&expected, &self.read(lab, node)?);
            if let Verdict::Fail { difference, .. } = &mut verdict {
                *difference = format!("{node}:\n{difference}");
                return Ok(verdict);
            }
        }
        Ok(verdict)
    }

    fn read(&self, lab: &Lab, node: &str) -> Result<Vec<String>> {
        let table = self.table.as_deref().unwrap_or("main");
        let family = if self.inside.is_some_and(|net| matches!(net, IpNet::V6(_))) { "-6" } else { "-4" };
        let text = lab.node(node)?.ip([family, "-j", "-N", "route", "show", "table", table])?;
        let routes: Vec<Route> = if text.trim().is_empty() { Vec::new() } else { parse(&text)? };
        let chosen = routes.into_iter().filter(|route| {
            self.protocol.is_none_or(|p| route.protocol.as_deref().unwrap_or(BOOT) == p.to_string())
                && self.inside.is_none_or(|net| network(&route.dst).is_some_and(|dst| net.contains(&dst)))
        });
        let mut lines: Vec<_> = chosen.map(|route| route.line()).collect();
        lines.sort();
        Ok(lines)
    }
}

/// RTPROT_BOOT, the one protocol `ip` does not print: what `ip route add` gives.
const BOOT: &str = "3";

fn parse(text: &str) -> Result<Vec<Route>> {
    serde_json::from_str(text).context("`ip -j route`")
}

fn network(dst: &str) -> Option<IpNet> {
    dst.parse().ok().or_else(|| Some(IpNet::from(dst.parse::<std::net::IpAddr>().ok()?)))
}

fn squeeze(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[derive(Deserialize)]
struct Route {
    #[serde(rename = "type")]
    kind: Option<String>,
    dst: String,
    gateway: Option<String>,
    via: Option<Via>,
    dev: Option<String>,
    protocol: Option<String>,
    scope: Option<String>,
    metric: Option<u32>,
    #[serde(default)]
    flags: Vec<String>,
    #[serde(default)]
    nexthops: Vec<NextHop>,
}

#[derive(Deserialize)]
struct NextHop {
    gateway: Option<String>,
    via: Option<Via>,
    dev: Option<String>,
    weight: Option<u32>,
    #[serde(default)]
    flags: Vec<String>,
}

/// A gateway of another family than the route's.
#[derive(Deserialize)]
struct Via {
    family: String,
    host: String,
}

impl Route {
    /// The line `ip -N route` prints, but for source address, and with the type in words.
    fn line(&self) -> String {
        let mut words = Vec::new();
        words.extend(self.kind.as_deref().and_then(kind).map(str::to_owned));
        words.push(self.dst.clone());
        words.extend(leg(self.gateway.as_deref(), self.via.as_ref(), self.dev.as_deref()));
        words.extend(self.protocol.as_deref().map(|protocol| format!("proto {protocol}")));
        words.extend(self.scope.as_deref().map(|scope| format!("scope {}", scope_word(scope))));
        words.extend(self.metric.map(|metric| format!("metric {metric}")));
        words.extend(self.flags.iter().cloned());
        let mut hops = Vec::new();
        for hop in &self.nexthops {
            let mut words = leg(hop.gateway.as_deref(), hop.via.as_ref(), hop.dev.as_deref());
            words.extend(hop.weight.map(|weight| format!("weight {weight}")));
            words.extend(hop.flags.iter().cloned());
            hops.push(format!("nexthop {}", words.join(" ")));
        }
        hops.sort();
        words.extend(hops);
        words.join(" ")
    }
}

fn leg(gateway: Option<&str>, via: Option<&Via>, device: Option<&str>) -> Vec<String> {
    let gateway = gateway.map(|gateway| format!("via {gateway}"));
    let via = via.map(|via| format!("via {} {}", via.family, via.host));
    let device = device.map(|device| format!("dev {device}"));
    [gateway, via, device].into_iter().flatten().collect()
}

/// Types of rtnetlink(7); a unicast route names none.
fn kind(number: &str) -> Option<&str> {
    match number {
        "1" | "unicast" => None,
        "6" => Some("blackhole"),
        "7" => Some("unreachable"),
        "8" => Some("prohibit"),
        "9" => Some("throw"),
        other => Some(other),
    }
}

fn scope_word(scope: &str) -> &str {
    match scope {
        "253" => "link",
        "254" => "host",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_read_as_iproute2_writes_them() {
        let text = r#"[
            {"dst":"172.16.196.128/26","gateway":"192.168.92.129","dev":"tunl0","protocol":"179","flags":["onlink"]},
            {"type":"6","dst":"172.16.241.64/26","protocol":"179","flags":[]},
            {"dst":"172.16.241.69","dev":"cali0","scope":"253","flags":[]},
            {"dst":"10.5.0.0/26","via":{"family":"inet6","host":"fd09::2"},"dev":"eth0","protocol":"179","flags":[]},
            {"dst":"10.0.0.0/26","protocol":"179","flags":[],"nexthops":[
                {"gateway":"10.9.0.2","dev":"eth0","weight":1,"flags":[]},
                {"gateway":"10.1.0.2","dev":"tunl0","weight":1,"flags":["onlink"]}]}]"#;
        let lines: Vec<_> = parse(text).unwrap().iter().map(Route::line).collect();
        assert_eq!(
            lines,
            [
                "172.16.196.128/26 via 192.168.92.129 dev tunl0 proto 179 onlink",
                "blackhole 172.16.241.64/26 proto 179",
                "172.16.241.69 dev cali0 scope link",
                "10.5.0.0/26 via inet6 fd09::2 dev eth0 proto 179",
                "10.0.0.0/26 proto 179 nexthop via 10.1.0.2 dev tunl0 weight 1 onlink \
                 nexthop via 10.9.0.2 dev eth0 weight 1",
            ]
        );
    }
}
