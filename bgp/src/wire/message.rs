//! The five messages (RFC 4271 section 4, RFC 2918) and the way from bytes to them.

use nom::{
    Parser,
    number::complete::{be_u8, be_u16},
};

use super::{
    context::DecodeContext,
    framer::{self, HEADER},
    notification::{ErrorKind, Notification},
    open::Open,
    update::{self, Update},
};
use crate::{event::RefreshMark, types::Family};

/// A message's type octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageType {
    /// OPEN.
    Open = 1,
    /// UPDATE.
    Update = 2,
    /// NOTIFICATION.
    Notification = 3,
    /// KEEPALIVE.
    Keepalive = 4,
    /// ROUTE-REFRESH (RFC 2918).
    RouteRefresh = 5,
}

impl MessageType {
    /// The type of this code.
    pub fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Open,
            2 => Self::Update,
            3 => Self::Notification,
            4 => Self::Keepalive,
            5 => Self::RouteRefresh,
            _ => return None,
        })
    }
}

/// A message as a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// OPEN.
    Open(Open),
    /// UPDATE.
    Update(Update),
    /// NOTIFICATION.
    Notification(Notification),
    /// KEEPALIVE.
    Keepalive,
    /// ROUTE-REFRESH.
    RouteRefresh(RouteRefresh),
}

impl Message {
    /// The message's type.
    pub fn message_type(&self) -> MessageType {
        match self {
            Self::Open(_) => MessageType::Open,
            Self::Update(_) => MessageType::Update,
            Self::Notification(_) => MessageType::Notification,
            Self::Keepalive => MessageType::Keepalive,
            Self::RouteRefresh(_) => MessageType::RouteRefresh,
        }
    }
}

/// A ROUTE-REFRESH (RFC 2918, RFC 7313), of any family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteRefresh {
    /// Address Family Identifier.
    pub afi: u16,
    /// Subsequent Address Family Identifier.
    pub safi: u8,
    /// Message subtype: 0 asks for the routes, 1 and 2 delimit them (RFC 7313 section 3.2).
    pub subtype: u8,
}

impl RouteRefresh {
    /// The request for all routes of a family.
    pub fn request(family: Family) -> Self {
        Self { afi: family.afi(), safi: family.safi(), subtype: 0 }
    }

    /// The mark before the routes of a family that is sent anew (BoRR, RFC 7313 section 3.2).
    pub fn beginning(family: Family) -> Self {
        Self { subtype: 1, ..Self::request(family) }
    }

    /// The mark behind them (EoRR).
    pub fn end(family: Family) -> Self {
        Self { subtype: 2, ..Self::request(family) }
    }

    /// The family, and which of the marks this is, when it is one of a family that we carry.
    pub fn mark(&self) -> Option<(Family, RefreshMark)> {
        let mark = match self.subtype {
            1 => RefreshMark::Beginning,
            2 => RefreshMark::End,
            _ => return None,
        };
        Family::from_codes(self.afi, self.safi).map(|family| (family, mark))
    }

    /// The family, when the message asks for the routes of one that we carry.
    pub fn requested_family(&self) -> Option<Family> {
        Family::from_codes(self.afi, self.safi).filter(|_| self.subtype == 0)
    }
}

/// Reads one whole message, header included, as [`framer::next_message`] yields it.
///
/// # Errors
/// The NOTIFICATION to send. Errors that RFC 7606 lets a session survive are no errors here but listed in
/// [`Update::malformed`].
pub fn decode(message: &[u8], context: &DecodeContext) -> Result<Message, Notification> {
    let length = framer::message_length(message, context.max_message)?;
    let (Some(length), Some((header, body))) = (length, message.split_first_chunk::<HEADER>()) else {
        return Err(ErrorKind::HEADER_UNSPECIFIC.into());
    };
    if length != message.len() {
        return Err(ErrorKind::HEADER_UNSPECIFIC.into());
    }
    let [.., kind] = header;
    match MessageType::from_code(*kind) {
        Some(MessageType::Update) => update::decode(body, context).map(Message::Update),
        Some(MessageType::Open) => Open::decode(body).map(Message::Open),
        Some(MessageType::Keepalive) => Ok(Message::Keepalive),
        Some(MessageType::Notification) => decode_notification(body).map(Message::Notification),
        Some(MessageType::RouteRefresh) => decode_route_refresh(body)
            .map(Message::RouteRefresh)
            .ok_or_else(|| Notification::with_data(ErrorKind::INVALID_ROUTE_REFRESH_LENGTH, message)),
        None => Err(Notification::with_data(ErrorKind::BAD_MESSAGE_TYPE, &[*kind])),
    }
}

fn decode_notification(body: &[u8]) -> Result<Notification, Notification> {
    match body {
        [code, subcode, data @ ..] => {
            Ok(Notification::with_data(ErrorKind { code: *code, subcode: *subcode }, data))
        }
        _ => Err(ErrorKind::HEADER_UNSPECIFIC.into()),
    }
}

fn decode_route_refresh(body: &[u8]) -> Option<RouteRefresh> {
    let parsed: nom::IResult<_, _> = (be_u16, be_u8, be_u8).parse_complete(body);
    match parsed {
        Ok(([], (afi, subtype, safi))) => Some(RouteRefresh { afi, safi, subtype }),
        _ => None,
    }
}
