//! The real kernel.

use std::{io, net::IpAddr, time::Duration};

use futures_util::TryStreamExt;
use netlink_packet_route::AddressFamily;
use netlink_sys::AsyncSocket;
use rtnetlink::{Handle, new_connection_with_strict_check};
use tokio::{task::JoinHandle, time::timeout};

use super::{
    Kernel, Link, Monitor, Target,
    command::{CommandSocket, enlarge},
    decode, encode,
};
use crate::{
    error::Errno,
    foreign,
    object::{KernelObject, ObjectRequest},
    resolve::Lookup,
    route::{KernelRoute, Path},
    table::{Request, intern::Interner},
};

/// How long a dump may take.
const DUMP_TIMEOUT: Duration = Duration::from_secs(20);

/// The kernel of the network namespace in which it was opened.
pub struct Netlink {
    target: Target,
    commands: CommandSocket,
    dumps: Handle,
    connection: JoinHandle<()>,
}

impl Netlink {
    /// Opens the sockets, in the calling thread's network namespace, within a tokio runtime.
    ///
    /// # Errors
    ///
    /// When the kernel gives no sockets.
    pub fn open(target: Target) -> io::Result<(Self, Monitor)> {
        let commands = CommandSocket::open(target)?;
        let monitor = Monitor::open(commands.port())?;
        let (mut connection, dumps, _) = new_connection_with_strict_check()?;
        enlarge(connection.socket_mut().socket_ref())?;
        let connection = tokio::spawn(connection);
        Ok((Self { target, commands, dumps, connection }, monitor))
    }
}

impl Drop for Netlink {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Kernel for Netlink {
    fn program(
        &mut self,
        paths: &Interner<Path>,
        batch: &[Request],
        refused: &mut Vec<(usize, Errno)>,
    ) -> io::Result<()> {
        self.commands.program(paths, batch, refused)
    }

    fn program_objects(
        &mut self,
        batch: &[ObjectRequest],
        refused: &mut Vec<(usize, Errno)>,
    ) -> io::Result<()> {
        self.commands.program_objects(batch, refused)
    }

    fn objects(&mut self) -> io::Result<Option<Vec<KernelObject>>> {
        self.commands.objects()
    }

    fn lookup(&mut self, address: IpAddr, device: Option<u32>) -> io::Result<Option<Lookup>> {
        self.commands.lookup(address, device)
    }

    async fn dump(&mut self) -> io::Result<Vec<KernelRoute>> {
        let mut routes = Vec::new();
        let tables = foreign::tables(self.target.table);
        let both = [AddressFamily::Inet, AddressFamily::Inet6];
        for (family, table) in
            both.iter().flat_map(|family| tables.iter().map(move |table| (*family, *table)))
        {
            let request = encode::dump_request(family, table);
            let dump = self.dumps.route().get(request).execute().try_for_each(|message| {
                // A kernel may ignore both filters.
                let asked = message.header.address_family == family;
                let route = decode::route(&message).filter(|route| asked && route.table == table);
                routes.extend(route);
                futures_util::future::ok(())
            });
            match timeout(DUMP_TIMEOUT, dump).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => no_such_table(error)?,
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
        Ok(routes)
    }

    async fn links(&mut self) -> io::Result<Vec<Link>> {
        let dump = self
            .dumps
            .link()
            .get()
            .execute()
            .try_filter_map(|message| futures_util::future::ok(decode::link(&message)));
        match timeout(DUMP_TIMEOUT, dump.try_collect()).await {
            Ok(links) => links.map_err(io_error),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// A table that has never had a route does not exist (`ENOENT`): it is empty.
fn no_such_table(error: rtnetlink::Error) -> io::Result<()> {
    match io_error(error) {
        error if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        error => Err(error),
    }
}

fn io_error(error: rtnetlink::Error) -> io::Error {
    match error {
        rtnetlink::Error::NetlinkError(message) => message.to_io(),
        error => io::Error::other(error),
    }
}
