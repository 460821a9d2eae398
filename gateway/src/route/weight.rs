//! The order of hosts by priority and weight.

use config::Weight;

use crate::random::{Random, SeededRandom};

/// Sorts by priority, lowest first; equals are drawn one after the other, each with its weight's share of what is
/// left. An item of weight 30 beside one of 10 comes first in three of four calls.
pub(super) fn by_priority_and_weight<T, P: Ord>(
    mut items: Vec<T>,
    rank: impl Fn(&T) -> (P, Weight),
    random: &mut SeededRandom,
) -> Vec<T> {
    items.sort_by_key(|item| rank(item).0);
    let mut ordered = Vec::with_capacity(items.len());
    while let Some(priority) = items.first().map(|first| rank(first).0) {
        let equals = items.iter().take_while(|item| rank(item).0 == priority).count();
        let weight = |item: &T| u64::from(rank(item).1.value());
        let total = items.iter().take(equals).map(weight).sum();
        let mut left = random.below(total);
        let drawn = items.iter().take(equals).position(|item| match left.checked_sub(weight(item)) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        });
        ordered.push(items.remove(drawn.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use config::Priority;

    use super::*;

    fn first_places(calls: u64, items: &[(&'static str, i64, i64)]) -> HashMap<&'static str, f64> {
        let mut first = HashMap::new();
        for draw in 0..calls {
            let rank =
                |item: &(&str, i64, i64)| (Priority::new(item.1).unwrap(), Weight::new(item.2).unwrap());
            let ordered = by_priority_and_weight(items.to_vec(), rank, &mut SeededRandom::new(draw));
            assert_eq!(ordered.len(), items.len());
            *first.entry(ordered[0].0).or_insert(0.0) += 100.0 / calls as f64;
        }
        first
    }

    #[test]
    fn weights_share_within_five_points() {
        for calls in [1_000, 10_000] {
            let first = first_places(calls, &[("a", 1, 70), ("b", 1, 20), ("c", 1, 10), ("backup", 2, 100)]);
            for (name, share) in [("a", 70.0), ("b", 20.0), ("c", 10.0)] {
                let found = first.get(name).copied().unwrap_or(0.0);
                assert!((found - share).abs() < 5.0, "{calls} calls: {name} {found} of {share}");
            }
            assert_eq!(first.get("backup"), None);
            let first = first_places(calls, &[("a", 1, 1), ("b", 1, 1)]);
            assert!((first["a"] - 50.0).abs() < 5.0, "{first:?}");
        }
    }

    #[test]
    fn the_second_place_goes_by_the_weights_that_are_left() {
        let items = [("a", 50), ("b", 40), ("c", 10)];
        let mut second = 0;
        for draw in 0..10_000 {
            let rank = |item: &(&str, i64)| (Priority::default(), Weight::new(item.1).unwrap());
            let ordered = by_priority_and_weight(items.to_vec(), rank, &mut SeededRandom::new(draw));
            second += u32::from(ordered[1].0 == "c");
        }
        // After a: 10 of 50; after b: 10 of 60. 0.5 * 0.2 + 0.4 * 10 / 60 = 0.167.
        assert!((1_500..1_830).contains(&second), "{second}");
    }

    #[test]
    fn the_same_number_draws_the_same_order() {
        let order = |draw| {
            let items: Vec<u8> = (0..20).collect();
            let rank = |_: &u8| (Priority::default(), Weight::default());
            by_priority_and_weight(items, rank, &mut SeededRandom::new(draw))
        };
        assert_eq!(order(42), order(42));
        assert_ne!(order(42), order(43));
    }
}
