//! Nodes, and what they inherit.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};

use super::{Access, Bind, Node, texts, unsupported, words, yaml::Yaml};

/// Where a node's settings come from, the most specific last: defaults, kind, group, the node itself.
#[derive(Default)]
pub(super) struct Layers<'a> {
    pub(super) defaults: Option<&'a Yaml>,
    pub(super) kinds: &'a [(String, Yaml)],
    pub(super) groups: &'a [(String, Yaml)],
}

/// Keys that change nothing here, because a namespace has no container, or already grants what they ask for.
const WITHOUT_EFFECT: &[&str] = &["labels", "cap-add", "image-pull-policy", "privileged", "auto-remove"];

impl Layers<'_> {
    pub(super) fn node(&self, name: &str, own: &Yaml, lab: &str, folder: &Path) -> Result<Node> {
        let group = match self.find(own, None, "group")? {
            Some((group, line)) => Some(
                lookup(self.groups, &group)
                    .with_context(|| format!("line {line}: there is no group `{group}`"))?,
            ),
            None => None,
        };
        let kind = self.find(own, group, "kind")?;
        let (kind, line) = kind.with_context(|| format!("line {}: node {name} has no `kind`", own.line))?;
        check_kind(&kind, line)?;

        let mut builder = Builder::new(name, lab, folder);
        for layer in [self.defaults, lookup(self.kinds, &kind), group, Some(own)].into_iter().flatten() {
            builder.apply(layer)?;
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

fn check_kind(kind: &str, line: u64) -> Result<()> {
    match kind {
        "linux" => Ok(()),
        "bridge" | "ovs-bridge" => bail!(
            "line {line}: `kind: {kind}` needs a bridge of the host; use a `linux` node whose `exec` makes one"
        ),
        _ => bail!("line {line}: `kind: {kind}` is not supported in network namespaces; only `linux` is"),
    }
}

struct Builder<'a> {
    node: Node,
    network_mode: Option<(String, u64)>,
    lab: &'a str,
    folder: &'a Path,
}

impl<'a> Builder<'a> {
    fn new(name: &str, lab: &'a str, folder: &'a Path) -> Self {
        let node = Node { name: name.to_owned(), hostname: name.to_owned(), ..Node::default() };
        Self { node, network_mode: None, lab, folder }
    }

    fn apply(&mut self, layer: &Yaml) -> Result<()> {
        for (key, value) in layer.map("node")? {
            let node = &mut self.node;
            match key.as_str() {
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
                _ if WITHOUT_EFFECT.contains(&key.as_str()) => {}
                _ => return Err(unsupported(value.line, key)),
            }
        }
        Ok(())
    }

    fn finish(self, line: u64) -> Result<Node> {
        let name = &self.node.name;
        match &self.network_mode {
            Some((mode, _)) if mode == "none" => {}
            Some((mode, line)) => bail!("line {line}: `network-mode: {mode}` is not supported; use `none`"),
            None => {
                bail!("line {line}: node {name} has no `network-mode: none`; there is no management network")
            }
        }
        ensure!(!self.node.image.is_empty(), "line {line}: node {name} has no `image`");
        Ok(self.node)
    }

    /// containerlab's magic variables.
    fn magic(&self, text: &str) -> String {
        let text = text.replace("__clabNodeName__", &self.node.name).replace("__clabLabName__", self.lab);
        text.replace("__clabDir__", &self.folder.to_string_lossy())
    }

    fn bind(&self, value: &Yaml) -> Result<Bind> {
        let text = self.magic(&value.text("binds")?);
        let mut parts = text.split(':');
        let (Some(source), Some(target)) = (parts.next(), parts.next()) else {
            bail!("line {}: `binds`: `{text}` is not `host-path:node-path[:ro]`", value.line);
        };
        let access = match parts.next() {
            None | Some("rw") => Access::ReadWrite,
            Some("ro") => Access::ReadOnly,
            Some(other) => bail!("line {}: `binds`: the option `{other}` is not supported", value.line),
        };
        ensure!(target.starts_with('/'), "line {}: `binds`: {target} is not an absolute path", value.line);
        let source = self.folder.join(source);
        ensure!(source.exists(), "line {}: `binds`: {} does not exist", value.line, source.display());
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

fn seconds(value: &Yaml) -> Result<Duration> {
    let text = value.text("startup-delay")?;
    let seconds = text
        .parse()
        .with_context(|| format!("line {}: `startup-delay`: `{text}` is no number of seconds", value.line))?;
    Ok(Duration::from_secs(seconds))
}
