//! A picture of a topology, as a Mermaid flowchart.

use std::fmt::Write as _;

use crate::{
    launch::Router,
    topology::{End, Topology},
};

/// The flowchart's text.
pub fn mermaid(topology: &Topology) -> String {
    let mut out = format!("%% {}\ngraph LR\n", topology.name);
    for (name, node) in &topology.nodes {
        let label = match Router::of_image(&node.image) {
            Router::None => name.clone(),
            router => format!("{name}<br>{}", router.name()),
        };
        writeln!(out, "  {}[\"{label}\"]", identifier(name)).ok();
    }
    for link in &topology.links {
        let [a, b] = &link.ends;
        writeln!(out, "  {} ---|\"{} — {}\"| {}", identifier(&a.node), end(a), end(b), identifier(&b.node))
            .ok();
    }
    out
}

fn end(end: &End) -> String {
    let addresses: Vec<_> = end.addresses.iter().map(ToString::to_string).collect();
    format!("{} {}", end.interface, addresses.join(" ")).trim_end().to_owned()
}

fn identifier(name: &str) -> String {
    name.replace(|c: char| !c.is_ascii_alphanumeric(), "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_and_links_are_drawn() {
        let text = "name: t\ntopology:\n  nodes:\n    a-1: {kind: linux, image: frr, network-mode: none}\n    \
                    b: {kind: linux, image: x, network-mode: none}\n  links:\n    \
                    - {endpoints: [\"a-1:eth0\", \"b:p\"], ipv4: [10.0.0.1/24, \"\"]}\n";
        let topology = Topology::parse(text, std::path::Path::new("/")).unwrap();
        let expected =
            "%% t\ngraph LR\n  a_1[\"a-1<br>FRR\"]\n  b[\"b\"]\n  a_1 ---|\"eth0 10.0.0.1/24 — p\"| b\n";
        assert_eq!(mermaid(&topology), expected);
    }
}
