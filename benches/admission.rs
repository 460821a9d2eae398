//! How many calls a second can one core admit and route? Each row is one whole decision, steps included.
//!
//! `cargo bench --package benches --bench admission`

#![expect(clippy::panic, reason = "a bench that does not measure what it says must stop")]

use std::path::Path;
use std::time::{Duration, Instant};

use config::Config;
use divan::{Bencher, black_box};
use gateway::admit::{Admitted, Facts, OfferedMedia, Outcome, admit};
use gateway::limits::Limits;
use gateway::peer::Transport;
use gateway::registrar::Registrar;
use gateway::route::{Health, RouteFacts, route};

fn main() {
    divan::main();
}

/// `connectors` trunks with ten numbers each, and three carriers of two hosts.
fn config(connectors: u32) -> Config {
    let mut text =
        String::from("[gateway]\ndomain = \"vc.example.com\"\n[[listen]]\naddress = \"127.0.0.1:5060\"\n");
    for at in 0..connectors {
        let (high, low) = (at / 256, at % 256);
        text.push_str(&format!(
            "[[voice_connector]]\nid = \"c{at}\"\n[voice_connector.termination]\n\
             allowlist = [\"10.1.{high}.{low}/32\"]\ncalling_plan = [\"US\", \"CA\", \"GB\"]\n"
        ));
        for number in 0..10 {
            let number = at * 10 + number;
            text.push_str(&format!(
                "[[phone_number]]\nnumber = \"+1206{:07}\"\nvoice_connector = \"c{at}\"\n",
                2_000_000 + number
            ));
        }
    }
    for (at, prefix) in ["+", "+1", "+44"].into_iter().enumerate() {
        text.push_str(&format!("[[carrier]]\nname = \"carrier-{at}\"\nprefixes = [\"{prefix}\"]\n"));
        for host in 1..3 {
            text.push_str(&format!("[[carrier.host]]\nhost = \"192.0.2.{}\"\n", at * 10 + host));
        }
    }
    match Config::parse(&text, Path::new("bench.toml")) {
        Ok((config, _)) => config,
        Err(errors) => panic!("{errors}"),
    }
}

/// A call of the last connector, named by its host or found by its source.
fn call(connectors: u32, named: bool) -> Facts {
    let last = connectors - 1;
    let host = if named { format!("c{last}.vc.example.com") } else { "vc.example.com".to_owned() };
    let source = format!("10.1.{}.{}", last / 256, last % 256);
    let source = source.parse().unwrap_or_else(|_| [10, 1, 0, 0].into());
    let mut facts = Facts::new(source, Transport::Udp, &host, "+12125550123");
    facts.from = Some(format!("+1206{:07}", 2_000_000 + last * 10));
    facts.media = OfferedMedia::Plain;
    facts
}

fn admitted(config: &Config, facts: &Facts) -> Admitted {
    match admit(config, facts).outcome {
        Outcome::Admit(admitted) => *admitted,
        other => panic!("{other:?}"),
    }
}

#[divan::bench(args = [1, 1_000])]
fn admit_by_host(bencher: Bencher<'_, '_>, connectors: u32) {
    let (config, facts) = (config(connectors), call(connectors, true));
    let _ = admitted(&config, &facts);
    bencher.bench_local(|| admit(black_box(&config), black_box(&facts)));
}

#[divan::bench(args = [1, 1_000])]
fn admit_by_source(bencher: Bencher<'_, '_>, connectors: u32) {
    let (config, facts) = (config(connectors), call(connectors, false));
    let _ = admitted(&config, &facts);
    bencher.bench_local(|| admit(black_box(&config), black_box(&facts)));
}

#[divan::bench(args = [1, 1_000])]
fn refuse_a_stranger(bencher: Bencher<'_, '_>, connectors: u32) {
    let (config, mut facts) = (config(connectors), call(connectors, false));
    facts.source = [203, 0, 113, 1].into();
    bencher.bench_local(|| admit(black_box(&config), black_box(&facts)));
}

#[divan::bench]
fn plan_a_route(bencher: Bencher<'_, '_>) {
    let config = config(1);
    let admitted = admitted(&config, &call(1, true));
    let (health, now) = (Health::new(), Instant::now());
    let mut draw = 0;
    bencher.bench_local(|| {
        draw += 1;
        route(
            black_box(&config),
            &health,
            &RouteFacts { admitted: &admitted, draw, now, registrar: &Registrar::default() },
        )
    });
}

#[divan::bench]
fn take_and_give_back_a_place(bencher: Bencher<'_, '_>) {
    let config = config(1);
    let admitted = admitted(&config, &call(1, true));
    let limits = Limits::new();
    let mut second = 0;
    bencher.bench_local(|| {
        second += 1;
        drop(limits.call(black_box(&admitted), Duration::from_secs(second)));
    });
}
