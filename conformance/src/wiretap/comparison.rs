//! Reads every message of a capture twice, here and with tshark, and compares field by field.
//!
//! ```text
//! capture -> pcap -> streams -> sessions: octets of each message, and what its session had negotiated
//!         -> tshark -> pdml: fields of each message                          `-> reading: the same fields
//! ```
//!
//! Three things are not compared, because tshark 4.0 does not read them: the body of a message of more than 4096
//! octets (RFC 8654), and attributes and capabilities it does not know: of these it tells place and length, and the
//! octets there are compared.

use std::{
    collections::BTreeMap,
    io::BufReader,
    net::{IpAddr, SocketAddr},
    path::Path,
    process::Stdio,
};

use anyhow::{Context as _, Result, bail, ensure};
use bgp::wire::{self, Message, context::MAX_MESSAGE};

use super::{
    pcap,
    pdml::{self, Node},
    reading::{Fields, Width},
    sessions::{self, Heard},
    streams::{self, Ends},
    tshark,
};

/// The messages of a capture by the direction they went, in order.
type Directions = BTreeMap<Ends, Vec<Heard>>;

/// Compares all messages of a capture; returns how many there are. What tshark finds malformed is an error, and so is
/// whatever it reads otherwise than `bgp::wire` does.
pub(super) fn compare(file: &Path) -> Result<usize> {
    let octets = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut directions = Directions::new();
    for connection in streams::connections(&pcap::segments(&octets)?) {
        for (ends, heard) in sessions::messages(&connection)? {
            directions.entry(ends).or_default().extend(heard);
        }
    }
    let all = || directions.values().flatten();
    for width in [Width::FourOctets, Width::TwoOctets] {
        if all().any(|heard| heard.width() == width) {
            with_tshark(file, &directions, width).with_context(|| format!("tshark on {}", file.display()))?;
        }
    }
    Ok(all().count())
}

/// One run of tshark, which reads AS numbers of one width; messages of sessions with the other are passed over.
fn with_tshark(file: &Path, directions: &Directions, width: Width) -> Result<()> {
    let mut tshark = tshark::reader(width.preference());
    tshark.args(["-Y", "bgp", "-T", "pdml", "-J", "ip ipv6 tcp bgp _ws.malformed", "-r"]);
    let mut child = tshark.arg(file).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut comparison = Comparison { directions, width, next: BTreeMap::new() };
    let output = child.stdout.take().context("no output")?;
    let outcome = pdml::each_packet(BufReader::new(output), |packet| comparison.packet(&packet));
    if outcome.is_err() {
        child.kill()?;
    }
    let status = child.wait()?;
    outcome?;
    ensure!(status.success(), "{status}");
    comparison.finish()
}

struct Comparison<'a> {
    directions: &'a Directions,
    width: Width,
    /// The place of the next message of each direction.
    next: BTreeMap<Ends, usize>,
}

impl Comparison<'_> {
    fn packet(&mut self, packet: &[Node]) -> Result<()> {
        let number = packet.iter().find_map(|part| part.show_of("num")).unwrap_or("?");
        let ends = ends(packet).with_context(|| format!("frame {number} has no addresses"))?;
        for message in packet.iter().filter(|part| part.name == "bgp") {
            self.message(ends, message)
                .with_context(|| format!("frame {number}, {} to {}", ends.0, ends.1))?;
        }
        Ok(())
    }

    fn message(&mut self, ends: Ends, message: &Node) -> Result<()> {
        let place = self.next.entry(ends).or_default();
        let heard = self.directions.get(&ends).and_then(|all| all.get(*place));
        let heard = heard.context("tshark finds a message that is not one")?;
        *place += 1;
        if heard.width() != self.width {
            return Ok(());
        }
        let length = message.show_of("bgp.length").unwrap_or("nothing");
        ensure!(
            length == heard.octets.len().to_string(),
            "a message of {} octets has {length} for tshark",
            heard.octets.len()
        );
        if heard.octets.len() > MAX_MESSAGE {
            return Ok(());
        }
        if let Some(complaint) = tshark::complaint(message) {
            bail!("{complaint}");
        }
        let differences = differences(heard, message)?;
        ensure!(differences.is_empty(), "{}", differences.join("; "));
        Ok(())
    }

    /// Every message must have been found.
    fn finish(&self) -> Result<()> {
        for (ends, all) in self.directions {
            let found = self.next.get(ends).copied().unwrap_or_default();
            ensure!(found == all.len(), "{} to {}: {found} messages of {}", ends.0, ends.1, all.len());
        }
        Ok(())
    }
}

/// What `bgp::wire` reads in a message against what tshark reads in it.
fn differences(heard: &Heard, theirs: &Node) -> Result<Vec<String>> {
    let message = wire::decode(&heard.octets, &heard.context).context("siskin cannot read it")?;
    let has_routes = matches!(message, Message::Update(_));
    ensure!(!has_routes || !heard.context.families.is_empty(), "routes without a session");
    let mut theirs = Fields::theirs(theirs, &heard.octets, &heard.context);
    if let Message::Update(update) = &message {
        theirs.revise(&update.malformed);
    }
    Ok(Fields::ours(&message, &heard.context).differences(&theirs))
}

fn ends(packet: &[Node]) -> Option<Ends> {
    let shown = |name: &str| packet.iter().find_map(|part| part.show_of(name));
    let end = |side: &str, port: &str| {
        let address = shown(&format!("ip.{side}")).or_else(|| shown(&format!("ipv6.{side}")))?;
        Some(SocketAddr::new(address.parse::<IpAddr>().ok()?, shown(port)?.parse().ok()?))
    };
    Some((end("src", "tcp.srcport")?, end("dst", "tcp.dstport")?))
}

#[cfg(test)]
mod tests;
