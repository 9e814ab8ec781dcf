//! What BIRD, FRR and GoBGP sent (`tests/corpus/capture.py`), decoded here and by tshark, field by field.

use std::{fs, path::Path};

use bgp::{
    event::RouteItem,
    types::PeerType,
    wire::{
        DecodeContext, Message, Open, Update,
        as_path::{AsPath, Segment, SegmentKind},
        attribute::{NextHop, PathAttributes, RareAttributes},
        decode,
        nlri::NlriList,
    },
};
use serde_json::{Map, Value, json};

use crate::build;

#[test]
fn bird_is_read_as_tshark_reads_it() {
    check("bird");
}

#[test]
fn frr_is_read_as_tshark_reads_it() {
    check("frr");
}

#[test]
fn gobgp_is_read_as_tshark_reads_it() {
    check("gobgp");
}

fn check(daemon: &str) {
    for (kind, peer_type) in [("internal", PeerType::Internal), ("external", PeerType::External)] {
        let four_octet_asn = peer_type == PeerType::Internal;
        let context = DecodeContext { four_octet_asn, ..build::context(peer_type) };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
        let read =
            |extension| fs::read_to_string(folder.join(format!("{daemon}-{kind}.{extension}"))).unwrap();
        let (messages, readings) = (read("hex"), read("json"));
        assert_eq!(messages.lines().count(), readings.lines().count());
        for (message, reading) in messages.lines().zip(readings.lines()) {
            let expected = serde_json::from_str(reading).unwrap();
            check_message(&decode(&from_hex(message), &context).unwrap(), &expected);
        }
    }
}

pub(crate) fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn check_message(message: &Message, expected: &Value) {
    assert_eq!(expected["type"], message.message_type() as u8);
    match message {
        Message::Open(open) => check_open(open, expected),
        Message::Update(update) => check_update(update, expected),
        Message::Keepalive => {}
        other => panic!("{other:?}"),
    }
}

fn check_open(open: &Open, expected: &Value) {
    let codes: Vec<u8> = open.capabilities.iter().map(|c| c.code()).collect();
    let ours = json!({
        "type": 1,
        "my_as": open.my_as,
        "hold_time": open.hold_time,
        "router_id": open.router_id.to_string(),
        "asn4": open.four_octet_asn().map(|asn| asn.0),
        "capabilities": codes,
    });
    assert_eq!(&ours, expected);
}

fn check_update(update: &Update, expected: &Value) {
    assert_eq!(update.malformed, []);
    let expected = comparable(expected);
    let mut ours = Map::new();
    for item in &update.items {
        match item {
            RouteItem::Reach { attributes, nlri } => {
                put_attributes(&mut ours, attributes);
                let is_v4 = matches!(nlri, NlriList::V4(_));
                ours.insert(if is_v4 { "nlri" } else { "mp_reach" }.into(), prefixes(nlri));
            }
            RouteItem::Unreach(nlri) => {
                ours.insert("withdrawn".into(), prefixes(nlri));
            }
            RouteItem::EndOfRib(family) => assert!(expected.is_empty(), "{family}"),
        }
    }
    assert_eq!(ours, expected);
}

fn prefixes(nlri: &NlriList) -> Value {
    nlri.iter().map(|p| p.to_string()).collect()
}

/// tshark's reading without what we do not keep, and with AS4_PATH and AS4_AGGREGATOR merged: in these
/// captures they hold the whole truth.
fn comparable(reading: &Value) -> Map<String, Value> {
    let mut fields = reading.as_object().unwrap().clone();
    fields.retain(|key, value| {
        !matches!(key.as_str(), "type" | "attributes") && *value != json!([]) || key == "as_path"
    });
    for (merged, narrow) in [("as4_path", "as_path"), ("as4_aggregator", "aggregator")] {
        if let Some(value) = fields.remove(merged) {
            fields.insert(narrow.into(), value);
        }
    }
    if let Some(Value::Array(list)) = fields.get_mut("communities") {
        list.sort_by_key(Value::as_u64);
    }
    let attributes = reading["attributes"].as_array().unwrap();
    if attributes.contains(&json!(6)) {
        fields.insert("atomic_aggregate".into(), json!(true));
    }
    fields
}

fn put_attributes(fields: &mut Map<String, Value>, attributes: &PathAttributes) {
    let mut put = |name: &str, value: Value| fields.insert(name.into(), value);
    put("origin", json!(attributes.origin as u8));
    put("as_path", path(&attributes.as_path));
    match attributes.next_hop {
        NextHop::V4(address) => put("next_hop", json!(address)),
        NextHop::V6(address) => put("mp_next_hop", json!([address])),
        NextHop::V6WithLinkLocal { global, link_local } => put("mp_next_hop", json!([global, link_local])),
        NextHop::LinkLocal { address, .. } => put("mp_next_hop", json!([address])),
    };
    if let Some(med) = attributes.med {
        put("med", json!(med));
    }
    if let Some(preference) = attributes.local_pref {
        put("local_pref", json!(preference));
    }
    if attributes.atomic_aggregate {
        put("atomic_aggregate", json!(true));
    }
    if let Some(rare) = &attributes.rare {
        put_rare(&mut put, rare);
    }
}

fn put_rare(put: &mut impl FnMut(&str, Value) -> Option<Value>, rare: &RareAttributes) {
    if let Some(aggregator) = rare.aggregator {
        put("aggregator", json!(format!("{} {}", aggregator.asn, aggregator.address)));
    }
    let mut communities = rare.communities.clone();
    communities.sort_unstable();
    let hex = |octets: &[u8; 8]| format!("{:016x}", u64::from_be_bytes(*octets));
    let extended: Vec<String> = rare.extended_communities.iter().map(hex).collect();
    let large: Vec<String> = rare.large_communities.iter().map(|c| c.to_string()).collect();
    for (name, list) in
        [("communities", json!(communities)), ("extended", json!(extended)), ("large", json!(large))]
    {
        if list != json!([]) {
            put(name, list);
        }
    }
}

fn path(path: &AsPath) -> Value {
    let code = |kind: SegmentKind| kind as u8;
    let segment = |s: Segment<'_>| json!([code(s.kind), s.asns().map(|asn| asn.0).collect::<Vec<_>>()]);
    path.segments().map(segment).collect()
}
