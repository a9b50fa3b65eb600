//! What a plan of faults does to packets, in virtual time.

use std::collections::VecDeque;

use bytes::Bytes;

use super::*;
use crate::broker::input::ClientInput;
use crate::broker::router::{EndReason, OutgoingItem};
use crate::mqtt::packet::Publish;
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicName;

fn plan(seed: u64, rules: Vec<FaultRule>) -> Arc<FaultPlan> {
    Arc::new(FaultPlan { seed: Some(seed), refused: 0, rules })
}

fn always(fault: FaultKind) -> FaultRule {
    FaultRule { direction: None, packet: None, fault }
}

/// What becomes of `count` messages from the client of connection `number`.
fn fates(plan: &Arc<FaultPlan>, number: u64, count: usize, now: Instant) -> Vec<Fate> {
    let mut faults = plan.of_connection(number).unwrap();
    (0..count).map(|_| faults.judge(PacketDirection::In, PacketType::Publish, now)).collect()
}

fn copies(fates: &[Fate]) -> Vec<u8> {
    fates.iter().map(|fate| fate.copies).collect()
}

#[test]
fn the_seed_decides() {
    let now = Instant::now();
    let lossy = |seed| plan(seed, vec![always(FaultKind::Drop(0.5))]);
    let first = copies(&fates(&lossy(7), 0, 200, now));
    assert_eq!(first, copies(&fates(&lossy(7), 0, 200, now)));
    assert_ne!(first, copies(&fates(&lossy(8), 0, 200, now)));
    assert_ne!(first, copies(&fates(&lossy(7), 1, 200, now)));
    let mut faults = lossy(7).of_connection(0).unwrap();
    let outward: Vec<_> = (0..200)
        .map(|_| faults.judge(PacketDirection::Out, PacketType::Publish, now).copies)
        .collect();
    assert_ne!(first, outward);
}

#[test]
fn shares_are_kept() {
    let now = Instant::now();
    for (fault, fate) in [(FaultKind::Drop(0.01), 0), (FaultKind::Duplicate(0.01), 2)] {
        let all = fates(&plan(1, vec![always(fault)]), 0, 100_000, now);
        let count = all.iter().filter(|each| each.copies == fate).count();
        assert!((800..1200).contains(&count), "{count}");
        assert!(all.iter().all(|each| each.copies == fate || each.copies == 1));
    }
    let never = copies(&fates(&plan(1, vec![always(FaultKind::Drop(0.0))]), 0, 1000, now));
    assert!(never.iter().all(|copies| *copies == 1));
    let ever = copies(&fates(&plan(1, vec![always(FaultKind::Drop(1.0))]), 0, 1000, now));
    assert!(ever.iter().all(|copies| *copies == 0));
}

#[test]
fn a_rule_concerns_its_packets_alone() {
    let now = Instant::now();
    let rule = FaultRule {
        direction: Some(PacketDirection::Out),
        packet: Some(PacketType::PubAck),
        fault: FaultKind::Drop(1.0),
    };
    let mut faults = plan(1, vec![rule]).of_connection(0).unwrap();
    let mut copies = |direction, packet| faults.judge(direction, packet, now).copies;
    assert_eq!(copies(PacketDirection::Out, PacketType::PubAck), 0);
    assert_eq!(copies(PacketDirection::In, PacketType::PubAck), 1);
    assert_eq!(copies(PacketDirection::Out, PacketType::Publish), 1);
    // What is not named is not lost on the way to a session.
    let mut faults = plan(1, vec![always(FaultKind::Drop(1.0))]).of_connection(0).unwrap();
    let mut copies = |direction, packet| faults.judge(direction, packet, now).copies;
    assert_eq!(copies(PacketDirection::In, PacketType::Connect), 1);
    assert_eq!(copies(PacketDirection::Out, PacketType::ConnAck), 1);
    assert_eq!(copies(PacketDirection::In, PacketType::Disconnect), 0);
}

#[test]
fn delays_keep_the_order() {
    let now = Instant::now();
    let (shortest, longest) = (Duration::from_millis(10), Duration::from_millis(500));
    let fates = fates(&plan(3, vec![always(FaultKind::Delay(shortest, longest))]), 0, 1000, now);
    assert!(fates.iter().all(|fate| (shortest..=longest).contains(&(fate.at - now))));
    assert!(fates.is_sorted_by_key(|fate| fate.at));
}

#[test]
fn a_stall_holds_up_everything_once() {
    let now = Instant::now();
    let stall = FaultKind::Stall { time: Duration::from_secs(2), after: 3 };
    let plan = plan(1, vec![always(stall)]);
    let mut faults = plan.of_connection(0).unwrap();
    let mut at = |seconds| {
        let now = now + Duration::from_secs(seconds);
        faults.judge(PacketDirection::In, PacketType::Publish, now).at - now
    };
    let waits = [0, 0, 0, 0, 1, 2, 3].map(&mut at);
    assert_eq!(waits.map(|wait| wait.as_secs()), [0, 0, 0, 2, 1, 0, 0]);
}

#[test]
fn bytes_are_counted_to_the_cut() {
    let rule =
        |direction, bytes| FaultRule { direction, packet: None, fault: FaultKind::CutAfter(bytes) };
    let plan = plan(1, vec![rule(None, 100), rule(Some(PacketDirection::In), 10)]);
    let mut faults = plan.of_connection(5).unwrap();
    let now = Instant::now();
    faults.pass(PacketDirection::In, 4, now);
    faults.pass(PacketDirection::Out, 400, now);
    assert_eq!(faults.bytes_left(PacketDirection::In), Some(6));
    assert_eq!(faults.bytes_left(PacketDirection::Out), Some(0));
}

#[test]
fn the_first_connections_are_refused() {
    let plan = Arc::new(FaultPlan { seed: None, refused: 2, rules: Vec::new() });
    assert_eq!([0, 1, 2, 3].map(|number| plan.refuses(number)), [true, true, false, false]);
    assert!(plan.of_connection(2).is_none());
}

/// The traffic of connection 0 under these rules.
fn traffic(rules: Vec<FaultRule>) -> FaultyTraffic {
    FaultyTraffic::new(plan(1, rules).of_connection(0).unwrap())
}

fn message(qos: QoS) -> Packet {
    let publish = Publish::new(TopicName::new("t").unwrap(), Bytes::from_static(&[0; 1000]));
    Packet::Publish(Publish { qos, ..publish })
}

/// Whatever happens to packets, the router learns in the end that all that it handed over is gone.
#[test]
fn the_router_gets_back_what_it_has_handed_over() {
    let now = Instant::now();
    let mut traffic =
        traffic(vec![always(FaultKind::Drop(0.3)), always(FaultKind::Duplicate(0.5))]);
    let (mut handed_over, mut given_back) = (0, 0);
    for _ in 0..1000 {
        let mut packets =
            VecDeque::from([message(QoS::AtLeastOnce).into(), Packet::PingResp.into()]);
        handed_over += packets.iter().map(OutgoingItem::weight).sum::<usize>();
        traffic.hold_packets(&mut packets, now, |_| {});
        let written = traffic.arrived_packets(now).iter().map(OutgoingItem::weight).sum();
        given_back += traffic.written(written);
        assert!(given_back <= handed_over);
    }
    assert_eq!((given_back, traffic.lost()), (handed_over, 0));
}

#[test]
fn a_second_copy_says_that_it_is_one() {
    let now = Instant::now();
    for (qos, dup) in [(QoS::AtMostOnce, false), (QoS::AtLeastOnce, true), (QoS::ExactlyOnce, true)]
    {
        let mut traffic = traffic(vec![always(FaultKind::Duplicate(1.0))]);
        traffic.hold_packets(&mut VecDeque::from([message(qos).into()]), now, |_| {});
        let copies = traffic.arrived_packets(now);
        let dups = copies.iter().map(|packet| match packet {
            OutgoingItem::Packet(Packet::Publish(publish)) => publish.dup,
            _ => panic!("{packet:?}"),
        });
        assert_eq!(dups.collect::<Vec<_>>(), [false, dup]);
    }
}

#[test]
fn nothing_overtakes_what_is_held() {
    let now = Instant::now();
    let hour = Duration::from_secs(3600);
    let mut traffic = traffic(vec![always(FaultKind::Delay(hour, hour))]);
    traffic.hold_input(ClientInput::Packet(Packet::PingReq), now, |_| {});
    traffic.hold_input(ClientInput::Closed(1000), now, |_| {});
    assert!(traffic.next_input(now).is_none() && traffic.holds_input());
    assert_eq!(traffic.due(), Some(now + hour));
    assert!(matches!(traffic.next_input(now + hour), Some(ClientInput::Packet(_))));
    assert!(matches!(traffic.next_input(now + hour), Some(ClientInput::Closed(1000))));
    traffic.hold_packets(&mut VecDeque::from([Packet::PingResp.into()]), now, |_| {});
    assert!(traffic.defer_end(EndReason::Done));
    assert!(traffic.arrived_packets(now).is_empty() && traffic.take_end().is_none());
    assert_eq!(traffic.arrived_packets(now + hour), [OutgoingItem::from(Packet::PingResp)]);
    assert_eq!(traffic.take_end(), Some(EndReason::Done));
    assert!(!traffic.defer_end(EndReason::Done) && traffic.take_end().is_none());
}

#[test]
fn what_is_held_of_a_client_is_bounded() {
    let now = Instant::now();
    let hour = Duration::from_secs(3600);
    let mut traffic = traffic(vec![always(FaultKind::Delay(hour, hour))]);
    let mut count = 0;
    while traffic.takes_input() {
        traffic.hold_input(ClientInput::Packet(message(QoS::AtMostOnce)), now, |_| {});
        count += 1;
    }
    assert!((900..1100).contains(&count), "{count}");
    while traffic.next_input(now + hour).is_some() {}
    assert!(traffic.takes_input());
}

/// What happens to packets of one type does not depend on those of another.
#[test]
fn each_type_of_packet_has_chances_of_its_own() {
    let now = Instant::now();
    let plan = plan(5, vec![always(FaultKind::Drop(0.5))]);
    let alone = copies(&fates(&plan, 0, 100, now));
    let mut faults = plan.of_connection(0).unwrap();
    let mut among_others = Vec::new();
    for _ in 0..100 {
        faults.judge(PacketDirection::In, PacketType::PingReq, now);
        among_others.push(faults.judge(PacketDirection::In, PacketType::Publish, now).copies);
        faults.judge(PacketDirection::Out, PacketType::Publish, now);
    }
    assert_eq!(alone, among_others);
}

/// How long a mebibyte takes to pass, if the loop is so much late each time.
fn time_of_mebibyte(bytes_per_second: u64, late: Duration) -> Duration {
    let (now, direction) = (Instant::now(), Some(PacketDirection::Out));
    let fault = FaultKind::Rate(bytes_per_second);
    let mut traffic = traffic(vec![FaultRule { direction, packet: None, fault }]);
    assert_eq!(traffic.room(PacketDirection::In, 1 << 20), 1 << 20);
    let (mut left, mut time) = (1 << 20, now);
    while left > 0 {
        let room = traffic.room(PacketDirection::Out, left);
        assert!(room <= usize::try_from(bytes_per_second / 10).unwrap());
        if room == 0 {
            time = traffic.due().unwrap() + late;
            traffic.wake(time);
        }
        traffic.pass(PacketDirection::Out, room, time);
        left -= room;
    }
    time - now
}

#[test]
fn a_slow_direction_lets_bytes_pass_in_ticks() {
    let late = Duration::from_millis(1);
    for (rate, milliseconds) in [(40 * 1024, 25_500), (1 << 20, 999), (10, 104_857_500)] {
        let exact = time_of_mebibyte(rate, Duration::ZERO).as_millis();
        assert_eq!(exact, milliseconds, "{rate}");
        assert!(time_of_mebibyte(rate, late).as_millis() <= exact + 1, "{rate}");
    }
}

#[test]
fn silence_is_counted_from_the_last_bytes_of_either_side() {
    let now = Instant::now();
    let at = |seconds| now + Duration::from_secs(seconds);
    let minute = Duration::from_secs(60);
    let longer = always(FaultKind::CutIdle(2 * minute));
    let mut traffic = traffic(vec![longer, always(FaultKind::CutIdle(minute))]);
    assert!(traffic.due().is_none() && traffic.cut(at(100)).is_none());
    for (direction, seconds) in [(PacketDirection::In, 0), (PacketDirection::Out, 59)] {
        traffic.pass(direction, 1, at(seconds));
        assert_eq!(traffic.due(), Some(at(seconds + 60)));
        assert!(traffic.cut(at(seconds + 59)).is_none());
    }
    traffic.pass(PacketDirection::Out, 0, at(118));
    assert!(matches!(traffic.cut(at(119)), Some(FaultEvent::CutIdle(time)) if time == minute));
}
