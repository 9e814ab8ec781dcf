//! The messages of a connection, each with what has to be known to read it.

use anyhow::{Context as _, Result, ensure};
use bgp::{
    types::PeerType,
    wire::{DecodeContext, Message, Open, context::MAX_EXTENDED_MESSAGE, decode, framer, negotiate},
};
use bytes::{Bytes, BytesMut};

use super::{
    reading::Width,
    streams::{Connection, Direction, Ends},
};

/// A message as it was captured.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) octets: Bytes,
    /// How its receiver reads it.
    pub(super) context: DecodeContext,
}

impl Heard {
    /// How wide AS numbers are; before there is a session there are none.
    pub(super) fn width(&self) -> Width {
        match self.context.families.is_empty() {
            true => Width::FourOctets,
            false => Width::of(&self.context),
        }
    }
}

/// The messages of each direction.
pub(super) fn messages(connection: &Connection) -> Result<[(Ends, Vec<Heard>); 2]> {
    let [client, server] = &connection.directions;
    let [from_client, from_server] = [cut(client)?, cut(server)?];
    let opens = [open_in(&from_client), open_in(&from_server)];
    let [of_client, of_server] = opens.each_ref().map(Option::as_ref);
    let heard = |messages: Vec<Bytes>, context: DecodeContext| {
        messages.into_iter().map(|octets| Heard { octets, context: context.clone() }).collect()
    };
    Ok([
        ((client.from, client.to), heard(from_client, context(of_server, of_client))),
        ((server.from, server.to), heard(from_server, context(of_client, of_server))),
    ])
}

fn cut(direction: &Direction) -> Result<Vec<Bytes>> {
    let ends = || format!("{} to {}", direction.from, direction.to);
    ensure!(!direction.has_gap(), "{}: segments were not captured", ends());
    let mut octets = BytesMut::from(&direction.octets[..]);
    let mut messages = Vec::new();
    while let Some(message) = framer::next_message(&mut octets, MAX_EXTENDED_MESSAGE).with_context(ends)? {
        messages.push(message);
    }
    Ok(messages)
}

fn open_in(messages: &[Bytes]) -> Option<Open> {
    let context = DecodeContext::unnegotiated(PeerType::External);
    match decode(messages.first()?, &context) {
        Ok(Message::Open(open)) => Some(open),
        _ => None,
    }
}

/// How the receiver reads what the sender sends, once both have sent their OPENs.
fn context(receiver: Option<&Open>, sender: Option<&Open>) -> DecodeContext {
    let agreed = receiver.zip(sender).and_then(|(receiver, sender)| {
        let negotiated = negotiate(receiver, sender, sender.asn()).ok()?;
        Some(DecodeContext::new(&negotiated))
    });
    agreed.unwrap_or_else(|| DecodeContext::unnegotiated(PeerType::External))
}
