//! Carrying out the steps of a plan.

use tracing::info;

use crate::{error::Error, netlink::Netlink, nft::Nft, plan::Step, table::change};

/// How far the steps of a plan were taken.
pub(crate) struct Executed {
    /// Steps that were taken.
    pub(crate) taken: usize,
    /// Why the one after them was not.
    pub(crate) result: Result<(), Error>,
}

/// Takes the steps in their order and stops at the first that fails: what follows may rely on it.
pub(crate) async fn execute(netlink: &Netlink, nft: &Nft, steps: &[Step]) -> Executed {
    for (taken, step) in steps.iter().enumerate() {
        if let Err(error) = take(netlink, nft, step).await {
            return Executed { taken, result: Err(error) };
        }
        info!(step = %step, "tunnel changed");
    }
    Executed { taken: steps.len(), result: Ok(()) }
}

async fn take(netlink: &Netlink, nft: &Nft, step: &Step) -> Result<(), Error> {
    match step {
        Step::ChangeGuard(change) | Step::ChangeLeaving(change) => nft.apply(&change.document()).await,
        Step::RemoveTable => nft.apply(&change::removal()).await,
        Step::CreateDevice => netlink.create().await,
        Step::RenameDevice(index) => netlink.rename(*index).await,
        Step::SetMtu(mtu) => netlink.set_mtu(*mtu).await,
        Step::SetDontFragment(bit) => netlink.set_dont_fragment(*bit),
        Step::AddAddress(address) => netlink.add_address(*address).await,
        Step::RemoveAddress(net) => netlink.remove_address(*net).await,
        Step::SetUp => netlink.set_up().await,
        Step::SetDown => netlink.set_down().await,
        Step::DeleteDevice => netlink.delete().await,
    }
}
