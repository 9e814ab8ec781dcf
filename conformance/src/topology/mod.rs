//! Containerlab topology files: the part of the format that network namespaces can honour.
//!
//! What a namespace has no use for (a management network, published ports, limits of memory) is accepted and told to
//! have no effect. Whatever would change what the lab shows is an error naming the key and its line, never ignored; all
//! errors of a file are told at once.

mod expand;
mod findings;
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

use self::{
    findings::Findings,
    yaml::{Value, Yaml, in_file},
};

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
    /// What the file says without effect here, for people.
    pub notes: Vec<String>,
}

/// What a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A host with the programs its image's name promises.
    #[default]
    Linux,
    /// A bridge of this name, of which every link that ends here is a port.
    Bridge,
    /// A stand-in for the machine the lab runs on, which itself is left alone.
    Host,
}

/// Whether the files a topology binds must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// The lab is to run.
    MustExist,
    /// Only the topology matters.
    MayBeMissing,
}

/// The name of the node that stands for the machine the lab runs on.
const HOST: &str = "host";
/// What names of nodes stand for without being defined, each a namespace of the lab.
const STAND_INS: &[&str] = &[HOST, "mgmt-net"];

/// A node, everything inherited from its group, kind and the defaults.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Whether its container would have an interface in a management network.
    pub managed: bool,
    /// The node whose network it shares (`network-mode: container:NAME`).
    pub shares: Option<String>,
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
    /// A file of the host, or a text, that becomes the router's configuration.
    pub startup_config: Option<StartupConfig>,
    /// Kernel settings of the node's namespace.
    pub sysctls: BTreeMap<String, String>,
    /// Wait before the node's program starts.
    pub startup_delay: Duration,
}

/// The configuration a router starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartupConfig {
    /// A file of the host, absolute.
    File(PathBuf),
    /// The text itself.
    Text(String),
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
    /// Reads a file, or the only topology file of a folder, expanding variables from the process's environment.
    ///
    /// # Errors
    /// All that is wrong with the file.
    pub fn read(path: &Path) -> Result<Self> {
        Self::open(path, Files::MustExist)
    }

    /// As [`Self::read`], for files that may bind what is not there.
    ///
    /// # Errors
    /// All that is wrong with the file.
    pub fn open(path: &Path, files: Files) -> Result<Self> {
        let path = &file_of(path)?;
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        refuse_template(path, &text)?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = folder.canonicalize().with_context(|| format!("cannot open {}", folder.display()))?;
        Self::parse_with(&text, &folder, files).map_err(|e| in_file(path, &e))
    }

    /// Parses a file's text; relative paths in it start from `folder`.
    ///
    /// # Errors
    /// All that is wrong with the text.
    pub fn parse(text: &str, folder: &Path) -> Result<Self> {
        Self::parse_with(text, folder, Files::MustExist)
    }

    fn parse_with(text: &str, folder: &Path, files: Files) -> Result<Self> {
        let findings = Findings::default();
        let text = expand::expand(text, |name| std::env::var(name).ok())?;
        let root = Yaml::parse(&text)?;
        let mut name = None;
        let mut topology = None;
        for (key, value) in root.map("the file")? {
            match key.as_str() {
                "name" => name = findings.take(value.text(key)),
                "topology" => topology = Some(value),
                "prefix" | "mgmt" | "settings" | "debug" => findings.idle(key, value.line),
                _ => findings.error(&unsupported(value.line, key).to_string()),
            }
        }
        let name = name.context("the key `name` is missing")?;
        let topology = topology.context("the key `topology` is missing")?;
        let (nodes, links) = read_topology(topology, &name, folder, &findings)?;
        let lab = Self { name, nodes, links, folder: folder.to_owned(), notes: Vec::new() };
        findings.take(lab.check());
        lab.check_ends(&findings);
        findings.check(files)?;
        Ok(Self { notes: findings.notes(), ..lab })
    }

    /// The name of a node's network namespace, the same as its container would have; a node that shares another's
    /// network is in the other's.
    pub fn namespace(&self, node: &str) -> String {
        let owner = self.nodes.get(node).and_then(|node| node.shares.as_deref()).unwrap_or(node);
        format!("clab-{}-{owner}", self.name)
    }

    fn check(&self) -> Result<()> {
        let usable = |s: &str| s.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        ensure!(!self.name.is_empty() && usable(&self.name), "`name`: use letters, digits, `-`, `_` and `.`");
        Ok(())
    }

    fn check_ends(&self, findings: &Findings) {
        let mut taken = BTreeSet::new();
        for end in self.links.iter().flat_map(|l| &l.ends) {
            if !taken.insert((&end.node, &end.interface)) {
                findings.error(&format!("two links end at {}:{}", end.node, end.interface));
            }
            if self.nodes.get(&end.node).is_some_and(|node| node.shares.is_some()) {
                findings.error(&format!("a link ends at {}, which has no network of its own", end.node));
            }
        }
    }
}

/// The file itself, or the only topology file of a folder.
///
/// # Errors
/// A folder with none, or with several: their names.
pub fn file_of(path: &Path) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let entries = fs::read_dir(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut files: Vec<_> =
        entries.flatten().map(|entry| entry.path()).filter(|file| is_topology(file)).collect();
    files.sort();
    match files.as_slice() {
        [only] => Ok(only.clone()),
        [] => bail!("{} has no topology file (*.clab.yml)", path.display()),
        several => {
            let names: Vec<_> = several.iter().map(|file| file.display().to_string()).collect();
            bail!("{} has several topology files, name one: {}", path.display(), names.join(" "))
        }
    }
}

/// Whether a file's name is that of a topology.
pub fn is_topology(file: &Path) -> bool {
    let name = file.to_string_lossy();
    [".clab.yml", ".clab.yaml"].iter().any(|end| name.ends_with(end)) && file.is_file()
}

/// A template is no topology yet.
fn refuse_template(path: &Path, text: &str) -> Result<()> {
    let named = path.extension().is_some_and(|extension| extension == "gotmpl");
    let line = text.lines().position(|line| line.contains("{{") && line.contains("}}"));
    let Some(line) = line.or(named.then_some(0)) else { return Ok(()) };
    bail!(
        "{}: line {}: this is a Go template that makes a topology, not a topology: render it first, as \
         `containerlab deploy` does with its variables file (`gomplate -f {0}` without containerlab)",
        path.display(),
        line + 1
    )
}

fn read_topology(
    topology: &Yaml,
    lab: &str,
    folder: &Path,
    findings: &Findings,
) -> Result<(BTreeMap<String, Node>, Vec<Link>)> {
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
            _ => findings.error(&unsupported(value.line, key).to_string()),
        }
    }
    let own = own.context("the key `topology.nodes` is missing")?;
    let mut nodes = BTreeMap::new();
    for (name, value) in own.map("nodes")? {
        // A node that is wrong is there all the same: the links to it are not.
        let node = findings.take(layers.node(name, value, lab, folder, findings));
        nodes.insert(name.clone(), node.unwrap_or_else(|| Node { name: name.clone(), ..Node::default() }));
    }
    nodes::tell_of_management(&nodes, findings);
    nodes::resolve_shares(&mut nodes, lab, findings);
    let mut links = Vec::new();
    for link in link_list.map(|list| list.list("links")).transpose()?.unwrap_or_default() {
        links.extend(findings.take(links::read(link, &mut nodes, findings)));
    }
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
