//! SCRAM-SHA-256: with a server that knows the password the exchange succeeds on both sides; with
//! any other message it fails, in a line.

use data_encoding::BASE64;
use ring::{digest, hmac, pbkdf2};
use std::num::NonZeroU32;

use super::choices::Choices;
use super::upgrade::assert_harmless;
use crate::mqtt::scram::{Scram, ScramError};

const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";

/// More iterations would take long.
const MOST: u32 = 5000;

pub fn check(data: &[u8]) {
    let mut choices = Choices::new(data);
    if choices.flag() {
        let username = String::from_utf8_lossy(choices.bytes()).into_owned();
        let (password, salt) = (choices.bytes(), choices.bytes());
        let iterations = 1 + u32::from(choices.byte());
        exchange(&username, password, salt, iterations, choices.rest());
    } else {
        let first = choices.bytes();
        strange(first, choices.rest());
    }
}

/// A server that follows RFC 5802, computed here once more.
fn exchange(username: &str, password: &[u8], salt: &[u8], iterations: u32, other: &[u8]) {
    let mut client = Scram::new(username, password, NONCE);
    let first = client.first();
    let bare = first.strip_prefix("n,,").expect("no channel binding");
    let server_first = format!("r={NONCE}server,s={},i={iterations}", BASE64.encode(salt));
    let last = client.answer(server_first.as_bytes()).expect("it is well-formed");
    let (without_proof, proof) = last.split_once(",p=").expect("there is a proof");
    let message = format!("{bare},{server_first},{without_proof}");

    let mut salted = [0; digest::SHA256_OUTPUT_LEN];
    let rounds = NonZeroU32::new(iterations).expect("it is above 0");
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, password, &mut salted);
    let signed =
        |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text);
    let client_key = signed(&salted, b"Client Key");
    let stored = digest::digest(&digest::SHA256, client_key.as_ref());
    let signature = signed(stored.as_ref(), message.as_bytes());
    let proof = BASE64.decode(proof.as_bytes()).expect("base64");
    let shown: Vec<u8> =
        proof.iter().zip(signature.as_ref()).map(|(proof, sign)| proof ^ sign).collect();
    assert_eq!(shown, client_key.as_ref(), "the client knows the password");

    let server = signed(signed(&salted, b"Server Key").as_ref(), message.as_bytes());
    let good = format!("v={}", BASE64.encode(server.as_ref()));
    assert_eq!(client.verify(good.as_bytes()), Ok(()));
    if !other.windows(good.len()).any(|part| part == good.as_bytes()) {
        assert_harmless(
            &client.verify(other).expect_err("a server that does not know it").to_string(),
        );
    }
}

/// Messages of anybody.
fn strange(first: &[u8], last: &[u8]) {
    let text = String::from_utf8_lossy(first);
    let asks = |part: &str| part.strip_prefix("i=").and_then(|number| number.parse::<u32>().ok());
    if text.split(',').any(|part| asks(part).is_some_and(|iterations| iterations > MOST)) {
        return;
    }
    let mut client = Scram::new("user", b"pencil", NONCE);
    match client.answer(first) {
        Ok(answer) => {
            let nonce = answer.strip_prefix("c=biws,r=").expect("the nonce comes first");
            assert!(nonce.starts_with(NONCE) && nonce.as_bytes()[NONCE.len()] != b',');
            assert!(answer.len() <= first.len() + 100);
        }
        Err(error) => {
            assert_harmless(&error.to_string());
            assert!(matches!(error, ScramError::Malformed(_)), "{error:?}");
        }
    }
    // The signature of this exchange is in no corpus.
    assert_harmless(&client.verify(last).expect_err("nobody knows it").to_string());
}
