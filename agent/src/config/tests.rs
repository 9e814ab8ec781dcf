//! Tests of the way from text to [`Intent`], with a host from memory.

use std::{
    collections::BTreeMap,
    io,
    net::IpAddr,
    path::{Path, PathBuf},
};

use bgp::types::Family;

use super::*;
use crate::autodetect::{Interface, InterfaceAddress, Standing};

mod bfd;
mod docs;
mod errors;
mod every_key;
mod intents;
mod layers;
mod mistakes;
mod monitoring;
mod policies;
mod reloads;
mod scale;

/// The scenario's first host, with files from memory.
#[derive(Clone, Debug, Default)]
struct FakeHost {
    files: BTreeMap<PathBuf, Vec<u8>>,
    interfaces: Vec<Interface>,
    /// Files that every user may read.
    public: Vec<PathBuf>,
}

const FILE: &str = "siskin.toml";

impl FakeHost {
    fn with_file(text: &str) -> Self {
        Self {
            interfaces: vec![interface(2, "eth0", &["192.168.92.128/24", "fd00::128/64"])],
            ..Self::default()
        }
        .file(FILE, text)
    }

    fn file(mut self, path: &str, content: &str) -> Self {
        self.files.insert(path.into(), content.into());
        self
    }
}

impl Host for FakeHost {
    fn name(&self) -> io::Result<String> {
        Ok("Master01".into())
    }

    fn interfaces(&self) -> io::Result<Vec<Interface>> {
        Ok(self.interfaces.clone())
    }

    fn source_towards(&self, _: &str, _: Family) -> io::Result<IpAddr> {
        Err(io::ErrorKind::NetworkUnreachable.into())
    }

    fn read_small(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn is_readable_by_all(&self, path: &Path) -> bool {
        self.public.iter().any(|public| public == path)
    }
}

fn interface(index: u32, name: &str, addresses: &[&str]) -> Interface {
    let address = |text: &&str| InterfaceAddress { net: text.parse().unwrap(), standing: Standing::Primary };
    Interface { index, name: name.into(), addresses: addresses.iter().map(address).collect() }
}

fn inputs(environment: &[(&str, &str)], flags: Flags) -> Inputs {
    let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Inputs { file: Some(FILE.into()), environment, flags, ..Inputs::default() }
}

/// The inputs for this text; an empty one stands for no file, as an empty file is an error.
fn inputs_of(text: &str) -> Inputs {
    let inputs = inputs(&[], Flags::default());
    if text.is_empty() { Inputs { file: None, ..inputs } } else { inputs }
}

fn loaded(text: &str) -> Loaded {
    load(&inputs_of(text), &FakeHost::with_file(text)).unwrap()
}

fn intent(text: &str) -> Intent {
    loaded(text).intent
}

/// The problems of a file, one per line.
fn problems(text: &str) -> String {
    load(&inputs(&[], Flags::default()), &FakeHost::with_file(text)).unwrap_err().to_string()
}

fn warnings(text: &str) -> Vec<String> {
    loaded(text).warnings.iter().map(ToString::to_string).collect()
}
