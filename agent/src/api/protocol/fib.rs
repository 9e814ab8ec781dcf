//! Kernel routes.

use serde::{Deserialize, Serialize};

/// Which kernel routes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FibSelect {
    /// All that are ours or wanted.
    #[default]
    All,
    /// Only where the kernel differs from what is wanted.
    Different,
}

/// One prefix of ours: what is wanted, what the kernel has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FibRow {
    /// The route wanted, or when none is, the one to be removed.
    #[serde(flatten)]
    pub route: KernelRoute,
    /// `direct`, `tunnel`, `blackhole`; `mixed` for legs of both kinds.
    pub path: String,
    /// Why that path: a stable code.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// `installed`, `pending`, `failed`, `conflict`, `stale`, `unreachable`.
    pub state: String,
    /// What the kernel said, or whose route is in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What the kernel holds instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<KernelRoute>,
    /// What would have to be done: `add`, `replace`, `delete`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
}

/// A route with the keys of `ip -j route`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelRoute {
    /// Absent for unicast.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The prefix; a host route has no length.
    pub dst: String,
    /// Next hop address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// `rtm_protocol`, as number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Metric, when not zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<u32>,
    /// The next-hop object the route refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nhid: Option<u32>,
    /// The MTU the route itself carries, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// `onlink`, and of a leg that carries nothing `dead` or `linkdown`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// The legs of a multipath route, in place of gateway, dev and flags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nexthops: Vec<NextHop>,
}

/// A leg of a multipath route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextHop {
    /// Next hop address.
    pub gateway: String,
    /// Device.
    pub dev: String,
    /// Weight, from 1.
    pub weight: u32,
    /// `onlink`, ...
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}

impl std::fmt::Display for KernelRoute {
    /// As `ip route` prints it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(kind) = &self.kind {
            write!(f, "{kind} ")?;
        }
        f.write_str(&self.dst)?;
        if let Some(object) = self.nhid {
            write!(f, " nhid {object}")?;
        }
        hop(f, self.gateway.as_deref(), self.dev.as_deref())?;
        if let Some(protocol) = &self.protocol {
            write!(f, " proto {protocol}")?;
        }
        if let Some(metric) = self.metric {
            write!(f, " metric {metric}")?;
        }
        for flag in &self.flags {
            write!(f, " {flag}")?;
        }
        if let Some(mtu) = self.mtu {
            write!(f, " mtu {mtu}")?;
        }
        for leg in &self.nexthops {
            f.write_str(" nexthop")?;
            hop(f, Some(&leg.gateway), Some(&leg.dev))?;
            write!(f, " weight {}", leg.weight)?;
            for flag in &leg.flags {
                write!(f, " {flag}")?;
            }
        }
        Ok(())
    }
}

fn hop(f: &mut std::fmt::Formatter<'_>, gateway: Option<&str>, dev: Option<&str>) -> std::fmt::Result {
    if let Some(gateway) = gateway {
        write!(f, " via {gateway}")?;
    }
    if let Some(dev) = dev {
        write!(f, " dev {dev}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_reads_as_ip_route_prints_it() {
        let mut route = KernelRoute {
            dst: "172.16.196.128/26".into(),
            gateway: Some("192.168.92.129".into()),
            dev: Some("tunl0".into()),
            protocol: Some("179".into()),
            flags: vec!["onlink".into()],
            ..KernelRoute::default()
        };
        assert_eq!(route.to_string(), "172.16.196.128/26 via 192.168.92.129 dev tunl0 proto 179 onlink");
        route =
            KernelRoute { kind: Some("blackhole".into()), gateway: None, dev: None, flags: vec![], ..route };
        assert_eq!(route.to_string(), "blackhole 172.16.196.128/26 proto 179");
    }

    #[test]
    fn a_fib_row_has_the_keys_of_ip_route() {
        let row = FibRow {
            route: KernelRoute {
                kind: Some("blackhole".into()),
                dst: "10.0.0.0/26".into(),
                ..Default::default()
            },
            path: "blackhole".into(),
            state: "installed".into(),
            ..FibRow::default()
        };
        assert_eq!(
            serde_json::to_string(&row).expect("serialises"),
            r#"{"type":"blackhole","dst":"10.0.0.0/26","path":"blackhole","state":"installed"}"#
        );
    }
}
