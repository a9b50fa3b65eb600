//! Users and their passwords: of `--user`, and of a file as mosquitto's `password_file`, with plain
//! passwords or the hashes that `mosquitto_passwd` writes.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;

use data_encoding::BASE64;
use ring::{digest, pbkdf2};

/// The most iterations that a hash may ask for: about a second of work for each login.
const MOST_ITERATIONS: u32 = 1_000_000;

/// The users that may connect.
#[derive(Default)]
pub struct Users(HashMap<String, Password>);

/// What a password is compared with.
enum Password {
    /// Its SHA-512: so the comparison takes no time that tells how much of it was right.
    Plain(Vec<u8>),
    /// `$6$SALT$HASH`: SHA-512 of the password and the salt.
    Salted {
        /// What comes after the password.
        salt: Vec<u8>,
        /// The result.
        hash: Vec<u8>,
    },
    /// `$7$ITERATIONS$SALT$HASH`: PBKDF2 with HMAC-SHA-512.
    Derived {
        /// How often the hash is computed.
        iterations: NonZeroU32,
        /// The salt.
        salt: Vec<u8>,
        /// The result.
        hash: Vec<u8>,
    },
}

/// What is wrong with a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserProblem {
    /// There is no colon, or no name before it.
    NoName,
    /// The same name a second time.
    Twice(String),
    /// A hash of another form, which is named.
    UnknownHash(String),
    /// A hash of a known form that is not what that form says.
    BrokenHash(String),
    /// A hash that takes too long.
    TooManyIterations(u32),
}

impl fmt::Display for UserProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoName => f.write_str("expected NAME:PASSWORD"),
            Self::Twice(name) => write!(f, "the user {name} is named twice"),
            Self::UnknownHash(form) => write!(
                f,
                "a hash {form} is not supported: only plain passwords, and the hashes $6$ and $7$ \
                 of mosquitto_passwd"
            ),
            Self::BrokenHash(form) => write!(f, "the hash {form} is damaged"),
            Self::TooManyIterations(count) => {
                write!(f, "a hash of {count} iterations: at most {MOST_ITERATIONS} are supported")
            }
        }
    }
}

impl Users {
    /// Whether nobody is named: then everybody may connect.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a user of `--user`: the password is plain, whatever it looks like.
    pub fn add_plain(&mut self, name: &str, password: &str) -> Result<(), UserProblem> {
        self.add(name, Password::plain(password))
    }

    /// Adds the users of a file, a line each; `Err` has the number of the line.
    pub fn add_file(&mut self, text: &str) -> Result<(), (usize, UserProblem)> {
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let user = line.split_once(':').ok_or(UserProblem::NoName);
            let user = user.and_then(|(name, text)| Ok((name, Password::parse(text)?)));
            let added = user.and_then(|(name, password)| self.add(name, password));
            added.map_err(|problem| (number, problem))?;
        }
        Ok(())
    }

    /// Whether a client with this name and password may connect.
    pub fn admits(&self, name: Option<&str>, password: Option<&[u8]>) -> bool {
        let known = name.and_then(|name| self.0.get(name));
        known.zip(password).is_some_and(|(known, password)| known.is(password))
    }

    fn add(&mut self, name: &str, password: Password) -> Result<(), UserProblem> {
        if name.is_empty() {
            return Err(UserProblem::NoName);
        }
        match self.0.insert(name.to_owned(), password) {
            Some(_) => Err(UserProblem::Twice(name.to_owned())),
            None => Ok(()),
        }
    }
}

impl Password {
    fn plain(text: &str) -> Self {
        Self::Plain(sha512(&[text.as_bytes()]))
    }

    /// What stands after the name in a file: `$FORM$` begins a hash.
    fn parse(text: &str) -> Result<Self, UserProblem> {
        let Some((form, rest)) = text.strip_prefix('$').and_then(|text| text.split_once('$'))
        else {
            return Ok(Self::plain(text));
        };
        let broken = || UserProblem::BrokenHash(format!("${form}$"));
        match form {
            "6" => {
                let (salt, hash) = salt_and_hash(rest).ok_or_else(broken)?;
                Ok(Self::Salted { salt, hash })
            }
            "7" => {
                let (count, rest) = rest.split_once('$').ok_or_else(broken)?;
                let iterations: NonZeroU32 = count.parse().map_err(|_| broken())?;
                if iterations.get() > MOST_ITERATIONS {
                    return Err(UserProblem::TooManyIterations(iterations.get()));
                }
                let (salt, hash) = salt_and_hash(rest).ok_or_else(broken)?;
                Ok(Self::Derived { iterations, salt, hash })
            }
            _ => Err(UserProblem::UnknownHash(format!("${form}$"))),
        }
    }

    /// Whether this is the password.
    fn is(&self, password: &[u8]) -> bool {
        match self {
            Self::Plain(hash) => *hash == sha512(&[password]),
            Self::Salted { salt, hash } => *hash == sha512(&[password, salt]),
            Self::Derived { iterations, salt, hash } => {
                let algorithm = pbkdf2::PBKDF2_HMAC_SHA512;
                pbkdf2::verify(algorithm, *iterations, salt, password, hash).is_ok()
            }
        }
    }
}

/// `SALT$HASH`, both in base64; the hash has the length of a SHA-512.
fn salt_and_hash(text: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let (salt, hash) = text.split_once('$')?;
    let decode = |text: &str| BASE64.decode(text.as_bytes()).ok();
    let (salt, hash) = (decode(salt)?, decode(hash)?);
    (hash.len() == digest::SHA512_OUTPUT_LEN).then_some((salt, hash))
}

fn sha512(parts: &[&[u8]]) -> Vec<u8> {
    let mut context = digest::Context::new(&digest::SHA512);
    for part in parts {
        context.update(part);
    }
    context.finish().as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by `mosquitto_passwd` 2.0.11, `-H sha512` and `-H sha512-pbkdf2`.
    const FILE: &str = "\
# The users.

ann:$6$fEBtpkmT+qpVQCoi$h4ysgarN1128YXWxtR8v1HeykqEYJk3GHKJmiFyAZidP0RmLGdT0KUDxtj\
Q08wkXkqRbNnBJl4MkO1+/vpj/2A==
bob:$7$101$64tl7jT3ceyXEZ/2$CRb3JHIdYXZvX+5HLNc93P9jl26vo0NRP3Zeg2MAM7iEVuoN983Y8aZtX\
CUpenjfJGf291BbnIfORBIv/skaYQ==\r
carol:plain: with a colon
dave:$ecret
eve:
";

    fn users(text: &str) -> Result<Users, (usize, UserProblem)> {
        let mut users = Users::default();
        users.add_file(text).map(|()| users)
    }

    #[test]
    fn who_knows_the_password_is_admitted() {
        let users = users(FILE).map_err(|(line, problem)| format!("{line}: {problem}")).unwrap();
        for (name, password) in [
            ("ann", "s3cret:ü"),
            ("bob", "s3cret:ü"),
            ("carol", "plain: with a colon"),
            ("dave", "$ecret"),
            ("eve", ""),
        ] {
            assert!(users.admits(Some(name), Some(password.as_bytes())), "{name}");
            for wrong in ["s3cret:u", "s3cret:ü ", "x", "plain", "$6$"] {
                assert!(!users.admits(Some(name), Some(wrong.as_bytes())), "{name} {wrong}");
            }
            assert!(!users.admits(Some(name), None));
        }
        for name in [None, Some(""), Some("Ann"), Some("# The users."), Some("mallory")] {
            assert!(!users.admits(name, Some(b"s3cret:\xc3\xbc")), "{name:?}");
        }
    }

    #[test]
    fn a_password_of_the_command_line_is_plain() {
        let mut users = Users::default();
        assert!(users.is_empty());
        users.add_plain("ann", "$6$x$y").unwrap();
        assert!(users.admits(Some("ann"), Some(b"$6$x$y")) && !users.is_empty());
        assert_eq!(users.add_plain("ann", "x"), Err(UserProblem::Twice("ann".to_owned())));
        assert_eq!(users.add_plain("", "x"), Err(UserProblem::NoName));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let hash = "h4ysgarN1128YXWxtR8v1HeykqEYJk3GHKJmiFyAZidP0RmLGdT0KUDxtjQ08wkXkqRbNnBJl4MkO1\
                    +/vpj/2A==";
        let broken = |form: &str| UserProblem::BrokenHash(form.to_owned());
        for (line, problem) in [
            ("ann".to_owned(), UserProblem::NoName),
            (":x".to_owned(), UserProblem::NoName),
            ("bob:x\nbob:y".to_owned(), UserProblem::Twice("bob".to_owned())),
            ("ann:$2b$12$x".to_owned(), UserProblem::UnknownHash("$2b$".to_owned())),
            ("ann:$argon2id$v=19$x".to_owned(), UserProblem::UnknownHash("$argon2id$".to_owned())),
            ("ann:$$x".to_owned(), UserProblem::UnknownHash("$$".to_owned())),
            ("ann:$6$fEBt".to_owned(), broken("$6$")),
            ("ann:$6$fEBt$AAAA".to_owned(), broken("$6$")),
            (format!("ann:$6$?$ {hash}"), broken("$6$")),
            (format!("ann:$7$fEBt${hash}"), broken("$7$")),
            (format!("ann:$7$0$fEBt${hash}"), broken("$7$")),
            (format!("ann:$7$-1$fEBt${hash}"), broken("$7$")),
            (format!("ann:$7$9999999999$fEBt${hash}"), broken("$7$")),
            (format!("ann:$7$1000001$fEBt${hash}"), UserProblem::TooManyIterations(1_000_001)),
        ] {
            let number = 1 + line.matches('\n').count();
            assert_eq!(users(&line).err(), Some((number, problem)), "{line}");
        }
        assert_eq!(
            UserProblem::UnknownHash("$2b$".to_owned()).to_string(),
            "a hash $2b$ is not supported: only plain passwords, and the hashes $6$ and $7$ of \
             mosquitto_passwd"
        );
    }
}
