//! A store with many connectors and numbers, written before any daemon runs.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use config::Config;
use inventory::object::{ProductType, Termination};
use inventory::{Embedded, Inventory, Limits, NewConnector, NewOrder, NumberOwner, Pool, Setup, Timestamp};

use crate::Result;

const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// Connectors that are made at one time: they are written together.
const TOGETHER: usize = 64;

/// Makes the directory of a daemon's `[api]`. Returns the ids of the connectors.
pub fn fill(directory: &Path, connectors: usize, numbers: usize) -> Result<Vec<String>> {
    std::fs::create_dir_all(directory)?;
    let seal = [7; 32];
    std::fs::write(directory.join("seal.key"), seal)?;
    let (files, _) = Config::parse("listen = [{ address = \"127.0.0.1:5060\" }]", Path::new("f.toml"))?;
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let random = Box::new(move |bytes: &mut [u8]| {
        for byte in bytes {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = (state >> 32) as u8;
        }
    });
    let limits = Limits { batch: numbers.max(1), ..Limits::default() };
    let store = Box::new(Embedded::open(&directory.join("objects.redb"))?);
    let inventory = Inventory::open(Setup { store, seal, random, limits }, Arc::new(files), NOW)?;
    let ids = connectors_of(&inventory, connectors)?;
    let all: Vec<String> = (0..numbers).map(|at| format!("+1206{:07}", 2_000_000 + at)).collect();
    let mut pool = "number,country\n".to_owned();
    all.iter().try_for_each(|number| writeln!(pool, "{number},US"))?;
    inventory.set_pool(Pool::parse(&pool)?);
    let order = NewOrder { product_type: ProductType::VoiceConnector, numbers: all.clone(), name: None };
    inventory.create_phone_number_order(NOW, &order)?;
    let share = all.len().div_ceil(ids.len().clamp(1, 1_000)).max(1);
    for (connector, share) in ids.iter().zip(all.chunks(share)) {
        inventory.associate_phone_numbers(NOW, NumberOwner::Connector(connector), share, false)?;
    }
    Ok(ids)
}

fn connectors_of(inventory: &Inventory, count: usize) -> Result<Vec<String>> {
    let make = |at: usize| -> std::result::Result<String, inventory::Error> {
        let new = NewConnector {
            name: format!("Connector {at}"),
            region: None,
            require_encryption: false,
            integration_type: None,
            network_type: None,
            tags: Vec::new(),
        };
        let id = inventory.create_voice_connector(NOW, new)?.value.id.clone();
        let termination = Termination {
            calling_regions: vec!["US".into(), "CA".into()],
            cidr_allowed_list: vec![format!("10.{}.{}.0/24", at / 250, at % 250)],
            ..Termination::default()
        };
        inventory.put_termination(NOW, &id, termination)?;
        Ok(id)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..TOGETHER)
            .map(|first| scope.spawn(move || (first..count).step_by(TOGETHER).map(make).collect()))
            .collect();
        let mut ids = Vec::new();
        for thread in threads {
            let made: std::result::Result<Vec<String>, inventory::Error> =
                thread.join().map_err(|_| "a thread panicked")?;
            ids.extend(made?);
        }
        Ok(ids)
    })
}

/// Two numbers for each cycle, and some to look at.
pub fn pool(cycles: usize) -> String {
    let mut pool = "number,country\n".to_owned();
    for at in 0..2 * cycles + 100 {
        let _ = writeln!(pool, "+1425{:07},US", 2_000_000 + at);
    }
    pool
}
