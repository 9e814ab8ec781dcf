//! The command line of `siskin-lab`.

use std::{
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};

use crate::{
    campaign::{Selection, programs_of, summary},
    demo,
    expect::{Expectations, Set},
    features::Feature,
    feed::Feed,
    graph,
    guest::{self, Build},
    install, interop, interrupt,
    lab::{Guardian, Lab},
    launch::Router,
    node,
    run::Outcome,
    suite::{self, Mode},
    topology::{Files, Topology, file_of},
    ui, wiretap,
};

/// Runs containerlab topology files in network namespaces, with siskin, BIRD, FRR, GoBGP, OpenBGPD and ExaBGP as nodes.
#[derive(Debug, Parser)]
#[command(name = "siskin-lab", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Start a lab and leave it running
    Up {
        /// The topology file, or a folder with one
        #[arg(default_value = ".")]
        file: PathBuf,
    },
    /// End a lab and remove every trace of it
    Down {
        /// The topology file, or a folder with one
        #[arg(default_value = ".")]
        file: PathBuf,
    },
    /// Run a command in a node of a running lab
    Exec {
        /// The topology file, or a folder with one
        file: PathBuf,
        /// The node
        node: String,
        /// The command; a shell unless given
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Run labs and check what their expect.toml says
    Test {
        /// Topology files, or folders that hold some
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Only the run of this name, LAB or LAB/VARIANT (may be repeated)
        #[arg(long = "run", value_name = "NAME")]
        only: Vec<String>,
        /// Also the runs that take long
        #[arg(long)]
        full: bool,
        /// List the runs instead
        #[arg(long)]
        list: bool,
        /// Print the results as JSON; what people read goes to the standard error output
        #[arg(long)]
        json: bool,
        /// Begin no run after so many seconds
        #[arg(long, value_name = "SECONDS")]
        time_limit: Option<u64>,
    },
    /// Which features work with which daemon, from the last runs of the labs
    Interop {
        /// Folders with the labs
        #[arg(default_value = "conformance/labs")]
        paths: Vec<PathBuf>,
        /// Write the page to this file
        #[arg(long, value_name = "FILE")]
        write: Option<PathBuf>,
    },
    /// Check everything: format, lints, docs, tests, fuzzing, labs
    Conformance {
        /// How much of it
        #[arg(default_value = "default")]
        mode: Mode,
    },
    /// Show two hosts routing their pods, live
    Demo {
        /// The lab, once everything is built
        #[arg(long, hide = true)]
        topology: Option<PathBuf>,
    },
    /// Draw a topology as a Mermaid flowchart
    Graph {
        /// The topology file, or a folder with one
        #[arg(default_value = ".")]
        file: PathBuf,
    },
    /// Read captures of BGP with siskin and with tshark, and compare field by field
    Compare {
        /// Files as tcpdump writes them, or folders that hold some; those of the last labs unless given
        files: Vec<PathBuf>,
    },
    /// Tell several daemons the same routes, and compare what they choose
    #[command(hide = true)]
    Feed {
        /// The daemons, as NAME=ADDRESS
        daemons: Vec<String>,
        /// Where the pseudo-random numbers start; anywhere unless given
        #[arg(long)]
        seed: Option<u64>,
        /// How many steps
        #[arg(long, default_value_t = 500)]
        steps: u32,
        /// The daemon that has BIRD's `deterministic med`
        #[arg(long, value_name = "NAME")]
        deterministic_med: Option<String>,
    },
    /// The first process of a node
    #[command(hide = true)]
    NodeInit {
        /// What to set up
        spec: PathBuf,
    },
    /// Holds the guest in which a lab stays up
    #[command(hide = true)]
    GuestKeep {
        /// The topology file
        file: PathBuf,
        /// The kernel
        #[arg(long)]
        build: Build,
    },
    /// In the guest: brings a lab up and runs commands in its nodes
    #[command(hide = true)]
    GuestServe {
        /// The topology file
        file: PathBuf,
    },
    /// Takes a lab down when its runner is gone
    #[command(hide = true)]
    Guard {
        /// The lab's name
        lab: String,
    },
}

impl Cli {
    /// Does what was asked.
    pub fn run(self) -> Result<ExitCode> {
        match self.command {
            Action::Up { file } => up(&file),
            Action::Down { file } => down(&file),
            Action::Exec { file, node, command } => exec(&file, &node, command),
            Action::Test { paths, only, full, list, json, time_limit } => {
                let until =
                    time_limit.and_then(|limit| Instant::now().checked_add(Duration::from_secs(limit)));
                let set = if full { Set::Full } else { Set::Default };
                let selection = Selection { paths, only, set, until };
                if list { list_runs(&selection) } else { test(&selection, Report::asked(json)) }
            }
            Action::Interop { paths, write } => interop_page(paths, write),
            Action::Conformance { mode } => suite::run(mode),
            Action::Demo { topology: None } => demo::prepare(),
            Action::Demo { topology: Some(file) } => demo::run(&file),
            Action::Graph { file } => {
                let topology = Topology::open(&file, Files::MayBeMissing)?;
                topology.notes.iter().for_each(|note| ui::note(note));
                ui::line(graph::mermaid(&topology).trim_end());
                Ok(ExitCode::SUCCESS)
            }
            Action::Compare { files } => wiretap::compare(&files).map(|()| ExitCode::SUCCESS),
            Action::Feed { daemons, seed, steps, deterministic_med } => {
                feed(&daemons, seed, steps, deterministic_med)
            }
            Action::NodeInit { spec } => node::init::main(&spec).map(|()| ExitCode::SUCCESS),
            Action::GuestKeep { file, build } => guest::stay::keep(&file, build),
            Action::GuestServe { file } => guest::stay::serve(&file),
            Action::Guard { lab } => Guardian::run(&lab).map(|()| ExitCode::SUCCESS),
        }
    }
}

fn up(file: &std::path::Path) -> Result<ExitCode> {
    let file = &file_of(file)?;
    Topology::read(file)?;
    crate::lab::require_root()?;
    interrupt::listen()?;
    install::ensure_programs(install::LAB)?;
    let topology = Topology::read(file)?;
    install::ensure_programs(&programs_of(&topology))?;
    topology.notes.iter().for_each(|note| ui::note(note));
    if let Some((build, why)) = elsewhere(file)? {
        guest::stay::up(&topology.name, file, build, &why)?;
        for node in topology.nodes.values() {
            let router = Router::of_image(&node.image);
            ui::line(&format!("{:12} {:8} in the guest", node.name, router.name()));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let lab = Lab::up(topology)?;
    for node in lab.nodes.values() {
        ui::line(&format!("{:12} {:8} {}", node.config.name, node.router.name(), node.namespace));
    }
    Ok(ExitCode::SUCCESS)
}

/// The kernel that a lab has to stay up on when this one lacks what it needs, and why.
fn elsewhere(file: &std::path::Path) -> Result<Option<(Build, String)>> {
    let expectations = file.with_file_name("expect.toml");
    if !expectations.exists() {
        return Ok(None);
    }
    let needs = Expectations::read(&expectations)?.needs;
    let needs = needs.iter().map(|word| Feature::parse(word)).collect::<Result<Vec<_>>>()?;
    let lacking = needs.iter().find(|feature| !feature.available());
    let why = |feature: &Feature| format!("this kernel has no {}, which the lab needs", feature.name());
    Ok(lacking.map(|feature| (Build::with(&needs), why(feature))))
}

/// Ends a lab, here or in its guest.
fn down(file: &std::path::Path) -> Result<ExitCode> {
    let topology = Topology::open(file, Files::MayBeMissing)?;
    crate::lab::require_root()?;
    guest::stay::down(&topology.name)?;
    Lab::down(&topology)?;
    Ok(ExitCode::SUCCESS)
}

fn exec(file: &std::path::Path, node: &str, mut command: Vec<String>) -> Result<ExitCode> {
    let topology = Topology::read(file)?;
    if guest::stay::is_up(&topology.name) {
        return guest::stay::exec(&topology.name, node, command);
    }
    let lab = Lab::attach(topology)?;
    if command.is_empty() {
        command.push("bash".into());
    }
    // Becomes the command: terminal, signals and status are its own.
    let error = lab.node(node)?.command(&command).exec();
    Err(error).with_context(|| format!("cannot run {}", command.join(" ")))
}

fn feed(
    daemons: &[String],
    seed: Option<u64>,
    steps: u32,
    deterministic_med: Option<String>,
) -> Result<ExitCode> {
    let daemon = |word: &String| {
        let (name, address) = word.split_once('=').context("a daemon is NAME=ADDRESS")?;
        Ok((name.to_owned(), address.parse()?))
    };
    let daemons = daemons.iter().map(daemon).collect::<Result<_>>()?;
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    let words = Feed { daemons, seed, steps, deterministic_med }.run()?;
    ui::line(&words);
    Ok(ExitCode::SUCCESS)
}

fn interop_page(paths: Vec<PathBuf>, write: Option<PathBuf>) -> Result<ExitCode> {
    let page = interop::page(&Selection { paths, set: Set::Full, ..Selection::default() }.jobs()?)?;
    match write {
        Some(file) => {
            std::fs::write(&file, page).with_context(|| format!("cannot write {}", file.display()))?;
        }
        None => ui::line(page.trim_end()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Who reads the results.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Report {
    People,
    Programs,
}

impl Report {
    fn asked(json: bool) -> Self {
        if json { Self::Programs } else { Self::People }
    }
}

fn list_runs(selection: &Selection) -> Result<ExitCode> {
    selection.jobs()?.iter().for_each(|job| ui::line(&job.title));
    Ok(ExitCode::SUCCESS)
}

fn test(selection: &Selection, report: Report) -> Result<ExitCode> {
    interrupt::listen()?;
    if report == Report::Programs {
        ui::leave_output_to_results();
    }
    let results = selection.run()?;
    if !guest::inside() {
        ui::line(&format!("\n{}", summary(&results)));
    }
    if report == Report::Programs {
        ui::result(&serde_json::to_string_pretty(&results)?);
    }
    if results.iter().any(|result| matches!(result.outcome, Outcome::Failed(_))) {
        return Ok(ExitCode::FAILURE);
    }
    if results.iter().all(|result| matches!(result.outcome, Outcome::Skipped(_))) {
        bail!("nothing was run");
    }
    Ok(ExitCode::SUCCESS)
}
