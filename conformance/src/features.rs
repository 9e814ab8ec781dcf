//! What the running kernel can do, found by trying it in a namespace that vanishes at once.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

/// Something a lab may need of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// IP in IP tunnels.
    Ipip,
    /// Impaired links (`tc netem`).
    Netem,
    /// Dummy interfaces.
    Dummy,
    /// VRF devices.
    Vrf,
    /// The TCP Authentication Option (RFC 5925).
    TcpAo,
}

impl Feature {
    /// The word of `needs` in `expect.toml`.
    pub fn parse(word: &str) -> Result<Self> {
        Ok(match word {
            "ipip" => Self::Ipip,
            "netem" => Self::Netem,
            "dummy" => Self::Dummy,
            "vrf" => Self::Vrf,
            "tcp-ao" => Self::TcpAo,
            _ => bail!("`needs` knows ipip, netem, dummy, vrf and tcp-ao, no `{word}`"),
        })
    }

    /// The word of `needs`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ipip => "ipip",
            Self::Netem => "netem",
            Self::Dummy => "dummy",
            Self::Vrf => "vrf",
            Self::TcpAo => "tcp-ao",
        }
    }

    /// Whether this kernel has it; a module is loaded if that is what it takes.
    pub fn available(self) -> bool {
        let attempt: &[&str] = match self {
            Self::Ipip => &["ip", "link", "add", "probe", "type", "ipip", "local", "127.0.0.1"],
            Self::Netem => &["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"],
            Self::Dummy => &["ip", "link", "add", "probe", "type", "dummy"],
            Self::Vrf => &["ip", "link", "add", "probe", "type", "vrf", "table", "10"],
            Self::TcpAo => return bgp::net::sys::ao_is_supported().is_ok(),
        };
        let mut command = Command::new("unshare");
        command.args(["--net", "--"]).args(attempt).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

/// The kernel's name and release.
pub fn kernel() -> String {
    let uname = rustix::system::uname();
    format!("{} {}", uname.sysname().to_string_lossy(), uname.release().to_string_lossy())
}
