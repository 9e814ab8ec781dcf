//! The same wrong messages for siskin, BIRD, FRR and GoBGP: siskin answers what the standards say, and what the others
//! do otherwise is known.

mod rows;

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddrV4, TcpStream},
    process::Command,
    time::{Duration, Instant},
};

use bgp::{
    config::{ConnectMode, PeerConfig},
    fsm::State,
    net::{ListenState, SpeakerHandle},
    types::PeerType,
    wire::{DecodeContext, Message, decode, framer},
};
use bytes::BytesMut;
use socket2::{Domain, Socket, Type};

use self::rows::{Answer, Row, When, right_open, rows};
use crate::{
    common::{eventually, host, peer, speaker, start},
    daemon::Daemon,
    namespace::{Place, enter},
};

const PORT: u16 = 18779;
/// How long somebody who says nothing is given to say something.
const SILENCE: Duration = Duration::from_secs(4);
const SOON: Duration = Duration::from_secs(30);
/// How many connections at once the others can be trusted with.
const AT_ONCE: usize = 4;

/// The address that a row's peer connects from.
fn source(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 83, 1, u8::try_from(number).unwrap())
}

/// Every address of 10.83.1.0/24 is one of this host.
fn add_sources() {
    let arguments = ["route", "add", "local", "10.83.1.0/24", "dev", "lo"];
    assert!(Command::new("ip").args(arguments).status().unwrap().success());
}

/// One connection to the daemon under test.
struct Connection {
    stream: TcpStream,
    input: BytesMut,
}

impl Connection {
    /// Connects as often as needed: the daemon may not listen yet.
    fn open(from: Ipv4Addr) -> Self {
        let end = Instant::now() + SOON;
        loop {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.bind(&SocketAddrV4::new(from, 0).into()).unwrap();
            if socket.connect(&SocketAddrV4::new(host(2), PORT).into()).is_ok() {
                return Self { stream: socket.into(), input: BytesMut::new() };
            }
            assert!(Instant::now() < end, "nobody listens");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The next message; an error when the connection has ended, or nothing comes within the time.
    fn next(&mut self, within: Duration) -> Result<Message, ErrorKind> {
        let context = DecodeContext::unnegotiated(PeerType::Internal);
        let end = Instant::now() + within;
        loop {
            if let Ok(Some(message)) = framer::next_message(&mut self.input, 4096) {
                return Ok(decode(&message, &context).unwrap());
            }
            let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.stream.set_read_timeout(Some(left)).unwrap();
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof),
                Ok(length) => self.input.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(error.kind()),
                Err(error) => return Err(error.kind()),
            }
        }
    }

    fn wait_for(&mut self, wanted: impl Fn(&Message) -> bool) -> Result<(), ErrorKind> {
        while !wanted(&self.next(SOON)?) {}
        Ok(())
    }

    /// Brings the other side into the state in which the wrong message is to come.
    fn prepare(&mut self, when: When, id: Ipv4Addr) -> Result<(), ErrorKind> {
        self.wait_for(|message| matches!(message, Message::Open(_)))?;
        if when == When::OpenSent {
            return Ok(());
        }
        self.stream.write_all(&right_open(id.octets())).unwrap();
        self.wait_for(|message| matches!(message, Message::Keepalive))?;
        if when == When::Established {
            let keepalive = [&framer::MARKER[..], &[0, 19, 4]].concat();
            self.stream.write_all(&keepalive).unwrap();
        }
        Ok(())
    }

    fn answer(&mut self) -> Answer {
        loop {
            match self.next(SILENCE) {
                Ok(Message::Notification(notification)) => {
                    let kind = notification.kind;
                    return Answer::Notification(kind.code, kind.subcode, notification.data.to_vec());
                }
                Ok(_) => {}
                Err(ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Answer::Stays,
                Err(_) => return Answer::Closed,
            }
        }
    }
}

/// Plays rows at once, each from an address of its own, and returns the answers; so many came `before` them. The connections of those that
/// stay are left open.
fn play(before: usize, rows: &[Row]) -> Vec<(Answer, Connection)> {
    let one = |number: usize, row: &Row| {
        let from = source(before + number + 1);
        let mut connection = Connection::open(from);
        if connection.prepare(row.when, from).is_err() {
            return (Answer::NoSession, connection);
        }
        connection.stream.write_all(&row.octets).unwrap();
        (connection.answer(), connection)
    };
    std::thread::scope(|scope| {
        let all: Vec<_> =
            rows.iter().enumerate().map(|(number, row)| scope.spawn(move || one(number, row))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

#[tokio::test]
async fn siskin_answers_every_wrong_message_as_the_standards_say() {
    if enter("answers::siskin_answers_every_wrong_message_as_the_standards_say") == Place::Outside {
        return;
    }
    add_sources();
    let rows = rows();
    let peers = (1..=rows.len()).map(passive).collect();
    let (ours, _events) = start(speaker(host(2), PORT, peers));
    eventually("listening", SOON, || async {
        ours.listeners().values().any(|state| *state == ListenState::Listening)
    })
    .await;
    let (rows, answers) = tokio::task::spawn_blocking(move || {
        let answers = play(0, &rows);
        (rows, answers)
    })
    .await
    .unwrap();
    for (number, (row, (answer, _))) in rows.iter().zip(&answers).enumerate() {
        assert_eq!(*answer, row.answer, "{:?}, {} (RFC {})", row.when, row.what, row.source);
        let expected = if row.answer == Answer::Stays { State::Established } else { State::Idle };
        assert_eq!(state_of(&ours, number + 1).await, expected, "{:?}, {}", row.when, row.what);
    }
}

fn passive(number: usize) -> PeerConfig {
    let mut config = PeerConfig { name: number.to_string(), ..peer(host(2), source(number), PORT) };
    config.transport.mode = ConnectMode::Passive;
    // Long enough to see the state after the error (RFC 4271 section 8.1.1, IdleHoldTimer).
    config.timers.idle_hold_time = Duration::from_secs(600);
    config.timers.idle_hold_max = Duration::from_secs(600);
    config
}

async fn state_of(ours: &SpeakerHandle, number: usize) -> State {
    let peers = ours.peers().await.unwrap();
    peers.into_iter().find(|peer| peer.name == number.to_string()).unwrap().state
}

/// BIRD, FRR and GoBGP as Debian 12 has them: what they answer otherwise than the standards say.
#[tokio::test]
#[ignore = "prints what the daemons that are installed answer: the source of a table in docs/robustness.md"]
async fn the_others_answers_are_told() {
    if enter("answers::the_others_answers_are_told") == Place::Outside {
        return;
    }
    add_sources();
    let rows = rows();
    let mut columns = Vec::new();
    for start in [bird, frr, gobgp] {
        let Some(daemon) = start() else { return };
        let few = rows.chunks(AT_ONCE).enumerate();
        columns.push(few.flat_map(|(group, rows)| play(group * AT_ONCE, rows)).collect::<Vec<_>>());
        drop(daemon);
    }
    for (number, row) in rows.iter().enumerate() {
        let cells: Vec<_> = columns.iter().map(|column| cell(&column[number].0, &row.answer)).collect();
        println!(
            "| {:?} | {} | {} | {} | {} |",
            row.when,
            row.what,
            row.source,
            shown(&row.answer),
            cells.join(" | ")
        );
    }
}

fn cell(answer: &Answer, expected: &Answer) -> String {
    if answer == expected { "the same".into() } else { shown(answer) }
}

fn shown(answer: &Answer) -> String {
    match answer {
        Answer::Notification(code, subcode, data) if data.is_empty() => format!("{code}/{subcode}"),
        Answer::Notification(code, subcode, data) => {
            let data: Vec<_> = data.iter().map(|octet| format!("{octet:02x}")).collect();
            format!("{code}/{subcode} `{}`", data.join(" "))
        }
        Answer::Closed => "closed".into(),
        Answer::Stays => "stays".into(),
        Answer::NoSession => "no session".into(),
    }
}

fn bird() -> Option<Daemon> {
    let own = host(2);
    let configuration = format!(
        "router id {own};
protocol device {{ }}
protocol bgp others {{
  local {own} port {PORT} as 64512;
  neighbor range 10.83.1.0/24 as 64512;
  strict bind yes;
  multihop;
  ipv4 {{ import all; export none; }};
}}
"
    );
    Daemon::bird(&configuration)
}

fn frr() -> Option<Daemon> {
    let own = host(2);
    let configuration = format!(
        "router bgp 64512
 bgp router-id {own}
 neighbor others peer-group
 neighbor others remote-as 64512
 bgp listen limit 200
 bgp listen range 10.83.1.0/24 peer-group others
"
    );
    crate::frr::bgpd(own, PORT, &configuration)
}

fn gobgp() -> Option<Daemon> {
    let own = host(2);
    let configuration = format!(
        "[global.config]
as = 64512
router-id = \"{own}\"
port = {PORT}
local-address-list = [\"{own}\"]
[[peer-groups]]
[peer-groups.config]
peer-group-name = \"others\"
peer-as = 64512
[peer-groups.timers.config]
hold-time = 90
[[peer-groups.afi-safis]]
[peer-groups.afi-safis.config]
afi-safi-name = \"ipv4-unicast\"
[[dynamic-neighbors]]
[dynamic-neighbors.config]
prefix = \"10.83.1.0/24\"
peer-group = \"others\"
"
    );
    let api = format!("{own}:18781");
    Daemon::start(
        "gobgpd",
        &["-f", "{}/conf", "-t", "toml", "--api-hosts", &api, "--pprof-disable"],
        &configuration,
    )
}
