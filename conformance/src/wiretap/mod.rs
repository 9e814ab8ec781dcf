//! Every BGP session of siskin in every lab is captured, and judged by tshark: nothing may be malformed, and what
//! `bgp::wire` reads in the messages must be what tshark reads (`comparison`).

mod comparison;
mod pcap;
mod pdml;
mod reading;
mod sessions;
mod streams;
pub mod tshark;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    lab::Lab,
    launch::{Router, Service},
    node::{Node, init::INSIDE},
    ui,
};

/// The capturing program's name in the node.
const SERVICE: &str = "wiretap";
/// What it writes.
const FILE: &str = "bgp.pcap";

/// The longest packet, with what TCP hands over before it is cut into segments.
const LONGEST: &str = "65600";
/// KiB of packets not yet written. In immediate mode each takes the place of the longest, and no segment may be missing
/// where messages are to be read.
const BUFFER: &str = "16384";

/// The program that captures BGP in a node; it has to run before the node's router does.
pub fn service() -> Service {
    let file = format!("{INSIDE}/{FILE}");
    let options =
        ["-n", "-U", "--immediate-mode", "-s", LONGEST, "-B", BUFFER, "-Z", "root", "-i", "any", "-w"];
    let mut argv = vec!["tcpdump".to_owned()];
    argv.extend(options.map(str::to_owned));
    argv.extend([file, "tcp port 179 or tcp port 1790".to_owned()]);
    let log = format!("grep -q 'listening on' {INSIDE}/log/{SERVICE}.log");
    Service { name: SERVICE.into(), argv, ready: ["sh", "-c", &log].map(str::to_owned).to_vec() }
}

/// Whether BGP is captured in a node.
pub fn listens(node: &Node) -> bool {
    node.router == Router::Siskin
}

/// What has been captured in a node so far.
pub fn file_of(node: &Node) -> PathBuf {
    node.state().join(FILE)
}

/// The folder where the captures of a run are kept until its next one.
pub fn kept(title: &str) -> Result<PathBuf> {
    Ok(crate::guest::cache()?.join("captures").join(title.replace('/', "-")))
}

/// Ends the captures of a lab and keeps them, but for those of nodes that must not speak BGP at all.
pub fn keep(lab: &Lab, title: &str, silent: &[String]) -> Result<()> {
    let folder = kept(title)?;
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder)?;
    for node in lab.nodes.values().filter(|node| listens(node)) {
        node.kill(SERVICE, "INT")?;
        if silent.contains(&node.config.name) {
            continue;
        }
        let target = folder.join(format!("{}.pcap", node.config.name));
        copy(&file_of(node), &target).with_context(|| format!("cannot write {}", target.display()))?;
    }
    Ok(())
}

/// Copies a file through to the disk: a guest of which this is the last act is gone a moment later, and what it has
/// not written back with it.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut copy = fs::File::create(to)?;
    io::copy(&mut fs::File::open(from)?, &mut copy)?;
    copy.sync_all()
}

/// Lets tshark judge the captures that were kept of a run; an error is its complaint, or the first difference between
/// its reading and ours.
pub fn judge(title: &str) -> Result<()> {
    let mut messages = 0;
    for file in captures(&kept(title)?)? {
        messages += some(&file, comparison::compare(&file)?)?;
    }
    if messages > 0 {
        ui::line(&format!(
            "  {} tshark reads the captured sessions as siskin does, and finds nothing malformed  {}",
            ui::tick(),
            ui::paint("2", &format!("{messages} messages"))
        ));
    }
    Ok(())
}

/// A capture without a message proves nothing.
fn some(file: &Path, messages: usize) -> Result<usize> {
    ensure!(
        messages > 0,
        "{} has no BGP message; a node that speaks no BGP is named by `silent` in expect.toml",
        file.display()
    );
    Ok(messages)
}

/// Compares captures, those that the last runs of the labs left unless some are named, and tells the messages of each.
///
/// # Errors
/// The first difference of each file that has one.
pub fn compare(files: &[PathBuf]) -> Result<()> {
    let mut differing = Vec::new();
    let kept = crate::guest::cache()?.join("captures");
    for named in if files.is_empty() { std::slice::from_ref(&kept) } else { files } {
        for file in captures(named)? {
            match comparison::compare(&file).and_then(|messages| some(&file, messages)) {
                Ok(messages) => ui::line(&format!("{} {}: {messages} messages", ui::tick(), file.display())),
                Err(error) => differing.push(format!("{}: {error:#}", file.display())),
            }
        }
    }
    ensure!(differing.is_empty(), "{}", differing.join("\n"));
    Ok(())
}

/// A capture, or those below a folder, sorted.
fn captures(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut entries: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    entries.retain(|entry| entry.is_dir() || entry.extension().is_some_and(|extension| extension == "pcap"));
    entries.sort();
    Ok(entries.iter().map(|entry| captures(entry)).collect::<Result<Vec<_>>>()?.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_without_a_message_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.pcap");
        // The header of a file of no packets.
        let words: [u32; 6] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65535, 113];
        fs::write(&file, words.map(u32::to_ne_bytes).concat()).unwrap();
        let error = compare(&[file]).unwrap_err().to_string();
        assert!(error.contains("a.pcap has no BGP message"), "{error}");
    }
}
