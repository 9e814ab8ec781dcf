//! Inputs to [`Intent`]: the layers merged, read and validated as a whole.

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    build, clash,
    diff::Pending,
    error::{ConfigError, Fault, Problem, capped},
    host::Host,
    intent::Intent,
    layer::{self, Flags, Merged},
    origin::Origin,
    reader::{Reader, Setting},
};

/// What the user gave us.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The configuration file.
    pub file: Option<PathBuf>,
    /// What was read from standard input, which then takes the place of a file.
    pub stdin: Option<Vec<u8>>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// The command line.
    pub flags: Flags,
}

impl Inputs {
    /// Inputs with the environment of this process; variables that are no UTF-8 are not ours.
    pub fn of_process(file: Option<PathBuf>, flags: Flags) -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self { file, stdin: None, environment: std::env::vars_os().filter_map(text).collect(), flags }
    }

    pub(super) fn file_name(&self) -> String {
        match (&self.stdin, &self.file) {
            (Some(_), _) => "<stdin>".to_owned(),
            (None, Some(path)) => path.display().to_string(),
            (None, None) => String::new(),
        }
    }
}

/// A valid configuration.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What this host shall do.
    pub intent: Intent,
    /// Every effective value with its place.
    pub settings: Vec<Setting>,
    /// What deserves a warning, sorted.
    pub warnings: Vec<Problem>,
    /// What was seen and is not followed, in sentences: nothing is wrong with it.
    pub notes: Vec<String>,
    /// Files the intent depends on: the configuration and the password files; sorted.
    pub files: Vec<PathBuf>,
    /// Changes since the daemon started that wait for a restart; none when it has just started.
    pub pending: Vec<Pending>,
}

impl Loaded {
    /// How the node's addresses were found, a line each, where nobody wrote them in full.
    pub fn found_addresses(&self) -> Vec<String> {
        let found = self.settings.iter().filter(|s| !s.why.is_empty() && s.key.starts_with("node.address"));
        found.map(|s| format!("{} = {}: {}", s.key, s.value, s.why)).collect()
    }
}

/// Loads and validates.
///
/// Reads files and asks the host; it may block for as long as those take, name resolution included where the
/// autodetection method asks for it.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn load(inputs: &Inputs, host: &dyn Host) -> Result<Loaded, ConfigError> {
    let (text, unreadable) = read_file(inputs, host);
    let Merged { tree, mut problems, notes } = layer::merged(inputs, text.as_deref());
    problems.extend(unreadable);
    // What a file says that cannot be read as a whole is unknown: nothing more is concluded from the rest.
    let broken = |p: &Problem| p.key.is_empty() && matches!(p.origin, Origin::File { .. });
    if problems.iter().any(broken)
        && let Some(error) = ConfigError::of(problems.clone())
    {
        return Err(error);
    }
    let mut reader = Reader::new(tree, problems);
    let (intent, mut files) = build::intent(&mut reader, host);
    if let Some(error) = ConfigError::of(reader.take_problems()) {
        return Err(error);
    }
    files.extend(inputs.file.clone());
    files.sort();
    files.dedup();
    let settings = reader.sorted_settings();
    let mut warnings = reader.warnings;
    warnings.extend(clash::warnings(&intent, &settings));
    Ok(Loaded { intent, settings, warnings: capped(warnings), notes, files, pending: Vec::new() })
}

fn read_file(inputs: &Inputs, host: &dyn Host) -> (Option<String>, Option<Problem>) {
    let content = match (&inputs.stdin, &inputs.file) {
        (Some(content), _) => Ok(content.clone()),
        (None, Some(path)) => host.read_small(path),
        (None, None) => return (None, None),
    };
    let place = Origin::File { path: inputs.file_name(), line: 1, column: 1 };
    let problem = |what: String, remedy: &str| Some(Fault::new(what, remedy).at(&place, ""));
    match content.map(String::from_utf8) {
        Ok(Ok(text)) => (Some(text), None),
        Ok(Err(error)) => {
            let at = error.utf8_error().valid_up_to();
            (None, problem(format!("byte {at} is no UTF-8"), "save the file as UTF-8"))
        }
        Err(error) => {
            (None, problem(format!("cannot be read: {error}"), "check the path and its permissions"))
        }
    }
}
