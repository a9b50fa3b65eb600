//! Payloads of `bench`: what was sent is understood as it was sent, whatever happens to it on the
//! way is seen, and of all bytes only those are taken that a run has sent.

use bytes::BytesMut;

use super::choices::Choices;
use crate::command::bench::payload::{HEAD, PayloadFault, Payloads, Stamp};

pub fn check(data: &[u8]) {
    let (ours, others) = (payloads(7), payloads(8));
    if let Ok(stamp) = ours.read(data) {
        assert_eq!(made(&ours, stamp, data.len()), data, "only what was sent is taken");
    }
    let mut choices = Choices::new(data);
    let stamp = Stamp {
        stream: u32::from(choices.number()) << choices.below(17),
        sequence: (u64::from(choices.number()) << choices.below(33)) & 0xffff_ffff_ffff,
        intended: u64::from(choices.number()) << choices.below(49),
    };
    let length = HEAD + usize::from(choices.number() >> choices.below(16));
    let payload = made(&ours, stamp, length);
    assert_eq!(payload.len(), length);
    assert_eq!(ours.read(&payload), Ok(stamp));
    assert_eq!(others.read(&payload), Err(PayloadFault::Foreign));
    let place = usize::from(choices.number()) % length;
    let mut changed = payload.clone();
    changed[place] ^= 1 << choices.below(8);
    assert_eq!(ours.read(&changed), Err(PayloadFault::Corrupted), "byte {place} of {length}");
    assert_eq!(ours.read(&payload[..place]), Err(PayloadFault::Corrupted), "cut at {place}");
    let longer = [&payload[..], &[choices.byte()]].concat();
    assert_eq!(ours.read(&longer), Err(PayloadFault::Corrupted));
}

/// The payloads of a run; the random bytes are the same for all.
fn payloads(run: u32) -> Payloads {
    let mut random = fastrand::Rng::with_seed(17);
    Payloads::new(run, 5, move || random.u64(..))
}

fn made(payloads: &Payloads, stamp: Stamp, length: usize) -> Vec<u8> {
    let mut payload = BytesMut::new();
    payloads.put(stamp, length, &mut payload);
    payload.to_vec()
}
