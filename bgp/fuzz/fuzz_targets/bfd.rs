//! Any datagrams at any times, to two BFD sessions: nothing panics, work is bounded, and time never goes back.
#![no_main]

use std::{collections::BTreeMap, net::IpAddr, num::NonZeroU8, sync::Arc, time::Duration};

use bgp::{
    bfd::{Arrival, Endpoint, Engine, Parameters, Path, Wanted},
    types::Now,
};
use libfuzzer_sys::fuzz_target;

const NEIGHBOR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

/// Octets of one step: time passed, what came with the datagram, the datagram.
const STEP: usize = 26;

fn wanted(path: Path, interval: u8) -> Wanted {
    let interval = Duration::from_millis(interval.into());
    Wanted {
        endpoint: Endpoint { peer: NEIGHBOR, source: None, interface: None, path, minimum_ttl: 250 },
        parameters: Parameters { min_tx: interval, min_rx: interval, multiplier: NonZeroU8::MIN },
    }
}

/// Takes all outputs; few come of one step.
fn drain(engine: &mut Engine) {
    let outputs = std::iter::from_fn(|| engine.poll_output()).count();
    assert!(outputs <= 16, "{outputs} outputs of one step");
}

fuzz_target!(|input: &[u8]| {
    let mut engine = Engine::new(1);
    let mut now = Now::default();
    let mut sessions = BTreeMap::<Arc<str>, Wanted>::new();
    for step in input.chunks(STEP) {
        let [passed, how, datagram @ ..] = step else { return };
        now = now.plus(Duration::from_millis(u64::from(*passed) * 8));
        let path = if how & 1 == 0 { Path::SingleHop } else { Path::MultiHop };
        match how >> 5 {
            0 => _ = sessions.insert("one".into(), wanted(Path::SingleHop, *passed)),
            1 => _ = sessions.insert("two".into(), wanted(Path::MultiHop, *passed)),
            2 => _ = sessions.pop_first(),
            _ => {}
        }
        engine.configure(now, &sessions);
        let mut octets = datagram.to_vec();
        // The fuzzer need not guess the discriminator.
        let views = engine.sessions(now);
        if let (2, Some(view), Some(yours)) = (how >> 1 & 3, views.last(), octets.get_mut(8..12)) {
            yours.copy_from_slice(&view.discriminator.to_be_bytes());
        }
        let arrival = Arrival { source: NEIGHBOR, interface: 1, ttl: 255 - (how >> 3 & 1) * 7, path };
        engine.receive(now, &arrival, &octets);
        engine.run(now, 64);
        drain(&mut engine);
        assert!(engine.poll_timeout().is_none_or(|due| due > now), "something is due again at once");
    }
});
