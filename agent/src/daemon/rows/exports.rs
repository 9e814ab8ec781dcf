//! To whom a route is announced.

use std::collections::BTreeMap;

use bgp::{
    core::{ExplainedExport, ExportSubject},
    wire::attribute::PathAttributes,
};

use super::{
    route::{Context, texts_of},
    words,
};
use crate::api::protocol::explain::ExportFact;

/// One fact for all peers of the same fate; sorted.
#[must_use]
pub(super) fn facts(exports: &[ExplainedExport], context: &Context) -> Vec<ExportFact> {
    let mut facts: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for export in exports {
        let (state, reason, text) = match &export.outcome {
            Ok(attributes) => match export.subject {
                ExportSubject::Best => ("announced", "sent", with(attributes)),
                ExportSubject::OwnDefault => {
                    ("announced", "default_originate", format!("{} (default_originate)", with(attributes)))
                }
            },
            Err(why) => ("withheld", why.name(), words::withheld(*why).to_owned()),
        };
        let policy = export.policy.as_ref().map(ToString::to_string);
        facts.entry((state, reason, text, policy)).or_default().push((context.peer_name)(export.peer));
    }
    let fact = |((state, reason, reason_text, policy), mut peers): (_, Vec<String>)| {
        let (state, reason): (&str, &str) = (state, reason);
        peers.sort_unstable_by(|a, b| crate::natural::compare(a, b));
        ExportFact { peers, state: state.to_owned(), reason: reason.to_owned(), reason_text, policy }
    };
    facts.into_iter().map(fact).collect()
}

/// The attributes as they are sent.
fn with(attributes: &PathAttributes) -> String {
    let mut parts = vec![format!("next hop {}", attributes.next_hop.address())];
    if !attributes.as_path.is_empty() {
        parts.push(format!("AS path {}", attributes.as_path));
    }
    parts.extend(attributes.local_pref.map(|value| format!("LOCAL_PREF {value}")));
    parts.extend(attributes.med.map(|value| format!("MED {value}")));
    let communities = texts_of(attributes);
    if !communities.is_empty() {
        parts.push(format!("communities {}", communities.join(" ")));
    }
    format!("with {}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, sync::Arc};

    use bgp::{
        core::Withheld,
        policy::{RejectReason, TermName, Trace},
        types::{Now, PeerId},
        wire::attribute::{AsPath, NextHop, Origin},
    };

    use super::*;

    fn export(
        peer: u32,
        subject: ExportSubject,
        outcome: Result<Arc<PathAttributes>, Withheld>,
        policy: Option<Trace>,
    ) -> ExplainedExport {
        ExplainedExport { peer: PeerId(peer), subject, outcome, policy }
    }

    #[test]
    fn peers_of_the_same_fate_are_told_of_once() {
        let attributes = Arc::new(PathAttributes {
            origin: Origin::Igp,
            as_path: AsPath::default(),
            next_hop: NextHop::V4(Ipv4Addr::new(192, 0, 2, 1)),
            med: Some(5),
            local_pref: None,
            atomic_aggregate: Default::default(),
            rare: None,
        });
        let decided = TermName { policy: Some("to-tor".into()), term: "bogons".into() };
        let policy = Some(Trace { decided, changed: Vec::new() });
        let refused = Err(Withheld::Rejected(RejectReason::Policy));
        let exports = [
            export(2, ExportSubject::Best, Ok(attributes.clone()), None),
            export(1, ExportSubject::Best, Ok(attributes.clone()), None),
            export(3, ExportSubject::Best, refused, policy),
            export(4, ExportSubject::OwnDefault, Ok(attributes), None),
        ];
        let context = Context { peer_name: &|id| format!("p{}", id.0), now: Now::default() };
        let told = facts(&exports, &context);
        assert_eq!(told[0].peers, ["p4"]);
        assert_eq!(told[0].reason_text, "with next hop 192.0.2.1, MED 5 (default_originate)");
        assert_eq!(told[1].peers, ["p1", "p2"]);
        assert_eq!(told[1].reason_text, "with next hop 192.0.2.1, MED 5");
        assert_eq!((told[2].state.as_str(), told[2].reason.as_str()), ("withheld", "policy"));
        assert_eq!(told[2].policy.as_deref(), Some("term bogons of to-tor decides"));
    }
}
