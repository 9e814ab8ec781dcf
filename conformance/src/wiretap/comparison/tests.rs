use std::collections::BTreeSet;

use super::*;

const OPEN: u8 = 1;
const UPDATE: u8 = 2;
const NOTIFICATION: u8 = 3;
const KEEPALIVE: u8 = 4;
const ROUTE_REFRESH: u8 = 5;

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 19).unwrap().to_be_bytes();
    [&[0xff; 16], &length[..], &[kind], body].concat()
}

/// An OPEN of AS 64512.
fn open(id: u8, capabilities: &[&[u8]]) -> Vec<u8> {
    let all = capabilities.concat();
    let length = u8::try_from(all.len()).unwrap();
    let fixed = [4, 0xfc, 0, 0, 90, 10, 0, 0, id, length + 2, 2, length];
    message(OPEN, &[&fixed[..], &all].concat())
}

/// An internal session of two families, that of IPv6 with path identifiers.
fn internal_open(id: u8) -> Vec<u8> {
    open(
        id,
        &[
            &[1, 4, 0, 1, 0, 1],
            &[1, 4, 0, 2, 0, 1],
            &[2, 0],
            &[5, 6, 0, 1, 0, 1, 0, 2],
            &[6, 0],
            &[64, 10, 0xc0, 120, 0, 1, 1, 0x80, 0, 2, 1, 0],
            &[65, 4, 0, 0, 0xfc, 0],
            &[69, 4, 0, 2, 1, 3],
            &[70, 0],
            &[71, 7, 0, 1, 1, 0x80, 0, 1, 0],
            &[99, 3, 1, 2, 3],
        ],
    )
}

fn update(withdrawn: &[u8], attributes: &[Vec<u8>], nlri: &[u8]) -> Vec<u8> {
    let length = |octets: &[u8]| u16::try_from(octets.len()).unwrap().to_be_bytes();
    let attributes = attributes.concat();
    let parts = [&length(withdrawn), withdrawn, &length(&attributes), &attributes, nlri];
    message(UPDATE, &parts.concat())
}

fn attribute(flags: u8, code: u8, value: &[u8]) -> Vec<u8> {
    [&[flags, code, u8::try_from(value.len()).unwrap()], value].concat()
}

fn every_attribute() -> Vec<Vec<u8>> {
    vec![
        attribute(0x40, 1, &[2]),
        attribute(0x40, 2, &[2, 2, 0, 3, 13, 64, 0, 0, 0xfd, 0xe9, 1, 1, 0, 0, 0xfd, 0xea]),
        attribute(0x40, 3, &[10, 0, 0, 9]),
        attribute(0x80, 4, &[0, 0, 1, 2]),
        attribute(0x40, 5, &[0, 0, 0, 200]),
        attribute(0x40, 6, &[]),
        attribute(0xe0, 7, &[0, 3, 13, 64, 10, 0, 0, 7]),
        attribute(0xc0, 8, &[0xfd, 0xe9, 0, 7, 0xff, 0xff, 0xff, 1, 0xfd, 0xe9, 0, 8]),
        attribute(0x80, 9, &[10, 0, 0, 3]),
        attribute(0x80, 10, &[10, 0, 0, 4, 10, 0, 0, 5]),
        attribute(0xc0, 16, &[0, 2, 0xfd, 0xe9, 0, 0, 0, 5, 0x43, 4, 0xfd, 0xe9, 0, 0, 0, 6]),
        attribute(0xc0, 32, &[0, 0, 0xfd, 0xe9, 0, 0, 0, 1, 0, 0, 0, 2]),
        attribute(0xc0, 35, &[0, 0, 0xfd, 0xe9]),
        attribute(0xe0, 254, &[1, 2, 3, 4, 5]),
    ]
}

fn paths_of_ipv6() -> Vec<u8> {
    let hop = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
    let prefixes = [0, 0, 0, 7, 32, 0x20, 1, 0xd, 0xb8, 0, 0, 1, 0, 48, 0x20, 1, 0xd, 0xb8, 0, 9];
    let reach = [&[0, 2, 1, 16], &hop[..], &[0], &prefixes].concat();
    let unreach = [0, 2, 1, 0, 0, 0, 3, 32, 0x20, 1, 0xd, 0xb9];
    let [origin, path, _, _, preference, ..] = &every_attribute()[..] else { unreachable!() };
    let multiprotocol = [attribute(0x80, 14, &reach), attribute(0x80, 15, &unreach)];
    let all = [&multiprotocol[..], &[origin.clone(), path.clone(), preference.clone()]].concat();
    update(&[], &all, &[])
}

fn announced() -> Vec<Vec<u8>> {
    vec![
        internal_open(1),
        message(KEEPALIVE, &[]),
        update(&[24, 192, 0, 2], &every_attribute(), &[24, 10, 1, 0, 32, 10, 1, 2, 3]),
        paths_of_ipv6(),
        update(&[], &[], &[]),
        message(ROUTE_REFRESH, &[0, 2, 1, 1]),
        message(NOTIFICATION, &[6, 2, 5, b'l', b'a', b't', b'e', b'r']),
    ]
}

/// A capture in which one side says all this and the other only opens the session.
fn capture(announced: &[Vec<u8>], answer: &[u8]) -> tempfile::NamedTempFile {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut octets = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, 101_u32].map(u32::to_le_bytes).concat();
    let mut sequence = [1_u32, 1];
    let mut put = |from: usize, flags: u32, payload: &[u8]| {
        let total = u32::try_from(payload.len() + 40).unwrap();
        let (ports, ends) = match from {
            0 => (179 << 16 | 40000, [0x0a00_0001, 0x0a00_0002]),
            _ => (40000 << 16 | 179, [0x0a00_0002, 0x0a00_0001]),
        };
        let ip = words(&[0x4500_0000 | total, 0, 64 << 24 | 6 << 16, ends[0], ends[1]]);
        let tcp = words(&[ports, sequence[from], sequence[1 - from], 0x5000_ffff | flags << 16, 0]);
        octets.extend([0, 0, total, total].map(u32::to_le_bytes).concat());
        octets.extend([ip, tcp, payload.to_vec()].concat());
        sequence[from] += u32::try_from(payload.len()).unwrap() + u32::from(flags & 2 != 0);
    };
    put(1, 0x02, &[]);
    put(0, 0x12, &[]);
    put(1, 0x18, answer);
    announced.iter().for_each(|message| put(0, 0x18, message));
    std::fs::write(file.path(), octets).unwrap();
    file
}

/// The messages of one direction as they were captured, each with what tshark reads in it.
fn read(file: &Path) -> Vec<(Heard, Node)> {
    let octets = std::fs::read(file).unwrap();
    let connections = streams::connections(&pcap::segments(&octets).unwrap());
    let [_, (_, heard)] = sessions::messages(&connections[0]).unwrap();
    let mut nodes = Vec::new();
    let mut tshark = tshark::reader("4 octet");
    tshark.args(["-Y", "bgp && tcp.srcport == 179", "-T", "pdml", "-r"]).arg(file);
    let text = crate::command::output(&mut tshark).unwrap();
    pdml::each_packet(text.as_bytes(), |packet| {
        nodes.extend(packet.into_iter().filter(|part| part.name == "bgp"));
        Ok(())
    })
    .unwrap();
    assert_eq!(heard.len(), nodes.len());
    heard.into_iter().zip(nodes).collect()
}

fn lacks_tshark() -> bool {
    let lacks = crate::command::on_path("tshark").is_none();
    if lacks {
        println!("SKIPPED: tshark is not installed");
    }
    lacks
}

#[test]
fn both_read_the_same_in_every_field() {
    if lacks_tshark() {
        return;
    }
    let file = capture(&announced(), &internal_open(2));
    assert_eq!(compare(file.path()).unwrap(), announced().len() + 1);
}

#[test]
fn two_octet_as_numbers_are_read_with_what_stands_beside_them() {
    if lacks_tshark() {
        return;
    }
    let [one, other] = [1, 2].map(|id| open(id, &[&[1, 4, 0, 1, 0, 1]]));
    let attributes = [
        attribute(0x40, 1, &[0]),
        attribute(0x40, 2, &[2, 3, 0xfd, 0xe9, 0x5b, 0xa0, 0xfd, 0xeb]),
        attribute(0x40, 3, &[10, 0, 0, 9]),
        attribute(0x40, 5, &[0, 0, 0, 200]),
        attribute(0xc0, 7, &[0x5b, 0xa0, 10, 0, 0, 7]),
        attribute(0xc0, 17, &[2, 2, 0, 3, 13, 64, 0, 0, 0xfd, 0xeb]),
        attribute(0xc0, 18, &[0, 3, 13, 64, 10, 0, 0, 7]),
    ];
    let file = capture(&[one, update(&[], &attributes, &[26, 10, 1, 0, 64])], &other);
    assert_eq!(compare(file.path()).unwrap(), 3);
}

/// The control: had one bit of any octet been read wrongly, it would have been noticed.
#[test]
fn one_wrong_bit_in_any_octet_is_noticed() {
    if lacks_tshark() {
        return;
    }
    let file = capture(&announced(), &internal_open(2));
    for (heard, node) in read(file.path()) {
        let theirs = Fields::theirs(&node, &heard.octets, &heard.context);
        let unnoticed: BTreeSet<_> = (19..heard.octets.len())
            .filter(|place| {
                let mut wrong = heard.octets.to_vec();
                wrong[*place] ^= 1;
                let Ok(message) = wire::decode(&wrong, &heard.context) else { return false };
                Fields::ours(&message, &heard.context).differences(&theirs).is_empty()
            })
            .collect();
        assert_eq!(unnoticed, without_meaning(&node), "{:?}", node.show_of("bgp.type"));
    }
}

/// The octets whose lowest bit means nothing to a receiver.
fn without_meaning(message: &Node) -> BTreeSet<usize> {
    let names = [
        "bgp.update.path_attribute.flags",
        "bgp.update.path_attribute.mp_reach_nlri.nbr_snpa",
        "bgp.cap.reserved",
        "bgp.cap.gr.flag",
    ];
    let found = message.descendants().filter(|node| names.contains(&node.name.as_str()));
    // tshark does not know the Long-Lived Graceful Restart capability: its third octet from the family on is flags.
    let unknown = message.all("bgp.cap").filter(|node| node.show_of("bgp.cap.type") == Some("71"));
    let places = found.map(|node| node.at).chain(unknown.map(|node| node.at + 5));
    places.map(|at| at - message.at).collect()
}

#[test]
fn a_message_that_tshark_finds_malformed_or_does_not_find_is_an_error() {
    if lacks_tshark() {
        return;
    }
    let malformed = update(&[], &[attribute(0x40, 1, &[0]), attribute(0x40, 5, &[0, 0, 1])], &[]);
    let file = capture(&[internal_open(1), malformed], &internal_open(2));
    assert!(compare(file.path()).is_err());
    let file = capture(&[internal_open(1)], &internal_open(2));
    let mut octets = std::fs::read(file.path()).unwrap();
    let another_port = octets.len() - internal_open(2).len() - 20;
    octets[another_port] = 0x10;
    std::fs::write(file.path(), octets).unwrap();
    assert!(compare(file.path()).is_err());
}

#[test]
fn routes_of_a_session_that_was_never_agreed_on_are_an_error() {
    if lacks_tshark() {
        return;
    }
    let file = capture(&[internal_open(1), update(&[24, 192, 0, 2], &[], &[])], &internal_open(1));
    assert!(format!("{:#}", compare(file.path()).unwrap_err()).contains("without a session"));
}
