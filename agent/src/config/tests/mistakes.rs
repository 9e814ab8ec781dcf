//! Common mistakes, what is said of them, and that it is said once.

use super::*;

fn refused(cases: &[(&str, &str)]) {
    for (text, problem) in cases {
        assert_eq!(problems(text), *problem, "of {text}");
    }
}

#[test]
fn typographic_quotation_marks_are_named() {
    refused(&[
        (
            "[node]\nname = \u{201c}a\u{201d}\nasn = 1",
            "siskin.toml:2:8: \u{201c} is a typographic quotation mark; write \" (or ') around texts",
        ),
        (
            "[bgp]\nmesh = [\u{2018}10.0.0.1\u{2019}]",
            "siskin.toml:2:9: \u{2018} is a typographic quotation mark; write \" (or ') around texts",
        ),
    ]);
    intent("[node]\nname = \"a\" # \u{201c}quoted\u{201d}");
}

#[test]
fn another_language_is_named_once() {
    let toml = "the configuration is TOML: [section] on a line of its own, then key = value";
    refused(&[
        (
            "node:\n  name: a\nbgp:\n  mesh:\n    - 10.0.0.1\n",
            &format!("siskin.toml:1:1: this is YAML; {toml}"),
        ),
        ("---\nnode:\n  name: a\n", &format!("siskin.toml:1:1: this is YAML; {toml}")),
        ("{\n  \"node\": { \"name\": \"a\" }\n}\n", &format!("siskin.toml:1:1: this is JSON; {toml}")),
        (
            "[bgp]\nhold_time: 90\nmesh = []",
            "siskin.toml:2:1: a colon stands where TOML has an equals sign; write hold_time = 90, texts in quotes",
        ),
    ]);
}

/// Each mistake, on a line of its own in an otherwise right file.
#[test]
fn one_mistake_is_one_problem() {
    let good = "[node]\nname = \"a\"\n\n[bgp]\nmesh = [\"192.168.92.2\"]\nhold_time = 90\n\n\
                [[peers]]\naddress = \"10.0.0.1\"\nasn = 64600\nimport = \"all\"\n\n\
                [[pools]]\ncidr = \"172.16.0.0/16\"\nipip_mode = \"Always\"\n\n\
                [local]\nblocks = [\"172.16.0.0/26\"]\n";
    let mistakes = [
        ("name = \"a\"", "name = \"a"),
        ("name = \"a\"", "name = a"),
        ("name = \"a\"", "name = "),
        ("name = \"a\"", "name"),
        ("name = \"a\"", "name = \"a\"\""),
        ("name = \"a\"", "name == \"a\""),
        ("[node]", "[node"),
        ("[node]", "node]"),
        ("[bgp]", "[[bgp]]"),
        ("[[peers]]", "[peers]"),
        ("[[peers]]", "[[peers]"),
        ("[\"192.168.92.2\"]", "[192.168.92.2]"),
        ("[\"192.168.92.2\"]", "[\"192.168.92.2\""),
        ("[\"192.168.92.2\"]", "\"192.168.92.2\""),
        ("[\"192.168.92.2\"]", "[\"192.168.92.300\"]"),
        ("hold_time = 90", "hold_time = ninety"),
        ("hold_time = 90", "hold_time = 90s"),
        ("hold_time = 90", "hold_time = True"),
        ("hold_time = 90", "hold_time = 1"),
        ("hold_time = 90", "hold-time = 90"),
        ("asn = 64600", "asn = \"AS64600x\""),
        ("asn = 64600", "asn = [64600, \"any\"]"),
        ("asn = 64600", "as = 64600\nasn = 64600"),
        ("address = \"10.0.0.1\"", "address = \"10.0.0\""),
        ("address = \"10.0.0.1\"", "address = 10"),
        ("import = \"all\"", "import = \"al\""),
        ("import = \"all\"", "import = []"),
        ("cidr = \"172.16.0.0/16\"", "cidr = \"172.16.0.0/33\""),
        ("cidr = \"172.16.0.0/16\"", "cidr = \"172.16.0.1/16\""),
        ("cidr = \"172.16.0.0/16\"", "cidr = 172"),
        ("ipip_mode = \"Always\"", "ipip_mode = \"Allways\""),
        ("ipip_mode = \"Always\"", "ipip_mode = true"),
        ("[\"172.16.0.0/26\"]", "[\"172.17.0.0/26\"]"),
        ("[\"172.16.0.0/26\"]", "[\"172.16.0.0/26\", \"172.16.0.0/26\"]"),
    ];
    intent(good);
    for (right, wrong) in mistakes {
        let text = good.replacen(right, wrong, 1);
        assert_ne!(text, good);
        let said = problems(&text);
        assert_eq!(said.lines().count(), 1, "{wrong}:\n{said}");
    }
}

#[test]
fn what_is_allowed_and_doubtful_is_warned_of() {
    let warned = |text: &str, wanted: &str| {
        let found = warnings(text);
        assert!(found.iter().any(|warning| warning.contains(wanted)), "{wanted}: {found:?}");
    };
    let peer = "[[peers]]\naddress = \"10.0.0.1\"\nasn = 64600\n";
    warned(
        peer,
        "siskin.toml:2:11: peers[0].import: an external peer without `import`: nothing is accepted from it (RFC 8212)",
    );
    warned(
        "[[pools]]\ncidr = \"192.168.0.0/16\"",
        "siskin.toml:2:8: pools[0].cidr: 192.168.0.0/16 contains the node's own network 192.168.92.0/24",
    );
    for public in ["203.0.113.1:9179", "0.0.0.0:9179", "[::]:9179", "[2001:db8::1]:9179"] {
        warned(&format!("[api]\nhttp = \"{public}\""), "api.http: ");
    }
    for fine in ["127.0.0.1:1", "10.1.1.1:1", "[::1]:1", "[fd00::1]:1", "100.64.0.1:1", "[::ffff:10.0.0.1]:1"]
    {
        assert_eq!(warnings(&format!("[api]\nhttp = \"{fine}\"")), [""; 0]);
    }
    for silent in ["import = \"none\"", "import = \"pools\""] {
        assert_eq!(warnings(&format!("{peer}{silent}")), [""; 0]);
    }
    let internal = peer.replace("64600", "64512");
    assert_eq!(warnings(&internal), [""; 0]);
}

#[test]
fn a_secret_that_every_user_may_read_is_warned_of() {
    let text = "[[peers]]\naddress = \"10.0.0.1\"\nasn = 64512\npassword_file = \"/p\"\n\
                [[peers]]\naddress = \"10.0.0.2\"\nasn = 64512\npassword = \"x\"\n";
    let mut host = FakeHost::with_file(text).file("/p", "one");
    let warnings = |host: &FakeHost| {
        let loaded = load(&inputs(&[], Flags::default()), host).unwrap();
        loaded.warnings.iter().map(|warning| warning.key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(warnings(&host), [""; 0]);
    host.public = vec!["/p".into()];
    assert_eq!(warnings(&host), ["peers[0].password_file"]);
    host.public = vec![FILE.into()];
    assert_eq!(warnings(&host), ["peers[1].password"]);
}

#[test]
fn another_address_of_this_host_is_no_other_node() {
    let text = "[bgp]\nmesh = [\"192.168.92.128\", \"10.7.0.1\", \"192.168.92.2\"]\n\
                [[peers]]\naddress = \"10.7.0.2\"\nasn = 64512\n";
    let mut host = FakeHost::with_file(text);
    host.interfaces.push(interface(1, "eth1", &["10.7.0.1/24", "10.7.0.2/24"]));
    let loaded = load(&inputs(&[], Flags::default()), &host).unwrap();
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    let wanted = "is another address of this host; take it out; this node is 192.168.92.128 to the others";
    assert_eq!(
        warnings,
        [
            format!("siskin.toml:2:27: bgp.mesh: 10.7.0.1 {wanted}"),
            format!("siskin.toml:4:11: peers[0].address: 10.7.0.2 {wanted}")
        ]
    );
}

#[test]
fn offline_nothing_is_concluded_from_the_host() {
    let text = "[bgp]\nmesh = [\"192.168.92.2\"]\nmesh_password_file = \"/nowhere\"\n[[pools]]\n\
                cidr = \"172.16.0.0/16\"\nipip_mode = \"Always\"";
    let inputs = Inputs { stdin: Some(text.into()), ..Inputs::default() };
    let loaded = load(&inputs, &Offline { file: None }).unwrap();
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.intent.node.name, "offline");
    let error = load(
        &Inputs { stdin: Some("[bgp]\nhold_time = 1".into()), ..Inputs::default() },
        &Offline { file: None },
    );
    assert!(error.unwrap_err().to_string().starts_with("<stdin>:2:13: bgp.hold_time: "));
}
