//! A stream gives the same frames wherever it is split.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sip::StreamFramer;

/// The frames, and the error if there was one.
fn frames<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let mut framer = StreamFramer::new(1_024, 256);
    let mut frames = Vec::new();
    for piece in pieces {
        framer.push(piece);
        loop {
            match framer.next() {
                Ok(Some(sip::Frame::Message(message))) => frames.push(format!("{:?}", message.bytes())),
                Ok(None) => break,
                other => frames.push(format!("{other:?}")),
            }
        }
    }
    frames
}

fuzz_target!(|data: &[u8]| {
    // The first byte says where to split.
    let Some((&piece, stream)) = data.split_first() else { return };
    let whole = frames(std::iter::once(stream));
    assert_eq!(frames(stream.chunks(usize::from(piece).max(1))), whole);
    assert_eq!(frames(stream.chunks(1)), whole);
});
