//! Links: `endpoints: ["a:eth0", "b:eth0"]` and the extended form of type `veth`.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use ipnet::IpNet;

use super::{
    End, Link, Node, unsupported,
    yaml::{Value, Yaml},
};

/// containerlab's MTU for links that say nothing.
const DEFAULT_MTU: u32 = 9500;
/// The kernel's limit for interface names (IFNAMSIZ less the final zero).
const NAME_LIMIT: usize = 15;

pub(super) fn read(link: &Yaml, nodes: &BTreeMap<String, Node>) -> Result<Link> {
    let mut ends = None;
    let mut mtu = DEFAULT_MTU;
    let mut addresses: [Vec<IpNet>; 2] = Default::default();
    for (key, value) in link.map("link")? {
        match key.as_str() {
            "type" => ensure!(
                value.text(key)? == "veth",
                "line {}: only links of type `veth` are supported",
                value.line
            ),
            "endpoints" => ends = Some(read_ends(value)?),
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
    let mut ends = ends.with_context(|| format!("line {}: the link has no `endpoints`", link.line))?;
    for (end, extra) in ends.iter_mut().zip(addresses) {
        end.addresses.extend(extra);
        check(end, nodes).with_context(|| format!("line {}", link.line))?;
    }
    Ok(Link { ends, mtu })
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
