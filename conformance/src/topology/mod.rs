//! Containerlab topology files: the part of the format that network namespaces can honour.
//!
//! Whatever a file says beyond that is an error naming the key and its line, never ignored.

mod expand;
mod links;
mod nodes;
mod yaml;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use ipnet::IpNet;

use self::yaml::{Value, Yaml, in_file};

/// A lab as its file describes it.
#[derive(Clone, Debug)]
pub struct Topology {
    /// The lab's name.
    pub name: String,
    /// Nodes by name.
    pub nodes: BTreeMap<String, Node>,
    /// Links, in the file's order.
    pub links: Vec<Link>,
    /// The folder that relative paths start from.
    pub folder: PathBuf,
}

/// A node, everything inherited from its group, kind and the defaults.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// The container image, whose name chooses what runs here.
    pub image: String,
    /// Host name; the node's name unless the file says otherwise.
    pub hostname: String,
    /// Replaces the image's program.
    pub entrypoint: Vec<String>,
    /// Arguments for the image's program, or another program.
    pub cmd: Vec<String>,
    /// Environment of everything that runs in the node.
    pub env: BTreeMap<String, String>,
    /// Commands run once the node is up; no shell.
    pub exec: Vec<Vec<String>>,
    /// Files and folders of the host shown in the node.
    pub binds: Vec<Bind>,
    /// Kernel settings of the node's namespace.
    pub sysctls: BTreeMap<String, String>,
    /// Wait before the node's program starts.
    pub startup_delay: Duration,
}

/// A file or folder of the host, shown inside a node.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Bind {
    /// Absolute path on the host.
    pub source: PathBuf,
    /// Absolute path in the node.
    pub target: PathBuf,
    /// Whether the node may write there.
    pub access: Access,
}

/// What a node may do with a bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Only read.
    ReadOnly,
    /// Read and write.
    ReadWrite,
}

/// A veth pair between two nodes.
#[derive(Clone, Debug)]
pub struct Link {
    /// Its two ends.
    pub ends: [End; 2],
    /// MTU of both ends.
    pub mtu: u32,
}

/// One end of a link.
#[derive(Clone, Debug)]
pub struct End {
    /// The node's name.
    pub node: String,
    /// The interface's name in the node, at most 15 bytes.
    pub interface: String,
    /// MAC address, if the file fixes it.
    pub mac: Option<String>,
    /// Addresses with prefix lengths.
    pub addresses: Vec<IpNet>,
}

impl Topology {
    /// Reads a file, expanding variables from the process's environment.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = folder.canonicalize().with_context(|| format!("cannot open {}", folder.display()))?;
        Self::parse(&text, &folder).map_err(|e| in_file(path, &e))
    }

    /// Parses a file's text; relative paths in it start from `folder`.
    pub fn parse(text: &str, folder: &Path) -> Result<Self> {
        let text = expand::expand(text, |name| std::env::var(name).ok())?;
        let root = Yaml::parse(&text)?;
        let mut name = None;
        let mut topology = None;
        for (key, value) in root.map("the file")? {
            match key.as_str() {
                "name" => name = Some(value.text(key)?),
                "prefix" => ensure!(
                    value.text(key)? == "clab",
                    "line {}: `prefix`: only `clab`, containerlab's default, is supported",
                    value.line
                ),
                "topology" => topology = Some(value),
                _ => return Err(unsupported(value.line, key)),
            }
        }
        let name = name.context("the key `name` is missing")?;
        let topology = topology.context("the key `topology` is missing")?;
        let (nodes, links) = read_topology(topology, &name, folder)?;
        let lab = Self { name, nodes, links, folder: folder.to_owned() };
        lab.check()?;
        Ok(lab)
    }

    /// The name of a node's network namespace, the same as its container would have.
    pub fn namespace(&self, node: &str) -> String {
        format!("clab-{}-{node}", self.name)
    }

    fn check(&self) -> Result<()> {
        let usable = |s: &str| s.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        ensure!(!self.name.is_empty() && usable(&self.name), "`name`: use letters, digits, `-`, `_` and `.`");
        let mut taken = BTreeSet::new();
        for end in self.links.iter().flat_map(|l| &l.ends) {
            ensure!(
                taken.insert((&end.node, &end.interface)),
                "two links end at {}:{}",
                end.node,
                end.interface
            );
        }
        Ok(())
    }
}

fn read_topology(topology: &Yaml, lab: &str, folder: &Path) -> Result<(BTreeMap<String, Node>, Vec<Link>)> {
    let mut layers = nodes::Layers::default();
    let mut own = None;
    let mut link_list = None;
    for (key, value) in topology.map("topology")? {
        match key.as_str() {
            "defaults" => layers.defaults = Some(value),
            "kinds" => layers.kinds = value.map(key)?,
            "groups" => layers.groups = value.map(key)?,
            "nodes" => own = Some(value),
            "links" => link_list = Some(value),
            _ => return Err(unsupported(value.line, key)),
        }
    }
    let own = own.context("the key `topology.nodes` is missing")?;
    let mut nodes = BTreeMap::new();
    for (name, value) in own.map("nodes")? {
        nodes.insert(name.clone(), layers.node(name, value, lab, folder)?);
    }
    let links = match link_list {
        Some(list) => list.list("links")?.iter().map(|l| links::read(l, &nodes)).collect::<Result<_>>()?,
        None => Vec::new(),
    };
    Ok((nodes, links))
}

fn unsupported(line: u64, key: &str) -> anyhow::Error {
    anyhow::anyhow!("line {line}: `{key}` is not supported in network namespaces")
}

/// A mapping of texts (`env`, `sysctls`).
fn texts(value: &Yaml, key: &str) -> Result<Vec<(String, String)>> {
    value
        .map(key)?
        .iter()
        .map(|(name, value)| match value.value {
            Value::Null => Ok((name.clone(), String::new())),
            _ => Ok((name.clone(), value.text(name)?)),
        })
        .collect()
}

/// A command line, split as a shell would but without one.
fn words(value: &Yaml, key: &str) -> Result<Vec<String>> {
    let text = value.text(key)?;
    match shell_words::split(&text) {
        Ok(words) => Ok(words),
        Err(_) => bail!("line {}: `{key}`: a quote is not closed: {text}", value.line),
    }
}

#[cfg(test)]
mod tests;
