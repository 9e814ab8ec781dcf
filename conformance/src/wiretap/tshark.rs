//! tshark, which decodes BGP without any line of ours.

use std::{path::Path, process::Command};

use anyhow::Result;

use super::pdml::Node;
use crate::command::{command, output};

/// The severity of `_ws.expert.severity` that is an error.
const ERROR: u32 = 0x0080_0000;

/// tshark, reading AS numbers of this width. Packets that several processors have captured in another order than they went
/// are put in order first: otherwise it passes over the messages in those that come late.
pub(super) fn reader(width: &str) -> Command {
    let widths = format!("bgp.asn_len:{width}");
    command("tshark", ["-n", "-o", &widths, "-o", "tcp.reassemble_out_of_order:TRUE"])
}

/// How many packets of a capture a display filter lets through.
pub fn count(file: &Path, filter: &str) -> Result<usize> {
    Ok(ask(file, filter, &["frame.number"])?.lines().count())
}

/// Fields of the packets that a display filter lets through: a line each, separated by tabs.
pub fn ask(file: &Path, filter: &str, fields: &[&str]) -> Result<String> {
    let mut tshark = reader("4 octet");
    tshark
        .args(["-Y", filter, "-T", "fields"])
        .args(fields.iter().flat_map(|field| ["-e", field]))
        .arg("-r")
        .arg(file);
    output(&mut tshark)
}

/// What tshark finds wrong with a message: that it is malformed, or a mark that is an error.
pub(super) fn complaint(message: &Node) -> Option<String> {
    let is_error = |node: &&Node| severity(node).is_some_and(|severity| severity >= ERROR);
    let marked = message.all("_ws.expert").find(|mark| mark.children.iter().any(|node| is_error(&node)));
    let text = marked.and_then(|mark| mark.show_of("_ws.expert.message")).map(str::to_owned);
    text.or_else(|| message.all("_ws.malformed").next().map(|_| "malformed".to_owned()))
}

fn severity(node: &Node) -> Option<u32> {
    (node.name == "_ws.expert.severity").then(|| node.show.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, show: &str, children: Vec<Node>) -> Node {
        Node { name: name.into(), show: show.into(), children, ..Node::default() }
    }

    fn message(severity: &str) -> Node {
        let marks = vec![
            node("_ws.expert.message", "Bad length", vec![]),
            node("_ws.expert.severity", severity, vec![]),
        ];
        node("bgp", "", vec![node("bgp.length", "7", vec![node("_ws.expert", "", marks)])])
    }

    #[test]
    fn only_errors_count_and_a_malformed_message_is_one() {
        assert_eq!(complaint(&message("6291456")), None);
        assert_eq!(complaint(&message("8388608")).unwrap(), "Bad length");
        let malformed = node("bgp", "", vec![node("_ws.malformed", "", vec![])]);
        assert_eq!(complaint(&malformed).unwrap(), "malformed");
    }
}
