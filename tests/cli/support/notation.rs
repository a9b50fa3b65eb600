//! MQTT packets as a test writes them: bytes in hexadecimal, with words for what is tedious. It
//! must never know the codec of the program.
//!
//! A packet is its first byte and its body; the remaining length is counted, never written:
//!
//! | word | stands for |
//! |---|---|
//! | `0a` | one byte |
//! | `'text'` | the bytes of the text |
//! | `<text>` | an MQTT string: two bytes of length and the text |
//! | `id` | the packet identifier last seen (sending), any two bytes (comparing) |
//! | `..` | any byte (comparing) |
//! | `*` | whatever follows (comparing) |
//! | `;` | the next packet begins (sending) |

/// One word of the notation.
#[derive(Clone)]
enum Word {
    Bytes(Vec<u8>),
    PacketId,
    Any,
    Rest,
    Next,
}

/// The bytes of one or several packets, `id` being replaced by `packet_id`.
pub fn packets(text: &str, packet_id: [u8; 2]) -> Vec<u8> {
    let words = words(text);
    words
        .split(|word| matches!(word, Word::Next))
        .flat_map(|packet| encode(packet, packet_id))
        .collect()
}

fn encode(words: &[Word], packet_id: [u8; 2]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in words {
        match word {
            Word::Bytes(some) => bytes.extend(some),
            Word::PacketId => bytes.extend(packet_id),
            Word::Any | Word::Rest | Word::Next => panic!("a wildcard cannot be sent"),
        }
    }
    let body = bytes.split_off(1);
    let mut length = body.len();
    while length > 127 {
        bytes.push(u8::try_from(length % 128).unwrap() | 0x80);
        length /= 128;
    }
    bytes.push(u8::try_from(length).unwrap());
    bytes.extend(body);
    bytes
}

/// Whether a packet (its first byte and its body) is as `pattern` says.
pub fn matches(pattern: &str, packet: &[u8]) -> bool {
    let mut left = packet;
    for word in words(pattern) {
        let taken = match word {
            Word::Bytes(bytes) => left.strip_prefix(bytes.as_slice()),
            Word::PacketId => left.get(2..),
            Word::Any => left.get(1..),
            Word::Rest => return true,
            Word::Next => panic!("one packet is compared at a time"),
        };
        match taken {
            Some(rest) => left = rest,
            None => return false,
        }
    }
    left.is_empty()
}

fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut left = text.trim_start();
    while let Some(first) = left.chars().next() {
        let end = match first {
            '\'' => 1 + left[1..].find('\'').expect("a closing quote"),
            '<' => left.find('>').expect("a closing bracket"),
            ';' | '*' => 0,
            _ => 1,
        };
        words.push(word(first, &left[..=end]));
        left = left[end + 1..].trim_start();
    }
    words
}

fn word(first: char, text: &str) -> Word {
    match (first, text) {
        ('\'', text) => Word::Bytes(text[1..text.len() - 1].into()),
        ('<', text) => {
            let inner = &text.as_bytes()[1..text.len() - 1];
            let length = u16::try_from(inner.len()).unwrap().to_be_bytes();
            Word::Bytes([&length, inner].concat())
        }
        (_, "id") => Word::PacketId,
        (_, "..") => Word::Any,
        (_, "*") => Word::Rest,
        (_, ";") => Word::Next,
        (_, text) => {
            Word::Bytes(vec![u8::from_str_radix(text, 16).expect("two hexadecimal digits")])
        }
    }
}

#[test]
fn packets_are_encoded_with_their_length() {
    assert_eq!(packets("20 00 00", [0, 0]), [0x20, 2, 0, 0]);
    assert_eq!(packets("e0; 90 id 01", [7, 8]), [0xe0, 0, 0x90, 3, 7, 8, 1]);
    assert_eq!(packets("30 <t> 'a b'", [0, 0]), b"\x30\x06\x00\x01ta b");
    let long = packets(&format!("30 <t> '{}'", "x".repeat(200)), [0, 0]);
    assert_eq!(long[..4], [0x30, 0xcb, 0x01, 0x00]);
}

#[test]
fn patterns_match_what_they_say() {
    let packet = b"\x82\x00\x01\x00\x01t\x00";
    assert!(matches("82 id <t> 00", packet));
    assert!(matches("82 .. 01 <t> *", packet));
    assert!(matches("82 *", packet));
    assert!(!matches("82 id <t>", packet));
    assert!(!matches("82 id <u> 00", packet));
    assert!(!matches("82 id <t> 00 00", packet));
}
