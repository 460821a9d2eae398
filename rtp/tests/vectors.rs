//! Figures from the standards.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod shared;

use std::time::Duration;

use rtp::quality::{EquipmentImpairment, Path, mos, rating};
use serde_json::Value;

fn close(value: f64, expected: f64, tolerance: f64, what: &Value) {
    assert!((value - expected).abs() <= tolerance, "{value} instead of {expected}: {what}");
}

fn number(row: &Value, field: &str) -> f64 {
    row[field].as_f64().unwrap()
}

#[test]
fn e_model() {
    let Some(path) = shared::path("testdata/vectors/emodel.json") else { return };
    let vectors: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let rows = |name: &str| vectors[name].as_array().unwrap().clone();

    for row in rows("R_to_MOS_published_table") {
        close(mos(number(&row, "R")), number(&row, "MOS"), 0.01, &row);
    }
    for row in rows("R_to_MOS_formula") {
        // The file's own note: unclamped between 0 and 6.5, where the product says 1.
        close(mos(number(&row, "R")), number(&row, "MOS").max(1.0), 0.0005, &row);
    }
    for row in rows("delay_full_model") {
        let one_way = Duration::from_secs_f64(number(&row, "one_way_ms") / 1000.0);
        let r = rating(&Path { one_way, loss: 0.0, burst_ratio: 1.0 }, EquipmentImpairment::G711);
        close(r, number(&row, "R_full_G107_TELR65"), 0.001, &row);
        close(mos(r), number(&row, "MOS_full"), 0.001, &row);
    }
    for row in rows("loss") {
        let burst_ratio = number(&row, "BurstR");
        let codec = EquipmentImpairment { ie: number(&row, "Ie"), bpl: number(&row, "Bpl") };
        let path = Path { one_way: Duration::ZERO, loss: number(&row, "Ppl") / 100.0, burst_ratio };
        let r = rating(&path, codec);
        close(r, number(&row, "R"), 0.01, &row);
        close(mos(r), number(&row, "MOS"), 0.001, &row);
    }
}
