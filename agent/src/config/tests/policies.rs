use super::*;

const TOR: &str = "[[peers]]\nname = \"tor\"\naddress = \"192.168.92.1\"\nasn = 64600\n";

/// A file with one term, used in the import of a peer.
fn term(keys: &str) -> String {
    format!("{TOR}import = \"p\"\n[[policies]]\nname = \"p\"\n[[policies.terms]]\n{keys}\n")
}

/// The only problem of that term.
#[track_caller]
fn refused(keys: &str, problem: &str) {
    assert_eq!(problems(&term(keys)), format!("siskin.toml:{problem}"), "of {keys}");
}

#[test]
fn a_policy_reads_as_it_is_meant() {
    let text = format!(
        r#"{TOR}import = ["from-tor", "pools"]
export = "to-tor"

[[prefix_sets]]
name = "bogons"
prefixes = ["0.0.0.0/8 le 32", "127.0.0.0/8 le 32"]

[[policies]]
name = "from-tor"

[[policies.terms]]
name = "bogons"
prefixes = ["bogons", "192.0.2.0/24 le 32"]
then = "reject"

[[policies.terms]]
prefixes = "0.0.0.0/0"
neighbor_as = 64600
set_local_pref = 200
add_communities = ["64512:1", "rt:64512:7"]
then = "accept"

[[policies]]
name = "to-tor"
default = "accept"
"#
    );
    let loaded = loaded(&text);
    assert_eq!(loaded.warnings, []);
    let intent = loaded.intent.clone();
    let policy = &intent.policies["from-tor"];
    let names: Vec<_> = policy.section.terms.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["bogons", "term-2"]);
    assert_eq!(policy.section.default, None);
    assert_eq!(policy.shown[0].1, r#"prefixes = ["bogons", "192.0.2.0/24 le 32"], then = "reject""#);
    assert_eq!(intent.peers["tor"].import.len(), 2);
    let shown = show(&loaded, Origins::Hidden);
    let wanted = r#"
[[policies]]
name = "from-tor"
default = "next"

[[policies.terms]]
name = "bogons"
prefixes = ["bogons", "192.0.2.0/24 le 32"]
then = "reject"

[[policies.terms]]
name = "term-2"
prefixes = "0.0.0.0/0"
neighbor_as = 64600
add_communities = ["64512:1", "rt:64512:7"]
set_local_pref = 200
then = "accept"

[[policies]]
name = "to-tor"
"#;
    assert!(shown.contains(wanted), "{shown}");
    assert_eq!(self::intent(&shown), intent, "what is shown means the same");
}

#[test]
fn mistakes_in_a_term_name_their_place_and_remedy() {
    for (keys, problem) in [
        (
            "then = \"acept\"",
            "9:8: policies[0].terms[0].then: `acept` means nothing here; use accept, reject, continue or next_policy",
        ),
        (
            "prefixs = []\nthen = \"accept\"",
            "9:1: policies[0].terms[0].prefixs: unknown key; did you mean `prefixes`?",
        ),
        (
            "name = \"t\"",
            "8:1: policies[0].terms[0].then: the term changes nothing and decides nothing; say then = \"accept\" or another",
        ),
        (
            "prefixes = \"bogus\"\nthen = \"accept\"",
            "9:12: policies[0].terms[0].prefixes: no set of prefixes is called `bogus`; the nearest known one is `blocks`",
        ),
        (
            "prefixes = \"10.0.0.0/8 ge 40\"\nthen = \"accept\"",
            "9:12: policies[0].terms[0].prefixes: `ge 40` is neither `ge LENGTH` nor `le LENGTH`; write it as 10.0.0.0/8, 10.0.0.0/8 ge 16 or 10.0.0.0/8 ge 16 le 24",
        ),
        (
            "prefixes = \"10.0.0.1\"\nthen = \"accept\"",
            "9:12: policies[0].terms[0].prefixes: `10.0.0.1` is no prefix; write 10.0.0.1/32",
        ),
        (
            "prefixes = []\nthen = \"accept\"",
            "9:12: policies[0].terms[0].prefixes: the list is empty, so nothing matches; list something or drop the key",
        ),
        (
            "communities = \"65000\"\nthen = \"accept\"",
            "9:15: policies[0].terms[0].communities: `65000`: no community; write it as 65000:1, 65000:*, 65000:100-199, 65000:1:2, rt:65000:1 or no-export",
        ),
        (
            "add_communities = \"65000:*\"",
            "9:19: policies[0].terms[0].add_communities: `65000:*`: it stands for more than one community; write one as 65000:1, 65000:1:2, rt:65000:1 or no-export",
        ),
        (
            "peers = \"tro\"\nthen = \"accept\"",
            "9:9: policies[0].terms[0].peers: no peer is called `tro`; did you mean `tor`?",
        ),
        (
            "as_paths = \"1 x\"\nthen = \"accept\"",
            "9:12: policies[0].terms[0].as_paths: `x` is no AS number, range, `?`, `*` or `+`; write it as \"64600 *\", \"* 65001\" or \"64600 ? 64512-65534\"",
        ),
        (
            "interfaces = \"eth 0\"\nthen = \"accept\"",
            "9:14: policies[0].terms[0].interfaces: `eth 0`: not the name of an interface; use one as eth0, eth* or bond?",
        ),
        (
            "local_pref = \"high\"\nthen = \"accept\"",
            "9:14: policies[0].terms[0].local_pref: `high`: not a number or a range of numbers; use a number, 100-199 or >=100",
        ),
        (
            "set_med = \"*2\"",
            "9:11: policies[0].terms[0].set_med: `*2` is no change of a MED; use a number, \"+10\", \"-10\" or \"none\"",
        ),
        ("prepend = 100", "9:11: policies[0].terms[0].prepend: 100 is out of range; use 1 to 32"),
        (
            "set_next_hop = \"self\"",
            "5:10: peers[0].import: term `term-1` of `p` says set_next_hop = \"self\", which means nothing in import; use the policy in export only, or drop it there",
        ),
    ] {
        refused(keys, problem);
    }
}

#[test]
fn names_are_unique_and_known() {
    let sets = "[[prefix_sets]]\nname = \"a\"\nprefixes = \"10.0.0.0/8\"\n";
    for (text, problem) in [
        (
            format!("{TOR}import = [\"pols\"]\n[[policies]]\nname = \"from-tor\"\n"),
            "siskin.toml:5:11: peers[0].import: no policy is called `pols`; did you mean `pools`?",
        ),
        (
            "[[policies]]\nname = \"p\"\n[[policies]]\nname = \"p\"\n".into(),
            "siskin.toml:4:8: policies[1].name: `p` is there already, at siskin.toml:2:8; choose another name",
        ),
        (
            "[[policies]]\nname = \"all\"\n".into(),
            "siskin.toml:2:8: policies[0].name: `all` means something already; choose another name",
        ),
        (
            "[[policies]]\nname = \"1\"\n".into(),
            "siskin.toml:2:8: policies[0].name: `1` is no name; use a letter, then letters, digits, `.`, `_` and `-`",
        ),
        (
            format!("{sets}{sets}"),
            "siskin.toml:5:8: prefix_sets[1].name: `a` is there already, at siskin.toml:2:8; choose another name",
        ),
        (
            "[[prefix_sets]]\nname = \"a\"\n".into(),
            "siskin.toml:1:1: prefix_sets[0].prefixes: this key is missing; say prefixes = [...]",
        ),
        (
            "[[community_sets]]\nname = \"no-export\"\ncommunities = \"1:1\"\n".into(),
            "siskin.toml:2:8: community_sets[0].name: `no-export` is a community; choose another name",
        ),
        (
            "[[policies]]\nname = \"p\"\nterms = 1\n".into(),
            "siskin.toml:3:9: policies[0].terms: this is a list of tables; write [[policies.terms]]",
        ),
    ] {
        assert_eq!(problems(&text), problem, "of {text}");
    }
}

#[test]
fn what_nobody_asks_for_is_warned_of() {
    let text = "[[policies]]\nname = \"p\"\n[[community_sets]]\nname = \"c\"\ncommunities = \"1:1\"\n";
    assert_eq!(
        warnings(text),
        [
            "siskin.toml:2:8: policies[0].name: no peer's import or export names the policy `p`; name it in one, or drop it",
            "siskin.toml:4:8: community_sets[0].name: no policy names the set `c`; name it in one, or drop it",
        ]
    );
}

#[test]
fn changes_of_policies_and_sets_are_told_in_words() {
    let with = |prefix: &str, then: &str| {
        let set = format!("[[prefix_sets]]\nname = \"s\"\nprefixes = \"{prefix}\"\n");
        intent(&format!("{}{set}", term(&format!("name = \"t\"\nprefixes = \"s\"\nthen = \"{then}\""))))
    };
    let change = Change::between(&with("10.0.0.0/8", "accept"), &with("10.0.0.0/9", "reject"));
    assert_eq!(
        change.applied,
        [
            "policies[p] term t: prefixes = \"s\", then = \"accept\" -> prefixes = \"s\", then = \"reject\"",
            "prefix_sets[s].prefixes: 10.0.0.0/8 -> 10.0.0.0/9",
        ]
    );
    assert_eq!(change.pending, []);
}
