//! Paths refused at import, counted by reason.

use crate::{decision::Reason, policy::RejectReason};

/// Paths of a peer that are in its Adj-RIB-In only, by the reason they were refused for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    checks: [u32; Reason::CHECKS.len()],
    policies: [u32; RejectReason::ALL.len()],
}

impl Refusals {
    /// The counter of a reason; `None`: nothing is refused for it.
    pub(super) fn of(&mut self, reason: Reason) -> Option<&mut u32> {
        match reason {
            Reason::Rejected(why) => self.policies.get_mut(usize::from(why.code())),
            check => {
                let index = Reason::CHECKS.iter().position(|known| *known == check)?;
                self.checks.get_mut(index)
            }
        }
    }

    /// All of them.
    pub fn total(&self) -> u32 {
        self.checks.iter().chain(&self.policies).sum()
    }

    /// The reasons that apply to some path, with how many, in an order that is always the same.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u32)> + '_ {
        let checks = Reason::CHECKS.into_iter().zip(self.checks);
        let policies = RejectReason::ALL.iter().copied().map(Reason::Rejected).zip(self.policies);
        checks.chain(policies).filter(|(_, paths)| *paths > 0)
    }

    /// Both together.
    pub(super) fn plus(mut self, other: &Self) -> Self {
        let ours = self.checks.iter_mut().chain(&mut self.policies);
        ours.zip(other.checks.iter().chain(&other.policies)).for_each(|(sum, more)| *sum += more);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_a_counter_of_its_own_and_nothing_else_has_one() {
        let mut refusals = Refusals::default();
        let reasons: Vec<_> = (0..=u8::MAX).filter_map(Reason::from_code).collect();
        let refused = |reason: &Reason| reason.is_rejected() && *reason != Reason::OnlyForPeers;
        for reason in &reasons {
            assert_eq!(
                refusals.of(*reason).map(|count| *count += 1).is_some(),
                refused(reason),
                "{reason:?}"
            );
        }
        assert!(refusals.iter().all(|(_, paths)| paths == 1));
        assert_eq!(refusals.iter().count(), reasons.iter().filter(|reason| refused(reason)).count());
        assert_eq!(refusals.plus(&refusals).total(), 2 * refusals.total());
    }
}
