//! `-D COMMAND NAME VALUE`: MQTT 5 properties by mosquitto's names. clap has no flag with three
//! values, and four for one of its names, so the words of each are joined before clap sees them.

use std::ffi::{OsStr, OsString};

use anyhow::{Result, bail, ensure};
use bytes::Bytes;
use clap::Args;

use super::source::words::takes_next;
use crate::exit::Usage;
use crate::format::encoding::Encoding;
use crate::mqtt::property::{
    InvalidValue, Place, Properties, Property, PropertyId, Value, ValueKind,
};
use crate::mqtt::session::{Authentication, ExtraProperties};

/// Joins the words of a property: no argument of a program can hold it.
pub const JOINT: char = '\0';

/// The commands whose properties we send, as they are spelt.
const COMMANDS: [(&str, Place); 6] = [
    ("connect", Place::Connect),
    ("will", Place::Will),
    ("publish", Place::Publish),
    ("subscribe", Place::Subscribe),
    ("unsubscribe", Place::Unsubscribe),
    ("disconnect", Place::Disconnect),
];

/// Properties of the packets that a command sends.
#[derive(Debug, Args)]
#[command(next_help_heading = "MQTT")]
pub struct PropertyFlags {
    /// Give a packet a property: connect, will, publish, subscribe, unsubscribe or disconnect; its
    /// name, such as content-type; its value (MQTT 5, repeatable)
    ///
    /// `user-property` has two values, a name and a value.
    #[arg(
        short = 'D',
        long = "property",
        value_name = "COMMAND NAME VALUE",
        allow_hyphen_values = true
    )]
    property: Vec<String>,
}

impl PropertyFlags {
    /// `-D`, if it was given: `check` decides that itself.
    pub fn given_against_check(&self) -> Option<&'static str> {
        (!self.property.is_empty()).then_some("-D")
    }
}

/// Properties, each where it belongs.
#[derive(Debug, Default)]
pub struct GivenProperties(Vec<(Place, Property)>);

/// The command line with the words of each `-D` joined to one.
pub fn joined(arguments: Vec<OsString>) -> Vec<OsString> {
    // What `serve` runs is not ours to read.
    if arguments.get(1).is_some_and(|verb| verb == "serve") {
        return arguments;
    }
    let is_bench = arguments.get(1).is_some_and(|verb| verb == "bench");
    let mut joined = Vec::with_capacity(arguments.len());
    let mut left = arguments.into_iter();
    while let Some(argument) = left.next() {
        let is_end = argument == "--";
        let is_property = argument == "-D" || argument == "--property";
        let takes_next = !joined.is_empty()
            && takes_next(&argument)
            && !(is_bench && stands_alone_in_bench(&argument));
        joined.push(argument);
        if is_property {
            joined.extend(property(&mut left));
        } else if takes_next {
            joined.extend(left.next());
        }
        if is_end {
            break;
        }
    }
    joined.extend(left);
    joined
}

/// Whether this is a flag that only `bench` has, and that has no value in the next word.
#[cold]
#[inline(never)]
fn stands_alone_in_bench(word: &OsStr) -> bool {
    match word.to_str().and_then(|word| word.strip_prefix("--")) {
        Some(name) => matches!(
            name,
            "allow-remote"
                | "dry-run"
                | "fail-fast"
                | "find-max"
                | "retained"
                | "sub-all"
                | "tls-resume"
                | "will"
        ),
        None => false,
    }
}

/// COMMAND, NAME and one value, or two for a user property; fewer where there are no more.
fn property(left: &mut impl Iterator<Item = OsString>) -> Option<OsString> {
    let mut whole = left.next()?;
    for at in 1..4 {
        let is_whole = at == 3 && whole.to_str().is_none_or(|whole| !names_a_pair(whole));
        let Some(word) = (if is_whole { None } else { left.next() }) else { break };
        whole.push(JOINT.to_string());
        whole.push(word);
    }
    Some(whole)
}

fn names_a_pair(whole: &str) -> bool {
    whole.split(JOINT).nth(1) == Some(PropertyId::UserProperty.name())
}

/// The words of a property as they were typed, with `hidden` in place of values that may be
/// secrets: those of user properties, and authentication data.
pub fn masked(words: &str, hidden: &str) -> String {
    masked_words(words, hidden).join(" ")
}

/// The same, word by word.
pub fn masked_words<'a>(words: &'a str, hidden: &'a str) -> Vec<&'a str> {
    let mut words: Vec<&str> = words.split(JOINT).collect();
    let first_secret = match words.get(1).and_then(|name| named(name)) {
        Some((PropertyId::UserProperty, _)) => 3,
        Some((PropertyId::AuthenticationData, _)) => 2,
        _ => words.len(),
    };
    words.iter_mut().skip(first_secret).for_each(|word| *word = hidden);
    words
}

impl PropertyFlags {
    /// The properties, checked.
    pub fn parsed(&self) -> Result<GivenProperties> {
        let given: Vec<_> =
            self.property.iter().map(|words| parse(words)).collect::<Result<_>>()?;
        check_repetitions(&given)?;
        Ok(GivenProperties(given))
    }
}

impl GivenProperties {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of one packet, in order.
    pub fn of(&self, place: Place) -> Properties {
        self.0.iter().filter(|(of, _)| *of == place).map(|(_, property)| property.clone()).collect()
    }

    /// All but those of one packet.
    pub fn without(self, place: Place) -> Self {
        Self(self.0.into_iter().filter(|(of, _)| *of != place).collect())
    }

    /// Those of a connection's first and last packet; `connect` are those of CONNECT that are sent
    /// as they are.
    pub fn extra(&self, connect: Properties) -> ExtraProperties {
        ExtraProperties { connect, disconnect: self.of(Place::Disconnect) }
    }

    /// Those of CONNECT, taken apart; `authentication` is what `--auth-method` asks for.
    pub fn connect(&self, mut authentication: Option<Authentication>) -> Result<ConnectProperties> {
        let (mut session_expiry, mut others) = (None, Properties::default());
        for property in self.of(Place::Connect).0 {
            match (property.id(), property.value()) {
                (PropertyId::SessionExpiryInterval, &Value::Number(expiry)) => {
                    session_expiry = Some(expiry);
                }
                (PropertyId::AuthenticationMethod, Value::Text(method)) => {
                    let method = method.clone();
                    ensure!(
                        authentication.is_none(),
                        Usage::new("-D connect authentication-method: --auth-method sets it, too")
                    );
                    let data = self.of(Place::Connect).authentication_data().cloned();
                    authentication = Some(Authentication::OneStep { method, data });
                }
                (PropertyId::AuthenticationData, _) => ensure!(
                    self.of(Place::Connect).authentication_method().is_some(),
                    Usage::new("-D connect authentication-data: it needs an authentication-method")
                ),
                _ => others.push(property),
            }
        }
        Ok(ConnectProperties { session_expiry, authentication, others })
    }
}

/// The properties of CONNECT, by their purpose.
pub struct ConnectProperties {
    /// `-x` by another name.
    pub session_expiry: Option<u32>,
    /// `--auth-method`, or the same by its property.
    pub authentication: Option<Authentication>,
    /// What is sent as it is.
    pub others: Properties,
}

fn parse(words: &str) -> Result<(Place, Property)> {
    let words = separate(words);
    let (command, rest) =
        words.split_first().map_or(("", &[][..]), |(command, rest)| (*command, rest));
    let place = COMMANDS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(command))
        .map(|(_, place)| *place);
    let Some(place) = place else {
        let names = COMMANDS.map(|(name, _)| name).join(", ");
        bail!(Usage::new(format!(
            "-D {command}: expected COMMAND NAME VALUE with a command of {names}"
        )));
    };
    let Some((&name, values)) = rest.split_first() else {
        bail!(Usage::new(format!("-D {command}: expected a name: {}", names(place))));
    };
    let Some((id, encoding)) = named(name).filter(|(id, _)| is_ours(*id, place)) else {
        bail!(Usage::new(format!("-D {command} {name}: {place} has these: {}", names(place))));
    };
    let property = match encoding {
        Some(encoding) => encoded_value(id, encoding, values),
        None => value(id, values),
    };
    let property = property.map_err(|wrong| Usage::new(format!("-D {command} {name}: {wrong}")))?;
    Ok((place, property))
}

/// The property of this name, and how its value is given: bytes also in hexadecimal digits or
/// base64.
fn named(name: &str) -> Option<(PropertyId, Option<Encoding>)> {
    if let Some(id) = PropertyId::from_name(name) {
        return Some((id, None));
    }
    let encoded = |suffix, encoding| Some((name.strip_suffix(suffix)?, encoding));
    let (name, encoding) =
        encoded("-hex", Encoding::Hex).or_else(|| encoded("-base64", Encoding::Base64))?;
    let id = PropertyId::from_name(name).filter(|id| id.kind() == ValueKind::Binary)?;
    Some((id, Some(encoding)))
}

fn encoded_value(id: PropertyId, encoding: Encoding, values: &[&str]) -> Result<Property, String> {
    let &[value] = values else { return Err("expected a value".to_owned()) };
    let bytes = encoding.decode(value).ok_or_else(|| match encoding {
        Encoding::Hex => "expected two hexadecimal digits for each byte".to_owned(),
        Encoding::Base64 => "expected base64".to_owned(),
    })?;
    Property::from_binary(id, bytes.into()).map_err(|misfit| misfit.to_string())
}

/// The words as they were joined; or, in a profile or after `--property=`, separated by blanks.
fn separate(words: &str) -> Vec<&str> {
    if words.contains(JOINT) {
        return words.split(JOINT).collect();
    }
    let is_pair = words.split(' ').nth(1) == Some(PropertyId::UserProperty.name());
    words.splitn(if is_pair { 4 } else { 3 }, ' ').collect()
}

/// Whether these words of `-D` are a property of CONNECT that may authenticate us.
pub fn identifies(words: &str) -> bool {
    let is_identity = |id| {
        matches!(
            id,
            PropertyId::UserProperty
                | PropertyId::AuthenticationMethod
                | PropertyId::AuthenticationData
        )
    };
    let parsed = parse(words);
    parsed.is_ok_and(|(place, property)| place == Place::Connect && is_identity(property.id()))
}

fn value(id: PropertyId, values: &[&str]) -> Result<Property, String> {
    if let (ValueKind::Pair, [name, value]) = (id.kind(), values) {
        return Property::from_pair((*name).into(), (*value).into())
            .map_err(|misfit| misfit.to_string());
    }
    if id.kind() == ValueKind::Pair {
        return Err("expected a name and a value".to_owned());
    }
    let &[value] = values else { return Err("expected a value".to_owned()) };
    match id.kind() {
        ValueKind::Number(..) => {
            let misfit = InvalidValue(id);
            value.parse().map_err(|_| misfit).and_then(|number| Property::from_number(id, number))
        }
        ValueKind::Binary => Property::from_binary(id, Bytes::copy_from_slice(value.as_bytes())),
        ValueKind::Text | ValueKind::Topic | ValueKind::Pair => {
            Property::from_text(id, value.into())
        }
    }
    .map_err(|misfit| misfit.to_string())
}

/// Whether a client may send it there: the subscription identifiers of a PUBLISH are the server's
/// `[MQTT-3.3.4-6]`, and so is the server reference of a DISCONNECT.
fn is_ours(id: PropertyId, place: Place) -> bool {
    let servers = matches!(
        (id, place),
        (PropertyId::SubscriptionIdentifier, Place::Publish)
            | (PropertyId::ServerReference, Place::Disconnect)
    );
    id.is_allowed_in(place) && !servers
}

fn names(place: Place) -> String {
    let names: Vec<&str> =
        PropertyId::all().filter(|id| is_ours(*id, place)).map(PropertyId::name).collect();
    names.join(", ")
}

fn check_repetitions(given: &[(Place, Property)]) -> Result<()> {
    for (at, (place, property)) in given.iter().enumerate() {
        let id = property.id();
        let is_second = given[..at].iter().any(|(of, other)| of == place && other.id() == id);
        ensure!(
            !is_second || id == PropertyId::UserProperty,
            Usage::new(format!("-D: {place} can have only one {id}"))
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined_text(line: &str) -> String {
        let words = line.split(' ').map(OsString::from).collect();
        let joined = joined(words).into_iter().map(|word| word.into_string().expect("text"));
        joined.collect::<Vec<_>>().join(" ").replace(JOINT, "~")
    }

    #[test]
    fn three_words_are_joined_and_four_for_a_user_property() {
        for (line, expected) in [
            ("pub -D publish content-type x -m y", "pub -D publish~content-type~x -m y"),
            (
                "pub --property will user-property a b -m y",
                "pub --property will~user-property~a~b -m y",
            ),
            ("pub -D publish user-property -D -D -m y", "pub -D publish~user-property~-D~-D -m y"),
            ("pub -D publish content-type", "pub -D publish~content-type"),
            ("pub -D", "pub -D"),
            ("serve -- x -D a b c", "serve -- x -D a b c"),
        ] {
            assert_eq!(joined_text(line), expected);
        }
    }

    #[test]
    fn blanks_separate_words_that_were_not_joined() {
        assert_eq!(separate("publish content-type a b"), ["publish", "content-type", "a b"]);
        assert_eq!(separate("will user-property a b c"), ["will", "user-property", "a", "b c"]);
        assert_eq!(separate("publish\0content-type\0a b"), ["publish", "content-type", "a b"]);
        assert_eq!(separate("publish"), ["publish"]);
    }

    fn parsed(words: &str) -> Result<(Place, Property), String> {
        parse(&words.replace(' ', "\0")).map_err(|error| error.to_string())
    }

    #[test]
    fn bytes_are_also_given_as_text() {
        let data = |words: &str| match parsed(words) {
            Ok((_, property)) => match property.value() {
                Value::Binary(data) => Ok(data.to_vec()),
                other => panic!("{other:?}"),
            },
            Err(wrong) => Err(wrong),
        };
        assert_eq!(data("publish correlation-data-hex 00fF7a"), Ok(b"\x00\xff\x7a".to_vec()));
        for text in ["AP96", "AP+/AA==", "AP+/AA"] {
            assert!(data(&format!("publish correlation-data-base64 {text}")).is_ok(), "{text}");
        }
        assert_eq!(data("publish correlation-data-base64 AP96"), Ok(b"\x00\xff\x7a".to_vec()));
        assert_eq!(data("publish correlation-data 00ff"), Ok(b"00ff".to_vec()));
        for (words, wrong) in [
            ("correlation-data-hex 0", "expected two hexadecimal digits for each byte"),
            ("correlation-data-hex zz", "expected two hexadecimal digits for each byte"),
            ("correlation-data-base64 A", "expected base64"),
        ] {
            let name = words.split(' ').next().unwrap_or_default();
            let expected = format!("-D publish {name}: {wrong}");
            assert_eq!(data(&format!("publish {words}")), Err(expected));
        }
        for words in ["content-type-hex 00", "correlation-data-octal 0", "user-property-hex 00"] {
            assert!(data(&format!("publish {words}")).is_err(), "{words}");
        }
        let secret = "connect\0authentication-data-hex\0ff00";
        assert_eq!(masked(secret, "***"), "connect authentication-data-hex ***");
    }

    #[test]
    fn names_and_values_are_checked() {
        assert_eq!(
            parsed("PUBLISH message-expiry-interval 60"),
            Ok((Place::Publish, Property::number(PropertyId::MessageExpiryInterval, 60)))
        );
        assert_eq!(
            parsed("connect user-property a b"),
            Ok((Place::Connect, Property::user("a".into(), "b".into())))
        );
        for (words, expected) in [
            (
                "",
                "-D : expected COMMAND NAME VALUE with a command of connect, will, publish, \
                 subscribe, unsubscribe, disconnect",
            ),
            ("unsubscribe", "-D unsubscribe: expected a name: user-property"),
            (
                "subscribe x 1",
                "-D subscribe x: SUBSCRIBE has these: subscription-identifier, user-property",
            ),
            (
                "publish payload-format-indicator 2",
                "-D publish payload-format-indicator: payload-format-indicator takes a \
                 number from 0 to 1",
            ),
            (
                "connect receive-maximum 0",
                "-D connect receive-maximum: receive-maximum takes a number from 1 to 65535",
            ),
            (
                "connect receive-maximum x",
                "-D connect receive-maximum: receive-maximum takes a number from 1 to 65535",
            ),
            (
                "publish response-topic a/#",
                "-D publish response-topic: response-topic takes a topic name, without wildcards",
            ),
            ("publish user-property a", "-D publish user-property: expected a name and a value"),
            ("publish content-type", "-D publish content-type: expected a value"),
        ] {
            assert_eq!(parsed(words), Err(expected.to_owned()), "{words}");
        }
        assert!(parsed("publish subscription-identifier 1").is_err());
        assert!(parsed("publish session-expiry-interval 1").is_err());
    }
}
