//! Why the tunnel is not as asked.

use std::{io, path::PathBuf};

use crate::notice::{Notice, NoticeCode};

/// Why the tunnel is not as asked. Each is tried again by itself; none ends the service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel knows no such link kind.
    #[error("the kernel cannot create {device}: it has no `{kind}` module loaded or built in")]
    ModuleMissing {
        /// The device.
        device: String,
        /// The link kind, which is also the module's name.
        kind: &'static str,
    },
    /// The process may not configure the network.
    #[error("no permission to {operation}")]
    Privilege {
        /// What was tried.
        operation: String,
    },
    /// A link of another kind has the device's name.
    #[error("{device} exists and is a link of kind `{kind}`")]
    ForeignDevice {
        /// The device.
        device: String,
        /// Its kind, empty for hardware.
        kind: String,
    },
    /// The kernel has a tunnel of the same (open) endpoints under another name.
    #[error("{device} cannot be created: another ipip device without endpoints exists")]
    EndpointsTaken {
        /// The device.
        device: String,
    },
    /// There is no nftables program.
    #[error("the guard needs nftables: {} cannot be run: {source}", program.display())]
    NftMissing {
        /// The program looked for.
        program: PathBuf,
        /// Why it does not run.
        source: io::Error,
    },
    /// The kernel has no nftables, or not all that the guard needs of it.
    #[error("the guard needs nftables, of which this kernel lacks a part: {stderr}")]
    NftUnsupported {
        /// What nft said.
        stderr: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// nft runs, and something it needs itself is missing.
    #[error("the guard needs nftables, and nft does not work here: {stderr}")]
    NftBroken {
        /// What nft said.
        stderr: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// nftables refused.
    #[error("nft failed: {stderr}")]
    Nft {
        /// What nft said, or why it gave no answer.
        stderr: String,
    },
    /// The guard is not, or does not read, as we wrote it, however often it is put right.
    #[error(
        "the guard does not stay as it is written: something changes nftables' table `ip siskin` again and again"
    )]
    GuardContested,
    /// The kernel refused a request.
    #[error("cannot {operation}: {source}")]
    Netlink {
        /// What was tried.
        operation: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The service has ended.
    #[error("the tunnel service has ended")]
    Stopped,
}

impl Error {
    /// A stable name for programs.
    #[must_use]
    pub fn code(&self) -> NoticeCode {
        match self {
            Self::ModuleMissing { .. } => NoticeCode::ModuleMissing,
            Self::Privilege { .. } => NoticeCode::NoPrivilege,
            Self::ForeignDevice { .. } => NoticeCode::ForeignDevice,
            Self::EndpointsTaken { .. } => NoticeCode::EndpointsTaken,
            Self::NftMissing { .. } => NoticeCode::NftMissing,
            Self::NftUnsupported { .. } => NoticeCode::NftUnsupported,
            Self::Nft { .. } | Self::NftBroken { .. } => NoticeCode::NftFailed,
            Self::GuardContested => NoticeCode::GuardContested,
            Self::Netlink { .. } => NoticeCode::NetlinkFailed,
            Self::Stopped => NoticeCode::Stopped,
        }
    }

    /// What the operator can do about it: a command where there is one.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::ModuleMissing { kind, .. } => Some(format!("modprobe {kind}")),
            Self::Privilege { .. } => Some("run as root, or with CAP_NET_ADMIN".to_owned()),
            Self::ForeignDevice { device, .. } => Some(format!("ip link set dev {device} name OTHER")),
            Self::EndpointsTaken { device } => {
                Some(format!("ip -d link show type ipip; ip link set dev FOUND name {device}"))
            }
            Self::NftMissing { program, source } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some(format!("the file cannot be executed by this process: chmod +x {}", program.display()))
            }
            Self::NftMissing { .. } => Some("apt-get install nftables, or set guard = \"off\"".to_owned()),
            Self::NftUnsupported { remedy, .. } | Self::NftBroken { remedy, .. } => {
                Some((*remedy).to_owned())
            }
            Self::GuardContested => Some(
                "find the other program with `nft monitor`; of several siskins on one host, all but one need guard = \"off\""
                    .to_owned(),
            ),
            Self::Nft { .. } | Self::Netlink { .. } | Self::Stopped => None,
        }
    }
}

impl From<&Error> for Notice {
    fn from(error: &Error) -> Self {
        Self { code: error.code(), message: error.to_string(), remedy: error.remedy() }
    }
}
