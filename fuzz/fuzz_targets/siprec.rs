//! Metadata is written as it is read, and whatever stands in it grows nothing.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sip::siprec::Metadata;

fuzz_target!(|data: &[u8]| {
    let Ok(metadata) = Metadata::parse(data) else { return };
    let written = metadata.to_xml();
    // Escapes may make it too large to be read again.
    let Ok(again) = Metadata::parse(written.as_bytes()) else { return };
    assert_eq!(Metadata::parse(again.to_xml().as_bytes()).as_ref(), Ok(&again), "write is the inverse of read");
    let mut held = again.clone();
    held.update(again);
    assert!(held.streams.len() <= 64 && held.participants.len() <= 64);
});
