//! The file form as data: every key with its type, default and meaning.
//!
//! Whatever must know all keys reads this one table: the check for unknown ones, the layers of defaults and
//! environment, the order of `config show`, the list of keys that need a restart, the reference page.

mod policy;

/// One `[section]`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Section {
    /// Its name.
    pub name: &'static str,
    /// How often it may stand in a file.
    pub shape: Shape,
    /// Its keys in the order they are shown.
    pub keys: &'static [Key],
}

/// How often a section may stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `[name]`, once.
    Table,
    /// `[[name]]`, any number of times; only in the file, or by flags of its own.
    Tables,
}

/// One key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// Its name within the section.
    pub name: &'static str,
    /// The type of its value.
    pub kind: Kind,
    /// What holds when nobody says anything.
    pub default: Fallback,
    /// When a change takes effect.
    pub applies: Applies,
    /// What it means.
    pub about: &'static str,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A string.
    Text,
    /// A string that is never shown.
    Secret,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Switch,
    /// A string or a whole number.
    TextOrInteger,
    /// An array of strings.
    TextList,
    /// An array of strings and whole numbers; a single one needs no brackets.
    Items,
    /// `[[section.key]]`: tables inside the table, any number of them.
    Tables(&'static Section),
}

impl Kind {
    /// The type in words, for errors and the reference page.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Text | Self::Secret => "a string",
            Self::Integer => "a whole number",
            Self::Switch => "true or false",
            Self::TextOrInteger => "a string or a whole number",
            Self::TextList => "an array of strings",
            Self::Items => "a string or number, or an array of them",
            Self::Tables(_) => "a list of tables",
        }
    }
}

/// What holds when nobody says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fallback {
    /// This string.
    Text(&'static str),
    /// This number.
    Integer(i64),
    /// This switch.
    Switch(bool),
    /// The empty list.
    Empty,
    /// What these words say.
    Derived(&'static str),
    /// Nothing; the key must be given.
    Required,
}

/// When a change takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Applies {
    /// In the running daemon.
    Live,
    /// When the daemon is started next; until then the change is reported as pending.
    Restart,
}

use Applies::{Live, Restart};
use Fallback::{Derived, Empty, Integer, Required, Switch, Text};

const fn key(
    name: &'static str,
    kind: Kind,
    default: Fallback,
    applies: Applies,
    about: &'static str,
) -> Key {
    Key { name, kind, default, applies, about }
}

/// Every section, in the order they are shown.
pub(super) const SECTIONS: &[Section] = &[
    Section { name: "node", shape: Shape::Table, keys: NODE },
    Section { name: "bgp", shape: Shape::Table, keys: BGP },
    Section { name: "bfd", shape: Shape::Table, keys: BFD },
    Section { name: "peers", shape: Shape::Tables, keys: PEERS },
    Section { name: "policies", shape: Shape::Tables, keys: policy::POLICIES },
    Section { name: "prefix_sets", shape: Shape::Tables, keys: policy::PREFIX_SETS },
    Section { name: "community_sets", shape: Shape::Tables, keys: policy::COMMUNITY_SETS },
    Section { name: "as_path_sets", shape: Shape::Tables, keys: policy::AS_PATH_SETS },
    Section { name: "pools", shape: Shape::Tables, keys: POOLS },
    Section { name: "local", shape: Shape::Table, keys: LOCAL },
    Section { name: "tunnel", shape: Shape::Table, keys: TUNNEL },
    Section { name: "kernel", shape: Shape::Table, keys: KERNEL },
    Section { name: "bmp", shape: Shape::Tables, keys: BMP },
    Section { name: "mrt", shape: Shape::Table, keys: MRT },
    Section { name: "api", shape: Shape::Table, keys: API },
    Section { name: "log", shape: Shape::Table, keys: LOG },
];

/// The section of this name.
pub(super) fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|s| s.name == name)
}

impl Section {
    /// The key of this name.
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|k| k.name == name)
    }
}

const NODE: &[Key] = &[
    key("name", Kind::Text, Derived("the host name in lower case"), Live, "Calico's node name"),
    key(
        "address",
        Kind::Text,
        Text("autodetect"),
        Live,
        "IPv4 address with the length of its network, which decides what is in our own subnet; a bare address \
         looks its length up on the host; `autodetect`, or `none`",
    ),
    key("address6", Kind::Text, Text("none"), Live, "IPv6 address, written likewise"),
    key(
        "autodetect",
        Kind::Text,
        Text("first-found"),
        Live,
        "how `address` is detected: `first-found`, `can-reach=HOST`, `interface=RE[,RE]`, \
         `skip-interface=RE[,RE]`, `cidr=CIDR[,CIDR]`",
    ),
    key("autodetect6", Kind::Text, Text("first-found"), Live, "how `address6` is detected"),
    key("asn", Kind::TextOrInteger, Integer(64512), Live, "our AS number; `\"1.10\"` is read too"),
    key(
        "router_id",
        Kind::Text,
        Derived("the IPv4 address"),
        Live,
        "BGP Identifier; `hash` makes one of the node name, as Calico does",
    ),
];

const BGP: &[Key] = &[
    key("listen_port", Kind::Integer, Integer(179), Live, "TCP port we listen on"),
    key(
        "listen",
        Kind::TextList,
        Empty,
        Live,
        "addresses to listen on instead of those of `bind`, with a port (`192.0.2.1:1790`) or without",
    ),
    key("bind", Kind::Text, Text("any"), Live, "listen on `any` address, or on those of the `node` only"),
    key(
        "mesh",
        Kind::TextList,
        Empty,
        Live,
        "addresses of the node-to-node mesh, all in our AS; our own is skipped, so that all nodes may have the \
         same list",
    ),
    key(
        "mesh_password_file",
        Kind::Text,
        Derived("none"),
        Live,
        "file with the TCP MD5 password of the mesh",
    ),
    key("hold_time", Kind::Integer, Integer(90), Live, "seconds; 0 (never expire) or 3 to 65535"),
    key("keepalive_time", Kind::Integer, Derived("a third of the negotiated hold time"), Live, "seconds"),
    key("connect_retry_time", Kind::Integer, Integer(5), Live, "seconds between attempts to connect"),
    key(
        "graceful_restart_time",
        Kind::Integer,
        Integer(120),
        Live,
        "seconds our peers keep our routes while we restart; 0 to 4095, 0 turns graceful restart off",
    ),
    key(
        "selection_deferral",
        Kind::Integer,
        Integer(30),
        Live,
        "longest wait in seconds for the peers' routes after our restart",
    ),
    key(
        "med_missing",
        Kind::Text,
        Text("best"),
        Live,
        "what a route without MED counts as: the `best` value (0) or the `worst`",
    ),
    key(
        "med_compare",
        Kind::Text,
        Text("same-as"),
        Live,
        "MED is compared between routes of the `same-as` neighbour, or `always`",
    ),
    key(
        "tie_break",
        Kind::Text,
        Text("router-id"),
        Live,
        "between equal external routes: the lowest `router-id`, or the `oldest` route (RFC 5004)",
    ),
    key(
        "multipath",
        Kind::Integer,
        Integer(1),
        Live,
        "most next hops of a route, from paths that are equal up to the distance of their next hops; 1 to 64. \
         Weights follow the link bandwidth community where all of them have it",
    ),
    key(
        "multipath_as_path",
        Kind::Text,
        Text("same"),
        Live,
        "paths share a route when their AS paths are the `same`, or (`relax`) of the same length",
    ),
    key(
        "cluster_id",
        Kind::TextOrInteger,
        Derived("the BGP Identifier"),
        Live,
        "cluster id as a route reflector (RFC 4456), an address or a number; the reflectors of one cluster may share it",
    ),
    key(
        "as_sets",
        Kind::Text,
        Text("reject"),
        Live,
        "routes with AS_SET or AS_CONFED_SET in their path: `reject` (RFC 9774; treated as withdrawn), `accept`",
    ),
    key(
        "long_lived_to_all",
        Kind::Switch,
        Switch(false),
        Live,
        "tell every internal peer of long-lived stale routes, those without the capability too: with LOCAL_PREF 0, and \
         to the latter with NO_EXPORT (RFC 9494 section 4.6); to be set throughout the AS",
    ),
    key(
        "graceful_shutdown",
        Kind::Switch,
        Switch(false),
        Live,
        "mark everything we announce as about to go (RFC 8326), so that traffic moves away before we do",
    ),
    key(
        "open_delay",
        Kind::Integer,
        Integer(3),
        Live,
        "seconds the mesh side that Calico would make passive waits before its first attempt to connect; 0 \
         makes collisions of connections happen",
    ),
    key(
        "add_path",
        Kind::Text,
        Text("off"),
        Live,
        "several paths for one prefix (RFC 7911): `off`, `receive`, `send` or `both`",
    ),
    key(
        "add_path_limit",
        Kind::TextOrInteger,
        Text("all"),
        Live,
        "most paths of a prefix that are sent, the best ones: 1 to 65535, or `all`; the peer's own limit holds too",
    ),
    key(
        "add_path_receive_limit",
        Kind::Integer,
        Integer(256),
        Live,
        "most paths of a prefix that are taken from a peer; further ones are refused; 1 to 65535",
    ),
    key("extended_messages", Kind::Switch, Switch(true), Live, "messages of up to 65535 octets (RFC 8654)"),
    key("enhanced_refresh", Kind::Switch, Switch(true), Live, "delimited route refresh (RFC 7313)"),
    key(
        "extended_next_hop",
        Kind::Switch,
        Derived("on for IPv6 sessions that carry IPv4"),
        Live,
        "IPv6 next hops of IPv4 routes (RFC 8950)",
    ),
    key(
        "long_lived_stale_time",
        Kind::Integer,
        Integer(0),
        Live,
        "seconds that routes are kept, as a last resort, beyond the restart time of a peer that does not come back, \
         and that we ask our peers to keep ours (RFC 9494); 0 to 16777215, 0 turns it off",
    ),
];

const BFD: &[Key] = &[
    key("mesh", Kind::Text, Text("off"), Live, "`on`: watch the paths to the nodes of `bgp.mesh`; `off`"),
    key(
        "interval",
        Kind::Integer,
        Integer(300),
        Live,
        "milliseconds between packets, sent and wanted; 10 to 60000; the slower side decides",
    ),
    key(
        "multiplier",
        Kind::Integer,
        Integer(3),
        Live,
        "so many intervals without a packet of ours, and the peer takes the path for dead; 1 to 255",
    ),
];

const PEERS: &[Key] = &[
    key("name", Kind::Text, Derived("the address"), Live, "unique name"),
    key("description", Kind::Text, Text(""), Live, "for people"),
    key("enabled", Kind::Switch, Switch(true), Live, "`false` keeps the peer administratively down"),
    key(
        "address",
        Kind::Text,
        Derived("none, with `range`; whoever is on the link, with `interface`"),
        Live,
        "IPv4 or IPv6 address; a link-local one needs `interface`",
    ),
    key(
        "range",
        Kind::Text,
        Derived("none"),
        Live,
        "instead of an address: whoever connects from here becomes a peer, named NAME/ADDRESS, while it is there",
    ),
    key("range_limit", Kind::Integer, Integer(100), Live, "so many peers of the range at once; 1 to 10000"),
    key(
        "interface",
        Kind::Text,
        Derived("any"),
        Live,
        "the interface connections go over; without an address the peer is the router that shows itself there by \
         Router Advertisements, or connects first, from a link-local address",
    ),
    key(
        "router_advertisements",
        Kind::Switch,
        Derived("true without an address"),
        Live,
        "whether Router Advertisements (of lifetime 0) are sent on `interface`, so that the peer finds us; for peers \
         without an address only",
    ),
    key("port", Kind::Integer, Integer(179), Live, "TCP port for connections we open"),
    key(
        "asn",
        Kind::Items,
        Required,
        Live,
        "the peer's AS number, a list of those it may have, or `internal`, `external`, `any`",
    ),
    key("source", Kind::Text, Text("node"), Live, "local address: `node`'s, `any`, or an address"),
    key("families", Kind::TextList, Derived("that of the address"), Live, "`ipv4`, `ipv6`"),
    key("passive", Kind::Switch, Switch(false), Live, "wait for the peer to connect"),
    key(
        "shutdown_text",
        Kind::Text,
        Text(""),
        Live,
        "what the peer is told when it is shut down (RFC 9003), at most 255 octets",
    ),
    key("hold_time", Kind::Integer, Derived("bgp.hold_time"), Live, "seconds; 0 or 3 to 65535"),
    key("keepalive_time", Kind::Integer, Derived("bgp.keepalive_time"), Live, "seconds"),
    key(
        "connect_retry_time",
        Kind::Integer,
        Derived("bgp.connect_retry_time"),
        Live,
        "seconds between attempts to connect",
    ),
    key(
        "delay_open",
        Kind::Integer,
        Integer(0),
        Live,
        "seconds the peer's OPEN is waited for before ours goes out (DelayOpen); 0 to 240",
    ),
    key(
        "idle_hold_time",
        Kind::Integer,
        Integer(1),
        Live,
        "seconds until the next attempt after a failure; each further failure doubles it",
    ),
    key("idle_hold_max", Kind::Integer, Integer(60), Live, "the longest such wait in seconds"),
    key(
        "send_hold_time",
        Kind::Integer,
        Derived("480, or twice the hold time where that is longer"),
        Live,
        "seconds a peer may take nothing of what we send (RFC 9687); 0 turns the timer off",
    ),
    key(
        "handshake_time",
        Kind::Integer,
        Integer(240),
        Live,
        "seconds a connection may last without the peer's OPEN; 3 to 65535",
    ),
    key(
        "withhold",
        Kind::TextList,
        Empty,
        Live,
        "capabilities never sent, for peers that cannot bear them, by name (`route-refresh`, `extended-message`, \
         `graceful-restart`, `four-octet-as`, ...) or code",
    ),
    key("next_hop", Kind::Text, Text("auto"), Live, "`auto` (BGP's rules), `self`, `keep`"),
    key(
        "route_reflector_client",
        Kind::Switch,
        Switch(false),
        Live,
        "whether the peer is our client in route reflection; internal peers only",
    ),
    key(
        "add_path",
        Kind::Text,
        Derived("bgp.add_path"),
        Live,
        "several paths for one prefix (RFC 7911): `off`, `receive`, `send` or `both`",
    ),
    key(
        "add_path_limit",
        Kind::TextOrInteger,
        Derived("bgp.add_path_limit"),
        Live,
        "most paths of a prefix that are sent, the best ones: 1 to 65535, or `all`; the peer's own limit holds too",
    ),
    key(
        "add_path_receive_limit",
        Kind::Integer,
        Derived("bgp.add_path_receive_limit"),
        Live,
        "most paths of a prefix that are taken from a peer; further ones are refused; 1 to 65535",
    ),
    key(
        "extended_messages",
        Kind::Switch,
        Derived("bgp.extended_messages"),
        Live,
        "messages of up to 65535 octets (RFC 8654)",
    ),
    key(
        "enhanced_refresh",
        Kind::Switch,
        Derived("bgp.enhanced_refresh"),
        Live,
        "delimited route refresh (RFC 7313)",
    ),
    key(
        "extended_next_hop",
        Kind::Switch,
        Derived("bgp.extended_next_hop"),
        Live,
        "IPv6 next hops of IPv4 routes (RFC 8950)",
    ),
    key(
        "long_lived_stale_time",
        Kind::Integer,
        Derived("bgp.long_lived_stale_time"),
        Live,
        "seconds that routes are kept, as a last resort, beyond the restart time of a peer that does not come back, \
         and that we ask our peers to keep ours (RFC 9494); 0 to 16777215, 0 turns it off",
    ),
    key("password", Kind::Secret, Derived("none"), Live, "TCP MD5 password, 1 to 80 bytes"),
    key(
        "password_file",
        Kind::Text,
        Derived("none"),
        Live,
        "file that holds it; unreadable: the peer stays down",
    ),
    key(
        "ao_key_file",
        Kind::Text,
        Derived("none"),
        Live,
        "file with a key of the TCP Authentication Option (RFC 5925); where the kernel has no TCP-AO the peer stays down",
    ),
    key("ao_send_id", Kind::Integer, Integer(1), Live, "KeyID of what we send; the peer's RecvID"),
    key("ao_receive_id", Kind::Integer, Integer(1), Live, "KeyID of what the peer sends"),
    key("ao_algorithm", Kind::Text, Text("hmac-sha1"), Live, "`hmac-sha1`, `aes128-cmac`, `hmac-sha256`"),
    key("multihop", Kind::Integer, Derived("1, internal peers 64"), Live, "hops to the peer; 1 to 255"),
    key(
        "ttl_security",
        Kind::Integer,
        Derived("off"),
        Live,
        "refuse packets from farther than this many hops (RFC 5082); 1 to 254; not together with `multihop`",
    ),
    key(
        "import",
        Kind::Items,
        Derived("pools for internal peers, none for external ones"),
        Live,
        "what is accepted: `pools`, `none`, `all`, names of policies; asked in this order",
    ),
    key(
        "export",
        Kind::Items,
        Derived("blocks, pools for route reflector clients"),
        Live,
        "what is announced: own `blocks`, `pools`, `all`, `none`, names of policies; asked in this order",
    ),
    key(
        "local_asn",
        Kind::TextOrInteger,
        Derived("node.asn"),
        Live,
        "another AS number of ours, by which this external peer knows us; a change starts the session anew",
    ),
    key(
        "local_asn_path",
        Kind::Text,
        Text("prepend"),
        Live,
        "where `local_asn` stands in AS paths: `prepend` (before those received, and before ours in those sent), \
         `no-prepend` (in those sent only), `replace` (instead of ours in those sent)",
    ),
    key(
        "role",
        Kind::Text,
        Derived("none"),
        Live,
        "what we are to this external peer (RFC 9234): `provider`, `customer`, `peer`, `rs` (route server), \
         `rs-client`; leaked routes are refused. A change starts the session anew",
    ),
    key("role_strict", Kind::Switch, Switch(false), Live, "refuse a peer that announces no role"),
    key(
        "allow_as_in",
        Kind::Integer,
        Integer(0),
        Live,
        "how often our own AS number may be in the AS paths received; 0 to 10",
    ),
    key(
        "enforce_first_as",
        Kind::Switch,
        Derived("true, false as a client of a route server"),
        Live,
        "whether an external peer's AS number must come first in its AS paths",
    ),
    key(
        "remove_private_as",
        Kind::Text,
        Text("off"),
        Live,
        "private AS numbers in AS paths sent to this external peer, but for its own: `off` leaves them, `all` takes \
         them out, `replace` puts ours in their place",
    ),
    key(
        "as_override",
        Kind::Switch,
        Switch(false),
        Live,
        "put our AS number in place of this external peer's own in AS paths sent to it",
    ),
    key(
        "weight",
        Kind::Integer,
        Integer(0),
        Live,
        "routes of the peer with the higher weight win before anything else is compared; 0 to 65535",
    ),
    key(
        "send_communities",
        Kind::TextList,
        Derived("all"),
        Live,
        "kinds of communities that are sent: `standard`, `extended`, `large`",
    ),
    key(
        "long_lived_to_all",
        Kind::Switch,
        Derived("bgp.long_lived_to_all"),
        Live,
        "the same, for this internal peer alone",
    ),
    key(
        "graceful_shutdown",
        Kind::Switch,
        Derived("bgp.graceful_shutdown"),
        Live,
        "mark what we announce to this peer as about to go (RFC 8326)",
    ),
    key(
        "blackhole",
        Kind::Switch,
        Switch(false),
        Live,
        "honour the BLACKHOLE community (RFC 7999): such routes do not leave our AS, and with \
         `kernel.blackhole_community` their packets are dropped",
    ),
    key(
        "default_originate",
        Kind::Switch,
        Switch(false),
        Live,
        "send the peer a default route of our own for each of its families, whatever we know ourselves and whatever \
         `export` says; it is not for the kernel nor for anybody else",
    ),
    key("install", Kind::Switch, Switch(true), Live, "whether learned routes go to the kernel"),
    key(
        "max_prefixes",
        Kind::TextOrInteger,
        Derived("100000, unlimited where import is all"),
        Live,
        "most prefixes the peer may send, refused ones included, or `unlimited`",
    ),
    key(
        "max_attribute_octets",
        Kind::TextOrInteger,
        Integer(268_435_456),
        Live,
        "most octets of memory for the path attributes the peer has sent, every distinct set counted once, or \
         `unlimited`; 4096 to 4294967295",
    ),
    key(
        "max_prefixes_action",
        Kind::Text,
        Text("restart"),
        Live,
        "beyond `max_prefixes` or `max_attribute_octets`: `restart` closes the session (Cease 6/1 or 6/8) for a while, \
         `block` leaves the excess out until there is room, `warn` takes it",
    ),
    key(
        "max_prefixes_restart",
        Kind::Integer,
        Integer(120),
        Live,
        "seconds until a session closed for one of them is tried again; 0: not before `siskin clear`; to 86400",
    ),
    key(
        "max_prefixes_warn_at",
        Kind::Integer,
        Integer(75),
        Live,
        "warn at this percentage of `max_prefixes` and of `max_attribute_octets`",
    ),
    key(
        "bfd",
        Kind::Text,
        Text("off"),
        Live,
        "`on`: watch the path to the peer with BFD, and end the session as soon as it fails; `off`",
    ),
    key("bfd_interval", Kind::Integer, Derived("bfd.interval"), Live, "milliseconds, sent and wanted"),
    key("bfd_min_tx", Kind::Integer, Derived("bfd_interval"), Live, "milliseconds between packets we send"),
    key("bfd_min_rx", Kind::Integer, Derived("bfd_interval"), Live, "milliseconds between packets we want"),
    key("bfd_multiplier", Kind::Integer, Derived("bfd.multiplier"), Live, "as there"),
    key(
        "bfd_multihop",
        Kind::Text,
        Text("auto"),
        Live,
        "UDP port 4784 instead of 3784: `on`, `off`, or `auto` (when the BGP session may take several hops)",
    ),
];

const POOLS: &[Key] = &[
    key("cidr", Kind::Text, Required, Live, "the pool's addresses; pools do not overlap"),
    key("block_size", Kind::Integer, Derived("26, IPv6 122"), Live, "prefix length of its blocks"),
    key("ipip_mode", Kind::Text, Text("Never"), Live, "`Always`, `CrossSubnet`, `Never`; IPv4 only"),
    key("export", Kind::Switch, Switch(true), Live, "`false`: nothing inside is announced to anyone"),
    key(
        "nat_outgoing",
        Kind::Switch,
        Switch(false),
        Live,
        "`true`: what goes from here to destinations outside all pools takes the host's address; IPv4 only",
    ),
];

const LOCAL: &[Key] = &[
    key(
        "blocks",
        Kind::TextList,
        Empty,
        Live,
        "blocks this host originates and blackholes, each inside a pool",
    ),
    key(
        "interfaces",
        Kind::TextList,
        Derived("cali*"),
        Live,
        "interfaces of pods (`*` ends a name): their addresses outside our blocks but inside a pool are originated",
    ),
];

const TUNNEL: &[Key] = &[
    key("address", Kind::Text, Derived("none"), Live, "IPv4 address of tunl0, a /32"),
    key("mtu", Kind::TextOrInteger, Text("auto"), Live, "`auto`: the underlay's less 20; or a number"),
    key(
        "next_hops",
        Kind::TextList,
        Empty,
        Live,
        "networks whose addresses are known nodes, besides the mesh and next hops learned from internal peers",
    ),
    key("guard", Kind::Text, Text("on"), Live, "let protocol 4 in from known nodes only; or `off`"),
    key(
        "allow_from",
        Kind::TextList,
        Empty,
        Live,
        "networks whose hosts may send into the tunnel although they are no known nodes; no route is tunnelled to them",
    ),
    key(
        "guard_grace",
        Kind::Integer,
        Integer(30),
        Live,
        "seconds for which the guard still lets in what is no longer known; 0 to 3600",
    ),
    key(
        "guard_bind",
        Kind::Switch,
        Switch(false),
        Live,
        "let in what is behind a node from that very node only, by a packet mark",
    ),
    key(
        "guard_mark",
        Kind::TextOrInteger,
        Text("0x3fff"),
        Live,
        "bits of the packet mark `guard_bind` may use: in one row, and nobody else's",
    ),
    key(
        "sysctls",
        Kind::Text,
        Text("report"),
        Live,
        "settings of the kernel that keep packets from passing: `report` them with their remedy, or `set` them",
    ),
];

const KERNEL: &[Key] = &[
    key(
        "protocol",
        Kind::TextOrInteger,
        Integer(179),
        Restart,
        "protocol number of our routes, or a name of rt_protos such as `bird`; never one of the kernel's own",
    ),
    key("table", Kind::TextOrInteger, Text("main"), Restart, "routing table, `main` or a number"),
    key("metric", Kind::Integer, Integer(0), Restart, "metric of our routes"),
    key(
        "adopt",
        Kind::TextList,
        Empty,
        Live,
        "protocols of routing daemons before us, such as `bird`: their routes are taken over in place at start",
    ),
    key(
        "nexthop_objects",
        Kind::Text,
        Text("auto"),
        Live,
        "whether routes refer to next-hop objects: `auto` (from 50000 routes on, where the kernel has them), `on`, `off`",
    ),
    key(
        "blackhole_community",
        Kind::Text,
        Text("ignore"),
        Live,
        "routes with the BLACKHOLE community (RFC 7999) from the mesh and from peers with `blackhole`: `discard` makes \
         them `blackhole` routes, which drop their packets; `ignore` forwards these as ever",
    ),
];

const BMP: &[Key] = &[
    key(
        "address",
        Kind::Text,
        Required,
        Live,
        "BMP collector (RFC 7854) to connect to: `HOST:PORT`, `[IPV6]:PORT`",
    ),
    key(
        "tables",
        Kind::TextList,
        Derived("received"),
        Live,
        "what it is told: `received` (Adj-RIB-In before import policy), `accepted` (after it), `loc-rib` (RFC 9069)",
    ),
    key("statistics", Kind::Integer, Integer(60), Live, "seconds between statistics reports; 0 sends none"),
    key(
        "retry",
        Kind::Integer,
        Integer(2),
        Live,
        "seconds before a new attempt to connect, doubled up to 60",
    ),
];

const MRT: &[Key] = &[
    key(
        "table",
        Kind::Text,
        Derived("none"),
        Live,
        "file the tables are dumped to (RFC 6396); `%Y %m %d %H %M %S` are filled in, in UTC",
    ),
    key("table_every", Kind::Integer, Integer(7200), Live, "seconds between dumps; 10 to 86400"),
    key(
        "updates",
        Kind::Text,
        Derived("none"),
        Live,
        "file for each UPDATE received and each change of a session's state, named likewise",
    ),
    key("updates_every", Kind::Integer, Integer(900), Live, "seconds until a new file begins; 10 to 86400"),
];

const API: &[Key] = &[
    key("socket", Kind::Text, Text("/run/siskin/siskin.sock"), Restart, "unix socket of the command line"),
    key("http", Kind::Text, Text("off"), Restart, "ADDRESS:PORT for metrics, health and JSON, or `off`"),
];

const LOG: &[Key] = &[
    key("level", Kind::Text, Text("info"), Live, "`error`, `warn`, `info`, `debug`, `trace`"),
    key("format", Kind::Text, Text("text"), Restart, "`text` or `json`"),
];
