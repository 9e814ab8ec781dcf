//! The output of `tshark -T pdml`: a tree of fields for each packet, read line by line.

use std::io::BufRead;

use anyhow::{Context as _, Result};

/// One field with what is below it, or one protocol's part of a packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) name: String,
    /// The value as tshark writes it.
    pub(super) show: String,
    /// The value's octets in hexadecimal; empty where tshark gives none.
    pub(super) value: String,
    /// Where the field begins.
    pub(super) at: usize,
    /// How many octets it has.
    pub(super) size: usize,
    pub(super) children: Vec<Self>,
}

impl Node {
    /// Everything below, each before what is below itself.
    pub(super) fn descendants(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        Box::new(self.children.iter().flat_map(|child| std::iter::once(child).chain(child.descendants())))
    }

    /// The fields of a name below.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.descendants().filter(move |node| node.name == name)
    }

    /// What the first field of a name shows.
    pub(super) fn show_of(&self, name: &str) -> Option<&str> {
        self.descendants().find(|node| node.name == name).map(|node| node.show.as_str())
    }
}

/// Hands over each packet: its protocols, in order.
pub(super) fn each_packet(text: impl BufRead, mut use_it: impl FnMut(Vec<Node>) -> Result<()>) -> Result<()> {
    let mut open: Vec<Node> = Vec::new();
    for line in text.lines() {
        let line = line?;
        let line = line.trim_start();
        match () {
            () if line.starts_with("<packet>") => open = vec![Node::default()],
            () if line.starts_with("</packet>") => {
                let packet = open.pop().context("tshark's output ends a packet that it did not begin")?;
                use_it(packet.children)?;
            }
            () if line.starts_with("</") => close(&mut open),
            () if line.starts_with("<field ") || line.starts_with("<proto ") => {
                open.push(node(line));
                if line.ends_with("/>") {
                    close(&mut open);
                }
            }
            () => {}
        }
    }
    Ok(())
}

/// The innermost open element becomes a child of the one around it.
fn close(open: &mut Vec<Node>) {
    if open.len() > 1
        && let Some(closed) = open.pop()
        && let Some(parent) = open.last_mut()
    {
        parent.children.push(closed);
    }
}

fn node(line: &str) -> Node {
    let number = |name| attribute(line, name).and_then(|text| text.parse().ok()).unwrap_or_default();
    let text = |name| attribute(line, name).map(unescaped).unwrap_or_default();
    Node {
        name: text("name"),
        show: text("show"),
        value: text("value"),
        at: number("pos"),
        size: number("size"),
        children: Vec::new(),
    }
}

fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let begin = line.find(&format!(" {name}=\""))? + name.len() + 3;
    let rest = line.get(begin..)?;
    rest.get(..rest.find('"')?)
}

fn unescaped(text: &str) -> String {
    let marks = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&amp;", "&")];
    marks.iter().fold(text.to_owned(), |text, (mark, meant)| text.replace(mark, meant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_with_what_is_below_them() {
        let text = concat!(
            "<pdml>\n<packet>\n",
            "  <proto name=\"tcp\" pos=\"1\" size=\"2\"/>\n",
            "  <proto name=\"bgp\" showname=\"x\" size=\"23\" pos=\"72\">\n",
            "    <field name=\"bgp.a\" show=\"1 &lt; 2\" value=\"0a\" pos=\"5\" size=\"1\">\n",
            "      <field name=\"bgp.b\" show=\"3\"/>\n    </field>\n",
            "    <field name=\"bgp.b\" show=\"4\"/>\n",
            "  </proto>\n</packet>\n</pdml>\n",
        );
        let mut packets = Vec::new();
        each_packet(text.as_bytes(), |packet| {
            packets.push(packet);
            Ok(())
        })
        .unwrap();
        let [packet] = &packets[..] else { panic!("{packets:?}") };
        assert_eq!((packet[0].name.as_str(), packet[0].at, packet[0].size), ("tcp", 1, 2));
        assert_eq!((packet[1].name.as_str(), packet[1].at, packet[1].children.len()), ("bgp", 72, 2));
        let shown: Vec<_> = packet[1].all("bgp.b").map(|node| node.show.as_str()).collect();
        assert_eq!((packet[1].show_of("bgp.a"), shown), (Some("1 < 2"), vec!["3", "4"]));
    }
}
