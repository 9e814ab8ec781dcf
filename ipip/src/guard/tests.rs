use proptest::prelude::*;

use super::*;

/// A packet as the chains see it.
#[derive(Debug, Clone, Copy)]
struct Packet {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    /// The destination of the packet inside.
    inner: Ipv4Addr,
    mark: u32,
}

/// Runs the packet through a chain by the rules' own words; `Err`: the counter of the rule that dropped it.
fn run(rules: &Ruleset, chain: &str, packet: &mut Packet) -> Result<(), String> {
    for rule in &rules.chains[chain].rules {
        let mut counter = String::new();
        for statement in rule.as_array().unwrap() {
            let (word, value) = statement.as_object().unwrap().iter().next().unwrap();
            match word.as_str() {
                "match" if matches(rules, value, packet) => {}
                "match" => break,
                "counter" => counter = value.as_str().unwrap().to_owned(),
                "mangle" => mangle(rules, &value["value"], packet),
                "jump" => run(rules, value["target"].as_str().unwrap(), packet)?,
                "goto" => return run(rules, value["target"].as_str().unwrap(), packet),
                "accept" => return Ok(()),
                "drop" => return Err(counter),
                other => panic!("{other}"),
            }
        }
    }
    Ok(())
}

fn matches(rules: &Ruleset, test: &Value, packet: &Packet) -> bool {
    let equal = match test["right"].as_str().and_then(|right| right.strip_prefix('@')) {
        Some(set) => rules.sets[set].elements.contains(&element(&test["left"], packet)),
        // An outer packet of protocol 4 to an address of ours, an inner one from tunl0.
        None if test["left"]["fib"].is_object() => false,
        None if test["left"]["meta"]["key"] == "iifname"
            || test["left"]["payload"]["field"] == "protocol" =>
        {
            true
        }
        None => number(&test["left"], packet) == literal(&test["right"]),
    };
    equal == (test["op"] == "==")
}

fn element(left: &Value, packet: &Packet) -> Element {
    match left["concat"].as_array() {
        Some(parts) => Element::Marked(number(&parts[0], packet), number(&parts[1], packet).into()),
        None => Element::Address(number(left, packet).into()),
    }
}

/// An address or a number.
fn literal(value: &Value) -> u32 {
    match value {
        Value::String(address) => address.parse::<Ipv4Addr>().unwrap().into(),
        number => u32::try_from(number.as_u64().unwrap()).unwrap(),
    }
}

fn number(expression: &Value, packet: &Packet) -> u32 {
    if let Some(parts) = expression["|"].as_array() {
        return number(&parts[0], packet) | literal(&parts[1]);
    }
    if expression["payload"]["base"] == "th" {
        return packet.inner.into();
    }
    if let Some(parts) = expression["&"].as_array() {
        return number(&parts[0], packet) & literal(&parts[1]);
    }
    match (expression["payload"]["field"].as_str(), expression["meta"]["key"].as_str()) {
        (Some("saddr"), _) => packet.source.into(),
        (Some("daddr"), _) => packet.destination.into(),
        (_, Some("mark")) => packet.mark,
        _ => panic!("{expression}"),
    }
}

fn mangle(rules: &Ruleset, value: &Value, packet: &mut Packet) {
    if value["map"].is_null() {
        packet.mark = number(value, packet);
        return;
    }
    let found = rules.sets[MARKS].elements.iter().find_map(|element| match element {
        Element::Mark(node, mark) if *node == packet.source => Some(*mark),
        _ => None,
    });
    packet.mark = found.unwrap_or(packet.mark);
}

/// What becomes of a packet with these addresses from this sender.
fn verdict(rules: &Ruleset, sender: Ipv4Addr, source: Ipv4Addr, destination: Ipv4Addr) -> Result<(), String> {
    let marked = [0, 0x8000_0000].map(|mark| marked_verdict(rules, mark, sender, source, destination));
    assert_eq!(marked[0], marked[1], "the bits of others do not matter");
    marked[0].clone()
}

/// The same of a packet that has this mark.
fn marked_verdict(
    rules: &Ruleset,
    mark: u32,
    sender: Ipv4Addr,
    source: Ipv4Addr,
    destination: Ipv4Addr,
) -> Result<(), String> {
    let here = Ipv4Addr::new(10, 0, 0, 9);
    let mut outer = Packet { source: sender, destination: here, inner: destination, mark };
    run(rules, OUTER, &mut outer)?;
    assert_eq!(outer.mark & !0xff, mark, "the bits of others stay");
    let mut inner = Packet { source, destination, inner: here, mark: outer.mark };
    run(rules, INNER, &mut inner)?;
    assert_eq!(inner.mark, mark, "no mark is left behind");
    Ok(())
}

/// The same by the words of the documentation.
fn expected(
    admitted: &Admitted,
    sender: Ipv4Addr,
    source: Ipv4Addr,
    destination: Ipv4Addr,
) -> Result<(), String> {
    let holds = |nets: &BTreeSet<Ipv4Net>, address| nets.iter().any(|net| net.contains(&address));
    let longest = |nets: &mut dyn Iterator<Item = Ipv4Net>| {
        nets.filter(|net| net.contains(&source)).map(|net| i16::from(net.prefix_len())).max().unwrap_or(-1)
    };
    if holds(&admitted.allow_to, destination) {
        return Ok(());
    }
    if !holds(&admitted.nodes, sender) {
        return Err(STRANGER.to_owned());
    }
    if !holds(&admitted.here, destination) {
        return Err(INNER_DESTINATION.to_owned());
    }
    let theirs = longest(&mut admitted.behind.iter().map(|b| b.prefix).chain(admitted.nodes.iter().copied()));
    if theirs < 0 || longest(&mut admitted.here.iter().copied()) > theirs {
        return Err(INNER_SOURCE.to_owned());
    }
    let marks = admitted.binding.as_ref().map(|binding| &binding.marks);
    let has_mark = |node: &Ipv4Addr| marks.is_some_and(|marks| marks.contains_key(node));
    let learned = |b: &Behind| {
        let node = b.node.unwrap();
        b.prefix.contains(&source) && (node == sender || !has_mark(&node) && !has_mark(&sender))
    };
    let own = |net: &Ipv4Net| {
        let told_apart = net.prefix_len() == 32 && has_mark(&net.addr());
        net.contains(&source) && if told_apart { net.addr() == sender } else { !has_mark(&sender) }
    };
    let itself = has_mark(&sender) && source == sender;
    let bound = itself || admitted.behind.iter().any(learned) || admitted.nodes.iter().any(own);
    if marks.is_some() && !bound { Err(UNBOUND_SOURCE.to_owned()) } else { Ok(()) }
}

fn address() -> impl Strategy<Value = Ipv4Addr> {
    (0_u8..16).prop_map(|last| Ipv4Addr::new(10, 0, 0, last))
}

fn nets() -> impl Strategy<Value = BTreeSet<Ipv4Net>> {
    let net = (address(), 27_u8..=32).prop_map(|(address, len)| Ipv4Net::new(address, len).unwrap().trunc());
    prop::collection::btree_set(net, 0..5)
}

prop_compose! {
    fn admissions()(
        nodes in nets(),
        behind in prop::collection::btree_set((nets(), address()), 0..4),
        here in nets(),
        allow_to in prop::option::of(nets()),
        mask in prop::option::of(prop_oneof![Just(0xff_u32), Just(1)]),
    ) -> Admitted {
        let pairs = behind.into_iter().flat_map(|(nets, node)| {
            nets.into_iter().map(move |prefix| Behind { prefix, node: Some(node) })
        });
        let behind: BTreeSet<Behind> = pairs.collect();
        let allow_to = allow_to.unwrap_or_default();
        let binding = mask.map(|mask| {
            let mut binding = Binding::default();
            let single = nodes.iter().filter(|net| net.prefix_len() == 32).map(Ipv4Net::addr);
            binding.assign(mask, &single.chain(behind.iter().filter_map(|b| b.node)).collect());
            binding
        });
        Admitted { nodes, behind, here, allow_to, binding }
    }
}

proptest! {
    #[test]
    fn the_rules_say_what_a_naive_reading_says(
        admitted in admissions(), sender in address(), source in address(), destination in address()
    ) {
        let rules = ruleset(&admitted, "tunl0");
        let found = verdict(&rules, sender, source, destination);
        prop_assert_eq!(found, expected(&admitted, sender, source, destination));
    }

    #[test]
    fn who_is_admitted_can_be_read_from_the_table(admitted in admissions()) {
        let wanted = ruleset(&admitted, "tunl0");
        let read = super::admitted(&Table { sets: wanted.sets, ..Table::default() });
        prop_assert_eq!(&read.nodes, &admitted.nodes);
        prop_assert_eq!(&read.here, &admitted.here);
        let prefixes = |all: &Admitted| -> BTreeSet<Ipv4Net> {
            let news = all.behind.iter().map(|b| b.prefix).filter(|prefix| !admitted.nodes.contains(prefix));
            news.collect()
        };
        prop_assert_eq!(prefixes(&read), prefixes(&admitted));
    }
}

#[test]
fn an_aggregate_behind_a_node_lets_nobody_speak_for_our_own_pods() {
    let net = |text: &str| text.parse::<Ipv4Net>().unwrap();
    let node = Ipv4Addr::new(10, 0, 0, 1);
    let behind =
        ["172.16.0.0/16", "172.16.1.7/32"].map(|prefix| Behind { prefix: net(prefix), node: Some(node) });
    let admitted = Admitted {
        nodes: [node.into()].into(),
        behind: behind.into(),
        here: [net("172.16.1.0/26")].into(),
        ..Admitted::default()
    };
    let rules = ruleset(&admitted, "tunl0");
    let from = |source: &str| verdict(&rules, node, source.parse().unwrap(), Ipv4Addr::new(172, 16, 1, 5));
    assert_eq!(from("172.16.9.1"), Ok(()));
    assert_eq!(from("172.16.1.7"), Ok(()), "borrowed from our block by another host");
    assert_eq!(from("172.16.1.8"), Err(INNER_SOURCE.to_owned()));
}
