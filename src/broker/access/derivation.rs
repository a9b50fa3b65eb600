//! PBKDF2 with HMAC-SHA-512 (RFC 8018 §5.2), for one block of output and in slices: a login that
//! takes long must not hold up other clients.

use std::num::NonZeroU32;

use ring::hmac;

/// The length of what is derived, in bytes: that of one HMAC.
const LENGTH: usize = 64;

/// A derivation that has begun.
#[derive(Debug, Clone)]
pub struct Derivation {
    key: hmac::Key,
    /// The result of the last iteration.
    block: hmac::Tag,
    /// The results of all of them, by exclusive or.
    sum: [u8; LENGTH],
    /// The iterations that are left.
    left: u32,
}

impl Derivation {
    /// The first iteration.
    pub fn new(password: &[u8], salt: &[u8], iterations: NonZeroU32) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA512, password);
        // The number of the first block.
        let block = hmac::sign(&key, &[salt, &[0, 0, 0, 1]].concat());
        let mut sum = [0; LENGTH];
        add(&mut sum, block.as_ref());
        Self { key, block, sum, left: iterations.get() - 1 }
    }

    /// Goes on, by as many iterations as `budget` has, and takes them from it. The derived bytes,
    /// when it is done.
    pub fn advance(&mut self, budget: &mut u32) -> Option<&[u8]> {
        let now = self.left.min(*budget);
        for _ in 0..now {
            self.block = hmac::sign(&self.key, self.block.as_ref());
            add(&mut self.sum, self.block.as_ref());
        }
        self.left -= now;
        *budget -= now;
        (self.left == 0).then_some(&self.sum)
    }
}

fn add(sum: &mut [u8; LENGTH], block: &[u8]) {
    for (sum, byte) in sum.iter_mut().zip(block) {
        *sum ^= byte;
    }
}

#[cfg(test)]
mod tests {
    use ring::pbkdf2;

    use super::*;

    #[test]
    fn slices_are_the_whole() {
        for (iterations, slice) in [(1, 1), (2, 1), (101, 7), (101, 1000), (1000, 100)] {
            let iterations = NonZeroU32::new(iterations).unwrap();
            for password in [&b""[..], b"password", &[0xff; 200]] {
                let mut expected = [0; LENGTH];
                let algorithm = pbkdf2::PBKDF2_HMAC_SHA512;
                pbkdf2::derive(algorithm, iterations, b"salt", password, &mut expected);
                let mut derivation = Derivation::new(password, b"salt", iterations);
                let mut slices = 1;
                while derivation.advance(&mut { slice }).is_none() {
                    slices += 1;
                }
                assert_eq!(derivation.sum, expected);
                assert_eq!(slices, (iterations.get() - 1).div_ceil(slice).max(1));
            }
        }
    }

    #[test]
    fn the_budget_is_for_all() {
        let mut budget = 150;
        let hundred = NonZeroU32::new(101).unwrap();
        let mut first = Derivation::new(b"x", b"y", hundred);
        let mut second = first.clone();
        assert!(first.advance(&mut budget).is_some());
        assert!(second.advance(&mut budget).is_none());
        assert_eq!((budget, second.left), (0, 50));
    }
}
