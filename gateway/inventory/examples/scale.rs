//! What an inventory of 10,000 connectors and 100,000 numbers costs: to open, to read, to change.
//!
//! `cargo run --release -p inventory --example scale -- DIRECTORY`

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::disallowed_methods)]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use config::Config;
use inventory::object::{ProductType, Termination};
use inventory::{Embedded, Inventory, Limits, NewConnector, NewOrder, NumberOwner, Pool, Setup, Timestamp};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn open(path: &Path) -> Inventory {
    let files = "listen = [{ address = \"127.0.0.1:5060\" }]";
    let files = Config::parse(files, Path::new("f.toml")).unwrap().0;
    let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ u64::from(std::process::id());
    let random = Box::new(move |bytes: &mut [u8]| {
        for byte in bytes {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = state.to_be_bytes()[3];
        }
    });
    let limits = Limits { batch: 100_000, ..Limits::default() };
    let store = Box::new(Embedded::open(path).unwrap());
    Inventory::open(Setup { store, seal: [7; 32], random, limits }, Arc::new(files), NOW).unwrap()
}

fn fill(inventory: &Inventory) {
    let connectors: Vec<String> = std::thread::scope(|scope| {
        let make = |writer: usize| {
            let mut ids = Vec::new();
            for at in 0..156 {
                let new = NewConnector {
                    name: format!("Connector {writer} {at}"),
                    region: None,
                    require_encryption: false,
                    integration_type: None,
                    network_type: None,
                    tags: Vec::new(),
                };
                let id = inventory.create_voice_connector(NOW, new).unwrap().value.id.clone();
                let termination = Termination {
                    calling_regions: vec!["US".into(), "CA".into()],
                    cidr_allowed_list: vec![format!("10.{writer}.{at}.0/24")],
                    ..Termination::default()
                };
                inventory.put_termination(NOW, &id, termination).unwrap();
                ids.push(id);
            }
            ids
        };
        let threads: Vec<_> = (0..64).map(|writer| scope.spawn(move || make(writer))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let numbers: Vec<String> = (0..100_000).map(|at| format!("+1206{at:07}")).collect();
    let mut pool = "number,country\n".to_owned();
    numbers.iter().for_each(|number| pool.push_str(&format!("{number},US\n")));
    inventory.set_pool(Pool::parse(&pool).unwrap());
    let product_type = ProductType::VoiceConnector;
    inventory
        .create_phone_number_order(NOW, &NewOrder { product_type, numbers: numbers.clone(), name: None })
        .unwrap();
    for (connector, share) in connectors.iter().zip(numbers.chunks(numbers.len() / 1000)) {
        let owner = NumberOwner::Connector(connector);
        inventory.associate_phone_numbers(NOW, owner, share, false).unwrap();
    }
}

fn told<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (start, processor_before) = (Instant::now(), processor());
    let done = work();
    let took = start.elapsed().as_secs_f64() * 1000.0;
    println!("{what}: {took:.1} ms, of processor {:.0} ms", (processor() - processor_before) * 1000.0);
    done
}

/// Seconds of processor that this process had.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// Memory of this process that is in use, in MiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

fn main() {
    let directory = std::env::args().nth(1).expect("a directory");
    let path = Path::new(&directory).join("inventory.redb");
    if !path.exists() {
        let inventory = open(&path);
        told("fill", || fill(&inventory));
    }
    println!("file: {} MiB", std::fs::metadata(&path).unwrap().len() >> 20);
    let inventory = told("open", || open(&path));
    println!("memory: {} MiB", memory());
    let config = told("snapshot", || inventory.snapshot().unwrap());
    println!(
        "{} connectors, {} numbers; memory: {} MiB",
        config.voice_connector.len(),
        config.numbers.len(),
        memory()
    );
    let name = "Another name";
    let first = inventory.voice_connectors(inventory::Paging::default()).unwrap().items[0].value.id.clone();
    inventory.update_voice_connector(NOW, &first, name, false).unwrap();
    let other = told("snapshot after one change", || inventory.snapshot().unwrap());
    println!("difference: {} changes", told("difference", || config.difference(&other)).len());
    drop((config, other));
    let ids: Vec<String> = inventory
        .voice_connectors(inventory::Paging { limit: 64, after: None })
        .unwrap()
        .items
        .iter()
        .map(|object| object.value.id.clone())
        .collect();
    let each = 100;
    for (what, told_too) in [("changes", false), ("changes with a snapshot for each batch", true)] {
        if told_too {
            inventory.tell(Box::new(drop));
        }
        for writers in [1, 8, 64] {
            let start = Instant::now();
            std::thread::scope(|scope| {
                for id in ids.iter().take(writers) {
                    let inventory = &inventory;
                    scope.spawn(move || {
                        for at in 0..each {
                            inventory.update_voice_connector(NOW, id, &format!("Name {at}"), false).unwrap();
                        }
                    });
                }
            });
            let rate = (writers * each) as f64 / start.elapsed().as_secs_f64();
            println!("{what}, {writers} writers: {rate:.0} a second");
        }
    }
}
