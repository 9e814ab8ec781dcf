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
        self.run(&["-f", "-"], Some(document)).await.map(drop)
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

fn refusal(stderr: &str) -> Error {
    const UNSUPPORTED: [&str; 2] = ["Protocol not supported", "Operation not supported"];
    let stderr = stderr.to_owned();
    if stderr.contains("Operation not permitted") {
        Error::Privilege { operation: "change nftables".to_owned() }
    } else if UNSUPPORTED.iter().any(|text| stderr.contains(text)) {
        Error::NftUnsupported { stderr }
    } else {
        Error::Nft { stderr }
    }
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::Nft { stderr: format!("unreadable answer: {error}") }
}
