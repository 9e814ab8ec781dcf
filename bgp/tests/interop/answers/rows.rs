//! Wrong messages, and what the standards answer to each.

use bgp::{
    types::{Family, RouterId},
    wire::{Open, capability::Capability, framer::MARKER},
};
use bytes::BytesMut;

use crate::common::{ASN, host};

/// The state the receiver is in when the message comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    OpenSent,
    OpenConfirm,
    Established,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A NOTIFICATION of this code, subcode and data, and the end of the connection.
    Notification(u8, u8, Vec<u8>),
    /// The end of the connection without a word.
    Closed,
    /// Nothing: the session goes on.
    Stays,
    /// It did not even come to the state in which the message was to be sent.
    NoSession,
}

/// A wrong message.
pub(super) struct Row {
    pub(super) what: &'static str,
    /// Where the answer is written.
    pub(super) source: &'static str,
    pub(super) when: When,
    pub(super) octets: Vec<u8>,
    pub(super) answer: Answer,
}

const OPEN: u8 = 1;
const UPDATE: u8 = 2;
const NOTIFICATION: u8 = 3;
const KEEPALIVE: u8 = 4;
const ROUTE_REFRESH: u8 = 5;

/// A message of any type whose length field is right.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 19).unwrap().to_be_bytes();
    [&MARKER[..], &length, &[kind], body].concat()
}

/// A header that claims another length than there is.
fn header(length: u16, kind: u8) -> Vec<u8> {
    [&MARKER[..], &length.to_be_bytes(), &[kind]].concat()
}

/// The OPEN of a peer that has nothing wrong.
pub(super) fn right_open(id: [u8; 4]) -> Vec<u8> {
    let capabilities = vec![
        Capability::multiprotocol(Family::Ipv4Unicast),
        Capability::RouteRefresh,
        Capability::FourOctetAsn(ASN),
        Capability::EnhancedRouteRefresh,
    ];
    let mut out = BytesMut::new();
    Open::new(ASN, 90, RouterId(id.into()), capabilities).encode(&mut out).unwrap();
    out.to_vec()
}

/// An OPEN of AS 64512 whose fixed part and parameters are as given.
fn open(version: u8, asn: u16, hold_time: u16, id: [u8; 4], parameters: &[u8]) -> Vec<u8> {
    let length = u8::try_from(parameters.len()).unwrap();
    let [[a, b], [c, d]] = [asn, hold_time].map(u16::to_be_bytes);
    message(OPEN, &[&[version, a, b, c, d][..], &id, &[length], parameters].concat())
}

fn open_with(parameters: &[u8]) -> Vec<u8> {
    open(4, 64512, 90, PEER, parameters)
}

fn update(withdrawn: &[u8], attributes: &[u8], nlri: &[u8]) -> Vec<u8> {
    let length = |part: &[u8]| u16::try_from(part.len()).unwrap().to_be_bytes();
    message(UPDATE, &[&length(withdrawn), withdrawn, &length(attributes), attributes, nlri].concat())
}

/// Any identifier but theirs.
const PEER: [u8; 4] = [10, 83, 9, 9];
const ORIGIN: &[u8] = &[0x40, 1, 1, 0];
const AS_PATH: &[u8] = &[0x40, 2, 0];
const NEXT_HOP: &[u8] = &[0x40, 3, 4, 10, 83, 0, 9];
const LOCAL_PREF: &[u8] = &[0x40, 5, 4, 0, 0, 0, 100];
const PREFIX: &[u8] = &[26, 10, 9, 8, 64];

fn row(when: When, what: &'static str, source: &'static str, octets: Vec<u8>, answer: Answer) -> Row {
    Row { what, source, when, octets, answer }
}

fn says(code: u8, subcode: u8, data: &[u8]) -> Answer {
    Answer::Notification(code, subcode, data.to_vec())
}

/// All of them.
pub(super) fn rows() -> Vec<Row> {
    [headers(), opens(), out_of_order(), lists(), attributes(), others()].into_iter().flatten().collect()
}

fn headers() -> Vec<Row> {
    let section = "4271 6.1";
    let mut crooked = message(KEEPALIVE, &[]);
    crooked[3] = 0;
    let mut rows = Vec::new();
    for when in [When::OpenSent, When::Established] {
        rows.extend([
            row(when, "a marker that is not all ones", section, crooked.clone(), says(1, 1, &[])),
            row(when, "a length of 18", section, header(18, KEEPALIVE), says(1, 2, &[0, 18])),
            row(when, "a length of 4097", section, header(4097, UPDATE), says(1, 2, &[16, 1])),
            row(when, "type 9", section, message(9, &[]), says(1, 3, &[9])),
            row(when, "a KEEPALIVE of 20 octets", section, message(KEEPALIVE, &[0]), says(1, 2, &[0, 20])),
            row(when, "an UPDATE of 22 octets", section, message(UPDATE, &[0; 3]), says(1, 2, &[0, 22])),
            row(
                when,
                "a NOTIFICATION of 20 octets",
                section,
                message(NOTIFICATION, &[6]),
                says(1, 2, &[0, 20]),
            ),
        ]);
    }
    rows.push(row(
        When::OpenSent,
        "an OPEN of 28 octets",
        section,
        message(OPEN, &[4; 9]),
        says(1, 2, &[0, 28]),
    ));
    rows
}

fn opens() -> Vec<Row> {
    let section = "4271 6.2";
    let ours = host(2).octets();
    let of = |what, source, octets, answer| row(When::OpenSent, what, source, octets, answer);
    vec![
        of("version 3", section, open(3, 64512, 90, PEER, &[]), says(2, 1, &[0, 4])),
        of("version 5", section, open(5, 64512, 90, PEER, &[]), says(2, 1, &[0, 4])),
        of("another AS", section, open(4, 64999, 90, PEER, &[]), says(2, 2, &[])),
        of("AS 0", "7607 2", open(4, 0, 90, PEER, &[]), says(2, 2, &[])),
        of("identifier 0.0.0.0", "6286 2.2", open(4, 64512, 90, [0; 4], &[]), says(2, 3, &[])),
        of("the receiver's own identifier", "6286 2.2", open(4, 64512, 90, ours, &[]), says(2, 3, &[])),
        of("a hold time of 1", section, open(4, 64512, 1, PEER, &[]), says(2, 6, &[])),
        of("a hold time of 2", section, open(4, 64512, 2, PEER, &[]), says(2, 6, &[])),
        of("parameter 9", section, open_with(&[9, 1, 0]), says(2, 4, &[])),
        of("a parameter that runs past the message", section, open_with(&[2, 9, 2, 0]), says(2, 0, &[])),
        of("a capability that runs past its parameter", section, open_with(&[2, 2, 1, 9]), says(2, 0, &[])),
        of("a 4-octet AS of three octets", "5492 4", open_with(&[2, 5, 65, 3, 0, 0, 1]), says(2, 0, &[])),
        of("an extended length past the message", "9072 2", open_with(&[255, 0, 9, 2]), says(2, 0, &[])),
        of(
            "only a family nobody asked for",
            "5492 5",
            open_with(&[2, 6, 1, 4, 0, 2, 0, 1]),
            says(2, 7, &[1, 4, 0, 1, 0, 1]),
        ),
    ]
}

fn out_of_order() -> Vec<Row> {
    let section = "6608 3";
    let end_of_rib = update(&[], &[], &[]);
    let refresh = message(ROUTE_REFRESH, &[0, 1, 0, 1]);
    let of = |when, what, octets, answer| row(when, what, section, octets, answer);
    vec![
        of(When::OpenSent, "an UPDATE", end_of_rib.clone(), says(5, 1, &[UPDATE])),
        of(When::OpenSent, "a KEEPALIVE", message(KEEPALIVE, &[]), says(5, 1, &[KEEPALIVE])),
        of(When::OpenSent, "a ROUTE-REFRESH", refresh.clone(), says(5, 1, &[ROUTE_REFRESH])),
        of(When::OpenConfirm, "an UPDATE", end_of_rib, says(5, 2, &[UPDATE])),
        of(When::OpenConfirm, "a ROUTE-REFRESH", refresh, says(5, 2, &[ROUTE_REFRESH])),
        of(When::OpenConfirm, "another OPEN", right_open(PEER), says(5, 2, &[OPEN])),
        of(When::Established, "another OPEN", right_open(PEER), says(5, 3, &[OPEN])),
    ]
}

fn lists() -> Vec<Row> {
    let list = "7606 3, 4271 6.3";
    let of = |what, source, octets, answer| row(When::Established, what, source, octets, answer);
    let good = [ORIGIN, AS_PATH, NEXT_HOP, LOCAL_PREF].concat();
    let reach: &[u8] = &[0x80, 14, 9, 0, 1, 1, 4, 10, 83, 0, 9, 0];
    vec![
        of("withdrawn routes past the message", list, message(UPDATE, &[0, 9, 0, 0]), says(3, 1, &[])),
        of("attributes past the message", list, message(UPDATE, &[0, 0, 0, 9]), says(3, 1, &[])),
        of("a prefix of 33 bits", "7606 5.3", update(&[], &good, &[33, 10, 9, 8, 7, 6]), says(3, 10, &[])),
        of("a prefix cut off", "7606 5.3", update(&[], &good, &[26, 10, 9]), says(3, 10, &[])),
        of(
            "a withdrawn prefix of 33 bits",
            "7606 5.3",
            update(&[33, 10, 9, 8, 7, 6], &[], &[]),
            says(3, 10, &[]),
        ),
        of("MP_REACH_NLRI twice", "7606 3 g", update(&[], &[reach, reach].concat(), &[]), says(3, 1, &[])),
        of(
            "the same attribute twice",
            "7606 3 g",
            update(&[], &[&good[..], ORIGIN].concat(), PREFIX),
            Answer::Stays,
        ),
        of("a prefix without attributes", "7606 3 d", update(&[], &[], PREFIX), Answer::Stays),
        of(
            "an attribute past the list",
            "7606 4",
            update(&[], &[&good[..], &[0xc0, 8, 9, 0]].concat(), PREFIX),
            Answer::Stays,
        ),
    ]
}

fn attributes() -> Vec<Row> {
    let of = |what, source, wrong: &[u8], answer| {
        let rest = [ORIGIN, AS_PATH, NEXT_HOP, LOCAL_PREF].into_iter().filter(|good| good[1] != wrong[1]);
        let all = rest.chain([wrong]).collect::<Vec<_>>().concat();
        row(When::Established, what, source, update(&[], &all, PREFIX), answer)
    };
    let unknown = [0x40, 99, 1, 7];
    vec![
        of("an unknown attribute that claims to be well-known", "4271 6.3", &unknown, says(3, 2, &unknown)),
        of("ORIGIN 3", "7606 7.1", &[0x40, 1, 1, 3], Answer::Stays),
        of("ORIGIN of two octets", "7606 7.1", &[0x40, 1, 2, 0, 0], Answer::Stays),
        of("ORIGIN that claims to be optional", "7606 3 c", &[0xc0, 1, 1, 0], Answer::Stays),
        of("AS_PATH with a segment cut off", "7606 7.2", &[0x40, 2, 4, 2, 2, 0, 0], Answer::Stays),
        of("NEXT_HOP of three octets", "7606 7.3", &[0x40, 3, 3, 10, 83, 0], Answer::Stays),
        of("MULTI_EXIT_DISC of three octets", "7606 7.4", &[0x80, 4, 3, 0, 0, 1], Answer::Stays),
        of("LOCAL_PREF of three octets", "7606 7.5", &[0x40, 5, 3, 0, 0, 1], Answer::Stays),
        of("ATOMIC_AGGREGATE with a value", "7606 7.6", &[0x40, 6, 1, 0], Answer::Stays),
        of("AGGREGATOR of five octets", "7606 7.7", &[0xc0, 7, 5, 0, 0, 0, 0, 1], Answer::Stays),
        of("COMMUNITIES of five octets", "7606 7.8", &[0xc0, 8, 5, 0, 1, 0, 1, 0], Answer::Stays),
        of("ORIGINATOR_ID of three octets", "7606 7.9", &[0x80, 9, 3, 1, 1, 1], Answer::Stays),
        of("CLUSTER_LIST of five octets", "7606 7.10", &[0x80, 10, 5, 1, 1, 1, 1, 1], Answer::Stays),
        of(
            "MP_REACH_NLRI of four octets",
            "7606 7.11",
            &[0x80, 14, 4, 0, 1, 1, 0],
            says(3, 9, &[0x80, 14, 4, 0, 1, 1, 0]),
        ),
        of(
            "MP_UNREACH_NLRI of two octets",
            "7606 7.12",
            &[0x80, 15, 2, 0, 1],
            says(3, 9, &[0x80, 15, 2, 0, 1]),
        ),
        of(
            "EXTENDED COMMUNITIES of nine octets",
            "7606 7.14",
            &[0xc0, 16, 9, 0, 2, 0, 1, 0, 0, 0, 1, 0],
            Answer::Stays,
        ),
        of(
            "LARGE_COMMUNITY of thirteen octets",
            "8092 6",
            &[0xc0, 32, 13, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0],
            Answer::Stays,
        ),
    ]
}

fn others() -> Vec<Row> {
    let of = |what, source, octets, answer| row(When::Established, what, source, octets, answer);
    let short = message(ROUTE_REFRESH, &[0, 1, 0]);
    let long = message(ROUTE_REFRESH, &[0, 1, 1, 1, 0]);
    vec![
        of("a ROUTE-REFRESH of 22 octets", "7313 5", short.clone(), says(7, 1, &short)),
        of("the beginning of a refresh of 24 octets", "7313 5", long.clone(), says(7, 1, &long)),
        of("a ROUTE-REFRESH of subtype 9", "7313 5", message(ROUTE_REFRESH, &[0, 1, 9, 1]), Answer::Stays),
        of("a NOTIFICATION of an unknown code", "4271 6.4", message(NOTIFICATION, &[99, 1]), Answer::Closed),
    ]
}
