//! What a plan of faults does to packets, in virtual time.

use super::*;

fn plan(seed: u64, rules: Vec<FaultRule>) -> Arc<FaultPlan> {
    Arc::new(FaultPlan { seed, refused: 0, rules })
}

fn always(fault: Fault) -> FaultRule {
    FaultRule { direction: None, packet: None, fault }
}

/// What becomes of `count` messages from the client of connection `number`.
fn fates(plan: &Arc<FaultPlan>, number: u64, count: usize, now: Instant) -> Vec<Fate> {
    let mut faults = plan.of_connection(number).unwrap();
    (0..count).map(|_| faults.judge(Direction::In, PacketType::Publish, now)).collect()
}

fn copies(fates: &[Fate]) -> Vec<u8> {
    fates.iter().map(|fate| fate.copies).collect()
}

#[test]
fn the_seed_decides() {
    let now = Instant::now();
    let lossy = |seed| plan(seed, vec![always(Fault::Drop(0.5))]);
    let first = copies(&fates(&lossy(7), 0, 200, now));
    assert_eq!(first, copies(&fates(&lossy(7), 0, 200, now)));
    assert_ne!(first, copies(&fates(&lossy(8), 0, 200, now)));
    assert_ne!(first, copies(&fates(&lossy(7), 1, 200, now)));
    let mut faults = lossy(7).of_connection(0).unwrap();
    let outward: Vec<_> =
        (0..200).map(|_| faults.judge(Direction::Out, PacketType::Publish, now).copies).collect();
    assert_ne!(first, outward);
}

#[test]
fn shares_are_kept() {
    let now = Instant::now();
    for (fault, fate) in [(Fault::Drop(0.01), 0), (Fault::Duplicate(0.01), 2)] {
        let all = fates(&plan(1, vec![always(fault)]), 0, 100_000, now);
        let count = all.iter().filter(|each| each.copies == fate).count();
        assert!((800..1200).contains(&count), "{count}");
        assert!(all.iter().all(|each| each.copies == fate || each.copies == 1));
    }
    let never = copies(&fates(&plan(1, vec![always(Fault::Drop(0.0))]), 0, 1000, now));
    assert!(never.iter().all(|copies| *copies == 1));
    let ever = copies(&fates(&plan(1, vec![always(Fault::Drop(1.0))]), 0, 1000, now));
    assert!(ever.iter().all(|copies| *copies == 0));
}

#[test]
fn a_rule_concerns_its_packets_alone() {
    let now = Instant::now();
    let rule = FaultRule {
        direction: Some(Direction::Out),
        packet: Some(PacketType::PubAck),
        fault: Fault::Drop(1.0),
    };
    let mut faults = plan(1, vec![rule]).of_connection(0).unwrap();
    let mut copies = |direction, packet| faults.judge(direction, packet, now).copies;
    assert_eq!(copies(Direction::Out, PacketType::PubAck), 0);
    assert_eq!(copies(Direction::In, PacketType::PubAck), 1);
    assert_eq!(copies(Direction::Out, PacketType::Publish), 1);
    // What is not named is not lost on the way to a session.
    let mut faults = plan(1, vec![always(Fault::Drop(1.0))]).of_connection(0).unwrap();
    let mut copies = |direction, packet| faults.judge(direction, packet, now).copies;
    assert_eq!(copies(Direction::In, PacketType::Connect), 1);
    assert_eq!(copies(Direction::Out, PacketType::ConnAck), 1);
    assert_eq!(copies(Direction::In, PacketType::Disconnect), 0);
}

#[test]
fn delays_keep_the_order() {
    let now = Instant::now();
    let (shortest, longest) = (Duration::from_millis(10), Duration::from_millis(500));
    let fates = fates(&plan(3, vec![always(Fault::Delay(shortest, longest))]), 0, 1000, now);
    assert!(fates.iter().all(|fate| (shortest..=longest).contains(&(fate.at - now))));
    assert!(fates.is_sorted_by_key(|fate| fate.at));
}

#[test]
fn a_stall_holds_up_everything_once() {
    let now = Instant::now();
    let stall = Fault::Stall { time: Duration::from_secs(2), after: 3 };
    let plan = plan(1, vec![always(stall)]);
    let mut faults = plan.of_connection(0).unwrap();
    let mut at = |seconds| {
        let now = now + Duration::from_secs(seconds);
        faults.judge(Direction::In, PacketType::Publish, now).at - now
    };
    let waits = [0, 0, 0, 0, 1, 2, 3].map(&mut at);
    assert_eq!(waits.map(|wait| wait.as_secs()), [0, 0, 0, 2, 1, 0, 0]);
}

#[test]
fn bytes_are_counted_to_the_cut() {
    let rule =
        |direction, bytes| FaultRule { direction, packet: None, fault: Fault::CutAfter(bytes) };
    let plan = plan(1, vec![rule(None, 100), rule(Some(Direction::In), 10)]);
    let mut faults = plan.of_connection(5).unwrap();
    faults.pass(Direction::In, 4);
    faults.pass(Direction::Out, 400);
    assert_eq!(faults.bytes_left(Direction::In), Some(6));
    assert_eq!(faults.bytes_left(Direction::Out), Some(0));
}

#[test]
fn the_first_connections_are_refused() {
    let plan = Arc::new(FaultPlan { seed: 0, refused: 2, rules: Vec::new() });
    assert_eq!([0, 1, 2, 3].map(|number| plan.refuses(number)), [true, true, false, false]);
    assert!(plan.of_connection(2).is_none());
}
