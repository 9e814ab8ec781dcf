//! Links: `endpoints: ["a:eth0", "b:eth0"]` and the extended form of type `veth`.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use ipnet::IpNet;

use super::{
    End, HOST, Kind, Link, Node, STAND_INS,
    findings::Findings,
    unsupported,
    yaml::{Value, Yaml},
};

/// containerlab's MTU for links that say nothing.
const DEFAULT_MTU: u32 = 9500;
/// The kernel's limit for interface names (IFNAMSIZ less the final zero).
const NAME_LIMIT: usize = 15;

/// Reads a link.
pub(super) fn read(link: &Yaml, nodes: &mut BTreeMap<String, Node>, findings: &Findings) -> Result<Link> {
    let mut kind = "veth".to_owned();
    let mut ends = None;
    let mut single = None;
    let mut host_interface = None;
    let mut mtu = DEFAULT_MTU;
    let mut addresses: [Vec<IpNet>; 2] = Default::default();
    for (key, value) in link.map("link")? {
        match key.as_str() {
            "type" => kind = value.text(key)?,
            "endpoints" => ends = Some(read_ends(value)?),
            "endpoint" => single = Some(read_end(value)?),
            "host-interface" => host_interface = Some(value.text(key)?),
            "mtu" => mtu = number(value, key)?,
            "ipv4" | "ipv6" => {
                for (slot, value) in addresses.iter_mut().zip(value.list(key)?) {
                    slot.extend(address(value, key)?);
                }
            }
            "vars" | "labels" => {}
            _ => return Err(unsupported(value.line, key)),
        }
    }
    let mut ends = match (kind.as_str(), ends, single) {
        ("veth" | "veth-stitch", Some(ends), None) => ends,
        ("host" | "mgmt-net", None, Some(end)) => {
            let interface = host_interface
                .with_context(|| format!("line {}: the link has no `host-interface`", link.line))?;
            [end, End { node: kind, interface, mac: None, addresses: Vec::new() }]
        }
        ("veth" | "veth-stitch", None, _) => bail!("line {}: the link has no `endpoints`", link.line),
        ("host" | "mgmt-net", _, _) => bail!("line {}: the link has no `endpoint`", link.line),
        _ => bail!(
            "line {}: links of type `{kind}` are not supported; `veth`, `host` and `mgmt-net` are",
            link.line
        ),
    };
    for (end, extra) in ends.iter_mut().zip(addresses) {
        end.addresses.extend(extra);
        stand_in(end, nodes, findings);
        findings.take(check(end, nodes).with_context(|| format!("line {}", link.line)));
    }
    Ok(Link { ends, mtu })
}

/// The machine that the lab runs on is left alone: a namespace of the lab stands for it, and for its management
/// network.
fn stand_in(end: &End, nodes: &mut BTreeMap<String, Node>, findings: &Findings) {
    if nodes.contains_key(&end.node) || !STAND_INS.contains(&end.node.as_str()) {
        return;
    }
    findings
        .note(format!("`{}` is a namespace of the lab: this machine's own network is left alone", end.node));
    let name = end.node.clone();
    let kind = if name == HOST { Kind::Host } else { Kind::Bridge };
    nodes.insert(name.clone(), Node { hostname: name.clone(), name, kind, ..Node::default() });
}

fn read_ends(value: &Yaml) -> Result<[End; 2]> {
    match value.list("endpoints")? {
        [a, b] => Ok([read_end(a)?, read_end(b)?]),
        other => bail!("line {}: a link has two endpoints, not {}", value.line, other.len()),
    }
}

fn read_end(value: &Yaml) -> Result<End> {
    if let Value::Scalar(text) = &value.value {
        let (node, interface) = text
            .split_once(':')
            .with_context(|| format!("line {}: endpoint `{text}` is not `node:interface`", value.line))?;
        return Ok(End { node: node.into(), interface: interface.into(), mac: None, addresses: Vec::new() });
    }
    let mut end = End { node: String::new(), interface: String::new(), mac: None, addresses: Vec::new() };
    for (key, value) in value.map("endpoint")? {
        match key.as_str() {
            "node" => end.node = value.text(key)?,
            "interface" => end.interface = value.text(key)?,
            "mac" => end.mac = Some(value.text(key)?),
            "ipv4" | "ipv6" => end.addresses.extend(address(value, key)?),
            "vars" => {}
            _ => return Err(unsupported(value.line, key)),
        }
    }
    Ok(end)
}

/// An address with its prefix length; an empty text stands for none.
fn address(value: &Yaml, key: &str) -> Result<Option<IpNet>> {
    let text = value.text(key)?;
    if text.is_empty() {
        return Ok(None);
    }
    let parsed = text.parse().with_context(|| {
        format!("line {}: `{key}`: `{text}` is no address with prefix length", value.line)
    })?;
    Ok(Some(parsed))
}

fn number(value: &Yaml, key: &str) -> Result<u32> {
    let text = value.text(key)?;
    text.parse().with_context(|| format!("line {}: `{key}`: `{text}` is no number", value.line))
}

fn check(end: &End, nodes: &BTreeMap<String, Node>) -> Result<()> {
    ensure!(nodes.contains_key(&end.node), "there is no node `{}`", end.node);
    let length = end.interface.len();
    ensure!(
        (1..=NAME_LIMIT).contains(&length),
        "interface `{}`: the kernel takes names of 1 to {NAME_LIMIT} bytes",
        end.interface
    );
    Ok(())
}
