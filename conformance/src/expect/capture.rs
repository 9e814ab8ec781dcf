//! Packets on a link, decoded by tcpdump: how many IP headers does a ping have on its way?

use anyhow::{Result, bail};
use serde::Deserialize;

use super::{Verdict, ping::Ping};
use crate::{lab::Lab, launch::Service, node::Node};

/// A capture during a ping.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// The node that captures.
    pub node: String,
    /// Its interface.
    pub interface: String,
    /// The ping whose packets are looked for.
    pub ping: Ping,
    /// IP headers of each of them: 1 direct, 2 in the tunnel.
    pub ip_headers: usize,
}

/// The program's name in the node.
const SERVICE: &str = "capture";

impl Capture {
    /// Captures while pinging; requests and answers must both show the number of headers.
    pub fn check(&self, lab: &Lab) -> Result<Verdict> {
        let node = lab.node(&self.node)?;
        node.forget_log(SERVICE);
        node.start(&self.service())?;
        let verdict = self.ping.check(lab);
        // tcpdump reads in batches; what it has not read yet arrives within its own time-out.
        std::thread::sleep(std::time::Duration::from_millis(300));
        let text = stop(node)?;
        match verdict? {
            Verdict::Pass(_) => Ok(judge(&text, &self.ping.to, self.ip_headers)),
            failed => Ok(failed),
        }
    }

    fn service(&self) -> Service {
        let argv = ["tcpdump", "-n", "-t", "-l", "-i", &self.interface, "icmp or ip proto 4"];
        let log = format!("grep -q 'listening on' {}/log/{SERVICE}.log", crate::node::init::INSIDE);
        Service {
            name: SERVICE.into(),
            argv: argv.map(str::to_owned).to_vec(),
            ready: ["sh", "-c", &log].map(str::to_owned).to_vec(),
        }
    }
}

fn stop(node: &Node) -> Result<String> {
    if let Some(status) = node.ended(SERVICE) {
        bail!("tcpdump ended with status {status}: {}", node.log_tail(SERVICE, 5));
    }
    node.kill(SERVICE, "INT")?;
    Ok(node.log(SERVICE))
}

/// `IP a > b: IP c > d: ICMP echo request` has two headers.
fn judge(text: &str, address: &str, expected: usize) -> Verdict {
    let of = |kind: &str| {
        let wanted = format!("ICMP echo {kind}");
        text.lines().find(|line| line.contains(&wanted) && line.contains(address))
    };
    let (Some(request), Some(reply)) = (of("request"), of("reply")) else {
        return Verdict::fail(format!("requests and replies of {address} were not both seen:\n{text}"));
    };
    let headers = |line: &str| line.split_whitespace().filter(|word| *word == "IP").count();
    if [request, reply].iter().all(|line| headers(line) == expected) {
        return Verdict::Pass(request.to_owned());
    }
    Verdict::fail(format!(
        "not {expected} IP header(s) but {} and {}:\n{request}\n{reply}",
        headers(request),
        headers(reply)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TUNNELLED: &str = "IP 10.0.0.1 > 10.0.0.2: IP 172.16.0.1 > 172.16.1.1: ICMP echo request, id 1, seq 1\n\
                             IP 10.0.0.2 > 10.0.0.1: IP 172.16.1.1 > 172.16.0.1: ICMP echo reply, id 1, seq 1\n";

    #[test]
    fn headers_are_counted_in_both_directions() {
        assert!(matches!(judge(TUNNELLED, "172.16.1.1", 2), Verdict::Pass(_)));
        assert!(matches!(judge(TUNNELLED, "172.16.1.1", 1), Verdict::Fail { .. }));
        assert!(matches!(judge("", "172.16.1.1", 1), Verdict::Fail { .. }));
    }
}
