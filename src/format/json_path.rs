//! A value at a place in JSON, as `PATH=VALUE` names it: `temp=20`, `door.state=open`, `list.0=1`.

use std::fmt;
use std::str::FromStr;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::json;

/// `PATH=VALUE`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonCondition {
    /// The names of members, and the numbers of elements from 0.
    path: Vec<String>,
    /// JSON, or the text of a string.
    value: String,
}

impl FromStr for JsonCondition {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (path, value) = text
            .split_once('=')
            .ok_or("expected PATH=VALUE, such as temp=20 or door.state=open")?;
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) {
            return Err("a path is the names of members with a dot between them: door.state=open");
        }
        Ok(Self { path, value: value.to_owned() })
    }
}

impl fmt::Display for JsonCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.path.join("."), self.value)
    }
}

impl JsonCondition {
    /// Whether a payload is JSON that has this value at this place, or a string with this text.
    pub fn holds(&self, payload: &[u8]) -> bool {
        let Some(whole) = json::checked(payload) else { return false };
        let found = self.path.iter().try_fold(whole, |text, name| {
            let mut parsed = serde_json::Deserializer::from_str(text);
            Member(name).deserialize(&mut parsed).ok().flatten().map(RawValue::get)
        });
        let Some(found) = found else { return false };
        if found.starts_with('"')
            && serde_json::from_str::<String>(found).is_ok_and(|text| text == self.value)
        {
            return true;
        }
        json::checked(self.value.as_bytes())
            .is_some_and(|value| json::is_same(found.as_bytes(), value))
    }
}

/// Finds the member of an object with this name, the last one if there are several, or the element
/// of an array with this number.
struct Member<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Member<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, of: D) -> Result<Self::Value, D::Error> {
        of.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = members.next_key::<String>()? {
            if name == self.0 {
                found = Some(members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let is_number = self.0 == "0" || !self.0.starts_with(['0', '+']);
        let wanted = self.0.parse::<usize>().ok().filter(|_| is_number);
        let (mut at, mut found) = (0, None);
        loop {
            if Some(at) == wanted {
                found = elements.next_element()?;
            } else if elements.next_element::<IgnoredAny>()?.is_none() {
                return Ok(found);
            }
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(condition: &str, payload: &str) -> bool {
        condition.parse::<JsonCondition>().expect("a condition").holds(payload.as_bytes())
    }

    #[test]
    fn values_are_found_by_names_and_numbers() {
        let payload = r#" {"a":{"b":[1,{"c":"on"},2.0],"b c":null},"n":"20","t":true,"e":""} "#;
        for condition in [
            "a.b.0=1",
            "a.b.1.c=on",
            "a.b.1.c=\"on\"",
            "a.b.2=2",
            "a.b.2=2.0",
            "a.b.2=20e-1",
            "a.b c=null",
            "n=20",
            "n=\"20\"",
            "t=true",
            "e=",
            "a.b.1={ \"c\": \"on\" }",
            "a.b=[1,{\"c\":\"on\"},2]",
        ] {
            assert!(holds(condition, payload), "{condition}");
        }
        for condition in [
            "a.b.0=2",
            "a.b.3=1",
            "a.b.00=1",
            "a.b.+0=1",
            "a.b.-1=1",
            "a.b.c=1",
            "a=b",
            "n=2",
            "n=20.0",
            "t=\"true\"",
            "t=True",
            "a.b c=",
            "x=",
            "e=null",
            "a.b.1.c.d=1",
            "A.b.0=1",
        ] {
            assert!(!holds(condition, payload), "{condition}");
        }
        assert!(holds("0.x=1", r#"[{"x":1}]"#) && holds("a=2", r#"{"a":1,"a":2}"#));
    }

    #[test]
    fn what_is_not_json_has_no_values() {
        for payload in ["", "a=1", "{\"a\":1", "{\"a\":1} x", "1", "\"a\"", "\u{fffd}"] {
            assert!(!holds("a=1", payload), "{payload}");
        }
        let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
        assert!(!holds("a.a=1", &deep));
    }

    #[test]
    fn a_condition_has_a_path_and_a_value() {
        for wrong in ["", "temp", "=1", "a..b=1", ".a=1", "a.=1"] {
            assert!(wrong.parse::<JsonCondition>().is_err(), "{wrong}");
        }
        let whole: JsonCondition = "a.b=c=d".parse().expect("a condition");
        assert_eq!((whole.to_string(), &whole.value[..]), ("a.b=c=d".to_owned(), "c=d"));
    }
}
