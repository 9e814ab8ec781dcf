//! Running nft. Each change is one `nft -j -f -`: one transaction, all or nothing.

use std::{io, path::PathBuf, process::Stdio, time::Duration};

use serde_json::Value;
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

use crate::{
    error::Error,
    table::{
        FAMILY, TABLE, Table,
        listing::{self, Felix},
    },
};

/// nft answers in milliseconds; on a machine that is out of breath, in seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// The nftables program.
pub(crate) struct Nft {
    program: PathBuf,
}

impl Nft {
    pub(crate) fn new(program: PathBuf) -> Self {
        Self { program }
    }

    /// Our table, or `None` where there is none.
    pub(crate) async fn table(&self) -> Result<Option<Table>, Error> {
        match self.run(&["list", "table", FAMILY, TABLE], None).await {
            Ok(answer) => listing::parse_table(&answer).map(Some).map_err(unreadable),
            Err(Error::Nft { stderr }) if stderr.contains("No such file or directory") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What Felix has set up through nftables.
    pub(crate) async fn felix(&self) -> Result<Felix, Error> {
        let answer = self.run(&["list", "chains", FAMILY], None).await?;
        listing::felix(&answer).map_err(unreadable)
    }

    /// Applies a document as one transaction.
    pub(crate) async fn apply(&self, document: &Value) -> Result<(), Error> {
        let applied = self.run(&["-f", "-"], Some(document)).await.map(drop);
        applied.map_err(|error| match error {
            // What our documents name they create, so it is a kind of expression that the kernel has not.
            Error::Nft { stderr } if stderr.contains("Could not process rule: No such file or directory") => {
                Error::NftUnsupported { stderr, remedy: MODULES }
            }
            other => other,
        })
    }

    async fn run(&self, arguments: &[&str], document: Option<&Value>) -> Result<String, Error> {
        let child = Command::new(&self.program)
            .arg("-j")
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(if document.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child =
            child.map_err(|source| Error::NftMissing { program: self.program.clone(), source })?;
        let stdin = child.stdin.take();
        let talk = async {
            let written = match (stdin, document) {
                (Some(mut stdin), Some(document)) => stdin.write_all(document.to_string().as_bytes()).await,
                _ => Ok(()),
            };
            let output = child.wait_with_output().await?;
            // An nft that fails without reading says why; the broken pipe does not.
            if output.status.success() { written.map(|()| output) } else { Ok(output) }
        };
        let output = timeout(PATIENCE, talk).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let output = output.map_err(|error| Error::Nft { stderr: error.to_string() })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(refusal(String::from_utf8_lossy(&output.stderr).trim()))
    }
}

/// The modules our rules need, where the kernel has not built them in.
const MODULES: &str =
    "modprobe -a nf_tables nft_objref nft_fib nft_fib_ipv4 nft_masq nft_chain_nat, or set guard = \"off\"";

/// What is wrong when nft says this.
fn refusal(stderr: &str) -> Error {
    let says = |text: &str| stderr.contains(text);
    let stderr = stderr.to_owned();
    if says("Operation not permitted") {
        return Error::Privilege { operation: "change nftables".to_owned() };
    }
    if says("Protocol not supported") || says("Operation not supported") {
        return Error::NftUnsupported { stderr, remedy: "modprobe nf_tables, or set guard = \"off\"" };
    }
    let broken = if says("/dev/stdin") {
        "nft reads its rules from /dev/stdin, which is not there: ln -s /proc/self/fd/0 /dev/stdin, with /proc mounted"
    } else if says("error while loading shared libraries") {
        "a library of nft is missing: apt-get install --reinstall nftables"
    } else if says("JSON support not compiled-in") {
        "this nft is built without JSON: install one with it, as Debian's package nftables is"
    } else {
        return Error::Nft { stderr };
    };
    Error::NftBroken { stderr, remedy: broken }
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::Nft { stderr: format!("unreadable answer: {error}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_nft_from_working_is_named_with_its_remedy() {
        let cases = [
            ("Error: Could not open file \"/dev/stdin\": No such file or directory", "ln -s /proc/self/fd/0"),
            (
                "nft: error while loading shared libraries: libnftables.so.1: cannot open shared object file: No such file or directory",
                "--reinstall",
            ),
            ("Error: JSON support not compiled-in.", "without JSON"),
            ("netlink: Error: cache initialization failed: Protocol not supported", "modprobe nf_tables"),
        ];
        for (stderr, part) in cases {
            let remedy = refusal(stderr).remedy().unwrap_or_default();
            assert!(remedy.contains(part), "{stderr}: {remedy}");
        }
        let unknown = "internal:0:0-0: Error: Could not process rule: No such file or directory";
        assert!(matches!(refusal(unknown), Error::Nft { .. }), "a table that is not there says so too");
    }
}
