//! What a panic costs.

use tracing::error;

use super::logging;

/// Exit status after a panic.
const EXIT_PANIC: i32 = 101;

/// From now on a panic ends the process, whatever task or thread it is in: a daemon of which a part has died must not go
/// on as if it were whole, and the kernel goes on without it. One that costs a single connection is only told.
pub(super) fn end_the_process() {
    std::panic::set_hook(Box::new(|panic| {
        if bgp::net::panic_is_contained() {
            return error!(%panic, "a defect of siskin; it costs one connection");
        }
        error!(%panic, "a defect of siskin; the kernel keeps the routes");
        logging::settle();
        std::process::exit(EXIT_PANIC);
    }));
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    const CHILD: &str = "SISKIN_TEST_PANICS";

    #[test]
    fn a_panic_of_any_task_or_thread_ends_the_process_with_its_status() {
        if let Ok(kind) = std::env::var(CHILD) {
            return panic_as(&kind);
        }
        let name = "daemon::panics::tests::a_panic_of_any_task_or_thread_ends_the_process_with_its_status";
        for kind in ["task", "thread"] {
            let mut child = Command::new(std::env::current_exe().expect("the test's program"));
            child.args(["--exact", name]).env(CHILD, kind).stdout(Stdio::null()).stderr(Stdio::null());
            let status = child.status().expect("it runs");
            assert_eq!(status.code(), Some(EXIT_PANIC), "{kind}");
        }
    }

    /// Panics, and would go on if nobody cared.
    fn panic_as(kind: &str) {
        end_the_process();
        if kind == "thread" {
            let _not_reached = std::thread::spawn(|| panic!("on purpose")).join();
        } else {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let _not_reached = runtime.block_on(async { tokio::spawn(async { panic!("on purpose") }).await });
        }
        std::process::exit(0);
    }
}
