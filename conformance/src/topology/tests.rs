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
    let options = parse("  nodes: {a: {binds: [\"etc:/etc/x:ro,z\", \"/usr:/u:rw\"]}}\n").unwrap();
    assert_eq!(options.nodes["a"].binds[0].access, Access::ReadOnly);
}

#[test]
fn what_namespaces_cannot_do_is_an_error_with_key_and_line() {
    assert_eq!(
        error("  nodes:\n    a: {\n      components: 1}\n"),
        "line 6: `components` is not supported in network namespaces"
    );
    assert!(
        error("  nodes: {a: {kind: nokia_srlinux}}\n").starts_with("line 4: `kind: nokia_srlinux` is not")
    );
    assert!(error("  nodes: {a: {network-mode: host}}\n").starts_with("line 4: `network-mode: host`"));
    assert!(error("  nodes: {a: }\n  links: [{type: vxlan}]\n").contains("line 5: links of type `vxlan`"));
    let stages = "  nodes: {a: {stages: {create: {exec: [{command: x}]}}}}\n";
    assert!(error(stages).starts_with("line 4: `stages` is not supported"));
    let link = error("  nodes: {a: }\n  links:\n    - endpoints: [\"a:eth0\", \"c:eth0\"]\n");
    assert_eq!(link, "line 6: there is no node `c`");
}

#[test]
fn one_interface_ends_one_link() {
    let twice =
        "  nodes: {a: , b: }\n  links: [{endpoints: [\"a:e\", \"b:e\"]}, {endpoints: [\"a:e\", \"b:f\"]}]\n";
    assert_eq!(error(twice), "two links end at a:e");
}

#[test]
fn all_errors_of_a_file_are_told_at_once_and_each_once() {
    let text = "name: t\nmgmd: {}\ntopology:\n  defaults: {kind: linux, image: x, sysctls: 1}\n  nodes:\n    a: {kind: cisco_xrd}\n\
                \x20   b: {binds: [x]}\n    c: {image: \"\"}\n  links:\n    - endpoints: [\"a:e\", \"z:e\"]\n    - {type: vxlan}\n";
    let error = format!("{:#}", Topology::parse(text, Path::new("/")).unwrap_err());
    let lines: Vec<_> = error.lines().collect();
    let starts = [
        "line 2: `mgmd`",
        "line 4: `sysctls`",
        "line 6: `kind: cisco_xrd`",
        "line 7: `binds`",
        "line 8: node c has no `image`",
        "line 10: there is no node `z`",
        "line 11: links of type `vxlan`",
    ];
    assert_eq!(lines.len(), starts.len(), "{error}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
}

#[test]
fn what_has_no_use_here_is_told_once_and_accepted() {
    let text = "name: t\nprefix: \"\"\nmgmt: {network: x, ipv4-subnet: 172.20.20.0/24}\ntopology:\n  nodes:\n\
                \x20   a: {kind: linux, image: frr, mgmt-ipv4: 172.20.20.2, ports: [\"80:80\"], group: spine}\n\
                \x20   b: {kind: linux, image: frr, ports: [\"81:80\"], memory: 1Gb, network-mode: bridge}\n";
    let lab = Topology::parse(text, Path::new("/")).unwrap();
    assert_eq!(
        lab.notes,
        [
            "there is no management network: a and 1 more would have an interface eth0 for it, and have none here \
             (`network-mode: none` says so)",
            "`memory` has no effect in network namespaces (line 7)",
            "`mgmt` has no effect in network namespaces (line 3)",
            "`mgmt-ipv4` has no effect in network namespaces (line 6)",
            "`ports` has no effect in network namespaces (line 6, 7)",
            "`prefix` has no effect in network namespaces (line 2)",
        ]
    );
}

#[test]
fn bridges_and_the_host_are_nodes_of_the_lab() {
    let lab = parse(
        "  nodes: {a: , br-lan: {kind: bridge}, ovs: {kind: ovs-bridge}}\n  links:\n\
         \x20   - endpoints: [\"a:eth1\", \"br-lan:a1\"]\n    - endpoints: [\"a:eth2\", \"host:veth-a\"]\n\
         \x20   - {type: host, endpoint: {node: a, interface: eth3}, host-interface: up}\n\
         \x20   - endpoints: [\"a:eth4\", \"mgmt-net:a4\"]\n",
    )
    .unwrap();
    let kinds: Vec<_> = lab.nodes.iter().map(|(name, node)| (name.as_str(), node.kind)).collect();
    assert_eq!(
        kinds,
        [
            ("a", Kind::Linux),
            ("br-lan", Kind::Bridge),
            ("host", Kind::Host),
            ("mgmt-net", Kind::Bridge),
            ("ovs", Kind::Bridge)
        ]
    );
    assert_eq!((lab.links[2].ends[1].node.as_str(), lab.links[2].ends[1].interface.as_str()), ("host", "up"));
    assert!(
        lab.notes.iter().any(|note| note.starts_with("`host` is a namespace of the lab")),
        "{:?}",
        lab.notes
    );
}

#[test]
fn a_node_may_share_the_network_of_another() {
    let lab = parse(
        "  nodes: {a: , b: {network-mode: \"container:a\"}, c: {network-mode: \"container:clab-t-b\"}}\n",
    )
    .unwrap();
    assert_eq!([lab.namespace("b"), lab.namespace("c")], ["clab-t-a", "clab-t-a"]);
    assert!(error("  nodes: {b: {network-mode: \"container:x\"}}\n").contains("there is no such node"));
    let circle = "  nodes: {b: {network-mode: \"container:c\"}, c: {network-mode: \"container:b\"}}\n";
    assert!(error(circle).contains("leads back to itself"));
    let linked =
        "  nodes: {a: , b: {network-mode: \"container:a\"}}\n  links: [{endpoints: [\"a:e\", \"b:e\"]}]\n";
    assert!(error(linked).contains("a link ends at b, which has no network of its own"));
}

#[test]
fn a_startup_config_is_a_file_or_the_text_itself() {
    let lab = parse(
        "  nodes:\n    a: {image: quay.io/frrouting/frr:9.1, startup-config: /etc/hostname}\n\
         \x20   b:\n      image: bird\n      startup-config: |\n        protocol device {}\n        protocol kernel {}\n",
    )
    .unwrap();
    assert_eq!(lab.nodes["a"].startup_config, Some(StartupConfig::File("/etc/hostname".into())));
    let text = "protocol device {}\nprotocol kernel {}\n".to_owned();
    assert_eq!(lab.nodes["b"].startup_config, Some(StartupConfig::Text(text)));
    assert!(error("  nodes: {a: {startup-config: x.cfg}}\n").contains("image debian is no router"));
}

#[test]
fn a_folder_stands_for_its_only_file_and_a_template_is_named_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let error = |path: &Path| format!("{:#}", Topology::read(path).unwrap_err());
    assert!(error(folder.path()).contains("has no topology file"));
    let text = format!("{HEAD}  nodes: {{a: {{binds: [\"gone:/x\"]}}}}\n");
    fs::write(folder.path().join("a.clab.yaml"), &text).unwrap();
    assert_eq!(Topology::open(folder.path(), Files::MayBeMissing).unwrap().name, "t");
    assert!(error(folder.path()).contains("gone does not exist"));
    fs::write(folder.path().join("b.clab.yml"), &text).unwrap();
    assert!(error(folder.path()).contains("several topology files, name one:"));
    let template = folder.path().join("x.clab.gotmpl");
    fs::write(&template, "name: x\ntopology:\n  nodes:\n{{ range $i := seq 3 }}\n").unwrap();
    assert!(error(&template).contains("line 4: this is a Go template"), "{}", error(&template));
}
