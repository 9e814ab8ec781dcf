//! `[[prefix_sets]]`, `[[community_sets]]`, `[[as_path_sets]]`, and the items that may stand for one of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    net::IpAddr,
};

use bgp::{
    policy::{AsPathPattern, CommunityPattern, ParsePrefixRangeError, PrefixRange},
    wire::community::Community,
};
use ipnet::IpNet;

use super::{Used, duplicate, is_name, name};
use crate::config::{
    error::{Fault, nearest},
    intent::Pool,
    origin::Origin,
    reader::Reader,
};

/// Names of prefix sets that need no definition.
const BUILT_IN: [&str; 2] = ["pools", "blocks"];

/// Sets of one kind by their names.
type Named<T> = BTreeMap<String, NamedSet<T>>;

struct NamedSet<T> {
    items: Vec<T>,
    /// The items as written; `None`: built in.
    place: Option<(String, Origin, Vec<String>)>,
    used: Used,
}

/// Everything an item of a list can name.
pub(super) struct Sets {
    prefixes: Named<PrefixRange>,
    communities: Named<CommunityPattern>,
    as_paths: Named<AsPathPattern>,
    peers: BTreeSet<String>,
}

/// A peer in a list.
pub(super) enum PeerItem {
    Name(String),
    Inside(IpNet),
}

impl Sets {
    pub(super) fn read(
        reader: &mut Reader,
        pools: &BTreeMap<IpNet, Pool>,
        blocks: &[IpNet],
        peers: BTreeSet<String>,
    ) -> Self {
        let mut prefixes = read(reader, "prefix_sets", "prefixes", &BUILT_IN, prefix_range);
        let built_in = |items: Vec<_>| NamedSet { items, place: None, used: Used::new(true) };
        let inside = pools.keys().copied().map(PrefixRange::or_longer).collect();
        prefixes.insert("pools".to_owned(), built_in(inside));
        prefixes
            .insert("blocks".to_owned(), built_in(blocks.iter().copied().map(PrefixRange::exact).collect()));
        Self {
            prefixes,
            communities: read(reader, "community_sets", "communities", &[], community),
            as_paths: read(reader, "as_path_sets", "as_paths", &[], as_path),
            peers,
        }
    }

    /// Prefixes with bounds.
    pub(super) fn prefixes(&self, text: &str) -> Result<Vec<PrefixRange>, Fault> {
        members(text, prefix_range, &self.prefixes, "set of prefixes")
    }

    /// Networks addresses lie in.
    pub(super) fn networks(&self, text: &str) -> Result<Vec<PrefixRange>, Fault> {
        match text.parse::<IpAddr>() {
            Ok(address) => Ok(vec![PrefixRange::exact(address.into())]),
            Err(_) => self.prefixes(text),
        }
    }

    /// Communities of any kind.
    pub(super) fn communities(&self, text: &str) -> Result<Vec<CommunityPattern>, Fault> {
        members(text, community, &self.communities, "set of communities")
    }

    /// AS paths.
    pub(super) fn as_paths(&self, text: &str) -> Result<Vec<AsPathPattern>, Fault> {
        members(text, as_path, &self.as_paths, "set of AS paths")
    }

    /// Peers by name, address or prefix.
    pub(super) fn peer(&self, text: &str) -> Result<PeerItem, Fault> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(PeerItem::Inside(address.into()));
        }
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(PeerItem::Inside(network));
        }
        match self.peers.contains(text) {
            true => Ok(PeerItem::Name(text.to_owned())),
            false => {
                let known = nearest(text, self.peers.iter().map(String::as_str));
                Err(Fault::new(format!("no peer is called `{text}`"), known))
            }
        }
    }

    /// Warns of sets no policy asks for.
    pub(super) fn warn_unused(&self, reader: &mut Reader) {
        warn_unused(reader, &self.prefixes);
        warn_unused(reader, &self.communities);
        warn_unused(reader, &self.as_paths);
    }

    /// What each set holds, by the name of its key.
    pub(super) fn in_words(&self) -> BTreeMap<String, String> {
        let mut words = BTreeMap::new();
        in_words(&mut words, "prefix_sets", "prefixes", &self.prefixes);
        in_words(&mut words, "community_sets", "communities", &self.communities);
        in_words(&mut words, "as_path_sets", "as_paths", &self.as_paths);
        words
    }
}

fn read<T>(
    reader: &mut Reader,
    section: &'static str,
    key: &str,
    reserved: &[&str],
    parse: fn(&str) -> Result<T, Fault>,
) -> Named<T> {
    let mut sets = Named::new();
    for entry in reader.tables(section, "") {
        let name = name(reader, &entry, reserved);
        let listed = reader.list(&entry, key, |text| Ok((parse(text)?, text.to_owned())));
        if !entry.says(key) {
            let fault = Fault::new("this key is missing", format!("say {key} = [...]"));
            reader.problem(&entry.origin, entry.path(key), fault);
        }
        let Some(name) = name else { continue };
        if section == "community_sets" && Community::from_name(&name.value).is_some() {
            let fault = Fault::new(format!("`{}` is a community", name.value), "choose another name");
            reader.problem(&name.origin, entry.path("name"), fault);
        }
        let (items, texts) = listed.into_iter().map(|item| item.value).unzip();
        let place = Some((entry.path("name"), name.origin.clone(), texts));
        let set = NamedSet { items, place, used: Used::new(false) };
        let replaced = sets.insert(name.value.clone(), set);
        if let Some((_, first, _)) = replaced.and_then(|set| set.place) {
            duplicate(reader, &entry, &name, &first);
        }
    }
    sets
}

/// What an item of a list stands for: itself, or the members of the set it names.
fn members<T: Clone>(
    text: &str,
    parse: fn(&str) -> Result<T, Fault>,
    sets: &Named<T>,
    what: &str,
) -> Result<Vec<T>, Fault> {
    let fault = match parse(text) {
        Ok(item) => return Ok(vec![item]),
        Err(fault) => fault,
    };
    if !is_name(text) {
        return Err(fault);
    }
    let Some(set) = sets.get(text) else {
        let known = nearest(text, sets.keys().map(String::as_str));
        return Err(Fault::new(format!("no {what} is called `{text}`"), known));
    };
    set.used.set(true);
    Ok(set.items.clone())
}

fn warn_unused<T>(reader: &mut Reader, sets: &Named<T>) {
    for (name, set) in sets {
        if let (false, Some((path, origin, _))) = (set.used.get(), &set.place) {
            let fault = Fault::new(format!("no policy names the set `{name}`"), "name it in one, or drop it");
            reader.warning(origin, path.clone(), fault);
        }
    }
}

fn in_words<T>(words: &mut BTreeMap<String, String>, section: &str, key: &str, sets: &Named<T>) {
    for (name, set) in sets {
        if let Some((_, _, texts)) = &set.place {
            words.insert(format!("{section}[{name}].{key}"), texts.join(", "));
        }
    }
}

fn prefix_range(text: &str) -> Result<PrefixRange, Fault> {
    text.parse().map_err(|error: ParsePrefixRangeError| {
        let remedy = match (&error, text.parse::<IpAddr>()) {
            (ParsePrefixRangeError::Prefix(_), Ok(address)) => format!("write {}", IpNet::from(address)),
            (ParsePrefixRangeError::HostBits(prefix), _) => format!("write {prefix}"),
            _ => "write it as 10.0.0.0/8, 10.0.0.0/8 ge 16 or 10.0.0.0/8 ge 16 le 24".to_owned(),
        };
        wrong(text, &error, &remedy)
    })
}

fn community(text: &str) -> Result<CommunityPattern, Fault> {
    let remedy = "write it as 65000:1, 65000:*, 65000:100-199, 65000:1:2, rt:65000:1 or no-export";
    text.parse().map_err(|error| wrong(text, &error, remedy))
}

fn as_path(text: &str) -> Result<AsPathPattern, Fault> {
    let remedy = "write it as \"64600 *\", \"* 65001\" or \"64600 ? 64512-65534\"";
    text.parse().map_err(|error| wrong(text, &error, remedy))
}

/// A fault that names the text, unless its error does.
pub(super) fn wrong(text: &str, error: &dyn Display, remedy: &str) -> Fault {
    let what = error.to_string();
    Fault::new(if what.starts_with('`') { what } else { format!("`{text}`: {what}") }, remedy)
}
