use super::*;
use crate::media::driver::KeptPort;
use crate::random::SeededRandom;
use std::net::Ipv4Addr;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const QUARANTINE: Duration = Duration::from_secs(10);

fn pools(range: RangeInclusive<u16>, excluded: &[u16], emergency_ports: u16) -> PortPools {
    PortPools::new(&range, &excluded.iter().copied().collect(), emergency_ports, QUARANTINE, usize::MAX, 0)
}

fn draw_all(pools: &mut PortPools, now: Instant, emergency: bool) -> Vec<u16> {
    draw_for(pools, now, &Claim::new(None, emergency))
}

fn draw_for(pools: &mut PortPools, now: Instant, claim: &Claim) -> Vec<u16> {
    let mut random = SeededRandom::new(7);
    std::iter::from_fn(|| pools.draw(now, LOCAL, claim, &mut random, 0).ok())
        .map(|drawn| drawn.pair)
        .collect()
}

fn of(name: &str) -> Claim {
    Claim::new(Some(Party::VoiceConnector(name.into())), false)
}

fn nobody() -> Claim {
    Claim::new(None, false)
}

#[test]
fn pairs_are_even_whole_and_not_excluded() {
    let mut pools = pools(5001..=5012, &[5005, 5008], 0);
    let mut drawn = draw_all(&mut pools, Instant::now(), false);
    drawn.sort_unstable();
    assert_eq!(drawn, [5002, 5006, 5010]);
    assert_eq!(pools.counts(), PortCounts { used: 6, resting: 0, free: 0 });
}

#[test]
fn the_order_is_random() {
    let mut pools = pools(10_000..=10_199, &[], 0);
    let drawn = draw_all(&mut pools, Instant::now(), false);
    assert_eq!(drawn.len(), 100);
    assert!(!drawn.is_sorted());
}

#[test]
fn a_used_pair_rests() {
    let start = Instant::now();
    let mut pools = pools(5000..=5001, &[], 0);
    assert_eq!(draw_all(&mut pools, start, false), [5000]);
    pools.rest(start, LOCAL, 5000, &nobody(), None);
    assert!(draw_all(&mut pools, start + QUARANTINE - Duration::from_millis(1), false).is_empty());
    assert_eq!(draw_all(&mut pools, start + QUARANTINE, false), [5000]);
    pools.give_back(LOCAL, 5000, &nobody(), None);
    assert_eq!(draw_all(&mut pools, start + QUARANTINE, false), [5000]);
}

#[test]
fn emergency_calls_have_some_set_aside_and_may_cut_a_rest_short() {
    let start = Instant::now();
    let mut pools = pools(5000..=5009, &[], 4);
    let drawn = draw_all(&mut pools, start, false);
    assert_eq!(drawn.len(), 3);
    pools.rest(start, LOCAL, drawn[0], &nobody(), None);
    let emergency = draw_all(&mut pools, start, true);
    assert_eq!((emergency.len(), emergency.last()), (3, drawn.first()));
}

/// Who has more emergency calls than what is set aside is for leaves that to others.
#[test]
fn an_emergency_call_beyond_what_is_set_aside_has_the_ordinary_pairs_before_all_others() {
    let start = Instant::now();
    let mut pools = pools(5000..=5019, &[], 4);
    let beyond = Claim::new(of("flood").party, true);
    let drawn = draw_for(&mut pools, start, &beyond);
    assert_eq!(drawn.len(), 8);
    assert!(draw_for(&mut pools, start, &of("pbx")).is_empty());
    pools.rest(start, LOCAL, drawn[0], &beyond, None);
    assert_eq!(draw_for(&mut pools, start, &beyond), [drawn[0]]);
    assert_eq!(draw_all(&mut pools, start, true).len(), 2);
}

/// Two greedy parties and one that comes late: each finds its share, and rest counts as use.
#[test]
fn no_party_starves_another() {
    let start = Instant::now();
    let mut pools = pools(10_000..=11_999, &[], 0);
    let first = draw_for(&mut pools, start, &of("greedy"));
    assert_eq!(first.len(), 889);
    let mut random = SeededRandom::new(7);
    assert_eq!(pools.draw(start, LOCAL, &of("greedy"), &mut random, 0), Err(NoRoom::Share));
    assert_eq!(draw_for(&mut pools, start, &of("late")).len(), 99);
    assert_eq!(draw_for(&mut pools, start, &of("latest")).len(), 11);
    assert!(pools.draw(start, LOCAL, &Claim::new(None, true), &mut random, 0).is_ok());
    for pair in &first {
        pools.rest(start, LOCAL, *pair, &of("greedy"), None);
    }
    assert!(draw_for(&mut pools, start, &of("greedy")).is_empty());
    let rested = start + QUARANTINE;
    assert_eq!(draw_for(&mut pools, rested, &of("late")).len(), 780);
    assert_eq!(draw_for(&mut pools, rested, &of("greedy")).len(), 97);
}

#[test]
fn sockets_are_set_aside_for_emergency_calls() {
    let start = Instant::now();
    let mut pools = PortPools::new(&(5000..=5099), &HashSet::new(), 0, QUARANTINE, 9, 0);
    assert_eq!(pools.calls(1), 2);
    let drawn = draw_for(&mut pools, start, &of("pbx"));
    assert_eq!(drawn.len(), 4);
    let mut random = SeededRandom::new(7);
    assert_eq!(pools.draw(start, LOCAL, &of("branch"), &mut random, 0), Err(NoRoom::Descriptors));
    assert!(pools.draw(start, LOCAL, &Claim::new(None, true), &mut random, 0).is_ok());
    pools.rest(start, LOCAL, drawn[0], &of("pbx"), None);
    pools.rest(start, LOCAL, drawn[1], &of("pbx"), None);
    assert_eq!(draw_for(&mut pools, start, &of("branch")).len(), 1);
}

/// Pairs that calls of `worker` had, which may stay open: how many do.
fn used_by(pools: &mut PortPools, now: Instant, worker: usize, count: usize) -> usize {
    let mut random = SeededRandom::new(7);
    let mut draw = || pools.draw(now, LOCAL, &nobody(), &mut random, worker).unwrap().pair;
    let pairs: Vec<u16> = (0..count).map(|_| draw()).collect();
    let mut stay = 0;
    for pair in pairs {
        let ports = [pair, pair + 1].map(|port| KeptPort::numbered(port.into()));
        let kept = pools.may_keep().then_some(Kept { worker, ports });
        stay += usize::from(kept.is_some());
        pools.rest(now, LOCAL, pair, &nobody(), kept);
    }
    stay
}

fn keeping(sockets: usize) -> PortPools {
    PortPools::new(&(10_000..=19_999), &HashSet::new(), 0, QUARANTINE, sockets, 1_000)
}

#[test]
fn open_pairs_rest_like_others_and_are_drawn_where_a_call_can_hide_among_them() {
    let start = Instant::now();
    let mut pools = keeping(usize::MAX);
    assert_eq!(used_by(&mut pools, start, 1, ENOUGH), ENOUGH);
    let mut random = SeededRandom::new(8);
    let mut draw = |pools: &mut PortPools, at, worker| {
        let drawn = pools.draw_open(at, LOCAL, &nobody(), &mut random, worker);
        drawn.map(|drawn| (drawn.pair, drawn.kept.unwrap().worker))
    };
    assert_eq!(draw(&mut pools, start + QUARANTINE - Duration::from_millis(1), 1), None);
    let rested = start + QUARANTINE;
    assert_eq!(draw(&mut pools, rested, 0), None, "another worker has them");
    let (pair, worker) = draw(&mut pools, rested, 1).unwrap();
    assert_eq!(worker, 1);
    assert_eq!(draw(&mut pools, rested, 1), None, "too few are left");
    assert_eq!(pools.counts(), PortCounts { used: 2, resting: 0, free: 9_998 });
    let mut random = SeededRandom::new(9);
    assert_eq!(pools.draw(rested, LOCAL, &nobody(), &mut random, 1).unwrap().kept, None);
    // A flood at one of them has it closed; one that a call has got stays open.
    assert_eq!(pools.reclaim_one(LOCAL, pair, 1), None);
    pools.rest(rested, LOCAL, pair, &nobody(), None);
    let other = pools
        .pools
        .get_mut(&LOCAL)
        .unwrap()
        .ready
        .draw(1, &mut random)
        .map(|(pair, kept)| {
            pools.pools.get_mut(&LOCAL).unwrap().ready.push(pair, kept);
            pair
        })
        .unwrap();
    assert!(pools.reclaim_one(LOCAL, other, 1).is_some());
    assert_eq!(pools.reclaim_one(LOCAL, other, 1), None);
}

#[test]
fn what_nobody_needs_is_closed() {
    let start = Instant::now();
    let mut pools = keeping(usize::MAX);
    assert_eq!(used_by(&mut pools, start, 1, 600), 600);
    let rested = start + QUARANTINE;
    assert_eq!(pools.take_unused(start, 1), []);
    assert_eq!(pools.take_unused(rested, 1), [], "just rested");
    let mut random = SeededRandom::new(7);
    for _ in 0..3 {
        assert!(pools.draw_open(rested, LOCAL, &nobody(), &mut random, 1).is_some());
    }
    assert_eq!(pools.take_unused(rested, 0), [], "another worker has them");
    assert_eq!(pools.take_unused(rested, 1).len(), 597 - 4 * ENOUGH);
    assert_eq!(pools.take_unused(rested, 1).len(), 4 * ENOUGH, "no call since");
    assert_eq!(pools.counts(), PortCounts { used: 6, resting: 0, free: 9_994 });
    assert_eq!(pools.kept, 0);
}

#[test]
fn no_more_stay_open_than_may_and_none_where_sockets_or_ports_run_short() {
    let start = Instant::now();
    assert_eq!(used_by(&mut keeping(usize::MAX), start, 0, 1_000), 625, "an eighth of the pairs");
    // Ports run short.
    let mut pools = keeping(usize::MAX);
    assert_eq!(used_by(&mut pools, start, 0, 100), 100);
    assert_eq!(pools.reclaim(0), []);
    let rested = start + QUARANTINE;
    let mut random = SeededRandom::new(7);
    let mut draw = |pools: &mut PortPools, worker, count| {
        let mut one = || pools.draw(rested, LOCAL, &nobody(), &mut random, worker);
        (0..count).take_while(|_| one().is_ok()).count()
    };
    assert_eq!(draw(&mut pools, 1, 3_700), 3_700);
    assert_eq!(pools.reclaim(1), [], "they are not this worker's");
    assert_eq!(pools.reclaim(0).len(), 100);
    assert_eq!(draw(&mut pools, 1, 9_999), 1_300, "all others");
    // Sockets run short.
    let mut pools = keeping(400);
    assert_eq!(used_by(&mut pools, start, 0, 100), 100);
    assert_eq!(draw(&mut pools, 1, 9_999), 100, "the sockets of the others are open");
    assert_eq!(pools.reclaim(0).len(), 100);
    assert_eq!(draw(&mut pools, 1, 9_999), 100);
}

#[test]
fn the_hosts_reserved_ports_are_read() {
    let ports = parse_reserved("8080,9000-9002, 5000 ,x,7-\n");
    let mut ports: Vec<_> = ports.into_iter().collect();
    ports.sort_unstable();
    assert_eq!(ports, [5000, 8080, 9000, 9001, 9002]);
    assert!(parse_reserved("\n").is_empty());
}

/// Pairs that one worker has open are of no use to another one: what is set aside for emergency calls is closed.
#[test]
fn what_is_set_aside_is_there_for_every_worker() {
    let start = Instant::now();
    let mut pools = PortPools::new(&(10_000..=10_999), &HashSet::new(), 40, QUARANTINE, usize::MAX, 1_000);
    assert_eq!(used_by(&mut pools, start, 1, 62), 62);
    let rested = start + QUARANTINE;
    let mut random = SeededRandom::new(7);
    let mut draw = |claim: &Claim, worker| pools.draw(rested, LOCAL, claim, &mut random, worker);
    assert_eq!(std::iter::from_fn(|| draw(&nobody(), 1).ok()).count(), 480);
    let emergency = Claim::new(None, true);
    assert_eq!(std::iter::from_fn(|| draw(&emergency, 0).ok()).count(), 20);
}
