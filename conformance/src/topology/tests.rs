use super::*;

const HEAD: &str = "name: t\ntopology:\n  defaults: {kind: linux, image: debian, network-mode: none}\n";

fn parse(rest: &str) -> Result<Topology> {
    Topology::parse(&format!("{HEAD}{rest}"), Path::new("/"))
}

fn error(rest: &str) -> String {
    format!("{:#}", parse(rest).unwrap_err())
}

#[test]
fn both_forms_of_links_give_the_same() {
    let lab = parse(
        r#"  nodes: {a: , b: }
  links:
    - {endpoints: ["a:eth0", "b:eth0"], mtu: 1500, ipv4: ["10.0.0.1/24", ""]}
    - type: veth
      endpoints:
        - {node: a, interface: eth1, ipv4: 10.0.1.1/24, mac: "02:00:00:00:00:01"}
        - {node: b, interface: eth1}
"#,
    )
    .unwrap();
    assert_eq!(lab.links[0].ends[0].addresses, ["10.0.0.1/24".parse().unwrap()]);
    assert!(lab.links[0].ends[1].addresses.is_empty());
    assert_eq!(lab.links[0].mtu, 1500);
    assert_eq!(lab.links[1].mtu, 9500);
    assert_eq!(lab.links[1].ends[0].mac.as_deref(), Some("02:00:00:00:00:01"));
    assert_eq!(lab.namespace("a"), "clab-t-a");
}

#[test]
fn the_most_specific_layer_wins_and_lists_add_up() {
    let text = r#"name: t
topology:
  defaults: {kind: linux, network-mode: none, image: one, env: {A: 1, B: 1}, exec: [echo default]}
  kinds: {linux: {image: two, env: {B: 2, C: 2}}}
  groups: {g: {image: three, env: {C: 3, D: 3}, exec: ["echo 'the group'"]}}
  nodes:
    x: {group: g, env: {D: 4}, exec: [echo __clabNodeName__]}
    y: {}
"#;
    let lab = Topology::parse(text, Path::new("/")).unwrap();
    let x = &lab.nodes["x"];
    assert_eq!(x.image, "three");
    assert_eq!(lab.nodes["y"].image, "two");
    let env: Vec<_> = x.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(env, ["A=1", "B=2", "C=3", "D=4"]);
    assert_eq!(x.exec, [vec!["echo", "default"], vec!["echo", "the group"], vec!["echo", "x"]]);
}

#[test]
fn a_bind_names_a_host_path_a_node_path_and_its_access() {
    let lab = parse("  nodes: {a: {binds: [\"etc:/etc/x:ro\", \"/usr:/opt/usr\"]}}\n").unwrap();
    let binds = &lab.nodes["a"].binds;
    assert_eq!(binds[0].source, Path::new("/etc"));
    assert_eq!((binds[0].access, binds[1].access), (Access::ReadOnly, Access::ReadWrite));
    assert!(error("  nodes: {a: {binds: [\"none-such:/x\"]}}\n").contains("line 4: `binds`: /none-such"));
}

#[test]
fn what_namespaces_cannot_do_is_an_error_with_key_and_line() {
    assert_eq!(
        error("  nodes:\n    a: {\n      cpu: 1}\n"),
        "line 6: `cpu` is not supported in network namespaces"
    );
    assert!(error("  nodes: {a: {kind: bridge}}\n").starts_with("line 4: `kind: bridge` needs"));
    assert!(error("  nodes: {a: {network-mode: host}}\n").starts_with("line 4: `network-mode: host`"));
    assert!(
        error("  nodes: {a: }\n  links: [{type: vxlan}]\n").contains("line 5: only links of type `veth`")
    );
    let link = error("  nodes: {a: }\n  links:\n    - endpoints: [\"a:eth0\", \"c:eth0\"]\n");
    assert_eq!(link, "line 6: there is no node `c`");
}

#[test]
fn one_interface_ends_one_link() {
    let twice =
        "  nodes: {a: , b: }\n  links: [{endpoints: [\"a:e\", \"b:e\"]}, {endpoints: [\"a:e\", \"b:f\"]}]\n";
    assert_eq!(error(twice), "two links end at a:e");
}
