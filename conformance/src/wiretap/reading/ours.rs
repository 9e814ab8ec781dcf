//! What `bgp::wire` reads.

use bgp::{
    event::RouteItem,
    types::Family,
    wire::{
        DecodeContext, Message, Open, Update,
        as_path::AsPath,
        attribute::{NextHop, PathAttributes, RareAttributes, code},
        capability::Capability,
        nlri::{Nlri, NlriList},
    },
};
use bytes::BytesMut;

use super::{Fields, HOP, PARTIAL, REACH, UNREACH, attribute, hexadecimal, joined};

pub(super) fn read(message: &Message, context: &DecodeContext) -> Fields {
    let mut fields = Fields::default();
    fields.put("type", message.message_type() as u8);
    match message {
        Message::Open(open) => read_open(&mut fields, open),
        Message::Update(update) => read_update(&mut fields, update, context),
        Message::Notification(notification) => {
            fields.put("code", notification.kind.code);
            fields.put("subcode", notification.kind.subcode);
            fields.put("data", hexadecimal(&notification.data));
        }
        Message::Keepalive => {}
        Message::RouteRefresh(refresh) => {
            fields.put("family", format!("{}/{}", refresh.afi, refresh.safi));
            fields.put("subtype", refresh.subtype);
        }
    }
    fields
}

fn read_open(fields: &mut Fields, open: &Open) {
    fields.put("my AS", open.my_as);
    fields.put("hold time", open.hold_time);
    fields.put("identifier", open.router_id);
    for (place, one) in open.capabilities.iter().enumerate() {
        fields.put(format!("capability {place}"), capability(one));
    }
}

/// Capabilities of which tshark tells the fields are written with them, all others as octets.
fn capability(one: &Capability) -> String {
    let told = match one {
        Capability::Multiprotocol { afi, safi } => format!("{afi}/{safi}"),
        Capability::RouteRefresh | Capability::ExtendedMessage | Capability::EnhancedRouteRefresh => {
            String::new()
        }
        Capability::ExtendedNextHop(list) => {
            joined(list.iter().map(|each| format!("{}/{}/{}", each.afi, each.safi, each.next_hop_afi)))
        }
        Capability::GracefulRestart(restart) => {
            let bit = |set| u8::from(set);
            let head = [bit(restart.restarting).to_string(), bit(restart.notification).to_string()];
            let families =
                restart.families.iter().map(|f| format!("{}/{}/{}", f.afi, f.safi, bit(f.forwarding)));
            joined(head.into_iter().chain([restart.restart_time.to_string()]).chain(families))
        }
        Capability::FourOctetAsn(asn) => asn.to_string(),
        Capability::AddPath(list) => {
            joined(list.iter().map(|each| format!("{}/{}/{}", each.afi, each.safi, each.directions)))
        }
        Capability::LongLivedGracefulRestart(_) | Capability::PathsLimit(_) | Capability::Unknown { .. } => {
            let mut octets = BytesMut::new();
            one.encode(&mut octets);
            hexadecimal(octets.get(2..).unwrap_or_default())
        }
    };
    format!("{}: {told}", one.code())
}

fn read_update(fields: &mut Fields, update: &Update, context: &DecodeContext) {
    for item in &update.items {
        match item {
            RouteItem::Reach { attributes, nlri } => {
                let family = nlri.family();
                fields.append(format!("{REACH}{family}"), &prefixes(nlri, context));
                fields.append(format!("{HOP}{family}"), &next_hop(attributes.next_hop));
                read_attributes(fields, attributes);
            }
            RouteItem::Unreach(nlri) => {
                fields.append(format!("{UNREACH}{}", nlri.family()), &prefixes(nlri, context));
            }
            RouteItem::EndOfRib(family) => fields.put("End-of-RIB", family),
        }
    }
}

fn prefixes(list: &NlriList, context: &DecodeContext) -> String {
    fn each<P: ToString>(list: &[Nlri<P>], with_path: bool) -> String {
        joined(list.iter().map(|nlri| match with_path {
            true => format!("{}#{}", nlri.prefix.to_string(), nlri.path_id),
            false => nlri.prefix.to_string(),
        }))
    }
    let with_path = |family| context.add_path.contains(family);
    match list {
        NlriList::V4(list) => each(list, with_path(Family::Ipv4Unicast)),
        NlriList::V6(list) => each(list, with_path(Family::Ipv6Unicast)),
    }
}

fn next_hop(next_hop: NextHop) -> String {
    match next_hop {
        NextHop::V4(address) => address.to_string(),
        NextHop::V6(address) | NextHop::LinkLocal { address, .. } => address.to_string(),
        NextHop::V6WithLinkLocal { global, link_local } => format!("{global}+{link_local}"),
    }
}

fn read_attributes(fields: &mut Fields, attributes: &PathAttributes) {
    fields.put(attribute(code::ORIGIN), attributes.origin as u8);
    fields.put(attribute(code::AS_PATH), path(&attributes.as_path));
    if let Some(med) = attributes.med {
        fields.put(attribute(code::MULTI_EXIT_DISC), med);
    }
    if let Some(preference) = attributes.local_pref {
        fields.put(attribute(code::LOCAL_PREF), preference);
    }
    if attributes.atomic_aggregate {
        fields.put(attribute(code::ATOMIC_AGGREGATE), "");
    }
    if let Some(rare) = &attributes.rare {
        read_rare(fields, rare);
    }
}

fn path(path: &AsPath) -> String {
    joined(path.segments().map(|segment| {
        let asns = segment.asns().map(|asn| asn.0.to_string()).collect::<Vec<_>>();
        format!("{}:{}", segment.kind as u8, asns.join(","))
    }))
}

fn read_rare(fields: &mut Fields, rare: &RareAttributes) {
    let mut list = |code: u8, text: String| {
        if !text.is_empty() {
            fields.put(attribute(code), text);
        }
    };
    list(
        code::AGGREGATOR,
        rare.aggregator.map(|one| format!("{} {}", one.asn.0, one.address)).unwrap_or_default(),
    );
    list(code::COMMUNITIES, joined(&rare.communities));
    list(code::ORIGINATOR_ID, rare.originator_id.map(|id| id.to_string()).unwrap_or_default());
    list(code::CLUSTER_LIST, joined(&rare.cluster_list));
    list(code::EXTENDED_COMMUNITIES, joined(rare.extended_communities.iter().map(|one| hexadecimal(one))));
    list(code::LARGE_COMMUNITY, joined(&rare.large_communities));
    list(code::ONLY_TO_CUSTOMER, rare.otc.map(|asn| hexadecimal(&asn.0.to_be_bytes())).unwrap_or_default());
    let partial: Vec<_> = (0..=u8::MAX).filter(|code| rare.partial.contains(*code)).collect();
    if !partial.is_empty() {
        fields.put(PARTIAL, joined(partial));
    }
    for one in &rare.unknown {
        fields.put(attribute(one.code), hexadecimal(&one.value));
    }
}
