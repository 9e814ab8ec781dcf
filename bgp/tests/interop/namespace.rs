//! A network namespace for one test: the test runs itself once more inside it.

use std::{
    env,
    process::{Command, Stdio},
};

/// Set inside the namespace.
const INSIDE: &str = "SISKIN_TEST_NAMESPACE";

/// Where the caller runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a namespace whose loopback interface has 10.83.0.1 and 10.83.0.2.
    Inside,
    /// Outside; the test has run inside already, or cannot.
    Outside,
}

/// Runs the test of this name in a new network namespace, or says that we are in it.
pub(crate) fn enter(test: &str) -> Place {
    if env::var_os(INSIDE).is_some() {
        for arguments in ["link set lo up", "addr add 10.83.0.1/24 dev lo", "addr add 10.83.0.2/24 dev lo"] {
            let status = Command::new("ip").args(arguments.split(' ')).status().unwrap();
            assert!(status.success(), "ip {arguments}");
        }
        return Place::Inside;
    }
    let allowed = Command::new("unshare").args(["--net", "true"]).stderr(Stdio::null()).status();
    if !allowed.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: no network namespace can be made here (needs root)");
        return Place::Outside;
    }
    let inside = Command::new("unshare")
        .args(["--net", "--"])
        .arg(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--include-ignored"])
        .env(INSIDE, "yes")
        .output()
        .unwrap();
    // Printed by this process, the words belong to this test: a skip inside is a skip of it.
    for words in [&inside.stdout, &inside.stderr] {
        eprint!("{}", String::from_utf8_lossy(words));
    }
    assert!(inside.status.success(), "{test} failed inside its namespace");
    Place::Outside
}
