//! Every BGP session of siskin in every lab is captured, and judged by tshark: nothing may be malformed.

pub mod tshark;

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};

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

/// The program that captures BGP in a node; it has to run before the node's router does.
pub fn service() -> Service {
    let file = format!("{INSIDE}/{FILE}");
    let options = ["-n", "-U", "--immediate-mode", "-s", "0", "-Z", "root", "-i", "any", "-w"];
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

/// Ends the captures of a lab and keeps them.
pub fn keep(lab: &Lab, title: &str) -> Result<()> {
    let folder = kept(title)?;
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder)?;
    for node in lab.nodes.values().filter(|node| listens(node)) {
        node.kill(SERVICE, "INT")?;
        let target = folder.join(format!("{}.pcap", node.config.name));
        fs::copy(file_of(node), &target).with_context(|| format!("cannot write {}", target.display()))?;
    }
    Ok(())
}

/// Lets tshark judge the captures that were kept of a run; an error is its complaint.
pub fn judge(title: &str) -> Result<()> {
    let mut messages = 0;
    let mut files: Vec<_> = fs::read_dir(kept(title)?)?.map(|e| Ok(e?.path())).collect::<Result<_>>()?;
    files.sort();
    for file in &files {
        messages += tshark::judge(file)?;
    }
    if messages > 0 {
        ui::line(&format!(
            "  {} tshark finds nothing malformed in the captured sessions  {}",
            ui::tick(),
            ui::paint("2", &format!("{messages} messages"))
        ));
    }
    Ok(())
}
