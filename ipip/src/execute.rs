//! Carrying out the steps of a plan.

use tracing::info;

use crate::{error::Error, guard, netlink::Netlink, nft::Nft, plan::Step};

/// Takes the steps in their order and stops at the first that fails: what follows may rely on it.
pub(crate) async fn execute(netlink: &Netlink, nft: &Nft, steps: &[Step]) -> Result<(), Error> {
    for step in steps {
        take(netlink, nft, step).await?;
        info!(step = %step, "tunnel changed");
    }
    Ok(())
}

async fn take(netlink: &Netlink, nft: &Nft, step: &Step) -> Result<(), Error> {
    match step {
        Step::ChangeGuard(change) => nft.apply(&change.document()).await,
        Step::RemoveGuard => nft.apply(&guard::removal()).await,
        Step::CreateDevice => netlink.create().await,
        Step::RenameDevice(index) => netlink.rename(*index).await,
        Step::SetMtu(mtu) => netlink.set_mtu(*mtu).await,
        Step::AddAddress(address) => netlink.add_address(*address).await,
        Step::RemoveAddress(net) => netlink.remove_address(*net).await,
        Step::SetUp => netlink.set_up().await,
        Step::SetDown => netlink.set_down().await,
        Step::DeleteDevice => netlink.delete().await,
    }
}
