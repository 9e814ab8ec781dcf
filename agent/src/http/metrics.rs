//! What is counted. Names start with `siskin_`, units are base units; those of the process have their usual names.

mod format;
mod process;

pub use self::format::Format;
use self::process::Process;

use std::{collections::BTreeMap, fmt, time::Duration};

use fib::metrics::MetricsSnapshot;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, MetricEncoder, text},
    metrics::MetricType,
    registry::Registry,
};

use crate::api::protocol::{
    peer::PeerRow,
    problem::{ProblemCode, Severity},
    status::Status,
};

/// Everything that is exported, at one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// The whole.
    pub status: Status,
    /// The peers.
    pub peers: Vec<PeerRow>,
    /// How much is said of each of them.
    pub detail: Detail,
    /// BFD packets that belong to no session and were discarded, by reason.
    pub stray_bfd: BTreeMap<&'static str, u64>,
    /// Kernel routes by path and state.
    pub fib_routes: Vec<FibRoutes>,
    /// Counters of the FIB layer.
    pub fib: MetricsSnapshot,
}

/// So many kernel routes of one path and one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FibRoutes {
    /// `direct`, `tunnel`, `blackhole` or `stale`.
    pub path: String,
    /// `installed`, `pending`, ...
    pub state: String,
    /// How many.
    pub routes: u64,
}

/// How much a scrape says of each peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// What dashboards and alerts need.
    #[default]
    Usual,
    /// Messages and octets as well, by direction and type.
    Messages,
}

/// The text of a scrape.
///
/// # Errors
///
/// When the encoder refuses a name.
pub fn render(snapshot: Snapshot, format: Format) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("siskin");
    registry.register_collector(Box::new(snapshot));
    let mut process = Registry::default();
    process.register_collector(Box::new(Process::now()));
    let mut out = String::new();
    text::encode_registry(&mut out, &registry)?;
    text::encode_registry(&mut out, &process)?;
    text::encode_eof(&mut out)?;
    Ok(format.of(out))
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        self.general(&mut encoder)?;
        self.peers(&mut encoder)?;
        self.paths(&mut encoder)?;
        self.links(&mut encoder)?;
        self.monitoring(&mut encoder)?;
        self.kernel(&mut encoder)
    }
}

impl Snapshot {
    fn general(&self, e: &mut DescriptorEncoder) -> fmt::Result {
        let s = &self.status;
        let build = [("version", s.version.as_str()), ("rust_version", env!("CARGO_PKG_RUST_VERSION"))];
        gauges(e, "build_info", "The running version.", [(build, 1)])?;
        gauges(e, "uptime_seconds", "Time since the daemon started.", [(NO_LABELS, signed(s.uptime))])?;
        counters(
            e,
            "config_reloads",
            "Configuration changes applied since the start.",
            [(NO_LABELS, s.config.reloads)],
        )?;
        let refused = i64::from(s.config.refused.is_some());
        gauges(
            e,
            "config_refused",
            "1 while the newest configuration is refused as invalid.",
            [(NO_LABELS, refused)],
        )?;
        let pending = i64::from(s.config.pending.is_some());
        gauges(
            e,
            "config_pending",
            "1 while a change of the configuration waits for `siskin reload --force`.",
            [(NO_LABELS, pending)],
        )?;
        gauges(
            e,
            "config_last_reload_successful",
            "1 if the newest configuration is in force.",
            [(NO_LABELS, i64::from(refused + pending == 0))],
        )?;
        gauges(
            e,
            "config_last_reload_success_timestamp_seconds",
            "When the newest configuration was last found to be in force.",
            [(NO_LABELS, signed(s.config.last_success))],
        )?;
        let healthy = i64::from(s.healthy);
        gauges(e, "healthy", "1 while `siskin status --check` exits 0.", [(NO_LABELS, healthy)])?;
        let ready = i64::from(s.is_ready());
        gauges(e, "ready", "1 while `/readyz` answers 200.", [(NO_LABELS, ready)])?;
        let mut kinds: BTreeMap<(ProblemCode, Severity), u64> = BTreeMap::new();
        for problem in &s.problems {
            *kinds.entry((problem.code, problem.severity)).or_default() += 1;
        }
        let kinds = kinds.into_iter().map(|((code, severity), number)| {
            ([("code", code.name()), ("severity", severity.name())], signed(number))
        });
        gauges(e, "problem", "Problems that `siskin status` lists now, by code.", kinds)?;
        let problems = Severity::ALL.map(|severity| {
            let number = s.problems.iter().filter(|p| p.severity == severity).count();
            ([("severity", severity.name())], signed(number as u64))
        });
        let lines =
            [("dropped", s.log.dropped), ("left_out", s.log.left_out)].map(|(fate, n)| ([("fate", fate)], n));
        let help =
            "Log lines that were not written: standard error took none, or there were too many of the kind.";
        counters(e, "log_missing_lines", help, lines)?;
        gauges(e, "problems", "What `siskin status` lists as problems.", problems)
    }

    fn peers(&self, e: &mut DescriptorEncoder) -> fmt::Result {
        let each = || self.peers.iter().map(|p| (PeerLabels::of(p), p));
        gauges(
            e,
            "bgp_peer_state",
            "RFC 4271 state: 1 idle, 2 connect, 3 active, 4 open sent, 5 open confirm, 6 established.",
            each().map(|(labels, p)| (labels.all(), state_number(&p.state))),
        )?;
        gauges(
            e,
            "bgp_peer_up",
            "1 while the session is established.",
            each().map(|(l, p)| (l.all(), i64::from(p.state == "established"))),
        )?;
        counters(
            e,
            "bgp_peer_established_transitions",
            "How often the session has become established.",
            each().map(|(labels, p)| (labels.all(), p.established_count)),
        )?;
        let prefixes = self.peers.iter().flat_map(|p| {
            [("received", p.received), ("accepted", p.accepted), ("advertised", p.advertised)]
                .map(|(rib, number)| ([("peer", p.name.as_str()), ("rib", rib)], signed(number)))
        });
        gauges(e, "bgp_prefixes", "Prefixes exchanged with a peer.", prefixes)?;
        let refused = self.peers.iter().flat_map(|p| by_reason(p, &p.refused));
        gauges(e, "bgp_refused_routes", "Routes of a peer refused at import, by reason.", refused)?;
        let unsent = self.peers.iter().flat_map(|p| by_reason(p, &p.unsent));
        gauges(e, "bgp_unsent_prefixes", "Prefixes that cannot be sent to a peer, by reason.", unsent)?;
        let ranges = || self.status.ranges.iter().map(|range| ([("range", range.name.as_str())], range));
        let members = ranges().map(|(labels, range)| (labels, signed(range.peers)));
        gauges(e, "bgp_range_peers", "Peers of a range at present.", members)?;
        let refused = ranges().map(|(labels, range)| (labels, range.refused));
        let help = "Connections refused because a range had as many peers as it may.";
        counters(e, "bgp_range_refused", help, refused)?;
        let refused =
            self.status.refused_totals.iter().map(|(reason, n)| ([("reason", reason.as_str())], *n));
        counters(e, "bgp_refused_connections", "Connections refused, by reason.", refused)?;
        let octets = self.peers.iter().map(|p| ([("peer", p.name.as_str())], signed(p.attribute_octets)));
        let help = "Memory that the path attributes a peer has sent take, every distinct set counted once.";
        gauges(e, "bgp_attribute_bytes", help, octets)?;
        let malformed =
            self.peers.iter().map(|p| ([("peer", p.name.as_str())], p.counters.malformed_attributes));
        counters(e, "bgp_malformed_attributes", "Malformed path attributes survived (RFC 7606).", malformed)?;
        self.sessions(e)?;
        if self.detail == Detail::Messages { self.messages(e) } else { Ok(()) }
    }

    fn sessions(&self, e: &mut DescriptorEncoder) -> fmt::Result {
        let up = self.peers.iter().filter(|p| p.state == "established");
        let up = up.map(|p| ([("peer", p.name.as_str())], signed(p.since)));
        gauges(e, "bgp_session_uptime_seconds", "How long the session has been established.", up)?;
        let errors = self.peers.iter().filter_map(|p| {
            let error = p.last_error_code.as_ref()?;
            let code = error.code.map_or_else(String::new, |code| code.to_string());
            let subcode = error.subcode.map_or_else(String::new, |subcode| subcode.to_string());
            let labels = [
                ("peer", p.name.clone()),
                ("cause", error.cause.clone()),
                ("code", code),
                ("subcode", subcode),
            ];
            Some((labels, 1))
        });
        let help = "What ended the last session or attempt: a NOTIFICATION sent or received, by its code, or a \
                    failure here.";
        gauges(e, "bgp_session_last_error", help, errors)
    }

    fn messages(&self, e: &mut DescriptorEncoder) -> fmt::Result {
        let exchanged = self.peers.iter().flat_map(messages);
        counters(e, "bgp_messages", "Messages exchanged with a peer.", exchanged)?;
        let received = self.peers.iter().map(|p| ([("peer", p.name.as_str())], p.counters.octets_received));
        counters(e, "bgp_received_bytes", "Octets received.", received)?;
        let sent = self.peers.iter().map(|p| ([("peer", p.name.as_str())], p.counters.octets_sent));
        counters(e, "bgp_sent_bytes", "Octets sent.", sent)
    }

    fn paths(&self, e: &mut DescriptorEncoder) -> fmt::Result {
        let paths = || self.peers.iter().filter_map(|p| Some(([("peer", p.name.as_str())], p.bfd.as_ref()?)));
        gauges(
            e,
            "bfd_session_up",
            "1 while the BFD session with the peer is up.",
            paths().map(|(peer, path)| (peer, i64::from(path.state == "up"))),
        )?;
        let help = "How long the peer may be silent.";
        let seconds = |us: u64| Duration::from_micros(us).as_secs_f64();
        let times = paths().map(|(peer, path)| (peer, seconds(path.detection_time_us)));
        gauges(e, "bfd_detection_time_seconds", help, times)?;
        let ups = paths().map(|(peer, path)| (peer, path.up_count));
        counters(e, "bfd_session_up_transitions", "How often the BFD session has come up.", ups)?;
        let packets = paths().flat_map(|([(_, peer)], path)| {
            let n = &path.counters;
            [("sent", n.sent), ("not_sent", n.not_sent), ("received", n.received)]
                .map(|(direction, number)| ([("peer", peer), ("direction", direction)], number))
        });
        counters(e, "bfd_packets", "BFD packets exchanged with a peer.", packets)?;
        let discarded = paths().flat_map(|([(_, peer)], path)| {
            let reasons = path.counters.discarded.iter();
            reasons.map(move |(reason, number)| ([("peer", peer), ("reason", reason.as_str())], *number))
        });
        counters(e, "bfd_discarded_packets", "BFD packets of a peer discarded, by reason.", discarded)?;
        let stray = self.stray_bfd.iter().map(|(reason, number)| ([("reason", *reason)], *number));
        counters(e, "bfd_stray_packets", "BFD packets of no session discarded, by reason.", stray)
    }

    fn links(&self, e: &mut DescriptorEncoder) -> fmt::Result {
        let links = || self.peers.iter().filter_map(|p| Some((p.name.as_str(), p.link.as_ref()?)));
        let found = links().map(|(peer, link)| ([("peer", peer)], i64::from(link.found.is_some())));
        gauges(e, "bgp_neighbour_found", "1 while the neighbour on the peer's link is known.", found)?;
        let advertisements = links().flat_map(|(peer, link)| {
            [("sent", link.sent), ("received", link.received)]
                .map(|(direction, number)| ([("peer", peer), ("direction", direction)], number))
        });
        counters(e, "router_advertisements", "Router Advertisements on the peer's link.", advertisements)?;
        let ignored = links().flat_map(|(peer, link)| {
            link.ignored.iter().map(move |(fault, n)| ([("peer", peer), ("fault", fault.as_str())], *n))
        });
        counters(e, "router_ignored_packets", "Neighbor Discovery packets ignored, by fault.", ignored)
    }

    fn monitoring(&self, e: &mut DescriptorEncoder) -> fmt::Result {
        let each = || self.status.bmp.iter().map(|c| ([("collector", c.address.as_str())], c));
        let up = each().map(|(collector, c)| (collector, i64::from(c.state == "up")));
        gauges(e, "bmp_collector_up", "1 while the BMP collector is connected.", up)?;
        let waiting = each().map(|(collector, c)| (collector, signed(c.waiting)));
        gauges(e, "bmp_waiting_paths", "Changed paths that wait to be told to the collector.", waiting)?;
        let messages = each().map(|(collector, c)| (collector, c.messages));
        counters(e, "bmp_messages", "BMP messages written to the collector.", messages)?;
        let octets = each().map(|(collector, c)| (collector, c.octets));
        counters(e, "bmp_bytes", "Octets written to the BMP collector.", octets)?;
        let help = "BMP connections given up because the collector was too slow.";
        counters(e, "bmp_overtaken", help, each().map(|(collector, c)| (collector, c.overtaken)))?;
        let mrt = || self.status.mrt.iter();
        let records = mrt().flat_map(|m| {
            [("written", m.records), ("dropped", m.dropped)].map(|(outcome, n)| ([("outcome", outcome)], n))
        });
        counters(e, "mrt_records", "MRT records of what was heard, by what became of them.", records)?;
        let failing = mrt().map(|m| (NO_LABELS, i64::from(m.last_failure.is_some())));
        gauges(e, "mrt_failing", "1 while MRT files cannot be written.", failing)
    }

    fn kernel(&self, e: &mut DescriptorEncoder) -> fmt::Result {
        let rib = self.status.routes.rib;
        let families = [([("family", "ipv4")], signed(rib.ipv4)), ([("family", "ipv6")], signed(rib.ipv6))];
        gauges(e, "rib_routes", "Prefixes in the Loc-RIB.", families)?;
        let routes = self
            .fib_routes
            .iter()
            .map(|r| ([("path", r.path.as_str()), ("state", r.state.as_str())], signed(r.routes)));
        gauges(e, "fib_routes", "Routes wanted in the kernel, by path and state.", routes)?;
        let f = &self.fib;
        let changes = [("create", f.created), ("replace", f.replaced), ("delete", f.deleted)]
            .map(|(operation, number)| ([("operation", operation)], number));
        counters(e, "fib_changes", "Routes written to the kernel.", changes)?;
        counters(e, "fib_repairs", "Routes that others had altered, put right.", [(NO_LABELS, f.repaired)])?;
        counters(
            e,
            "fib_object_changes",
            "Next-hop objects written to the kernel.",
            [(NO_LABELS, f.objects)],
        )?;
        gauges(
            e,
            "fib_objects",
            "Next-hop objects of ours in the kernel.",
            [(NO_LABELS, signed(self.status.kernel.objects))],
        )?;
        let errors = f.errors.iter().map(|(errno, number)| ([("errno", errno.as_str())], *number));
        counters(e, "fib_netlink_errors", "Requests the kernel refused.", errors)?;
        let reasons: Vec<_> = f.resyncs.iter().map(|(reason, n)| (name_of(reason), *n)).collect();
        let resyncs = reasons.iter().map(|(reason, number)| ([("reason", reason.as_str())], *number));
        counters(e, "fib_resyncs", "Full comparisons with the kernel.", resyncs)?;
        let tunnel = &self.status.tunnel;
        let up = i64::from(tunnel.state == "up");
        gauges(e, "tunnel_up", "1 while the tunnel device is up as asked.", [(NO_LABELS, up)])?;
        let guarded = i64::from(tunnel.guard == "on");
        gauges(
            e,
            "tunnel_guard_in_force",
            "1 while the tunnel's guard is in force.",
            [(NO_LABELS, guarded)],
        )?;
        gauges(
            e,
            "tunnel_known_nodes",
            "Nodes that may send to us through the tunnel.",
            [(NO_LABELS, signed(tunnel.known_nodes))],
        )?;
        counters(
            e,
            "tunnel_guard_gaps",
            "Times the guard was removed or altered by another program and written again.",
            [(NO_LABELS, tunnel.guard_gaps)],
        )?;
        let help = "Time during which the guard was not as written.";
        let open = [(NO_LABELS, Duration::from_millis(tunnel.guard_open_ms).as_secs_f64())];
        family(e, "tunnel_guard_open_seconds", help, MetricType::Counter, open, |sample, value| {
            sample.encode_counter::<[(&str, &str); 0], _, u64>(value, None)
        })?;
        let dropped = tunnel.dropped.map(|drops| drops.by_reason()).into_iter().flatten();
        let dropped = dropped.map(|(reason, n)| ([("reason", reason)], n));
        counters(e, "tunnel_guard_dropped_packets", "Packets the tunnel's guard has dropped.", dropped)
    }
}

const NO_LABELS: [(&str, &str); 0] = [];

struct PeerLabels<'a> {
    peer: &'a str,
    peer_as: String,
    peer_type: &'static str,
}

impl<'a> PeerLabels<'a> {
    fn of(peer: &'a PeerRow) -> Self {
        Self { peer: &peer.name, peer_as: peer.remote_as.to_string(), peer_type: peer.kind.name() }
    }

    fn all(self) -> [(&'static str, String); 3] {
        [("peer", self.peer.to_owned()), ("peer_as", self.peer_as), ("peer_type", self.peer_type.to_owned())]
    }
}

fn state_number(state: &str) -> i64 {
    match state {
        "connect" => 2,
        "active" => 3,
        "open_sent" => 4,
        "open_confirm" => 5,
        "established" => 6,
        _ => 1,
    }
}

/// The JSON name of an enum without data.
fn name_of(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn gauges<V: EncodeGaugeValue, K: AsRef<str>, T: AsRef<str>, const N: usize>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    samples: impl IntoIterator<Item = ([(K, T); N], V)>,
) -> fmt::Result {
    family(encoder, name, help, MetricType::Gauge, samples, |sample, value| sample.encode_gauge(value))
}

fn counters<K: AsRef<str>, T: AsRef<str>, const N: usize>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    samples: impl IntoIterator<Item = ([(K, T); N], u64)>,
) -> fmt::Result {
    family(encoder, name, help, MetricType::Counter, samples, |sample, value| {
        sample.encode_counter::<[(&str, &str); 0], _, u64>(value, None)
    })
}

fn family<V, K: AsRef<str>, T: AsRef<str>, const N: usize>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    kind: MetricType,
    samples: impl IntoIterator<Item = ([(K, T); N], V)>,
    write: impl Fn(&mut MetricEncoder, &V) -> fmt::Result,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, kind)?;
    for (labels, value) in samples {
        let labels = labels.each_ref().map(|(key, text)| (key.as_ref(), text.as_ref()));
        if N == 0 {
            write(&mut metric, &value)?;
        } else {
            write(&mut metric.encode_family(&labels)?, &value)?;
        }
    }
    Ok(())
}

/// A peer's routes by reason.
fn by_reason<'a>(
    peer: &'a PeerRow,
    numbers: &'a BTreeMap<String, u64>,
) -> impl Iterator<Item = ([(&'static str, &'a str); 2], i64)> {
    let labels = |reason: &'a String| [("peer", peer.name.as_str()), ("reason", reason.as_str())];
    numbers.iter().map(move |(reason, number)| (labels(reason), signed(*number)))
}

/// A peer's messages by direction and type.
fn messages(peer: &PeerRow) -> impl Iterator<Item = ([(&'static str, &str); 3], u64)> {
    let n = &peer.counters;
    [("received", n.received), ("sent", n.sent)].into_iter().flat_map(|(direction, messages)| {
        messages.by_type().map(|(kind, number)| {
            ([("peer", peer.name.as_str()), ("direction", direction), ("type", kind)], number)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::protocol::{
        peer::{self, LastError},
        problem::Problem,
        status::GuardDrops,
    };

    #[test]
    fn a_scrape_tells_each_family_once_with_its_help_and_its_samples_after_it() {
        let peer = PeerRow {
            established_count: 2,
            received: 3,
            accepted: 2,
            advertised: 1,
            refused: [("as_loop".to_owned(), 1)].into(),
            unsent: [("too_long".to_owned(), 7)].into(),
            attribute_octets: 512,
            last_error_code: Some(LastError { cause: "received".into(), code: Some(6), subcode: Some(2) }),
            ..peer::example()
        };
        let fib_routes = vec![FibRoutes { path: "tunnel".into(), state: "installed".into(), routes: 2 }];
        let down = Problem {
            severity: Severity::Error,
            code: ProblemCode::SessionDown,
            subject: "tor".into(),
            message: "m".into(),
            remedy: "r".into(),
        };
        let mut status = Status { problems: vec![down], ..Status::default() };
        (status.tunnel.guard_gaps, status.tunnel.guard_open_ms) = (2, 130);
        status.tunnel.dropped = Some(GuardDrops { inner_source: 3, ..GuardDrops::default() });
        let snapshot = |detail| Snapshot {
            status: status.clone(),
            peers: vec![peer.clone()],
            detail,
            stray_bfd: [("ttl", 4)].into(),
            fib_routes: fib_routes.clone(),
            fib: Default::default(),
        };
        let text = render(snapshot(Detail::Messages), Format::OpenMetrics).expect("renders");
        for line in [
            "siskin_bgp_peer_state{peer=\"tor\",peer_as=\"64600\",peer_type=\"external\"} 6",
            "siskin_bgp_peer_established_transitions_total{peer=\"tor\",peer_as=\"64600\",peer_type=\"external\"} 2",
            "siskin_bgp_prefixes{peer=\"tor\",rib=\"accepted\"} 2",
            "siskin_bgp_refused_routes{peer=\"tor\",reason=\"as_loop\"} 1",
            "siskin_bgp_unsent_prefixes{peer=\"tor\",reason=\"too_long\"} 7",
            "siskin_bgp_sent_bytes_total{peer=\"tor\"} 0",
            "siskin_bgp_messages_total{peer=\"tor\",direction=\"sent\",type=\"update\"} 0",
            "siskin_fib_routes{path=\"tunnel\",state=\"installed\"} 2",
            "siskin_bfd_stray_packets_total{reason=\"ttl\"} 4",
            "siskin_tunnel_guard_dropped_packets_total{reason=\"inner_source\"} 3",
            "siskin_tunnel_guard_gaps_total 2",
            "siskin_tunnel_guard_open_seconds_total 0.13",
            "siskin_bgp_session_uptime_seconds{peer=\"tor\"} 5",
            "siskin_bgp_session_last_error{peer=\"tor\",cause=\"received\",code=\"6\",subcode=\"2\"} 1",
            "siskin_tunnel_guard_in_force 0",
            "siskin_tunnel_up 0",
            "siskin_uptime_seconds 0",
            "siskin_healthy 0",
            "siskin_ready 1",
            "siskin_problem{code=\"session_down\",severity=\"error\"} 1",
            "siskin_problems{severity=\"warning\"} 0",
        ] {
            assert!(text.contains(&format!("{line}\n")), "{line} is missing in\n{text}");
        }
        assert!(text.contains("\nprocess_open_fds ") && text.contains("siskin_build_info{version="));
        assert!(text.ends_with("# EOF\n"));
        families_are_whole(&text);

        let of_peer = |text: &str| text.lines().filter(|line| line.contains("{peer=\"tor\"")).count();
        let usual = render(snapshot(Detail::Usual), Format::Prometheus).expect("renders");
        assert!(!usual.contains("bgp_messages") && !usual.contains("# EOF"));
        assert!(2 * of_peer(&usual) <= of_peer(&text) + 1, "{} of {}", of_peer(&usual), of_peer(&text));
        assert_eq!(of_peer(&usual), 12, "nine always, and what is wrong with it");
        assert!(usual.contains("# TYPE siskin_bgp_peer_established_transitions_total counter\n"));
    }

    /// Each family begins with its help, then its type, then come its samples and nothing else's; none comes twice.
    fn families_are_whole(text: &str) {
        let mut families: Vec<&str> = Vec::new();
        let mut samples = 0;
        for line in text.lines().take_while(|line| *line != "# EOF") {
            let current = families.last().copied().unwrap_or_default();
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (family, help) = rest.split_once(' ').expect("a help text");
                assert!(!families.contains(&family) && help.ends_with('.'), "{line}");
                families.push(family);
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                assert!(
                    ["counter", "gauge"].contains(&rest.strip_prefix(current).unwrap_or("?").trim()),
                    "{line}"
                );
            } else if let Some(unit) = line.strip_prefix("# UNIT ") {
                assert!(unit.starts_with(current), "{line}");
            } else {
                let name = line.split(['{', ' ']).next().unwrap_or_default();
                assert_eq!(name.strip_suffix("_total").unwrap_or(name), current, "{line}");
                samples += 1;
            }
        }
        assert!(
            families.len() > 30 && samples >= families.len() / 2,
            "{} families, {samples} samples",
            families.len()
        );
    }
}
