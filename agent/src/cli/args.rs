//! What can be typed.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use clap::{Args, Parser, Subcommand};
use ipnet::IpNet;

use super::failure::EXIT_CODES;
use crate::config::{Flags, Inputs};

/// Where the daemon listens for commands unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/siskin/siskin.sock";

/// A routing daemon for hosts: learns routes by BGP and programs the Linux kernel,
/// through IPIP where a pool asks for it.
#[derive(Debug, Parser)]
#[command(name = "siskin", version, after_help = EXIT_CODES, infer_subcommands = true)]
#[command(arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    /// The daemon's socket [default: /run/siskin/siskin.sock]
    #[arg(long, global = true, value_name = "PATH", env = "SISKIN_SOCKET", hide_env_values = true)]
    pub socket: Option<PathBuf>,

    /// Print JSON for programs instead of tables for people
    #[arg(long, global = true)]
    pub json: bool,

    /// Give up after this long without a word from the daemon; 0: never
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 10, env = "SISKIN_TIMEOUT")]
    #[arg(hide_env_values = true)]
    pub timeout: u64,

    /// Show whole lines, however narrow the terminal is
    #[arg(long, global = true)]
    pub wide: bool,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon in the foreground
    Run(RunArgs),
    /// Show node, sessions, routes, tunnel and problems on one screen
    Status {
        /// Exit with 1 when something needs attention
        #[arg(long)]
        check: bool,
    },
    /// List the BGP peers, or show one in detail
    #[command(visible_alias = "neighbors", alias = "neighbor", alias = "neighbours")]
    Peers {
        /// A peer's name or address
        peer: Option<String>,
    },
    /// List the BFD sessions that watch the paths to peers, or show one in detail
    Bfd {
        /// A peer's name or address
        peer: Option<String>,
    },
    /// List routes of the RIB, best first
    Routes(RoutesArgs),
    /// List the kernel routes that are ours
    Fib {
        /// Only where the kernel differs from what is wanted
        #[arg(long)]
        diff: bool,
    },
    /// Explain what happens to packets for a prefix or an address, and why
    Explain {
        /// A prefix (172.16.196.128/26) or an address (172.16.196.132)
        #[arg(value_name = "PREFIX|ADDRESS", value_parser = parse_target)]
        target: Target,
    },
    /// List the policies in words: who uses them, and how often each term had a say
    #[command(
        after_help = "IN and OUT count the routes that a term decided over or changed, on their way in and on their way \
                            out (there once for all peers that are sent the same), since the daemon started or the \
                            peers' lists with the policy last changed."
    )]
    Policies {
        /// A policy's name, `pools`, `blocks`, `all`, `none`, or `guards`
        policy: Option<String>,
    },
    /// Print events as they happen
    Monitor,
    /// End a peer's session, so that it starts anew
    Clear {
        /// A peer's name or address, or "all"
        peer: String,
        /// Keep the session: ask for the routes again and send ours again
        #[arg(long)]
        soft: bool,
    },
    /// Write MRT files (RFC 6396)
    Mrt {
        /// What to do.
        #[command(subcommand)]
        command: MrtCommand,
    },
    /// Shut a peer down until `siskin enable`, or until the daemon starts anew
    Disable {
        /// A peer's name or address
        peer: String,
        /// What the peer is told, instead of the configured shutdown_text
        #[arg(long)]
        text: Option<String>,
    },
    /// Take `siskin disable` back
    Enable {
        /// A peer's name or address
        peer: String,
    },
    /// Stop the daemon; the kernel keeps forwarding
    Stop {
        /// Say goodbye to the peers, let them take other paths, then remove our routes
        #[arg(long)]
        drain: bool,
    },
    /// Remove what a stopped daemon left in the kernel: routes, tunnel address, guard
    #[command(after_help = "Works without the daemon, and is refused beside a running one \
                            (that is `siskin stop --drain`).")]
    Flush(ConfigArgs),
    /// Hand what a stopped daemon left in the kernel to another routing daemon, route by route in place
    #[command(
        after_help = "Works without the daemon (`siskin stop` first): the routes stay where they are and change \
                            their protocol. Tunnel and guard stay."
    )]
    Release(ReleaseArgs),
    /// Read the configuration again now, and say what came of it
    #[command(
        after_help = "Exit status 0: in force; 1: pending, because it would take away the node's address, all \
                            peers, all pools or all local blocks; 2: not valid."
    )]
    Reload {
        /// Apply a change that is pending
        #[arg(long)]
        force: bool,
    },
    /// Check a configuration, or show the one in force
    Config {
        /// What to do with it.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print the version
    Version,
}

/// `siskin run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// Learn and decide, but program and announce nothing; `siskin fib --diff` shows what it would do
    #[arg(long)]
    pub dry_run: bool,

    /// Remove our routes when stopped, as `siskin stop --drain` does
    #[arg(long)]
    pub flush_on_exit: bool,
}

/// The configuration file and the flags that go over it.
#[derive(Args, Clone, Debug, Default)]
pub struct ConfigArgs {
    /// Configuration file (TOML)
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// What goes over the file, or makes it unnecessary.
    #[command(flatten)]
    pub flags: Flags,
}

impl ConfigArgs {
    /// Whether nothing was typed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.config.is_none() && self.flags == Flags::default()
    }

    /// These, the environment, and the socket of the command line when there is one.
    #[must_use]
    pub fn inputs(&self, socket: Option<&Path>) -> Inputs {
        let socket = socket.map(|path| path.display().to_string());
        Inputs::of_process(self.config.clone(), Flags { socket, ..self.flags.clone() })
    }
}

/// `siskin routes`.
#[derive(Args, Debug)]
pub struct RoutesArgs {
    /// Only this prefix and what lies inside it; an address selects the routes that cover it
    #[arg(value_name = "PREFIX", value_parser = parse_target)]
    pub target: Option<Target>,

    /// Only what this peer (name or address) sent, or with --advertised what it was sent
    #[arg(long, value_name = "PEER")]
    pub peer: Option<String>,

    /// Which of the peer's routes; accepted ones by default
    #[command(flatten)]
    pub side: SideArgs,
}

/// The tables of one peer.
#[derive(Args, Clone, Copy, Debug, Default)]
#[group(multiple = false)]
pub struct SideArgs {
    /// All it sent, before import policy
    #[arg(long, requires = "peer")]
    pub received: bool,
    /// What import policy let pass
    #[arg(long, requires = "peer")]
    pub accepted: bool,
    /// What was refused, with the reason
    #[arg(long, requires = "peer")]
    pub rejected: bool,
    /// What it was sent
    #[arg(long, requires = "peer")]
    pub advertised: bool,
}

/// `siskin mrt`.
#[derive(Debug, Subcommand)]
pub enum MrtCommand {
    /// Dump the tables now: the accepted paths of every prefix
    #[command(
        after_help = "The file is made with your rights, appears when it is whole, and replaces only a regular file."
    )]
    Dump {
        /// The file
        file: PathBuf,
    },
}

/// `siskin config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check a configuration as `run` would read it, without touching anything
    #[command(after_help = "Exit status 0: valid; 2: not valid, or with --strict: there are warnings.")]
    Check(Box<CheckArgs>),
    /// Show the configuration in force: of the running daemon, or what FILE and flags would give
    Show {
        /// Where it comes from, when not from the running daemon.
        #[command(flatten)]
        config: Box<ConfigArgs>,
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,
    },
}

/// `siskin config check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The file, or - for standard input; as `-c FILE`
    #[arg(value_name = "FILE", conflicts_with = "config")]
    pub file: Option<PathBuf>,

    /// Judge it by itself: do not look at this host, its addresses and its other files
    #[arg(long)]
    pub offline: bool,

    /// Fail if there are warnings
    #[arg(long)]
    pub strict: bool,

    /// Where else the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// A prefix, or an address as a full-length prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// `a.b.c.d`.
    Address(IpAddr),
    /// `a.b.c.d/n`, host bits cleared.
    Prefix(IpNet),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Prefix(prefix) => prefix.fmt(f),
        }
    }
}

fn parse_target(text: &str) -> Result<Target, String> {
    if let Ok(address) = text.parse() {
        return Ok(Target::Address(address));
    }
    let prefix: IpNet = text.parse().map_err(|_| {
        "neither a prefix like 172.16.196.128/26 nor an address like 172.16.196.132".to_owned()
    })?;
    Ok(Target::Prefix(prefix.trunc()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn one_side_of_one_peer_can_be_chosen() {
        assert!(parse("siskin routes --peer tor --rejected").is_ok());
        assert!(parse("siskin routes --rejected").is_err());
        assert!(parse("siskin routes --peer tor --rejected --accepted").is_err());
    }

    #[test]
    fn global_options_go_anywhere() {
        let cli = parse("siskin peers --json --socket /tmp/s").expect("parses");
        assert!(cli.json);
        assert_eq!(cli.socket, Some(PathBuf::from("/tmp/s")));
    }

    #[test]
    fn a_target_is_a_prefix_or_an_address() {
        assert_eq!(parse_target("10.0.0.1/8"), Ok(Target::Prefix("10.0.0.0/8".parse().expect("a prefix"))));
        assert_eq!(parse_target("fd00::1"), Ok(Target::Address("fd00::1".parse().expect("an address"))));
        assert!(parse_target("ten").is_err());
    }
}

/// To whom routes are handed.
#[derive(Clone, Debug, Args)]
pub struct ReleaseArgs {
    /// The next owner's protocol: a name of rt_protos such as `bird`, or a number
    #[arg(long, value_name = "PROTOCOL", value_parser = crate::config::protocol_number)]
    pub to: u8,
    /// Where our protocol, table and metric are written.
    #[command(flatten)]
    pub config: ConfigArgs,
}
