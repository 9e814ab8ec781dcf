//! `siskin-lab`: runs labs and checks what becomes of them.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};
use siskin_lab::{
    lab::{Guardian, Lab},
    node,
    topology::Topology,
};

/// Runs containerlab topology files in network namespaces.
#[derive(Parser)]
#[command(name = "siskin-lab", version)]
struct Cli {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Start a lab and leave it running.
    Up {
        /// The topology file.
        file: PathBuf,
    },
    /// End a lab and remove every trace of it.
    Down {
        /// The topology file.
        file: PathBuf,
    },
    /// Run labs and check what their `expect.toml` says.
    Test {
        /// Topology files, or folders that hold some.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// The first process of a node.
    #[command(hide = true)]
    NodeInit { spec: PathBuf },
    /// Takes a lab down when the runner is gone.
    #[command(hide = true)]
    Guard { lab: String },
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Action::Up { file } => Lab::up(Topology::read(&file)?).map(drop),
        Action::Down { file } => Lab::down(&Topology::read(&file)?),
        Action::Test { files } => {
            for file in files {
                for file in siskin_lab::run::find(&file)? {
                    for job in siskin_lab::run::Job::of_file(&file)? {
                        siskin_lab::ui::line(&format!("{:?}", job.run()));
                    }
                }
            }
            Ok(())
        }
        Action::NodeInit { spec } => node::init::main(&spec),
        Action::Guard { lab } => Guardian::run(&lab),
    }
}
