//! The workspace under test: where it is, and its cargo.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

/// The workspace that this program belongs to.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Workspace {
    #[serde(rename = "workspace_root")]
    root: PathBuf,
    #[serde(rename = "target_directory")]
    target: PathBuf,
}

impl Workspace {
    /// Asks cargo: from this package's folder when cargo started us, else from the current one.
    pub(crate) fn find() -> Result<Self> {
        let here = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let here = here.map_or_else(std::env::current_dir, Ok)?;
        let mut ask = cargo_in(&here, ["metadata", "--no-deps", "--format-version", "1"]);
        let answer = crate::command::output(&mut ask).context("there is no workspace here")?;
        let workspace: Self = serde_json::from_str(&answer).context("`cargo metadata`")?;
        ensure!(
            workspace.labs().is_dir(),
            "{} is not siskin's workspace; run this inside it",
            workspace.root.display()
        );
        Ok(workspace)
    }

    /// The folder everything is in.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where builds go.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// The folder of the labs.
    pub(crate) fn labs(&self) -> PathBuf {
        self.root.join("conformance/labs")
    }

    /// Where the release build of the daemon is put.
    pub(crate) fn siskin(&self) -> PathBuf {
        self.target.join("release/siskin")
    }

    /// A cargo command at the workspace's root.
    pub(crate) fn cargo<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        cargo_in(&self.root, arguments)
    }

    /// The command that makes [`Self::siskin`].
    pub(crate) fn release_build(&self) -> Command {
        // With this package beside it, libraries that both use are as they were built for this program.
        let packages = ["--package", "siskin", "--package", "siskin-conformance"];
        self.cargo(["build", "--release"].into_iter().chain(packages).chain(["--bin", "siskin"]))
    }
}

/// A cargo command in a folder.
pub(crate) fn cargo_in<S: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = S>) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    command
}

/// What to type to have the same with root's rights.
pub(crate) fn as_root(alias: &str) -> String {
    format!("sudo env \"PATH=$PATH\" \"HOME=$HOME\" cargo {alias}")
}
