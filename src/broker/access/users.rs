//! Users and their passwords: of `--user`, and of a file as mosquitto's `password_file`, with plain
//! passwords or the hashes that `mosquitto_passwd` writes.

use std::collections::HashMap;
use std::fmt;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Arc;

use data_encoding::BASE64;
use ring::digest;

use super::derivation::Derivation;

/// The most iterations that a hash may ask for: about a second of work for each login, done in
/// slices.
const MOST_ITERATIONS: u32 = 1_000_000;

/// The users that may connect.
#[derive(Clone, Default)]
pub struct Users(Arc<HashMap<String, Password>>);

/// Shows the names alone.
impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Whether a client may connect.
#[derive(Debug)]
pub enum LoginVerdict {
    /// It named a user, and knows the password.
    Right,
    /// It does not.
    Wrong,
    /// It gave neither a name nor a password.
    Missing,
    /// That takes a while to compute.
    Undecided(Box<PasswordProof>),
}

/// A password that is being compared with a hash that takes long to compute.
pub struct PasswordProof {
    derivation: Derivation,
    expected: Vec<u8>,
}

/// Shows no secrets.
impl fmt::Debug for PasswordProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordProof").finish_non_exhaustive()
    }
}

impl PasswordProof {
    /// Goes on, by as many iterations as `budget` has, and takes them from it. Whether the password
    /// is right, when that is known.
    pub fn advance(&mut self, budget: &mut u32) -> Option<bool> {
        let derived = self.derivation.advance(budget)?;
        Some(are_equal(derived, &self.expected))
    }
}

/// What a password is compared with.
#[derive(Clone)]
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
    pub fn judge(&self, name: Option<&str>, password: Option<&[u8]>) -> LoginVerdict {
        if name.is_none() && password.is_none() {
            return LoginVerdict::Missing;
        }
        let known = name.and_then(|name| self.0.get(name));
        known.zip(password).map_or(LoginVerdict::Wrong, |(known, password)| known.judge(password))
    }

    fn add(&mut self, name: &str, password: Password) -> Result<(), UserProblem> {
        if name.is_empty() {
            return Err(UserProblem::NoName);
        }
        match Arc::make_mut(&mut self.0).insert(name.to_owned(), password) {
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
    fn judge(&self, password: &[u8]) -> LoginVerdict {
        let is_right = match self {
            Self::Plain(hash) => are_equal(hash, &sha512(&[password])),
            Self::Salted { salt, hash } => are_equal(hash, &sha512(&[password, salt])),
            Self::Derived { iterations, salt, hash } => {
                let derivation = Derivation::new(password, salt, *iterations);
                let expected = hash.clone();
                return LoginVerdict::Undecided(Box::new(PasswordProof { derivation, expected }));
            }
        };
        if is_right { LoginVerdict::Right } else { LoginVerdict::Wrong }
    }
}

/// `SALT$HASH`, both in base64; the hash has the length of a SHA-512.
fn salt_and_hash(text: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let (salt, hash) = text.split_once('$')?;
    let decode = |text: &str| BASE64.decode(text.as_bytes()).ok();
    let (salt, hash) = (decode(salt)?, decode(hash)?);
    (hash.len() == digest::SHA512_OUTPUT_LEN).then_some((salt, hash))
}

/// Compares two hashes in a time that does not tell where they differ.
fn are_equal(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |all, (a, b)| black_box(all | (a ^ b)));
    one.len() == other.len() && differences == 0
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

    fn admits(users: &Users, name: Option<&str>, password: Option<&[u8]>) -> bool {
        match users.judge(name, password) {
            LoginVerdict::Right => true,
            LoginVerdict::Wrong | LoginVerdict::Missing => false,
            LoginVerdict::Undecided(mut proof) => proof.advance(&mut u32::MAX.clone()).unwrap(),
        }
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
            assert!(admits(&users, Some(name), Some(password.as_bytes())), "{name}");
            for wrong in ["s3cret:u", "s3cret:ü ", "x", "plain", "$6$"] {
                assert!(!admits(&users, Some(name), Some(wrong.as_bytes())), "{name} {wrong}");
            }
            assert!(!admits(&users, Some(name), None));
        }
        for name in [None, Some(""), Some("Ann"), Some("# The users."), Some("mallory")] {
            assert!(!admits(&users, name, Some(b"s3cret:\xc3\xbc")), "{name:?}");
        }
        assert!(matches!(users.judge(None, None), LoginVerdict::Missing));
        assert_eq!(format!("{users:?}").matches("s3cret").count(), 0);
    }

    #[test]
    fn a_password_of_the_command_line_is_plain() {
        let mut users = Users::default();
        users.add_plain("ann", "$6$x$y").unwrap();
        assert!(admits(&users, Some("ann"), Some(b"$6$x$y")));
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
