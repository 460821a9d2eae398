#!/usr/bin/env bash
# audio-codec 0.4.13: its Opus decoder loses every packet of more than 20 ms without an error. RFC 6716 §3.2 has packets of up to
# 120 ms, RFC 7587 §6.1 lets a peer choose `ptime` and phones do take 40 or 60 ms to save bandwidth; libopus decodes them with
# room enough. This one gives opus-rs room for 20 ms whatever the packet's first byte says, and turns the refusal into no
# samples: a recording or a transcript of such a call is silent from its first to its last second, and nothing says why.
#
# Seen: a packet of one frame of 20 ms: 960 samples. The same frame twice in a packet (code 1, 40 ms): 0 samples,
# where opus-rs 0.1.40 beneath it has 1920 for who hands it that much room.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "packets"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
audio-codec = { version = "=0.4.13", features = ["opus"] }
opus-rs = "=0.1.40"
TOML
cat >src/main.rs <<'RUST'
use audio_codec::opus::{OpusDecoder, OpusEncoder};
use audio_codec::{Decoder, Encoder};

fn main() {
    let tone: Vec<i16> = (0..960).map(|n| (8000.0 * (n as f32 / 20.0).sin()) as i16).collect();
    let one = OpusEncoder::new(48_000, 1).encode(&tone);
    assert_eq!(one[0] & 3, 0, "one frame");
    // RFC 6716 §3.2.3: two frames of one size in a packet.
    let mut two = vec![one[0] | 1];
    two.extend(&one[1..]);
    two.extend(&one[1..]);
    for (name, packet) in [("20 ms", &one), ("40 ms", &two)] {
        println!("{name}: {} samples", OpusDecoder::new(48_000, 1).decode(packet).len());
    }
    let mut room = [0.0; 1920];
    let samples = opus_rs::OpusDecoder::new(48_000, 1).unwrap().decode(&two, 1920, &mut room);
    println!("40 ms by opus-rs with room for it: {samples:?}");
}
RUST
CARGO_TARGET_DIR=$work/target CARGO_BUILD_JOBS=1 cargo run --quiet | tee seen
diff - seen <<'SEEN'
20 ms: 960 samples
40 ms: 0 samples
40 ms by opus-rs with room for it: Ok(1920)
SEEN
