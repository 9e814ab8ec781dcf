//! Nodes, and what they inherit.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    Access, Bind, Kind, Node, StartupConfig,
    findings::Findings,
    texts, unsupported, words,
    yaml::{Value, Yaml},
};
use crate::launch::Router;

/// Where a node's settings come from, the most specific last: defaults, kind, group, the node itself.
#[derive(Default)]
pub(super) struct Layers<'a> {
    pub(super) defaults: Option<&'a Yaml>,
    pub(super) kinds: &'a [(String, Yaml)],
    pub(super) groups: &'a [(String, Yaml)],
}

/// Keys that change nothing here, because a namespace has no container, or already grants what they ask for.
const WITHOUT_EFFECT: &[&str] = &[
    "auto-remove",
    "cap-add",
    "cgroup-parent",
    "cgroupns-mode",
    "devices",
    "image-pull-policy",
    "labels",
    "pid-mode",
    "privileged",
    "restart-policy",
    "runtime",
    "security-opts",
    "shm-size",
    "tmpfs",
    "ulimits",
    "user",
];
/// Keys of which it is told that they change nothing here: of the management network, of limits, of other kinds' nodes.
const TOLD: &[&str] = &[
    "aliases",
    "certificate",
    "config",
    "cpu",
    "cpu-set",
    "credentials",
    "dns",
    "enforce-startup-config",
    "extras",
    "healthcheck",
    "license",
    "link-apply-mode",
    "memory",
    "mgmt-ipv4",
    "mgmt-ipv6",
    "mgmt_ipv4",
    "mgmt_ipv6",
    "ports",
    "publish",
    "suppress-startup-config",
    "type",
    "volumes",
];

impl Layers<'_> {
    pub(super) fn node(
        &self,
        name: &str,
        own: &Yaml,
        lab: &str,
        folder: &Path,
        findings: &Findings,
    ) -> Result<Node> {
        // A group that `groups` does not define is a free text that containerlab sorts its pictures by.
        let group = self.find(own, None, "group")?.and_then(|(group, _)| lookup(self.groups, &group));
        let kind = self.find(own, group, "kind")?;
        let (kind, line) = kind.with_context(|| format!("line {}: node {name} has no `kind`", own.line))?;
        let mut builder = Builder::new(name, lab, folder, findings);
        builder.node.kind = findings.take(read_kind(&kind, line)).unwrap_or_default();
        for layer in [self.defaults, lookup(self.kinds, &kind), group, Some(own)].into_iter().flatten() {
            builder.apply(layer);
        }
        builder.finish(own.line)
    }

    /// A single setting, from the most specific layer that has it.
    fn find(&self, own: &Yaml, group: Option<&Yaml>, key: &str) -> Result<Option<(String, u64)>> {
        for layer in [Some(own), group, self.defaults].into_iter().flatten() {
            if let Some((_, value)) = layer.map("node")?.iter().find(|(k, _)| k == key) {
                return Ok(Some((value.text(key)?, value.line)));
            }
        }
        Ok(None)
    }
}

fn lookup<'a>(entries: &'a [(String, Yaml)], name: &str) -> Option<&'a Yaml> {
    entries.iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

fn read_kind(kind: &str, line: u64) -> Result<Kind> {
    match kind {
        "linux" => Ok(Kind::Linux),
        "bridge" | "ovs-bridge" => Ok(Kind::Bridge),
        "host" => Ok(Kind::Host),
        _ => bail!(
            "line {line}: `kind: {kind}` is not supported in network namespaces; `linux`, `bridge`, `ovs-bridge` \
             and `host` are"
        ),
    }
}

/// Says once which nodes would have a management interface in containers.
pub(super) fn tell_of_management(nodes: &BTreeMap<String, Node>, findings: &Findings) {
    let managed: Vec<_> = nodes.values().filter(|node| node.managed).map(|node| node.name.as_str()).collect();
    if let Some(first) = managed.first() {
        let others = managed.len() - 1;
        let others = if others == 0 { String::new() } else { format!(" and {others} more") };
        findings.note(format!(
            "there is no management network: {first}{others} would have an interface eth0 for it, and have none here \
             (`network-mode: none` says so)"
        ));
    }
}

/// Finds the node whose network each `container:NAME` comes to in the end.
pub(super) fn resolve_shares(nodes: &mut BTreeMap<String, Node>, lab: &str, findings: &Findings) {
    let wanted: BTreeMap<String, String> = nodes
        .values()
        .filter_map(|node| {
            let name = node.shares.as_deref()?;
            let short = name.strip_prefix(&format!("clab-{lab}-")).filter(|short| nodes.contains_key(*short));
            Some((node.name.clone(), short.unwrap_or(name).to_owned()))
        })
        .collect();
    for (name, first) in &wanted {
        let mut owner = first;
        let mut steps = 0;
        while let Some(next) = wanted.get(owner).filter(|_| steps <= wanted.len()) {
            (owner, steps) = (next, steps + 1);
        }
        if steps > wanted.len() {
            findings.error(&format!("node {name}: `network-mode: container:{first}` leads back to itself"));
        } else if !nodes.contains_key(owner) {
            findings.error(&format!("node {name}: `network-mode: container:{owner}`: there is no such node"));
        } else if let Some(node) = nodes.get_mut(name) {
            node.shares = Some(owner.clone());
        }
    }
}

struct Builder<'a> {
    node: Node,
    network_mode: Option<(String, u64)>,
    startup_config: Option<&'a Yaml>,
    lab: &'a str,
    folder: &'a Path,
    findings: &'a Findings,
}

impl<'a> Builder<'a> {
    fn new(name: &str, lab: &'a str, folder: &'a Path, findings: &'a Findings) -> Self {
        let node = Node { name: name.to_owned(), hostname: name.to_owned(), ..Node::default() };
        Self { node, network_mode: None, startup_config: None, lab, folder, findings }
    }

    fn apply(&mut self, layer: &'a Yaml) {
        for (key, value) in self.findings.take(layer.map("node")).unwrap_or_default() {
            let read = self.setting(key, value);
            self.findings.take(read);
        }
    }

    fn setting(&mut self, key: &str, value: &'a Yaml) -> Result<()> {
        let node = &mut self.node;
        match key {
            "kind" | "group" => {}
            "image" => node.image = value.text(key)?,
            "hostname" => node.hostname = value.text(key)?,
            "entrypoint" => node.entrypoint = words(value, key)?,
            "cmd" => node.cmd = words(value, key)?,
            "network-mode" => self.network_mode = Some((value.text(key)?, value.line)),
            "env" => node.env.extend(texts(value, key)?),
            "sysctls" => node.sysctls.extend(texts(value, key)?),
            "startup-delay" => node.startup_delay = seconds(value)?,
            "env-files" => self.env_files(value)?,
            "startup-config" => self.startup_config = Some(value),
            "stages" if !mentions(value, "exec") => self.findings.idle(key, value.line),
            "exec" => {
                for command in value.list(key)? {
                    let command = words(command, key)?;
                    self.node.exec.push(command.iter().map(|w| self.magic(w)).collect());
                }
            }
            "binds" => {
                for bind in value.list(key)? {
                    let bind = self.bind(bind)?;
                    self.node.binds.retain(|b| b.target != bind.target);
                    self.node.binds.push(bind);
                }
            }
            _ if WITHOUT_EFFECT.contains(&key) => {}
            _ if TOLD.contains(&key) => self.findings.idle(key, value.line),
            _ => return Err(unsupported(value.line, key)),
        }
        Ok(())
    }

    fn finish(mut self, line: u64) -> Result<Node> {
        let linux = self.node.kind == Kind::Linux;
        match self.network_mode.take() {
            None => self.node.managed = linux,
            Some((mode, line)) => match mode.split_once(':') {
                Some(("container", name)) => self.node.shares = Some(name.to_owned()),
                _ if mode == "none" => {}
                _ if mode == "bridge" => self.node.managed = linux,
                _ => bail!(
                    "line {line}: `network-mode: {mode}` is not supported; `none` and `container:NODE` are"
                ),
            },
        }
        let name = &self.node.name;
        ensure!(!linux || !self.node.image.is_empty(), "line {line}: node {name} has no `image`");
        if let Some(value) = self.startup_config {
            self.startup(value)?;
        }
        Ok(self.node)
    }

    /// The configuration a router starts with: a file, or the text itself.
    fn startup(&mut self, value: &Yaml) -> Result<()> {
        let text = value.text("startup-config")?;
        let router = Router::of_image(&self.node.image);
        if router == Router::None {
            bail!(
                "line {}: `startup-config`: image {} is no router whose configuration file is known",
                value.line,
                self.node.image
            );
        }
        if text.trim().contains('\n') {
            self.node.startup_config = Some(StartupConfig::Text(text));
            return Ok(());
        }
        let file = self.host_path(&self.magic(&text));
        if !file.exists() {
            self.findings.missing(&format!(
                "line {}: `startup-config`: {} does not exist",
                value.line,
                file.display()
            ));
        }
        self.node.startup_config = Some(StartupConfig::File(file));
        Ok(())
    }

    /// containerlab's magic variables.
    fn magic(&self, text: &str) -> String {
        let folder = self.folder.to_string_lossy();
        let own = format!("{folder}/clab-{}", self.lab);
        let text = text.replace("__clabNodeName__", &self.node.name).replace("__clabLabName__", self.lab);
        let text = text.replace("__clabNodeDir__", &format!("{own}/{}", self.node.name));
        text.replace("__clabDir__", &folder)
    }

    /// A path of the host: relative to the file's folder, `~` the user's home.
    fn host_path(&self, text: &str) -> PathBuf {
        match (text.strip_prefix("~/"), std::env::var_os("HOME")) {
            (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
            _ => self.folder.join(text),
        }
    }

    fn bind(&self, value: &Yaml) -> Result<Bind> {
        let text = self.magic(&value.text("binds")?);
        let mut parts = text.split(':');
        let (Some(source), Some(target)) = (parts.next(), parts.next()) else {
            bail!("line {}: `binds`: `{text}` is not `host-path:node-path[:ro]`", value.line);
        };
        let mut access = Access::ReadWrite;
        for option in parts.next().into_iter().flat_map(|options| options.split(',')) {
            match option {
                "ro" => access = Access::ReadOnly,
                // Labels of SELinux, and what becomes of mounts below: nothing here depends on them.
                "rw" | "z" | "Z" | "rshared" | "rslave" | "rprivate" | "shared" | "slave" | "private"
                | "" => {}
                other => bail!("line {}: `binds`: the option `{other}` is not supported", value.line),
            }
        }
        ensure!(target.starts_with('/'), "line {}: `binds`: {target} is not an absolute path", value.line);
        let source = self.host_path(source);
        if !source.exists() {
            let words = format!("line {}: `binds`: {} does not exist", value.line, source.display());
            self.findings.missing(&words);
        }
        Ok(Bind { source, target: target.into(), access })
    }

    fn env_files(&mut self, value: &Yaml) -> Result<()> {
        for file in value.list("env-files")? {
            let path = self.folder.join(self.magic(&file.text("env-files")?));
            let text = fs::read_to_string(&path).with_context(|| {
                format!("line {}: `env-files`: cannot read {}", file.line, path.display())
            })?;
            let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
            for (name, value) in lines.filter_map(|l| l.split_once('=')) {
                self.node.env.entry(name.to_owned()).or_insert_with(|| value.to_owned());
            }
        }
        Ok(())
    }
}

/// Whether a key of this name is somewhere in a value.
fn mentions(value: &Yaml, key: &str) -> bool {
    match &value.value {
        Value::Map(entries) => entries.iter().any(|(name, value)| name == key || mentions(value, key)),
        Value::List(items) => items.iter().any(|item| mentions(item, key)),
        Value::Null | Value::Scalar(_) => false,
    }
}

fn seconds(value: &Yaml) -> Result<Duration> {
    let text = value.text("startup-delay")?;
    let seconds = text
        .parse()
        .with_context(|| format!("line {}: `startup-delay`: `{text}` is no number of seconds", value.line))?;
    Ok(Duration::from_secs(seconds))
}
