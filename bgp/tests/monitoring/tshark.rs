//! tshark, which knows BMP.

use std::{fs, process::Command};

/// The port the stream seems to come to.
const PORT: u32 = 11019;
/// Longest segment of the capture.
const SEGMENT: usize = 16_000;

/// A capture of one TCP stream.
fn pcap(stream: &[u8]) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<u8>>();
    let mut file = words(&[0xa1b2_c3d4, 0x0002_0004, 0, 0, 262_144, 101]);
    let mut sequence = 1;
    for segment in stream.chunks(SEGMENT) {
        let total = u32::try_from(segment.len() + 40).unwrap();
        let ip = words(&[0x4500_0000 | total, 0, 64 << 24 | 6 << 16, 0x0a00_0001, 0x0a00_0002]);
        let tcp = words(&[40000 << 16 | PORT, sequence, 1, 0x5018_ffff, 0]);
        file.extend(words(&[0, 0, total, total]));
        file.extend([ip, tcp, segment.to_vec()].concat());
        sequence += total - 40;
    }
    file
}

/// Whether tshark is here; if not, that is said.
pub(crate) fn is_here() -> bool {
    let here = Command::new("tshark").arg("--version").output().is_ok();
    if !here {
        eprintln!("SKIPPED: tshark is not installed");
    }
    here
}

/// The BMP messages of a stream in which tshark finds nothing wrong, as a tree in text.
pub(crate) fn tree(name: &str, stream: &[u8]) -> String {
    let path = std::env::temp_dir().join(format!("siskin-{name}-{}.pcap", std::process::id()));
    fs::write(&path, pcap(stream)).unwrap();
    let run = |arguments: &[&str]| {
        let port = format!("tcp.port=={PORT},bmp");
        let output =
            Command::new("tshark").arg("-r").arg(&path).args(["-d", &port]).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let complaints = run(&["-Y", "_ws.malformed || _ws.expert.severity >= error", "-V"]);
    let tree = run(&["-V", "-O", "bmp,bgp"]);
    fs::remove_file(&path).unwrap();
    assert_eq!(complaints, "");
    tree
}

/// The values of all lines that begin with this label, in order.
pub(crate) fn values<'a>(tree: &'a str, label: &str) -> Vec<&'a str> {
    tree.lines().filter_map(|line| line.trim().strip_prefix(label)).map(str::trim).collect()
}
