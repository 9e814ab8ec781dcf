//! The command line, the highest layer.

use config::{Map, Value};

use super::{Layer, sourced, table, typed};
use crate::config::{
    error::{Fault, nearest},
    origin::Origin,
    schema::{Kind, section},
};

/// Flags that make a file unnecessary. Given at least once, `--peer`, `--pool`, `--block` and `--mesh` replace
/// what lower layers list there.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Configuration")]
pub struct Flags {
    /// Node name (node.name)
    #[arg(long, value_name = "NAME")]
    pub node_name: Option<String>,
    /// This node's IPv4 address with its network's length (node.address)
    #[arg(long, value_name = "ADDRESS[/LENGTH]")]
    pub node_address: Option<String>,
    /// This node's IPv6 address with its network's length (node.address6)
    #[arg(long, value_name = "ADDRESS[/LENGTH]")]
    pub node_address6: Option<String>,
    /// Our AS number (node.asn)
    #[arg(long, value_name = "AS")]
    pub asn: Option<String>,
    /// BGP Identifier (node.router_id)
    #[arg(long, value_name = "ADDRESS|hash")]
    pub router_id: Option<String>,
    /// TCP port to listen on (bgp.listen_port)
    #[arg(long, value_name = "PORT")]
    pub listen_port: Option<String>,
    /// Another node of the mesh (bgp.mesh); repeatable
    #[arg(long, value_name = "ADDRESS[,...]")]
    pub mesh: Vec<String>,
    /// A peer; any key of a peer may follow, as multihop=2; repeatable
    #[arg(long, value_name = "ADDRESS,AS[,KEY=VALUE...]")]
    pub peer: Vec<String>,
    /// A pool; any key of a pool may follow, as block_size=24; repeatable
    #[arg(long, value_name = "CIDR[,MODE[,KEY=VALUE...]]")]
    pub pool: Vec<String>,
    /// A block this host originates (local.blocks); repeatable
    #[arg(long, value_name = "CIDR[,...]")]
    pub block: Vec<String>,
    /// Address of tunl0 (tunnel.address)
    #[arg(long, value_name = "ADDRESS")]
    pub tunnel_address: Option<String>,
    /// Follow the environment of a calico-node container (IP, AS, NODENAME, CALICO_IPV4POOL_CIDR, ...), as
    /// SISKIN_CALICO_ENV=1 does
    #[arg(long)]
    pub calico_env: bool,
    /// Any other key; repeatable
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    pub set: Vec<String>,
    /// The unix socket (api.socket); whoever owns the flag `--socket` puts its value here.
    #[arg(skip)]
    pub socket: Option<String>,
}

/// The layer of these flags.
pub(super) fn layer(flags: &Flags) -> Layer {
    let mut layer = Layer::default();
    let single = [
        ("--node-name", "node", "name", &flags.node_name),
        ("--node-address", "node", "address", &flags.node_address),
        ("--node-address6", "node", "address6", &flags.node_address6),
        ("--asn", "node", "asn", &flags.asn),
        ("--router-id", "node", "router_id", &flags.router_id),
        ("--listen-port", "bgp", "listen_port", &flags.listen_port),
        ("--tunnel-address", "tunnel", "address", &flags.tunnel_address),
        ("--socket", "api", "socket", &flags.socket),
    ];
    for (flag, section, key, text) in single {
        if let Some(text) = text {
            set(&mut layer, flag, section, key, text);
        }
    }
    for (flag, section, key, texts) in
        [("--mesh", "bgp", "mesh", &flags.mesh), ("--block", "local", "blocks", &flags.block)]
    {
        if !texts.is_empty() {
            set(&mut layer, flag, section, key, &texts.join(","));
        }
    }
    flags.set.iter().for_each(|text| any(&mut layer, text));
    entries(&mut layer, "--peer", "peers", &["address", "asn"], &flags.peer);
    entries(&mut layer, "--pool", "pools", &["cidr", "ipip_mode"], &flags.pool);
    layer
}

fn set(layer: &mut Layer, flag: &str, section_name: &str, key_name: &str, text: &str) {
    let kind = section(section_name).and_then(|s| s.key(key_name)).map_or(Kind::Text, |k| k.kind);
    layer.set_text(section_name, key_name, kind, text, &Origin::Flag(flag.to_owned()));
}

/// `--set SECTION.KEY=VALUE`.
fn any(layer: &mut Layer, text: &str) {
    let origin = Origin::Flag("--set".to_owned());
    let form = || Fault::new(format!("`{text}` is not SECTION.KEY=VALUE"), "as in --set bgp.hold_time=30");
    let parts = text.split_once('=').and_then(|(path, value)| Some((path.split_once('.')?, value)));
    let Some(((section_name, key_name), value)) = parts else {
        return layer.problems.push(form().at(&origin, ""));
    };
    match super::environment::meant(section_name, key_name) {
        Ok((section, key)) => layer.set_text(section.name, key.name, key.kind, value, &origin),
        Err(fault) => layer.problems.push(fault.at(&origin, "")),
    }
}

/// Flags that each make one table: leading values without a name, then `KEY=VALUE`.
fn entries(layer: &mut Layer, flag: &str, section_name: &str, leading: &[&str], texts: &[String]) {
    let origin = Origin::Flag(flag.to_owned());
    let mut list = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match entry(&origin, section_name, leading, text) {
            Ok(values) => list.push(table(&origin, values)),
            Err(fault) => layer.problems.push(fault.at(&origin, format!("{section_name}[{index}]"))),
        }
    }
    if !texts.is_empty() {
        layer.values.insert(section_name.to_owned(), sourced(&origin, list));
    }
}

fn entry(
    origin: &Origin,
    section_name: &str,
    leading: &[&str],
    text: &str,
) -> Result<Map<String, Value>, Fault> {
    let keys = section(section_name).map(|s| s.keys).unwrap_or_default();
    let mut unnamed = leading.iter();
    let mut values = Map::new();
    for part in text.split(',') {
        let (name, value) = match part.split_once('=') {
            Some(named) => named,
            None => match unnamed.next() {
                Some(name) => (*name, part),
                None => return Err(Fault::new(format!("`{part}` has no name"), "write KEY=VALUE")),
            },
        };
        let name = name.trim();
        let key = keys.iter().find(|k| k.name == name).ok_or_else(|| {
            Fault::new(format!("unknown key `{name}`"), nearest(name, keys.iter().map(|k| k.name)))
        })?;
        if key.kind == Kind::Secret {
            return Err(Fault::new(
                "a password on the command line can be seen by everybody",
                "use password_file",
            ));
        }
        // Commas part the keys here, so that a list is parted by plus signs.
        let value = if key.kind == Kind::TextList { value.replace('+', ",") } else { value.to_owned() };
        values.insert(name.to_owned(), typed(key.kind, &value, origin)?);
    }
    Ok(values)
}
