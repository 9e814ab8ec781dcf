//! What tshark reads.

use std::net::Ipv6Addr;

use bgp::{
    types::Family,
    wire::{
        DecodeContext,
        attribute::{PartialBits, code},
    },
};
use ipnet::IpNet;

use super::{Fields, HOP, PARTIAL, REACH, UNREACH, attribute, hexadecimal, joined};
use crate::wiretap::pdml::Node;

/// How tshark was told to read AS numbers in paths; it does not follow the capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::wiretap) enum Width {
    TwoOctets,
    FourOctets,
}

impl Width {
    /// The value of tshark's preference.
    pub(in crate::wiretap) fn preference(self) -> &'static str {
        match self {
            Self::TwoOctets => "2 octet",
            Self::FourOctets => "4 octet",
        }
    }

    pub(in crate::wiretap) fn of(context: &DecodeContext) -> Self {
        if context.four_octet_asn { Self::FourOctets } else { Self::TwoOctets }
    }
}

pub(super) fn read(message: &Node, octets: &[u8], context: &DecodeContext) -> Fields {
    let reader = Reader { message, octets, context };
    let mut fields = Fields::default();
    let kind = message.show_of("bgp.type").unwrap_or("unknown");
    fields.put("type", kind);
    match kind {
        "1" => reader.open(&mut fields),
        "2" => reader.update(&mut fields),
        "3" => reader.notification(&mut fields),
        "5" => {
            let of = |part: &str| reader.show(message, &format!("bgp.route_refresh.{part}"));
            fields.put("family", format!("{}/{}", of("afi"), of("safi")));
            fields.put("subtype", of("subtype"));
        }
        _ => {}
    }
    fields
}

struct Reader<'a> {
    message: &'a Node,
    octets: &'a [u8],
    context: &'a DecodeContext,
}

/// An attribute as tshark finds it.
struct Attribute<'a> {
    node: &'a Node,
    code: u8,
    flags: u8,
}

impl Reader<'_> {
    fn show(&self, node: &Node, name: &str) -> String {
        node.show_of(name).unwrap_or("nothing").to_owned()
    }

    /// The octets of the message from one place in tshark's buffer to another.
    fn octets_at(&self, begin: usize, size: usize) -> &[u8] {
        let begin = begin.saturating_sub(self.message.at);
        self.octets.get(begin..begin.saturating_add(size)).unwrap_or_default()
    }

    fn open(&self, fields: &mut Fields) {
        fields.put("my AS", self.show(self.message, "bgp.open.myas"));
        fields.put("hold time", self.show(self.message, "bgp.open.holdtime"));
        fields.put("identifier", self.show(self.message, "bgp.open.identifier"));
        for (place, one) in self.message.all("bgp.cap").enumerate() {
            fields.put(format!("capability {place}"), self.capability(one));
        }
    }

    fn capability(&self, node: &Node) -> String {
        let code = self.show(node, "bgp.cap.type");
        let told = match code.as_str() {
            "1" => tuples(node, "bgp.cap.mp.", &["afi", "safi"]),
            "2" | "6" | "70" => String::new(),
            "5" => tuples(node, "bgp.cap.enh.", &["afi", "safi", "nhafi"]),
            "64" => {
                let parts = ["restart_flag", "notification_flag", "restart_time"];
                let head = parts.map(|part| self.show(node, &format!("bgp.cap.gr.timers.{part}")));
                let families = tuples(node, "bgp.cap.gr.", &["afi", "safi", "flag.pfs"]);
                joined(head.into_iter().chain([families])).trim_end().to_owned()
            }
            "65" => self.show(node, "bgp.cap.4as"),
            "69" => tuples(node, "bgp.cap.ap.", &["afi", "safi", "sendreceive"]),
            _ => hexadecimal(self.octets_at(node.at.saturating_add(2), node.size.saturating_sub(2))),
        };
        format!("{code}: {told}")
    }

    fn notification(&self, fields: &mut Fields) {
        let parts = self.message.descendants().filter(|node| node.name.starts_with("bgp.notify."));
        let mut parts = parts.skip_while(|node| node.name != "bgp.notify.major_error");
        let mut next = || parts.next().map_or("nothing", |node| &node.show).to_owned();
        fields.put("code", next());
        fields.put("subcode", next());
        fields.put("data", parts.map(|node| node.value.as_str()).collect::<String>());
    }

    fn update(&self, fields: &mut Fields) {
        let attributes: Vec<_> = self.message.all("bgp.update.path_attribute").map(attribute_in).collect();
        let mut announced = Fields::default();
        let mut routes = Routes { fields, context: self.context };
        for node in self.message.all("bgp.update.withdrawn_routes") {
            routes.put(UNREACH, Family::Ipv4Unicast, node);
        }
        for one in attributes.iter().filter(|one| one.code == code::MP_UNREACH_NLRI) {
            routes.put_multiprotocol(UNREACH, "bgp.update.path_attribute.mp_unreach_nlri", one.node);
        }
        let classic: Vec<_> = self.message.all("bgp.update.nlri").collect();
        for node in &classic {
            routes.put(REACH, Family::Ipv4Unicast, node);
        }
        for one in attributes.iter().filter(|one| one.code == code::MP_REACH_NLRI) {
            routes.put_multiprotocol(REACH, "bgp.update.path_attribute.mp_reach_nlri", one.node);
        }
        for one in &attributes {
            self.attribute(&mut announced, one, !classic.is_empty());
        }
        let routes: Vec<_> = fields.0.keys().filter(|name| *name != "type").cloned().collect();
        if routes.iter().any(|name| name.starts_with(REACH)) {
            merge_four_octets(&mut announced);
            fields.0.extend(announced.0);
        }
        if let (true, Some(family)) = (routes.is_empty(), self.end_of_rib(&attributes)) {
            fields.put("End-of-RIB", family);
        }
    }

    fn end_of_rib(&self, attributes: &[Attribute<'_>]) -> Option<Family> {
        let family = match attributes {
            [] if self.octets.len() == 23 => Some(Family::Ipv4Unicast),
            [only]
                if only.code == code::MP_UNREACH_NLRI
                    && only.node.all("bgp.prefix_length").next().is_none() =>
            {
                family_in(only.node, "bgp.update.path_attribute.mp_unreach_nlri")
            }
            _ => None,
        };
        family.filter(|family| self.context.families.contains(*family))
    }

    fn attribute(&self, fields: &mut Fields, one: &Attribute<'_>, has_classic_routes: bool) {
        let node = one.node;
        let show = |name: &str| self.show(node, &format!("bgp.update.path_attribute.{name}"));
        let name = attribute(one.code);
        match one.code {
            code::ORIGIN => fields.put(name, show("origin")),
            code::AS_PATH | code::AS4_PATH => fields.put(name, path(node)),
            code::NEXT_HOP if has_classic_routes => {
                fields.append(format!("{HOP}{}", Family::Ipv4Unicast), &show("next_hop"));
            }
            code::NEXT_HOP | code::MP_UNREACH_NLRI => {}
            code::MULTI_EXIT_DISC => fields.put(name, show("multi_exit_disc")),
            code::LOCAL_PREF => fields.put(name, show("local_pref")),
            code::ATOMIC_AGGREGATE => fields.put(name, ""),
            code::AGGREGATOR | code::AS4_AGGREGATOR => {
                fields.put(name, format!("{} {}", show("aggregator_as"), show("aggregator_origin")));
            }
            code::COMMUNITIES => fields.put(name, joined(communities(node))),
            code::ORIGINATOR_ID => fields.put(name, show("originator_id")),
            code::CLUSTER_LIST => {
                fields.put(name, joined(node.all("bgp.path_attribute.cluster_id").map(|id| &id.show)));
            }
            code::MP_REACH_NLRI => self.multiprotocol_hop(fields, node),
            code::EXTENDED_COMMUNITIES => {
                let each = node.all("bgp.ext_community");
                fields.put(name, joined(each.map(|one| hexadecimal(self.octets_at(one.at, one.size)))));
            }
            code::LARGE_COMMUNITY => {
                let parts = ["ga", "ldp1", "ldp2"].map(|part| format!("bgp.large_communities.{part}"));
                let [mut ga, mut one, mut two] =
                    parts.each_ref().map(|part| node.all(part).map(|found| found.show.as_str()));
                let each =
                    std::iter::from_fn(|| Some(format!("{}:{}:{}", ga.next()?, one.next()?, two.next()?)));
                fields.put(name, joined(each));
            }
            // RFC 4271 section 9: what is unknown and not transitive is ignored.
            _ if one.flags & 0x40 == 0 => {}
            _ => fields.put(name, hexadecimal(self.content(one))),
        }
        let mut ours = PartialBits::default();
        ours.insert(one.code);
        if one.flags & 0x20 != 0 && ours.contains(one.code) {
            fields.append(PARTIAL.into(), &one.code.to_string());
        }
    }

    /// The octets of an attribute that tshark does not look into.
    fn content(&self, one: &Attribute<'_>) -> &[u8] {
        let header = if one.flags & 0x10 == 0 { 3 } else { 4 };
        self.octets_at(one.node.at.saturating_add(header), one.node.size.saturating_sub(header))
    }

    fn multiprotocol_hop(&self, fields: &mut Fields, node: &Node) {
        let name = "bgp.update.path_attribute.mp_reach_nlri";
        let Some(family) = family_in(node, name).filter(|family| self.context.families.contains(*family))
        else {
            return;
        };
        let of = |kind: &str| node.show_of(&format!("{name}.next_hop.{kind}")).map(str::to_owned);
        let link_local = of("ipv6.link_local");
        // RFC 2545 section 3: what stands in the global address's place beside a lone link-local one says nothing.
        let beside = |first: &String| link_local.is_none() || is_global(first);
        let hops = [of("ipv4"), of("ipv6").filter(beside), link_local.clone()].into_iter().flatten();
        fields.append(format!("{HOP}{family}"), &hops.collect::<Vec<_>>().join("+"));
    }
}

fn is_global(address: &str) -> bool {
    address
        .parse::<Ipv6Addr>()
        .is_ok_and(|address| !address.is_unspecified() && !address.is_unicast_link_local())
}

fn attribute_in(node: &Node) -> Attribute<'_> {
    let number = |name: &str| node.show_of(&format!("bgp.update.path_attribute.{name}")).unwrap_or_default();
    let flags = number("flags");
    Attribute {
        node,
        code: number("type_code").parse().unwrap_or_default(),
        flags: flags
            .strip_prefix("0x")
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .unwrap_or_default(),
    }
}

/// Where the prefixes of an UPDATE go.
struct Routes<'a> {
    fields: &'a mut Fields,
    context: &'a DecodeContext,
}

impl Routes<'_> {
    fn put(&mut self, kind: &str, family: Family, node: &Node) {
        let found = prefixes(node);
        if self.context.families.contains(family) && !found.is_empty() {
            self.fields.append(format!("{kind}{family}"), &joined(found));
        }
    }

    fn put_multiprotocol(&mut self, kind: &str, name: &str, node: &Node) {
        if let Some(family) = family_in(node, name) {
            self.put(kind, family, node);
        }
    }
}

fn family_in(node: &Node, name: &str) -> Option<Family> {
    let number = |part: &str| node.show_of(&format!("{name}.{part}"))?.parse::<u16>().ok();
    Family::from_codes(number("afi")?, number("safi")?.try_into().ok()?)
}

/// A prefix's field follows that of its length, which follows that of its path.
fn prefixes(node: &Node) -> Vec<String> {
    let (mut found, mut path, mut length) = (Vec::new(), None, "");
    for field in node.descendants() {
        match field.name.as_str() {
            name if name.ends_with("path_id") => path = Some(field.show.as_str()),
            "bgp.prefix_length" => length = &field.show,
            name if name.ends_with("_prefix")
                || name.ends_with("_prefix_ipv4")
                || name.ends_with("_prefix_ipv6") =>
            {
                let text = format!("{}/{length}", field.show);
                let text = text.parse::<IpNet>().map_or(text, |prefix| prefix.trunc().to_string());
                found.push(path.take().map_or_else(|| text.clone(), |path| format!("{text}#{path}")));
            }
            _ => {}
        }
    }
    found
}

fn tuples(node: &Node, prefix: &str, parts: &[&str]) -> String {
    let names: Vec<_> = parts.iter().map(|part| format!("{prefix}{part}")).collect();
    let shown =
        node.descendants().filter(|field| names.contains(&field.name)).map(|field| field.show.as_str());
    let shown: Vec<_> = shown.collect();
    joined(shown.chunks(parts.len()).map(|tuple| tuple.join("/")))
}

fn path(node: &Node) -> String {
    let name = "bgp.update.path_attribute.as_path_segment";
    joined(node.all(name).map(|segment| {
        let is_asn =
            |field: &&Node| field.name == format!("{name}.as2") || field.name == format!("{name}.as4");
        let asns: Vec<_> = segment.descendants().filter(is_asn).map(|field| field.show.as_str()).collect();
        format!("{}:{}", segment.show_of(&format!("{name}.type")).unwrap_or_default(), asns.join(","))
    }))
}

/// A community is one field when it is well known, else two.
fn communities(node: &Node) -> Vec<u32> {
    let (mut found, mut high) = (Vec::new(), 0);
    for field in node.descendants() {
        let number = || u32::from_str_radix(&field.value, 16).unwrap_or_default();
        match field.name.strip_prefix("bgp.update.path_attribute.") {
            Some("community_wellknown") => found.push(number()),
            Some("community_as") => high = number(),
            Some("community_value") => found.push(high << 16 | number()),
            _ => {}
        }
    }
    found
}

/// RFC 6793 section 4.2.3, for the plain paths that labs have: AS4_PATH takes the place of as many AS numbers at
/// the end of AS_PATH.
fn merge_four_octets(fields: &mut Fields) {
    let [narrow, wide] = [code::AS_PATH, code::AS4_PATH].map(attribute);
    if let (Some(full), Some(end)) = (fields.0.get(&narrow).cloned(), fields.0.remove(&wide)) {
        let asns =
            |text: &str| text.trim_start_matches("2:").split(',').map(str::to_owned).collect::<Vec<_>>();
        let (full, end) = (asns(&full), asns(&end));
        if let Some(kept) = full.len().checked_sub(end.len()) {
            let merged: Vec<_> = full.into_iter().take(kept).chain(end).collect();
            fields.put(narrow, format!("2:{}", merged.join(",")));
        }
    }
    if let Some(aggregator) = fields.0.remove(&attribute(code::AS4_AGGREGATOR)) {
        fields.put(attribute(code::AGGREGATOR), aggregator);
    }
}
