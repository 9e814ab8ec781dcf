//! TTL security (RFC 5082) before a connection is accepted: a socket filter that drops packets of peers who must be
//! near and are not. Connections inherit it from the listening socket, so that nothing sent from afar is ever read.

use ipnet::IpNet;
use socket2::SockFilter;

/// Packets from `peers` must arrive with at least this TTL; zero demands nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TtlRule {
    pub(super) peers: IpNet,
    pub(super) minimum: u8,
}

/// Most instructions the kernel takes (BPF_MAXINSNS).
const LONGEST: usize = 4096;
/// Where the network header begins for loads (SKF_NET_OFF).
const NETWORK_HEADER: u32 = 0xfff0_0000;

/// `ld` of a word, of an octet; `and`; `jeq`, `jge`; `ret`, all with a constant (`linux/bpf_common.h`).
const LOAD_WORD: u16 = 0x20;
const LOAD_OCTET: u16 = 0x30;
const AND: u16 = 0x54;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

/// Takes the whole packet.
const ACCEPT: u32 = u32::MAX;
const DROP: u32 = 0;

/// Where a field of the network header is.
struct Header {
    ttl: u32,
    source: u32,
}

const IPV4: Header = Header { ttl: 8, source: 12 };
const IPV6: Header = Header { ttl: 7, source: 8 };

/// The program for rules of one address family, the longest prefixes first; `None` when none demands anything, or when
/// they are too many for a program.
pub(super) fn program(rules: &[TtlRule]) -> Option<Vec<SockFilter>> {
    let demanding = || rules.iter().filter(|rule| rule.minimum > 0);
    // What demands nothing matters where a wider prefix demands something.
    let matters =
        |rule: &&TtlRule| rule.minimum > 0 || demanding().any(|wide| wide.peers.contains(&rule.peers));
    let mut rules: Vec<_> = rules.iter().filter(matters).copied().collect();
    if rules.is_empty() {
        return None;
    }
    rules.sort_unstable_by_key(|rule| (std::cmp::Reverse(rule.peers.prefix_len()), *rule));
    rules.dedup_by_key(|rule| rule.peers);
    let mut program = Vec::new();
    for rule in &rules {
        program.extend(section(rule));
    }
    program.push(statement(RETURN, ACCEPT));
    (program.len() <= LONGEST).then_some(program)
}

/// Decides over packets from `rule.peers`, and passes others to what follows.
fn section(rule: &TtlRule) -> Vec<SockFilter> {
    let (header, source, mask) = match rule.peers {
        IpNet::V4(net) => (IPV4, net.network().octets().to_vec(), net.netmask().octets().to_vec()),
        IpNet::V6(net) => (IPV6, net.network().octets().to_vec(), net.netmask().octets().to_vec()),
    };
    let verdict = [
        statement(LOAD_OCTET, NETWORK_HEADER | header.ttl),
        jump(JUMP_AT_LEAST, rule.minimum.into(), 0, 1),
        statement(RETURN, ACCEPT),
        statement(RETURN, DROP),
    ];
    let words = source.chunks_exact(4).zip(mask.chunks_exact(4)).zip((header.source..).step_by(4));
    let compared: Vec<_> = words.filter(|((_, mask), _)| *mask != [0; 4]).collect();
    // From the end, as a packet from elsewhere jumps over all that is left of the section.
    let mut section = Vec::from(verdict);
    for ((source, mask), offset) in compared.into_iter().rev() {
        let beyond = u8::try_from(section.len()).unwrap_or(u8::MAX);
        let mut step = vec![statement(LOAD_WORD, NETWORK_HEADER | offset)];
        if mask != [0xff; 4] {
            step.push(statement(AND, word(mask)));
        }
        step.push(jump(JUMP_EQUAL, word(source), 0, beyond));
        section.splice(..0, step);
    }
    section
}

fn word(octets: &[u8]) -> u32 {
    octets.iter().fold(0, |word, octet| word << 8 | u32::from(*octet))
}

fn statement(code: u16, value: u32) -> SockFilter {
    SockFilter::new(code, 0, 0, value)
}

fn jump(code: u16, value: u32, then: u8, otherwise: u8) -> SockFilter {
    SockFilter::new(code, then, otherwise, value)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn rule(peers: &str, minimum: u8) -> TtlRule {
        TtlRule { peers: peers.parse().unwrap(), minimum }
    }

    /// The program as the kernel would run it; the fields of `SockFilter` cannot be read, so it is sections that are
    /// counted here, and the kernel that runs them in the tests over real sockets.
    fn length(rules: &[TtlRule]) -> Option<usize> {
        program(rules).map(|program| program.len())
    }

    #[test]
    fn without_a_demand_there_is_no_program() {
        assert_eq!(length(&[]), None);
        assert_eq!(length(&[rule("10.0.0.1/32", 0)]), None);
    }

    #[test]
    fn a_rule_is_as_long_as_its_prefix_needs() {
        assert_eq!(length(&[rule("10.0.0.1/32", 255)]), Some(7));
        assert_eq!(length(&[rule("10.0.0.0/8", 255)]), Some(8));
        assert_eq!(length(&[rule("0.0.0.0/0", 255)]), Some(5));
        assert_eq!(length(&[rule("fe80::1/128", 255)]), Some(13));
    }

    #[test]
    fn more_rules_than_fit_make_no_program() {
        let rules: Vec<_> = (0..1000_u32)
            .map(|n| TtlRule { peers: IpAddr::from(n.to_be_bytes()).into(), minimum: 255 })
            .collect();
        assert_eq!(length(&rules), None);
        assert!(length(&rules[..600]).is_some());
    }
}
