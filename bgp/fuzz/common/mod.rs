//! One message, read under several sessions: nothing panics, what becomes of an UPDATE is what RFC 7606 says, what can
//! be read is written and read again unchanged, and reading takes memory in proportion to the message.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

#[path = "../../tests/wire/oracle.rs"]
mod oracle;
#[path = "../../tests/wire/stable.rs"]
mod stable;

/// Octets allocated for each octet of a message, at most: a prefix of no length is one octet, and 24 as a value; the
/// lists that hold them grow by doubling.
const PER_OCTET: usize = 128;
/// Octets allocated for the shortest message, at most.
const ALWAYS: usize = 4096;

/// Counts every octet that is allocated, freed or not.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Reads a message of this type.
pub fn check(kind: u8, body: &[u8]) {
    let Ok(length) = u16::try_from(body.len() + 19) else { return };
    let message = [&[0xff; 16][..], &length.to_be_bytes(), &[kind], body].concat();
    for (decode, encode) in stable::sessions() {
        let before = ALLOCATED.load(Relaxed);
        let _ = bgp::wire::decode(&message, &decode);
        let allocated = ALLOCATED.load(Relaxed) - before;
        let most = ALWAYS + message.len() * PER_OCTET;
        assert!(allocated <= most, "{allocated} octets allocated for {} received", message.len());
        stable::check(&message, &decode, &encode);
    }
}
