//! The task that keeps the tunnel as it is wanted.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep, sleep_until},
};
use tracing::{info, warn};

use crate::{
    config::{Environment, KnownNodes, TunnelConfig},
    error::Error,
    keeper::Keeper,
    status::TunnelStatus,
    watch::{Scope, Watch},
};

/// Events of links come in bunches: this long after the first all of them are dealt with at once.
const DEBOUNCE: Duration = Duration::from_millis(50);
/// The same for those of the table, which is whole when the first event comes: each is sent after its transaction.
const TABLE_DEBOUNCE: Duration = Duration::from_millis(5);
/// When something failed it is tried again after this.
const RETRY: Duration = Duration::from_secs(1);

/// What the handles send.
pub(crate) struct Inbox {
    pub(crate) config: watch::Receiver<Option<TunnelConfig>>,
    pub(crate) known: watch::Receiver<Option<KnownNodes>>,
    pub(crate) requests: mpsc::Receiver<Request>,
}

/// What is answered.
pub(crate) enum Request {
    /// Take everything down.
    Flush(oneshot::Sender<Result<(), Error>>),
    /// Look now.
    Refresh(oneshot::Sender<Arc<TunnelStatus>>),
}

/// The service's state.
pub(crate) struct Service {
    keeper: Keeper,
    watch: Watch,
    inbox: Inbox,
    status: watch::Sender<Arc<TunnelStatus>>,
    check_interval: Duration,
    /// When everything was last looked at.
    last_look: Instant,
    /// What was last asked, or `None` while nothing was since the start or the last flush.
    config: Option<TunnelConfig>,
}

enum Event {
    Look(Scope),
    Configured,
    Asked(Request),
    End,
}

impl Service {
    /// Opens the sockets, in the network namespace of this thread.
    pub(crate) fn start(
        environment: Environment,
        inbox: Inbox,
        status: watch::Sender<Arc<TunnelStatus>>,
    ) -> io::Result<Self> {
        let check_interval = environment.check_interval;
        let keeper = Keeper::new(environment)?;
        let watch = Watch::start(keeper.interest())?;
        Ok(Self { keeper, watch, inbox, status, check_interval, last_look: Instant::now(), config: None })
    }

    /// Works until the last handle is gone.
    pub(crate) async fn run(mut self) {
        let mut wake = Instant::now() + self.check_interval;
        loop {
            match self.next_event(wake).await {
                Event::End => return,
                Event::Asked(Request::Flush(answer)) => {
                    let flushed = self.flush().await;
                    // The one who asked may have gone: the work is done all the same.
                    let _ = answer.send(flushed);
                }
                Event::Asked(Request::Refresh(answer)) => {
                    wake = self.look(Scope::Everything).await;
                    let _ = answer.send(self.status.borrow().clone());
                }
                Event::Configured => {
                    self.config = self.inbox.config.borrow_and_update().clone();
                    wake = self.look(Scope::Links).await;
                }
                Event::Look(scope) => wake = self.look(scope).await,
            }
            self.watch.care_for(self.keeper.interest());
        }
    }

    async fn next_event(&mut self, wake: Instant) -> Event {
        let unless_ended = |heard: Result<(), watch::error::RecvError>, event| match heard {
            Ok(()) => event,
            Err(_) => Event::End,
        };
        tokio::select! {
            heard = self.inbox.config.changed() => unless_ended(heard, Event::Configured),
            heard = self.inbox.known.changed() => unless_ended(heard, Event::Look(Scope::Links)),
            request = self.inbox.requests.recv() => request.map_or(Event::End, Event::Asked),
            scope = self.watch.changed() => {
                sleep(if scope == Scope::Everything { TABLE_DEBOUNCE } else { DEBOUNCE }).await;
                Event::Look(scope)
            }
            () = sleep_until(wake) => Event::Look(Scope::Everything),
        }
    }

    /// A round of care. Returns when the next is due.
    async fn look(&mut self, scope: Scope) -> Instant {
        let known = self.inbox.known.borrow_and_update().clone();
        let mut heard = None;
        if scope == Scope::Everything {
            self.last_look = Instant::now();
            heard = self.watch.take_table_event();
        }
        let problem = match &self.config {
            Some(config) => self.keeper.keep(config, known.as_ref(), scope, heard).await.err(),
            None => None,
        };
        self.publish(problem.as_ref());
        self.next_wake(problem.as_ref())
    }

    async fn flush(&mut self) -> Result<(), Error> {
        self.config = None;
        let flushed = self.keeper.flush().await;
        self.publish(flushed.as_ref().err());
        flushed
    }

    fn next_wake(&self, problem: Option<&Error>) -> Instant {
        let retry = match problem {
            None | Some(Error::ModuleMissing { .. } | Error::NftMissing { .. }) => None,
            Some(_) => Some(RETRY),
        };
        next_look(Instant::now(), self.last_look + self.check_interval, [retry, self.keeper.next_expiry()])
    }

    fn publish(&self, problem: Option<&Error>) {
        let status = self.keeper.status(problem);
        self.status.send_if_modified(|current| {
            if current.problem != status.problem {
                report(&status);
            }
            let differs = **current != status;
            *current = Arc::new(status);
            differs
        });
    }
}

/// When everything is looked at next: at its regular time, or earlier. A look at the links alone puts off neither.
fn next_look(now: Instant, regular: Instant, earlier: [Option<Duration>; 2]) -> Instant {
    earlier.into_iter().flatten().map(|pause| now + pause).fold(regular, Instant::min)
}

fn report(status: &TunnelStatus) {
    match &status.problem {
        Some(problem) => {
            let remedy = problem.remedy.as_deref().unwrap_or("none known; it is tried again");
            warn!(
                device = status.device,
                code = problem.code.name(),
                problem = problem.message,
                remedy,
                "tunnel not as asked"
            );
        }
        None => info!(device = status.device, "tunnel as asked"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_at_links_do_not_postpone_the_regular_look_at_everything() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let regular = start + 10 * second;
        for looks in 0..10 {
            let now = start + looks * second;
            assert_eq!(next_look(now, regular, [None, None]), regular);
        }
        assert_eq!(next_look(start, regular, [Some(second), None]), start + second);
        assert_eq!(next_look(start, regular, [Some(second), Some(second / 5)]), start + second / 5);
        assert_eq!(next_look(start + 9 * second, regular, [Some(5 * second), None]), regular);
    }
}
