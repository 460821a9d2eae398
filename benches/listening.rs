//! What does a call cost that somebody listens to, beside its relay? A second of both parties, from their packets to frames of 20 ms.
//!
//! `cargo bench --package benches --bench listening`: so many seconds as these fit into a second, so many calls one core hears.

use std::time::Duration;

use audio::{Happening, Listener, Party, Settings};
use divan::{Bencher, black_box};
use rtp::codec::Codec;
use rtp::packet::Ssrc;
use rtp::quality::{PayloadFormat, PayloadUse};
use rtp::relay::{Said, Tapped, TappedPacket};

const FRAME: Duration = Duration::from_millis(20);

fn main() {
    divan::main();
}

#[divan::bench(args = ["pcmu", "pcma", "g722"])]
fn a_second_of_both_parties(bencher: Bencher<'_, '_>, codec: &str) {
    let codec = Some(Codec::named(codec));
    let mut listener = Listener::new(Settings::default());
    let payload: Vec<u8> = (0..160).map(|byte: u8| byte.wrapping_mul(37)).collect();
    let mut number = 0_u32;
    bencher.bench_local(|| {
        let mut samples = 0;
        for _ in 0..50 {
            number += 1;
            let (seq, timestamp, at) = (number as u16, number.wrapping_mul(160), FRAME * number);
            let format = PayloadFormat { clock_rate: 8000, used_for: PayloadUse::Media };
            let packet = TappedPacket { ssrc: Ssrc(7), seq, timestamp, marker: false, format, codec };
            let tapped = Tapped { at, dropped: 0, said: Said::Packet(packet) };
            listener.handle(Party::Caller, &tapped, black_box(&payload));
            listener.handle(Party::Callee, &tapped, black_box(&payload));
            listener.handle_timeout(at);
            while let Some(told) = listener.poll() {
                if let Happening::Frame { samples: frame, .. } = told {
                    samples += frame.len();
                }
            }
        }
        samples
    });
}
