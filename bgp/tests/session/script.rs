//! Octets as a script of what one peer does. Shared with the fuzz target.

use super::rig::{Rig, SENDER, Speech};

/// What may happen, one octet each; some are followed by operands.
const CONNECT: u8 = 0;
const OPEN: u8 = 1;
const KEEPALIVE: u8 = 2;
/// A type octet, a length in two octets, and a body: framed as it should be.
const MESSAGE: u8 = 3;
/// A length octet, and octets that go out as they are.
const OCTETS: u8 = 4;
/// A number of seconds.
const WAIT: u8 = 5;
const LOSE: u8 = 6;
const RESET: u8 = 7;
/// Which next hop.
const FLIP: u8 = 8;
const STEPS: u8 = 9;

/// Carries a script out; every invariant is checked after every step.
pub(crate) fn play(script: &[u8]) {
    let mut rig = Rig::new();
    let mut rest = script;
    while let Some(step) = take(&mut rest, 1).first() {
        match step % STEPS {
            CONNECT => rig.connect(SENDER),
            OPEN => rig.say(SENDER, Speech::Open),
            KEEPALIVE => rig.say(SENDER, Speech::Keepalive),
            MESSAGE => {
                let kind = number(&mut rest, 1) as u8;
                let length = number(&mut rest, 2);
                let body = take(&mut rest, length);
                rig.octets(SENDER, &framed(kind, body));
            }
            OCTETS => {
                let length = number(&mut rest, 1);
                rig.octets(SENDER, take(&mut rest, length));
            }
            WAIT => rig.wait(number(&mut rest, 1) as u8),
            LOSE => rig.lose(SENDER),
            RESET => rig.reset(),
            FLIP => rig.flip(number(&mut rest, 1) as u8),
            _ => unreachable!(),
        }
        rig.check();
    }
}

/// The next octets, fewer at the end.
fn take<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(length.min(rest.len()));
    *rest = left;
    taken
}

fn number(rest: &mut &[u8], octets: usize) -> usize {
    take(rest, octets).iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet))
}

fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() + 19).min(usize::from(u16::MAX)) as u16;
    [&[0xff; 16][..], &length.to_be_bytes(), &[kind], body].concat()
}
