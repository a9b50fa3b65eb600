//! Reads small frames that arrived whole, many in a row, without a state between them.

use bytes::BytesMut;

use super::frame::WHOLE_BINARY;

/// The longest payload whose length stands in the second byte of the header (RFC 6455 §5.2).
const LONGEST: u8 = 125;

/// Adds to `block` the payloads of the frames at the beginning of `arrived` that are whole messages
/// of binary data, unmasked, with at most `limit` and at most 125 bytes of payload, and wholly
/// there. Returns how many bytes of `arrived` they have; the next frame is of another kind.
pub fn join(arrived: &[u8], limit: u64, block: &mut BytesMut) -> usize {
    let longest = u8::try_from(limit).unwrap_or(LONGEST).min(LONGEST);
    let mut rest = arrived;
    while let [WHOLE_BINARY, length, after @ ..] = rest
        && *length <= longest
        && let Some((payload, next)) = after.split_at_checked(usize::from(*length))
    {
        block.extend_from_slice(payload);
        rest = next;
    }
    arrived.len() - rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is joined of these bytes, and how many of them are taken.
    fn joined(arrived: &[u8], limit: u64) -> (Vec<u8>, usize) {
        let mut block = BytesMut::new();
        let taken = join(arrived, limit, &mut block);
        (block.to_vec(), taken)
    }

    #[test]
    fn whole_small_frames_are_joined() {
        let arrived = [0x82, 2, 1, 2, 0x82, 0, 0x82, 1, 3];
        assert_eq!(joined(&arrived, 1000), (vec![1, 2, 3], 9));
        let mut longest = vec![0x82, 125];
        longest.extend([7; 125]);
        assert_eq!(joined(&longest, u64::MAX), (vec![7; 125], 127));
        assert_eq!(joined(&longest, 124), (vec![], 0));
    }

    #[test]
    fn other_frames_are_left() {
        let others: [&[u8]; 7] = [
            &[0x82],                      // only the beginning of a header
            &[0x82, 2, 1],                // only the beginning of a payload
            &[0x02, 1, 9],                // the first fragment of a message
            &[0x80, 1, 9],                // the last fragment
            &[0x89, 0],                   // Ping
            &[0x82, 0x81, 1, 2, 3, 4, 9], // masked
            &[0x82, 126, 0, 3, 1, 2, 3],  // a longer length than is needed
        ];
        for other in others {
            let arrived = [&[0x82, 1, 5], other].concat();
            assert_eq!(joined(&arrived, 1000), (vec![5], 3), "{other:?}");
        }
    }
}
