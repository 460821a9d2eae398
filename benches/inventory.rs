//! Does a large inventory cost a call anything, and how long does it take to load? 100,000 numbers.
//!
//! `cargo bench --package benches --bench inventory`

#![expect(clippy::panic, reason = "a bench that does not measure what it says must stop")]

use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

use config::Config;
use divan::{Bencher, black_box};
use gateway::admit::{Admitted, Facts, OfferedMedia, Outcome, admit};
use gateway::peer::Transport;
use gateway::registrar::Registrar;
use gateway::route::{Health, RouteFacts, route};

const FILE: &str = "[gateway]\ndomain = \"vc.example.com\"\n[[listen]]\naddress = \"127.0.0.1:5060\"\n\
    [[voice_connector]]\nid = \"office\"\n[voice_connector.termination]\nallowlist = [\"192.0.2.10/32\"]\n\
    calling_plan = [\"US\"]\n[[voice_connector.origination.route]]\nhost = \"192.0.2.10\"\n\
    [[carrier]]\nname = \"carrier\"\nallowlist = [\"198.51.100.0/24\"]\n[[carrier.host]]\nhost = \"198.51.100.1\"\n";

fn main() {
    divan::main();
}

/// The CSV of so many numbers from +12062000000 on.
fn inventory(numbers: u32) -> String {
    let mut text = String::from("number,voice_connector\n");
    for number in 0..numbers {
        let _ = writeln!(text, "+1206{},office", 2_000_000 + number);
    }
    text
}

fn config(inventory: &str) -> Config {
    let mut config = match Config::parse(FILE, Path::new("bench.toml")) {
        Ok((config, _)) => config,
        Err(errors) => panic!("{errors}"),
    };
    if let Err(errors) = config.parse_inventory(inventory, Path::new("numbers.csv")) {
        panic!("{errors}");
    }
    config
}

fn admitted(config: &Config, facts: &Facts) -> Admitted {
    match admit(config, facts).outcome {
        Outcome::Admit(admitted) => *admitted,
        other => panic!("{other:?}"),
    }
}

fn decide(bencher: Bencher<'_, '_>, numbers: u32, facts: &Facts) {
    let config = config(&inventory(numbers));
    let _ = admitted(&config, facts);
    let (health, now) = (Health::new(), Instant::now());
    let mut draw = 0;
    bencher.bench_local(|| {
        draw += 1;
        let admitted = admitted(black_box(&config), facts);
        route(
            &config,
            &health,
            &RouteFacts { admitted: &admitted, draw, now, registrar: &Registrar::default() },
        )
    });
}

/// One of our numbers calls out.
#[divan::bench(args = [1, 100_000])]
fn admit_and_route_outbound(bencher: Bencher<'_, '_>, numbers: u32) {
    let mut facts = Facts::new([192, 0, 2, 10].into(), Transport::Udp, "vc.example.com", "+12125550123");
    facts.from = Some(format!("+1206{}", 2_000_000 + numbers - 1));
    facts.media = OfferedMedia::Plain;
    decide(bencher, numbers, &facts);
}

/// One of our numbers is called.
#[divan::bench(args = [1, 100_000])]
fn admit_and_route_inbound(bencher: Bencher<'_, '_>, numbers: u32) {
    let called = format!("+1206{}", 2_000_000 + numbers - 1);
    let mut facts = Facts::new([198, 51, 100, 1].into(), Transport::Udp, "vc.example.com", &called);
    facts.from = Some("+12125550123".to_owned());
    facts.media = OfferedMedia::Plain;
    decide(bencher, numbers, &facts);
}

/// The whole configuration, read anew: what a reload costs.
#[divan::bench(args = [1_000, 100_000], sample_count = 10)]
fn load(bencher: Bencher<'_, '_>, numbers: u32) {
    let text = inventory(numbers);
    bencher.bench_local(|| config(black_box(&text)));
}
