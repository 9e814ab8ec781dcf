//! One session of a neighbour with a daemon.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::Duration,
};

use anyhow::{Result, bail};
use bgp::{
    event::RouteItem,
    types::{Families, Family},
    wire::{
        DecodeContext, EncodeContext, Message, Open,
        attribute::PathAttributes,
        capability::Capability,
        decode, encode, framer,
        nlri::{Nlri, NlriList},
        packer,
    },
};
use bytes::BytesMut;
use ipnet::Ipv4Net;

use super::routes::{Said, Source, Step};

/// The longest message there is without RFC 8654.
const MAX: usize = 4096;

/// The routes heard on a session.
pub(super) type Table = BTreeMap<Ipv4Net, PathAttributes>;

/// What the reading thread has heard.
#[derive(Debug, Default)]
struct Heard {
    table: Table,
    ended: Option<String>,
}

/// An established session.
#[derive(Debug)]
pub(super) struct Session {
    stream: TcpStream,
    context: EncodeContext,
    heard: Arc<(Mutex<Heard>, Condvar)>,
}

impl Session {
    /// Exchanges OPENs on a connection that a daemon has made; a thread reads from then on. Nothing comes of a
    /// connection that ends before: the daemon makes another.
    pub(super) fn open(mut stream: TcpStream, source: Source) -> Option<Self> {
        stream.set_nonblocking(false).ok()?;
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        let capabilities =
            vec![Capability::multiprotocol(Family::Ipv4Unicast), Capability::FourOctetAsn(source.asn())];
        let mut out = BytesMut::new();
        Open::new(source.asn(), 0, source.router_id(), capabilities).encode(&mut out).ok()?;
        encode::keepalive(&mut out);
        stream.write_all(&out).ok()?;
        let mut input = BytesMut::new();
        let context = DecodeContext {
            families: Families::from_iter([Family::Ipv4Unicast]),
            four_octet_asn: true,
            ..DecodeContext::unnegotiated(source.peer_type())
        };
        while !matches!(next(&mut stream, &mut input, &context).ok()?, Message::Keepalive) {}
        stream.set_read_timeout(None).ok()?;
        let session = Self {
            stream: stream.try_clone().ok()?,
            context: EncodeContext {
                peer_type: source.peer_type(),
                four_octet_asn: true,
                max_message: MAX,
                add_path: Families::NONE,
                ipv6_next_hops: Families::NONE,
            },
            heard: Arc::default(),
        };
        let heard = Arc::clone(&session.heard);
        std::thread::spawn(move || listen(stream, input, &context, &heard));
        Some(session)
    }

    /// Says it.
    pub(super) fn say(&mut self, said: &Said) -> Result<()> {
        let mut out = BytesMut::new();
        let nlri = |prefix: &Ipv4Net| Nlri { prefix: *prefix, path_id: 0 };
        packer::unreach(said.withdrawn.iter().map(nlri), &self.context, &mut out);
        for (prefix, attributes) in &said.announced {
            packer::reach(attributes, [nlri(prefix)], &self.context, &mut out)?;
        }
        self.stream.write_all(&out)?;
        self.still_up()
    }

    /// Whether the step's number has come from everyone who spoke in it.
    pub(super) fn has_heard(&self, step: &Step) -> bool {
        let heard = self.lock();
        let number = |source: Source| heard.table.get(&source.marker()).and_then(|route| route.med);
        step.speakers().all(|source| number(source) == Some(step.number))
    }

    /// The routes, without the numbers.
    pub(super) fn table(&self) -> Table {
        let mut table = self.lock().table.clone();
        Source::SPEAKERS.iter().for_each(|source| drop(table.remove(&source.marker())));
        table
    }

    /// An error with the reason when the session has ended.
    pub(super) fn still_up(&self) -> Result<()> {
        match &self.lock().ended {
            None => Ok(()),
            Some(reason) => bail!("the session has ended: {reason}"),
        }
    }

    /// Waits for something to be heard, a little while.
    pub(super) fn wait(&self) {
        drop(self.heard.1.wait_timeout(self.lock(), Duration::from_millis(20)));
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn listen(
    mut stream: TcpStream,
    mut input: BytesMut,
    context: &DecodeContext,
    heard: &(Mutex<Heard>, Condvar),
) {
    loop {
        let message = next(&mut stream, &mut input, context);
        let mut known = heard.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match message {
            Ok(Message::Update(update)) => {
                update.items.into_iter().for_each(|item| note(&mut known.table, item))
            }
            Ok(Message::Notification(notification)) => known.ended = Some(notification.explain()),
            Ok(_) => {}
            Err(error) => {
                known.ended.get_or_insert_with(|| format!("{error:#}"));
                heard.1.notify_all();
                return;
            }
        }
        heard.1.notify_all();
    }
}

fn note(table: &mut Table, item: RouteItem) {
    match item {
        RouteItem::Reach { attributes, nlri: NlriList::V4(list) } => {
            table.extend(list.iter().map(|nlri| (nlri.prefix, (*attributes).clone())));
        }
        RouteItem::Unreach(NlriList::V4(list)) => {
            list.iter().for_each(|nlri| drop(table.remove(&nlri.prefix)))
        }
        _ => {}
    }
}

/// The next message.
fn next(stream: &mut TcpStream, input: &mut BytesMut, context: &DecodeContext) -> Result<Message> {
    let mut chunk = [0; 16384];
    loop {
        match framer::next_message(input, MAX) {
            Ok(Some(message)) => {
                return decode(&message, context).map_err(|fault| anyhow::anyhow!("{}", fault.explain()));
            }
            Ok(None) => {}
            Err(fault) => bail!("{}", fault.explain()),
        }
        match stream.read(&mut chunk)? {
            0 => bail!("the connection was closed"),
            length => input.extend_from_slice(chunk.get(..length).unwrap_or_default()),
        }
    }
}
