//! A path in a router's table, in words common to all routers.

/// Whether the router has chosen a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Best {
    /// The chosen one.
    Best,
    /// An alternative.
    #[default]
    Other,
}

impl From<bool> for Best {
    fn from(best: bool) -> Self {
        if best { Self::Best } else { Self::Other }
    }
}

impl Best {
    /// Whether this is the chosen path.
    pub fn is_best(self) -> bool {
        self == Self::Best
    }
}

/// One path. Attributes the router does not show are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PathLine {
    /// The prefix.
    pub prefix: String,
    /// NEXT_HOP.
    pub next_hop: String,
    /// AS_PATH, separated by spaces.
    pub as_path: String,
    /// ORIGIN: igp, egp or incomplete.
    pub origin: String,
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// COMMUNITIES, separated by spaces.
    pub communities: String,
    /// LARGE_COMMUNITY, separated by spaces.
    pub large_communities: String,
    /// ORIGINATOR_ID.
    pub originator_id: String,
    /// CLUSTER_LIST, separated by spaces.
    pub cluster_list: String,
    /// Whether it was chosen.
    pub best: Best,
}

impl PathLine {
    /// Prefix, next hop and the named attributes, as `expect.toml` writes them.
    pub fn show(&self, attributes: &[String]) -> String {
        let number = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
        let mut line = format!("{} via {}", self.prefix, self.next_hop);
        for name in attributes {
            let value = match name.as_str() {
                "as_path" => format!("[{}]", self.as_path),
                "origin" => self.origin.clone(),
                "local_pref" => number(self.local_pref),
                "med" => number(self.med),
                "communities" => format!("[{}]", self.communities),
                "large_communities" => format!("[{}]", self.large_communities),
                "originator_id" => self.originator_id.clone(),
                "cluster_list" => format!("[{}]", self.cluster_list),
                _ => continue,
            };
            let value = if value.is_empty() { "-" } else { &value };
            line.push_str(&format!(" {name} {value}"));
        }
        line
    }

    /// The attributes that [`Self::show`] knows.
    pub const ATTRIBUTES: &'static [&'static str] = &[
        "as_path",
        "origin",
        "local_pref",
        "med",
        "communities",
        "large_communities",
        "originator_id",
        "cluster_list",
    ];
}
