//! Carries out a command: asks the daemon, shows the answer.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{
    EXIT_FAILED, EXIT_INVALID, EXIT_NO_DAEMON,
    args::{
        Cli, Command, ConfigArgs, ConfigCommand, DEFAULT_SOCKET, MrtCommand, ReleaseArgs, RoutesArgs,
        SideArgs, Target,
    },
    check,
    dump::Unfinished,
    output::{Stdout, count},
    show,
};
use crate::{
    api::{
        client::{Address, Answer, ClientError, ask, ask_with_file},
        protocol::{
            ClearMode, Done, Request, StopMode, Version,
            bfd::BfdRow,
            config::{ReloadOutcome, Reloaded},
            event::Event,
            explain::Explain,
            fib::{FibRow, FibSelect},
            peer::PeerRow,
            policy::Policies,
            route::{RouteQuery, RouteRow, RouteSide},
            status::Status,
        },
    },
    config::{Origins, ThisHost, load},
    daemon,
};

pub use super::failure::Failure;

/// Carries out what was typed.
///
/// # Errors
///
/// [`Failure`], to be described on standard error.
pub fn execute(cli: &Cli, out: &mut Stdout) -> Result<ExitCode, Failure> {
    let path = cli.socket.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_SOCKET));
    let limit = Some(Duration::from_secs(cli.timeout)).filter(|limit| !limit.is_zero());
    let remote = Remote { address: Address { path, limit }, json: cli.json };
    match &cli.command {
        Command::Status { check } => remote.status(out, *check),
        Command::Peers { peer } => remote.peers(out, peer.clone()),
        Command::Bfd { peer } => remote.bfd(out, peer.clone()),
        Command::Routes(args) => remote.routes(out, args),
        Command::Fib { diff } => remote.fib(out, *diff),
        Command::Explain { target } => remote.explain(out, *target),
        Command::Policies { policy } => remote.policies(out, policy.clone()),
        Command::Monitor => remote.monitor(out),
        Command::Clear { peer, soft } => {
            let mode = if *soft { ClearMode::Soft } else { ClearMode::Hard };
            remote.act(out, &Request::Clear { peer: peer.clone(), mode })
        }
        Command::Mrt { command: MrtCommand::Dump { file } } => remote.dump(out, file),
        Command::Disable { peer, text } => {
            remote.act(out, &Request::Disable { peer: peer.clone(), text: text.clone() })
        }
        Command::Enable { peer } => remote.act(out, &Request::Enable { peer: peer.clone() }),
        Command::Stop { drain } => remote.stop(out, if *drain { StopMode::Drain } else { StopMode::Keep }),
        Command::Reload { force } => remote.reload(out, *force),
        Command::Version => remote.version(out),
        Command::Config { command: ConfigCommand::Check(args) } => check::check(out, args, cli.json),
        Command::Config { command: ConfigCommand::Show { config, origin } } => {
            let origins = if *origin { Origins::Shown } else { Origins::Hidden };
            remote.show_config(out, config, origins)
        }
        Command::Run(args) => daemon::run::run(args, cli.socket.as_deref()),
        Command::Flush(args) => flush(out, args, cli.socket.as_deref(), cli.json),
        Command::Release(args) => release(out, args, cli.socket.as_deref(), cli.json),
    }
}

/// The daemon as seen from here.
struct Remote {
    address: Address,
    json: bool,
}

/// How long the daemon may take for what needs its time: its own end, a dump of all it knows, a large file.
const LONG: Duration = Duration::from_secs(600);

impl Remote {
    fn ask(&self, request: &Request) -> Result<Answer, Failure> {
        Ok(ask(&self.address, request)?)
    }

    fn status(&self, out: &mut Stdout, check: bool) -> Result<ExitCode, Failure> {
        let answer = self.ask(&Request::Status)?;
        let status: Status = answer.only()?;
        let written = if self.json { write_json(out, &status) } else { show::status::write(out, &status) };
        match written {
            // The verdict stands whether or not somebody reads the rest.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ if check && !status.healthy => Ok(ExitCode::from(EXIT_FAILED)),
            _ => Ok(ExitCode::SUCCESS),
        }
    }

    fn peers(&self, out: &mut Stdout, peer: Option<String>) -> Result<ExitCode, Failure> {
        let one = peer.is_some();
        let answer = self.ask(&Request::Peers { peer })?;
        if self.json {
            return write_json_rows(out, answer);
        }
        let peers: Vec<PeerRow> = collect(answer)?;
        match peers.as_slice() {
            [peer] if one => show::peers::write_detail(out, peer)?,
            peers => show::peers::write_table(out, peers)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn bfd(&self, out: &mut Stdout, peer: Option<String>) -> Result<ExitCode, Failure> {
        let one = peer.is_some();
        let answer = self.ask(&Request::Bfd { peer })?;
        if self.json {
            return write_json_rows(out, answer);
        }
        let sessions: Vec<BfdRow> = collect(answer)?;
        match sessions.as_slice() {
            [session] if one => show::bfd::write_detail(out, session)?,
            sessions => show::bfd::write_table(out, sessions)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn routes(&self, out: &mut Stdout, args: &RoutesArgs) -> Result<ExitCode, Failure> {
        let side = side(args.side, args.peer.is_some());
        let prefix = args.target.map(|t| t.to_string());
        let mut answer = self.ask(&Request::Routes(RouteQuery { prefix, peer: args.peer.clone(), side }))?;
        if self.json {
            return write_json_rows(out, answer);
        }
        let mut table = show::routes::table();
        let mut empty = true;
        while let Some(route) = answer.next_row::<RouteRow>()? {
            show::routes::add(&mut table, out, &route)?;
            empty = false;
        }
        if empty {
            writeln!(out, "no such route")?;
        } else {
            table.finish(out)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn fib(&self, out: &mut Stdout, diff: bool) -> Result<ExitCode, Failure> {
        let select = if diff { FibSelect::Different } else { FibSelect::All };
        let mut answer = self.ask(&Request::Fib { select })?;
        if self.json {
            return write_json_rows(out, answer);
        }
        let mut table = show::fib::table();
        let mut empty = true;
        while let Some(row) = answer.next_row::<FibRow>()? {
            empty = false;
            match select {
                FibSelect::All => show::fib::add(&mut table, out, &row)?,
                FibSelect::Different => show::fib::write_difference(out, &row)?,
            }
        }
        match (empty, select) {
            (true, FibSelect::All) => writeln!(out, "no route is ours")?,
            (true, FibSelect::Different) => writeln!(out, "the kernel has exactly the routes wanted")?,
            (false, FibSelect::All) => table.finish(out)?,
            (false, FibSelect::Different) => {}
        }
        Ok(ExitCode::SUCCESS)
    }

    fn explain(&self, out: &mut Stdout, target: Target) -> Result<ExitCode, Failure> {
        let story: Explain = self.ask(&Request::Explain { target: target.to_string() })?.only()?;
        if self.json {
            write_json(out, &story)?;
        } else {
            show::explain::write(out, &story)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn policies(&self, out: &mut Stdout, policy: Option<String>) -> Result<ExitCode, Failure> {
        let policies: Policies = self.ask(&Request::Policies { policy })?.only()?;
        if self.json {
            write_json(out, &policies)?;
        } else {
            show::policies::write(out, &policies)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn monitor(&self, out: &mut Stdout) -> Result<ExitCode, Failure> {
        let mut answer = self.ask(&Request::Monitor)?;
        answer.limit(None)?;
        let each = |event: &Event, out: &mut Stdout| -> io::Result<()> {
            if self.json {
                write_json(out, event)?;
            } else {
                show::monitor::write(out, event)?;
            }
            out.flush()
        };
        loop {
            match answer.next_row::<Event>() {
                Ok(Some(event)) => each(&event, out)?,
                Ok(None) | Err(ClientError::Cut) => {
                    return Err(Failure::Other(EXIT_NO_DAEMON, "the daemon has gone".into()));
                }
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Asks for something to be done.
    fn act(&self, out: &mut Stdout, request: &Request) -> Result<ExitCode, Failure> {
        let done: Done = self.ask(request)?.only()?;
        self.say(out, &done)?;
        Ok(ExitCode::SUCCESS)
    }

    fn reload(&self, out: &mut Stdout, force: bool) -> Result<ExitCode, Failure> {
        let mut answer = self.ask(&Request::Reload { force })?;
        answer.limit(self.address.limit.map(|limit| limit.max(LONG)))?;
        let reloaded: Reloaded = answer.only()?;
        if self.json {
            write_json(out, &reloaded)?;
        } else {
            show::reload::write(out, &reloaded)?;
        }
        Ok(match reloaded.outcome {
            ReloadOutcome::Unchanged | ReloadOutcome::Applied => ExitCode::SUCCESS,
            ReloadOutcome::Pending => ExitCode::from(EXIT_FAILED),
            ReloadOutcome::Refused => ExitCode::from(EXIT_INVALID),
        })
    }

    /// The file is opened here: the daemon only fills it.
    fn dump(&self, out: &mut Stdout, file: &Path) -> Result<ExitCode, Failure> {
        let failed = |error: io::Error| Failure::Other(EXIT_FAILED, format!("{}: {error}", file.display()));
        let path = std::path::absolute(file).map_err(failed)?;
        let unfinished = Unfinished::beside(&path).map_err(failed)?;
        let request = Request::MrtDump { file: path };
        let mut answer = ask_with_file(&self.address, &request, unfinished.file())?;
        answer.limit(self.address.limit.map(|limit| limit.max(LONG)))?;
        let done: Done = answer.only()?;
        unfinished.finish().map_err(failed)?;
        self.say(out, &done)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Returns when the daemon has really gone.
    fn stop(&self, out: &mut Stdout, mode: StopMode) -> Result<ExitCode, Failure> {
        let mut answer = self.ask(&Request::Stop { mode })?;
        let done: Done = answer.next_row()?.ok_or(ClientError::Cut)?;
        answer.limit(self.address.limit.map(|limit| limit.max(LONG)))?;
        answer.wait_for_end()?;
        self.say(out, &done)?;
        Ok(ExitCode::SUCCESS)
    }

    fn say(&self, out: &mut Stdout, done: &Done) -> io::Result<()> {
        if self.json { write_json(out, done) } else { writeln!(out, "{}", done.message) }
    }

    /// Of the running daemon, unless something else was named.
    fn show_config(
        &self,
        out: &mut Stdout,
        args: &ConfigArgs,
        origins: Origins,
    ) -> Result<ExitCode, Failure> {
        let view = if args.is_empty() {
            self.ask(&Request::Config)?.only()?
        } else {
            daemon::config_view(&load(&args.inputs(None), &ThisHost).map_err(Failure::invalid)?)
        };
        if self.json {
            write_json(out, &view.details)?;
        } else if origins == Origins::Shown {
            out.write_all(view.toml_with_origins.as_bytes())?;
        } else {
            out.write_all(view.toml.as_bytes())?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn version(&self, out: &mut Stdout) -> Result<ExitCode, Failure> {
        let ours = env!("CARGO_PKG_VERSION");
        let daemon = self.ask(&Request::Version).and_then(|a| Ok(a.only::<Version>()?)).ok();
        if self.json {
            write_json(out, &serde_json::json!({ "version": ours, "daemon": daemon }))?;
        } else {
            writeln!(out, "siskin {ours}")?;
            if let Some(daemon) = daemon {
                writeln!(out, "daemon {}, process {}", daemon.version, daemon.pid)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn flush(
    out: &mut Stdout,
    args: &ConfigArgs,
    socket: Option<&Path>,
    json: bool,
) -> Result<ExitCode, Failure> {
    let flushed = daemon::flush::flush(args, socket)?;
    if json {
        write_json(out, &flushed)?;
    } else {
        writeln!(out, "{} removed", count(flushed.removed, "route"))?;
        for line in &flushed.failed {
            writeln!(out, "not removed: {line}")?;
        }
    }
    Ok(if flushed.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
}

fn release(
    out: &mut Stdout,
    args: &ReleaseArgs,
    socket: Option<&Path>,
    json: bool,
) -> Result<ExitCode, Failure> {
    let released = daemon::flush::release(&args.config, socket, args.to)?;
    if json {
        write_json(out, &released)?;
    } else {
        writeln!(out, "{} handed over", count(released.released, "route"))?;
        for line in &released.failed {
            writeln!(out, "not handed over: {line}")?;
        }
    }
    Ok(if released.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
}

fn side(args: SideArgs, of_a_peer: bool) -> RouteSide {
    match args {
        SideArgs { received: true, .. } => RouteSide::Received,
        SideArgs { rejected: true, .. } => RouteSide::Rejected,
        SideArgs { advertised: true, .. } => RouteSide::Advertised,
        SideArgs { accepted: true, .. } => RouteSide::Accepted,
        _ if of_a_peer => RouteSide::Accepted,
        _ => RouteSide::LocRib,
    }
}

fn collect<R: DeserializeOwned>(mut answer: Answer) -> Result<Vec<R>, ClientError> {
    let mut rows = Vec::new();
    while let Some(row) = answer.next_row()? {
        rows.push(row);
    }
    Ok(rows)
}

pub(super) fn write_json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
}

/// An array of rows as they came, one a line.
fn write_json_rows(out: &mut impl Write, mut answer: Answer) -> Result<ExitCode, Failure> {
    let mut separator = "[";
    while let Some(row) = answer.next_row::<Box<RawValue>>()? {
        write!(out, "{separator}{row}")?;
        separator = ",\n";
    }
    writeln!(out, "{}", if separator == "[" { "[]" } else { "]" })?;
    Ok(ExitCode::SUCCESS)
}
