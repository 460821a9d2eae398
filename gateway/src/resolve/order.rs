//! The order in which SRV targets are tried. RFC 2782.

use crate::random::Random;

/// Sorts by priority; among equals, draws one after the other with chances by weight.
///
/// - `rank`: priority (lowest first) and weight of an item. Weight 0 is drawn only where nothing else is left to
///   draw, or with the very small chance that RFC 2782 leaves it.
pub(super) fn by_priority_and_weight<T>(
    mut items: Vec<T>,
    rank: impl Fn(&T) -> (u16, u16),
    random: &mut dyn Random,
) -> Vec<T> {
    // Weight 0 first within a priority, as the RFC's running sums want it.
    items.sort_by_key(&rank);
    let mut ordered = Vec::with_capacity(items.len());
    while let Some(priority) = items.first().map(|first| rank(first).0) {
        let equals = items.iter().take_while(|item| rank(item).0 == priority).count();
        let total: u64 = items.iter().take(equals).map(|item| u64::from(rank(item).1)).sum();
        let drawn = random.below(total + 1);
        let mut sum = 0;
        let at = items.iter().take(equals).position(|item| {
            sum += u64::from(rank(item).1);
            sum >= drawn
        });
        ordered.push(items.remove(at.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    #[test]
    fn priority_decides_and_weight_shares() {
        let mut random = SeededRandom::new(1);
        let targets = vec![("backup", (20, 100)), ("light", (10, 1)), ("heavy", (10, 3)), ("none", (10, 0))];
        let mut first = std::collections::HashMap::new();
        for _ in 0..4_000 {
            let order = by_priority_and_weight(targets.clone(), |target| target.1, &mut random);
            assert_eq!(order.len(), 4);
            assert_eq!(order[3].0, "backup");
            *first.entry(order[0].0).or_insert(0) += 1;
        }
        // Chances of RFC 2782: a number of 0..=4 is drawn against the running sums 0, 1, 4.
        assert!((700..900).contains(&first["none"]), "{first:?}");
        assert!((700..900).contains(&first["light"]), "{first:?}");
        assert!((2_250..2_550).contains(&first["heavy"]), "{first:?}");
    }

    #[test]
    fn nothing_is_nothing() {
        let none: Vec<(u16, u16)> =
            by_priority_and_weight(Vec::new(), |rank| *rank, &mut SeededRandom::new(1));
        assert!(none.is_empty());
    }
}
