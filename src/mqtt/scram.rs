//! The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), a method of enhanced authentication
//! (MQTT 5 §4.12). The caller supplies the random nonce.

use std::num::NonZeroU32;

use ring::{digest, hmac, pbkdf2};

/// The name of the method.
pub const METHOD: &str = "SCRAM-SHA-256";

/// The most iterations that a server may ask for. RFC 7677 recommends 4,096; ten million take some
/// seconds of processor time.
const MOST_ITERATIONS: u32 = 10_000_000;

/// An error on the server's side of the exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScramError {
    /// A message that does not follow RFC 5802 §7, or does not belong to the client's nonce.
    Malformed(&'static str),
    /// The server reports that authentication failed. Holds the server's text.
    Refused(String),
    /// The server could not prove that it knows the password.
    WrongServer,
}

impl std::fmt::Display for ScramError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(what) => write!(f, "the broker's SCRAM message has {what}"),
            Self::Refused(words) => {
                write!(f, "the broker refused the SCRAM proof: {}", words.escape_debug())
            }
            Self::WrongServer => {
                f.write_str("the broker could not prove that it knows the password")
            }
        }
    }
}

/// A SCRAM exchange.
#[derive(Clone)]
pub struct Scram {
    password: Vec<u8>,
    nonce: String,
    first_bare: String,
    /// The key and the text of the signature that the server must send; `None` before the client
    /// has made its proof.
    server: Option<(hmac::Key, Vec<u8>)>,
}

/// Leaves out the password.
impl std::fmt::Debug for Scram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scram").field("first_bare", &self.first_bare).finish_non_exhaustive()
    }
}

impl Scram {
    /// Begins an exchange. `nonce` must be printable, without commas, and never used before.
    pub fn new(username: &str, password: &[u8], nonce: &str) -> Self {
        let name = username.replace('=', "=3D").replace(',', "=2C");
        Self {
            password: password.to_owned(),
            nonce: nonce.to_owned(),
            first_bare: format!("n={name},r={nonce}"),
            server: None,
        }
    }

    /// The client-first-message, without channel binding.
    pub fn first(&self) -> String {
        format!("n,,{}", self.first_bare)
    }

    /// Answers the server-first-message with the client-final-message.
    pub fn answer(&mut self, server_first: &[u8]) -> Result<String, ScramError> {
        let server_first = std::str::from_utf8(server_first)
            .map_err(|_| ScramError::Malformed("no UTF-8 text"))?;
        let nonce = field(server_first, 'r').ok_or(ScramError::Malformed("no nonce"))?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(ScramError::Malformed("a nonce other than the client's"));
        }
        let salt =
            field(server_first, 's').and_then(decoded).ok_or(ScramError::Malformed("no salt"))?;
        let iterations = field(server_first, 'i')
            .and_then(|text| text.parse().ok())
            .and_then(NonZeroU32::new)
            .filter(|iterations| iterations.get() <= MOST_ITERATIONS)
            .ok_or(ScramError::Malformed("no acceptable iteration count"))?;
        let without_proof = format!("c=biws,r={nonce}");
        let message = format!("{},{server_first},{without_proof}", self.first_bare);
        let proof = self.prove(&salt, iterations, message.as_bytes());
        Ok(format!("{without_proof},p={}", encoded(&proof)))
    }

    /// Computes the client's proof, and stores what the server's signature needs (RFC 5802 §3).
    fn prove(&mut self, salt: &[u8], iterations: NonZeroU32, message: &[u8]) -> Vec<u8> {
        let mut salted = [0; digest::SHA256_OUTPUT_LEN];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, &self.password, &mut salted);
        let client_key = sign(&salted, b"Client Key");
        let stored_key = digest::digest(&digest::SHA256, &client_key);
        let signature = sign(stored_key.as_ref(), message);
        self.server = Some((key(&sign(&salted, b"Server Key")), message.to_owned()));
        client_key.iter().zip(signature).map(|(key, signature)| key ^ signature).collect()
    }

    /// Checks the server-final-message.
    pub fn verify(&self, server_final: &[u8]) -> Result<(), ScramError> {
        let text = std::str::from_utf8(server_final)
            .map_err(|_| ScramError::Malformed("no UTF-8 text"))?;
        if let Some(words) = field(text, 'e') {
            return Err(ScramError::Refused(words.to_owned()));
        }
        let shown =
            field(text, 'v').and_then(decoded).ok_or(ScramError::Malformed("no signature"))?;
        let (key, message) = self.server.as_ref().ok_or(ScramError::WrongServer)?;
        hmac::verify(key, message, &shown).map_err(|_| ScramError::WrongServer)
    }
}

fn sign(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&self::key(key), message).as_ref().to_owned()
}

fn key(bytes: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, bytes)
}

/// The value of an attribute: `a=value` between commas.
fn field(message: &str, name: char) -> Option<&str> {
    message.split(',').find_map(|attribute| attribute.strip_prefix(name)?.strip_prefix('='))
}

fn encoded(bytes: &[u8]) -> String {
    data_encoding::BASE64.encode(bytes)
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    data_encoding::BASE64.decode(text.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER_FIRST: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    /// The example of RFC 7677 §3.
    fn example() -> Scram {
        Scram::new("user", b"pencil", "rOprNGfwEbeRWgbNEkqO")
    }

    #[test]
    fn the_example_of_the_standard() {
        let mut scram = example();
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        assert_eq!(
            scram.answer(SERVER_FIRST.as_bytes()).expect("a good server"),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(scram.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_found_out() {
        let mut scram = example();
        assert_eq!(scram.verify(b"v="), Err(ScramError::WrongServer), "before our proof");
        scram.answer(SERVER_FIRST.as_bytes()).expect("a good server");
        let wrong = b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(scram.verify(wrong), Err(ScramError::WrongServer));
        assert_eq!(
            scram.verify(b"e=invalid-proof"),
            Err(ScramError::Refused("invalid-proof".to_owned()))
        );
    }

    #[test]
    fn malformed_messages_are_refused() {
        let rows: [&[u8]; 8] = [
            b"",
            b"\xff",
            b"r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            b"r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            b"r=rOprNGfwEbeRWgbNEkqOx,s=!,i=4096",
            b"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0",
            b"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4000000000",
            b"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==",
        ];
        for row in rows {
            assert!(
                matches!(example().answer(row), Err(ScramError::Malformed(_))),
                "{}",
                row.escape_ascii()
            );
        }
    }

    #[test]
    fn names_are_escaped() {
        assert_eq!(Scram::new("a=b,c", b"", "x").first(), "n,,n=a=3Db=2Cc,r=x");
    }
}
