//! What a call costs signalling: bytes of the heap while it is held, its transactions long over; and allocations from its INVITE
//! to its records.

#![allow(clippy::unwrap_used, clippy::panic)]

mod counting;
mod world;

use std::time::Duration;

use counting::{allocations, in_use, show_whence};
use world::{Customer, World};

/// The most that a held call keeps of the heap of signalling: transactions, dialogs, records-to-be, tables.
const MOST_BYTES: usize = 7 * 1024;

/// The most that a call keeps when it has just ended.
const MOST_BYTES_ENDED: usize = 9 * 1024;

/// The most allocations of a call: INVITE, 100, 180, 200, ACK, BYE and its 200 on both legs, commands to the media, what the
/// journal and the records are made of. Five of them are for the journal's entry while it rings.
const MOST_ALLOCATIONS: usize = 247;

/// Calls before the first look, so that what is allocated once is, and calls that are counted. Together just below a size at
/// which tables double.
const BEFORE: u32 = 100;
const COUNTED: u32 = 700;

fn place(world: &mut World, calls: u32) {
    for _ in 0..calls {
        world.call();
        // At no time are more transactions alive than at the first look: their tables are not what is held.
        world.wait(Duration::from_millis(400));
    }
    // Its transactions are over, and what was kept of them for repeats.
    world.wait(Duration::from_secs(120));
}

#[test]
fn a_held_call_keeps_less_than_seven_kilobytes() {
    let mut world = World::new(Customer::Stays);
    place(&mut world, BEFORE);
    let before = in_use();
    place(&mut world, COUNTED);
    let after = in_use();
    assert_eq!((world.up, world.core.live_calls()), (BEFORE + COUNTED, (BEFORE + COUNTED) as usize));
    let held = world.core.held();
    assert_eq!((held[2], held[3]), (0, 0), "no transaction is left");
    let each = usize::try_from(after - before).unwrap() / COUNTED as usize;
    println!("a held call keeps {each} bytes");
    assert!(each < MOST_BYTES, "a held call keeps {each} bytes");
}

/// Until its transactions are over, for half a minute: at 1,500 calls a second there are 48,000 of them.
#[test]
fn an_ended_call_keeps_less_than_nine_kilobytes() {
    let mut world = World::new(Customer::HangsUp);
    place(&mut world, BEFORE);
    let before = in_use();
    for _ in 0..COUNTED {
        world.call();
        world.wait(Duration::from_millis(10));
    }
    let each = usize::try_from(in_use() - before).unwrap() / COUNTED as usize;
    assert_eq!((world.core.live_calls(), world.core.held()[0]), (0, COUNTED as usize));
    println!("an ended call keeps {each} bytes");
    assert!(each < MOST_BYTES_ENDED, "an ended call keeps {each} bytes");
}

/// With `WHENCE=1` it prints where they are made, by stack.
#[test]
fn a_call_makes_few_allocations() {
    let mut world = World::new(Customer::HangsUp);
    place(&mut world, BEFORE);
    let before = allocations();
    place(&mut world, COUNTED);
    let each = (allocations() - before) / COUNTED as usize;
    assert_eq!((world.up, world.core.live_calls(), world.core.held()), (BEFORE + COUNTED, 0, [0; 8]));
    assert_eq!(world.records, 3 * (BEFORE + COUNTED), "of the call, of its connector, of its media");
    println!("a call makes {each} allocations");
    show_whence(|| place(&mut world, 1));
    assert!(each <= MOST_ALLOCATIONS, "a call makes {each} allocations");
}
