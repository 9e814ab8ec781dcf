//! The same routes through our policies and through BIRD's filters.
//!
//! BIRD sends random routes twice: as they are to a speaker whose import policy is asked, and through its own filter
//! to a speaker that imports everything. Both must hold the same routes with the same attributes, and both change
//! when policy and filter are changed under the running sessions.

use std::{collections::BTreeMap, fmt::Write, net::IpAddr, process::Command, sync::Arc, time::Duration};

use bgp::{
    config::SpeakerConfig,
    core::AdjRibIn,
    fsm::State,
    net::SpeakerHandle,
    policy::{
        AsPathPattern, Condition, MedChange, Modification, Policy, PrefixSet, RejectReason, Span, Term, Then,
        Verdict,
    },
    types::{Asn, Family, PeerId},
    wire::attribute::{Origin, PathAttributes},
};
use ipnet::IpNet;

use crate::{
    common::{eventually, host, only_peer, peer, speaker, start, wait_for},
    daemon::Daemon,
    namespace::{Place, enter},
};

const PLAIN: u16 = 18579;
const FILTERED: u16 = 18580;
const THEIRS: u16 = 18581;
const ROUTES: u32 = 400;
const SOON: Duration = Duration::from_secs(20);

/// A policy of ours with BIRD's words for the same.
struct Pair {
    policy: Policy,
    filter: &'static str,
}

/// Numbers that look random and are always the same.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Static routes with attributes of every kind.
fn routes() -> String {
    let mut numbers = Numbers(20_260_724);
    let mut text = String::new();
    for index in 0..ROUTES {
        let length = 9 + numbers.below(20) as u8;
        let first = if index % 3 == 0 { 172 } else { 10 };
        let address = u32::from_be_bytes([first, 0, 0, 0]) | (index << 14) | numbers.below(1 << 14) as u32;
        let net = IpNet::new(IpAddr::from(address.to_be_bytes()), length.max(18)).unwrap().trunc();
        let origin = ["ORIGIN_IGP", "ORIGIN_EGP", "ORIGIN_INCOMPLETE"][numbers.below(3) as usize];
        write!(text, "  route {net} blackhole {{ bgp_origin = {origin};").unwrap();
        for _ in 0..numbers.below(5) {
            write!(text, " bgp_path.prepend({});", 65001 + numbers.below(4)).unwrap();
        }
        for _ in 0..numbers.below(4) {
            write!(text, " bgp_community.add(({},{}));", 65000 + numbers.below(2), 98 + numbers.below(105))
                .unwrap();
        }
        for _ in 0..numbers.below(3) {
            write!(text, " bgp_large_community.add((65000,{},{}));", numbers.below(9), numbers.below(3))
                .unwrap();
        }
        for _ in 0..numbers.below(2) {
            write!(text, " bgp_ext_community.add((rt,65000,{}));", 99 + numbers.below(3)).unwrap();
        }
        if numbers.below(2) == 0 {
            write!(text, " bgp_med = {};", numbers.below(40)).unwrap();
        }
        if numbers.below(2) == 0 {
            write!(text, " bgp_local_pref = {};", 90 + numbers.below(20)).unwrap();
        }
        text.push_str(" };\n");
    }
    text
}

fn term(conditions: Vec<Condition>, changes: Vec<Modification>, then: Then) -> Term {
    Term { name: String::new(), conditions, changes, then }
}

fn prefixes(texts: &[&str]) -> Condition {
    Condition::Prefix(Arc::new(texts.iter().map(|text| text.parse().unwrap()).collect::<PrefixSet>()))
}

fn communities(texts: &[&str]) -> Condition {
    Condition::Community(Arc::new(texts.iter().map(|text| text.parse().unwrap()).collect()))
}

fn delete(texts: &[&str]) -> Modification {
    Modification::DeleteCommunities(Arc::new(texts.iter().map(|text| text.parse().unwrap()).collect()))
}

fn add(text: &str) -> Modification {
    Modification::AddCommunity(text.parse().unwrap())
}

fn as_path(text: &str) -> Condition {
    Condition::AsPath([text.parse::<AsPathPattern>().unwrap()].into())
}

fn span(text: &str) -> Span {
    text.parse().unwrap()
}

fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

const REFUSE: Then = Then::Reject(RejectReason::Policy);

fn pairs() -> Vec<Pair> {
    let pair = |terms, filter| Pair { policy: Policy::of("p", terms, Verdict::Accept), filter };
    vec![
        pair(
            vec![
                term(vec![prefixes(&["10.0.0.0/8 ge 20 le 24", "172.0.0.0/8 ge 25"])], vec![], REFUSE),
                term(vec![not(prefixes(&["10.0.0.0/12 le 32", "172.0.0.0/8 le 32"]))], vec![], REFUSE),
            ],
            "if net ~ [10.0.0.0/8{20,24}, 172.0.0.0/8{25,32}] then reject;
             if !(net ~ [10.0.0.0/12{12,32}, 172.0.0.0/8{8,32}]) then reject;",
        ),
        pair(
            vec![
                term(
                    vec![communities(&["65000:100-199"])],
                    vec![delete(&["65000:*"]), add("65001:1"), Modification::LocalPref(200)],
                    Then::Continue,
                ),
                term(vec![communities(&["65001:1"]), communities(&["65001:>=150"])], vec![], REFUSE),
            ],
            "if bgp_community ~ [(65000,100..199)] then {
               bgp_community.delete([(65000,*)]); bgp_community.add((65001,1)); bgp_local_pref = 200;
             }
             if bgp_community ~ [(65001,1)] && bgp_community ~ [(65001,150..65535)] then reject;",
        ),
        pair(
            vec![
                term(vec![Condition::AsPathLength(span(">3"))], vec![], REFUSE),
                term(
                    vec![as_path("65001 * 65002-65003")],
                    vec![Modification::Prepend { asn: Some(Asn(65009)), count: 2 }],
                    Then::Continue,
                ),
                term(vec![Condition::NeighborAs([span("65009")].into())], vec![add("65009:1")], Then::Accept),
                term(vec![Condition::OriginAs([span("65004")].into())], vec![], REFUSE),
                term(vec![as_path("? ?")], vec![Modification::Origin(Origin::Egp)], Then::Accept),
            ],
            "if bgp_path.len > 3 then reject;
             if bgp_path ~ [= 65001 * 65002..65003 =] then { bgp_path.prepend(65009); bgp_path.prepend(65009); }
             if bgp_path.len > 0 && bgp_path.first = 65009 then { bgp_community.add((65009,1)); accept; }
             if bgp_path.len > 0 && bgp_path.last = 65004 then reject;
             if bgp_path ~ [= ? ? =] then { bgp_origin = ORIGIN_EGP; accept; }",
        ),
        pair(
            vec![
                term(
                    vec![Condition::Origin(Origin::Igp)],
                    vec![Modification::LocalPref(150)],
                    Then::Continue,
                ),
                term(
                    vec![Condition::LocalPref(span("150"))],
                    vec![Modification::Med(MedChange::Add(10))],
                    Then::Continue,
                ),
                term(vec![Condition::Med(span("20-29"))], vec![Modification::Med(MedChange::Remove)], Then::Accept),
                term(vec![not(Condition::HasMed)], vec![], REFUSE),
            ],
            "if bgp_origin = ORIGIN_IGP then bgp_local_pref = 150;
             if defined(bgp_local_pref) then if bgp_local_pref = 150 then {
               if defined(bgp_med) then bgp_med = bgp_med + 10; else bgp_med = 10;
             }
             if defined(bgp_med) then if bgp_med ~ [20..29] then { unset(bgp_med); accept; }
             if !defined(bgp_med) then reject;",
        ),
        pair(
            vec![
                term(vec![communities(&["65000:1-5:*"])], vec![delete(&["65000:0-2:*"])], Then::Continue),
                term(vec![communities(&["rt:65000:100"])], vec![add("rt:65000:7"), add("65000:8:8")], Then::Accept),
                term(vec![communities(&["rt:65000:>100"])], vec![], REFUSE),
            ],
            "if bgp_large_community ~ [(65000,1..5,*)] then bgp_large_community.delete([(65000,0..2,*)]);
             if bgp_ext_community ~ [(rt,65000,100)] then {
               bgp_ext_community.add((rt,65000,7)); bgp_large_community.add((65000,8,8)); accept;
             }
             if bgp_ext_community ~ [(rt,65000,101..65535)] then reject;",
        ),
    ]
}

fn configuration(filter: &str) -> String {
    let own = host(2);
    let session = |name: &str, other, port, export: &str| {
        format!(
            "protocol bgp {name} {{
  local {own} port {THEIRS} as 64512;
  neighbor {other} port {port} as 64512;
  multihop; strict bind yes;
  connect delay time 0; connect retry time 1; error wait time 1, 2;
  ipv4 {{ import none; next hop self; export {export}; }};
}}
"
        )
    };
    format!(
        "router id {own};
filter ours {{
{filter}
accept;
}}
protocol device {{ }}
protocol static {{ ipv4;
{}}}
{}{}",
        routes(),
        session("plain", host(1), PLAIN, "all"),
        session("judged", host(3), FILTERED, "filter ours"),
    )
}

/// Routes by prefix, communities in no order.
async fn accepted(speaker: &SpeakerHandle) -> BTreeMap<IpNet, PathAttributes> {
    let read = |core: &bgp::core::Core| {
        core.adj_rib_in(PeerId(0), AdjRibIn::Accepted, Family::Ipv4Unicast, None, 10_000)
    };
    let page = speaker.query(move |core, _| read(core)).await.unwrap();
    let routes = page.items.into_iter().map(|route| {
        let mut attributes = (*route.paths[0].attributes).clone();
        if let Some(rare) = &mut attributes.rare {
            rare.communities.sort_unstable();
            rare.large_communities.sort_unstable();
            rare.extended_communities.sort_unstable();
        }
        (route.prefix, attributes)
    });
    routes.collect()
}

fn config(own: std::net::Ipv4Addr, port: u16, import: Policy) -> SpeakerConfig {
    let mut peer = peer(own, host(2), THEIRS);
    peer.import = Arc::new(import);
    speaker(own, port, vec![peer])
}

#[tokio::test]
async fn bird_accepts_and_changes_the_same_routes_and_both_follow_changes_of_policy() {
    if enter("policy::bird_accepts_and_changes_the_same_routes_and_both_follow_changes_of_policy")
        == Place::Outside
    {
        return;
    }
    let status = Command::new("ip").args(["addr", "add", "10.83.0.3/24", "dev", "lo"]).status().unwrap();
    assert!(status.success());
    let pairs = pairs();
    let Some(bird) = Daemon::bird(&configuration(pairs[0].filter)) else { return };
    let (ours, _events) = start(config(host(1), PLAIN, pairs[0].policy.clone()));
    let (theirs, _their_events) = start(config(host(3), FILTERED, Policy::default()));
    wait_for(&ours, State::Established, SOON).await;
    wait_for(&theirs, State::Established, SOON).await;
    let socket = bird.directory.join("ctl");
    for (index, Pair { policy, filter }) in pairs.iter().enumerate() {
        ours.reconfigure(config(host(1), PLAIN, policy.clone())).await.unwrap();
        std::fs::write(bird.directory.join("conf"), configuration(filter)).unwrap();
        let said = bird.ask("birdc", &["-s", socket.to_str().unwrap(), "configure"]);
        assert!(said.contains("Reconfigur"), "{said}");
        eventually("all routes have come", SOON, || async {
            let received = ours.query(|core, _| core.counts(PeerId(0), Family::Ipv4Unicast).received).await;
            received.unwrap() == ROUTES
        })
        .await;
        for _ in 0..200 {
            if accepted(&ours).await == accepted(&theirs).await {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let (ours, theirs) = (accepted(&ours).await, accepted(&theirs).await);
        for prefix in ours.keys().chain(theirs.keys()) {
            assert_eq!(ours.get(prefix), theirs.get(prefix), "policy {index}: {prefix}");
        }
        let share = 10..ROUTES as usize - 10;
        let changes_only = index == 1 && ours.len() > 10;
        assert!(share.contains(&ours.len()) || changes_only, "policy {index} accepts {}", ours.len());
    }
    assert_eq!((only_peer(&ours).await.sessions, only_peer(&theirs).await.sessions), (1, 1));
}
