//! Reads an UPDATE (RFC 4271 section 4.3) with the revised error handling of RFC 7606.

use nom::{IResult, Parser, multi::length_data, number::complete::be_u16};

use super::{
    context::{DecodeContext, PathIds},
    framer::HEADER,
    nlri::{self, NlriList},
    notification::{ErrorKind, Notification},
};
use crate::{event::RouteItem, types::Family};

mod attributes;
mod malformed;
mod multiprotocol;
mod rows;

pub use malformed::{Action, Malformed, Reason};

use attributes::Attributes;

/// A decoded UPDATE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Routes withdrawn, then routes announced, so that an announcement wins (RFC 4271 section 4.3); or the
    /// one End-of-RIB. Of negotiated families only.
    pub items: Vec<RouteItem>,
    /// What was wrong and survived, in order of appearance.
    pub malformed: Vec<Malformed>,
}

impl Update {
    /// Whether the announced routes were turned into withdrawals.
    pub fn is_treated_as_withdraw(&self) -> bool {
        self.malformed.iter().any(|m| m.action == Action::TreatAsWithdraw)
    }
}

/// The three fields of an UPDATE.
struct Fields<'a> {
    withdrawn: &'a [u8],
    attributes: &'a [u8],
    nlri: &'a [u8],
}

impl<'a> Fields<'a> {
    fn split(body: &'a [u8]) -> Result<Self, Notification> {
        let parsed: IResult<_, _> = (length_data(be_u16), length_data(be_u16)).parse_complete(body);
        let (nlri, (withdrawn, attributes)) = parsed.map_err(|_| ErrorKind::MALFORMED_ATTRIBUTE_LIST)?;
        Ok(Self { withdrawn, attributes, nlri })
    }

    fn is_empty(&self) -> bool {
        self.withdrawn.is_empty() && self.attributes.is_empty() && self.nlri.is_empty()
    }
}

/// Reads the body of an UPDATE.
///
/// # Errors
/// The NOTIFICATION of a session reset (RFC 7606 section 2).
pub(super) fn decode(body: &[u8], context: &DecodeContext) -> Result<Update, Notification> {
    let fields = Fields::split(body)?;
    if fields.is_empty() {
        return Ok(end_of_rib(Family::Ipv4Unicast, context));
    }
    let withdrawn = classic(fields.withdrawn, context)?;
    let nlri = classic(fields.nlri, context)?;
    let mut attributes = Attributes::read(fields.attributes, context)?;
    if fields.withdrawn.is_empty()
        && fields.nlri.is_empty()
        && let Some(family) = attributes.end_of_rib()
    {
        return Ok(end_of_rib(family, context));
    }
    attributes.check_mandatory(!fields.nlri.is_empty(), context.peer_type);
    attributes.check_reach(!fields.nlri.is_empty())?;
    Ok(assemble(withdrawn, nlri, attributes))
}

/// Whether the prefixes of an UPDATE, header included, come with path identifiers: where only some families have them,
/// by the family of its prefixes; of several families the classic fields count.
pub fn path_ids(message: &[u8], context: &DecodeContext) -> PathIds {
    let body = message.get(HEADER..).unwrap_or_default();
    let Ok(fields) = Fields::split(body) else { return PathIds::Absent };
    if !fields.withdrawn.is_empty() || !fields.nlri.is_empty() {
        return context.path_ids(Family::Ipv4Unicast);
    }
    let family = attributes::multiprotocol_family(fields.attributes);
    family.map_or(PathIds::Absent, |family| context.path_ids(family))
}

fn end_of_rib(family: Family, context: &DecodeContext) -> Update {
    let negotiated = context.families.contains(family);
    Update {
        items: negotiated.then_some(RouteItem::EndOfRib(family)).into_iter().collect(),
        malformed: Vec::new(),
    }
}

/// The prefixes of a classic field; `None` when there are none, or when IPv4 was not negotiated.
fn classic(field: &[u8], context: &DecodeContext) -> Result<Option<NlriList>, Notification> {
    let family = Family::Ipv4Unicast;
    if field.is_empty() || !context.families.contains(family) {
        return Ok(None);
    }
    // RFC 7606 section 5.3: nothing that follows could be trusted.
    nlri::decode(field, family, context.path_ids(family))
        .map(Some)
        .map_err(|_| ErrorKind::INVALID_NETWORK_FIELD.into())
}

fn assemble(withdrawn: Option<NlriList>, nlri: Option<NlriList>, mut attributes: Attributes<'_>) -> Update {
    let mut items = Vec::with_capacity(1);
    let unreach = attributes.unreach.take().filter(|list| !list.is_empty());
    items.extend(withdrawn.into_iter().chain(unreach).map(RouteItem::Unreach));
    let reach = attributes.reach.take().filter(|(list, _)| !list.is_empty());
    let malformed = std::mem::take(&mut attributes.malformed);
    let classic = nlri.map(|list| (list, attributes.next_hop));
    let multiprotocol = reach.map(|(list, next_hop)| (list, Some(next_hop)));
    let both = classic.is_some() && multiprotocol.is_some();
    let withdraw = malformed.iter().any(|m| m.action == Action::TreatAsWithdraw);
    if both && !withdraw {
        let copy = attributes.clone();
        items.extend(classic.and_then(|(list, next_hop)| copy.into_item(list, next_hop)));
        items.extend(multiprotocol.and_then(|(list, next_hop)| attributes.into_item(list, next_hop)));
    } else if withdraw {
        items.extend(classic.into_iter().chain(multiprotocol).map(|(list, _)| RouteItem::Unreach(list)));
    } else {
        let one = classic.or(multiprotocol);
        items.extend(one.and_then(|(list, next_hop)| attributes.into_item(list, next_hop)));
    }
    Update { items, malformed }
}
