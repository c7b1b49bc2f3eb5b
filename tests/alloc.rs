//! Parsing and full typed access do not touch the heap.
// The one place with unsafe code: a counting allocator cannot be written without it.
#![allow(unsafe_code, clippy::unwrap_used)]

use bytes::Bytes;
use ringback::message::Message;
use ringback::syntax::{HeaderName, Limits};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    /// Per thread, because the harness runs tests and prints beside each other.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // No thread-local any more while a thread ends: nothing is measured then.
    let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let before = ALLOCATIONS.get();
    let result = work();
    (ALLOCATIONS.get() - before, result)
}

/// Every Via, From, To, CSeq, Call-ID, Contact, Route and Record-Route, with all their parameters.
fn read_all(message: &Message) -> usize {
    let mut seen = 0;
    for via in message.vias() {
        let via = via.unwrap();
        seen += via.params().iter().count() + via.branch().map_or(0, <[u8]>::len) + via.transport().len();
        seen += usize::from(via.received().is_some()) + usize::from(via.rport().is_some());
    }
    for address in [message.from().unwrap(), message.to().unwrap()] {
        seen += address.tag().map_or(0, <[u8]>::len)
            + address.uri().as_bytes().len()
            + address.display_name_unquoted().len();
    }
    seen += message.cseq().unwrap().number as usize + message.call_id().unwrap().len();
    for contact in message.contacts() {
        seen += contact.unwrap().expires().map_or(0, |e| e as usize);
    }
    for name in [HeaderName::Route, HeaderName::RecordRoute] {
        for address in message.addresses(name) {
            seen += address.unwrap().uri().params().iter().count();
        }
    }
    if let Some(uri) = message.request_uri() {
        seen += uri.unwrap().user().map_or(0, <[u8]>::len);
    }
    seen + message.tokens(HeaderName::Allow).count() + message.body().len()
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| std::hint::black_box(vec![1_u8; 10])).0, 1);
}

#[test]
fn parsing_and_full_typed_access_do_not_allocate() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/messages");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = Bytes::from(std::fs::read(&path).unwrap());
        let (while_framing, message) = allocations(|| Message::parse(bytes, &Limits::default()).unwrap());
        let (while_reading, seen) = allocations(|| read_all(&message));
        let (while_cloning, _copy) = allocations(|| message.clone());
        assert!(seen > 0);
        assert_eq!((while_framing, while_reading), (0, 0), "{}", path.display());
        // The first clone of bytes that were a vector makes their counter.
        assert!(while_cloning <= 1, "{}", path.display());
        files += 1;
    }
    assert_eq!(files, 11);
}
