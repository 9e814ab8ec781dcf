//! This host's addresses, followed by the kernel's own notices: sessions and the configuration depend on them.

use std::{collections::BTreeSet, io, time::Duration};

use bgp::event::HostAddress;
use tokio::{task::spawn_blocking, time::sleep};
use tracing::warn;

use super::{reload::Order, state::Daemon};
use crate::autodetect::interfaces;

/// Notices of one change come together: an address that is replaced is first gone, then there.
const SETTLE: Duration = Duration::from_millis(100);
/// The addresses are listed at most so often, however many pods come and go.
const PAUSE: Duration = Duration::from_millis(500);

/// Tells the speaker which addresses there are, and has the configuration detect the node's anew, at each change; without
/// end.
pub(super) async fn follow(daemon: Daemon) {
    let mut known: Option<BTreeSet<HostAddress>> = None;
    loop {
        match list().await {
            Ok(now) if known.as_ref() != Some(&now) => {
                if known.is_some() {
                    // With as many orders waiting as there is room for, one more would read nothing else.
                    let _waiting_already = daemon.orders.try_send(Order::default());
                }
                if daemon.speaker.host_addresses(now.clone()).await.is_ok() {
                    known = Some(now);
                }
            }
            Ok(_) => {}
            Err(error) => warn!(%error, "the addresses of this host cannot be listed"),
        }
        sleep(PAUSE).await;
        daemon.address_news.notified().await;
        sleep(SETTLE).await;
    }
}

async fn list() -> io::Result<BTreeSet<HostAddress>> {
    let found = spawn_blocking(interfaces::list).await.map_err(io::Error::other)??;
    let addresses = found.into_iter().flat_map(|interface| {
        let of = move |address: crate::autodetect::InterfaceAddress| HostAddress {
            address: address.net.addr(),
            index: interface.index,
            interface: interface.name.clone(),
        };
        interface.addresses.into_iter().map(of)
    });
    Ok(addresses.collect())
}
