//! The members of a JSON object that someone else may have written: each has a type and bounds.

use std::time::Duration;

use serde_json::{Map, Value};

/// The largest counter, and time in nanoseconds: so many of them can be added.
const LARGEST: u64 = 1 << 48;

/// The longest time, in seconds: a century.
const LONGEST: f64 = 3.2e9;

/// The longest text, in bytes.
const LONGEST_TEXT: usize = 4096;

/// A member of an object, and where it stands.
#[derive(Debug, Clone)]
pub struct StoredMember<'a> {
    value: &'a Value,
    place: String,
}

impl<'a> StoredMember<'a> {
    /// The whole.
    pub fn new(value: &'a Value) -> Self {
        Self { value, place: String::new() }
    }

    /// The complaint that something else was expected.
    pub fn wrong(&self, expected: &str) -> String {
        let place = if self.place.is_empty() { "the file" } else { &self.place };
        format!("{place}: expected {expected}")
    }

    fn object(&self) -> Result<&'a Map<String, Value>, String> {
        self.value.as_object().ok_or_else(|| self.wrong("an object"))
    }

    /// A member of this object, which must be there.
    pub fn get(&self, name: &str) -> Result<Self, String> {
        let place = match self.place.as_str() {
            "" => name.to_owned(),
            place => format!("{place}.{name}"),
        };
        match self.object()?.get(name) {
            Some(value) => Ok(Self { value, place }),
            None => Err(format!("{place} is missing")),
        }
    }

    /// A member of this object that may be missing or null.
    pub fn maybe(&self, name: &str) -> Result<Option<Self>, String> {
        match self.object()?.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.get(name).map(Some),
        }
    }

    /// The members of this object with their names.
    pub fn members(&self) -> Result<Vec<(&'a str, Self)>, String> {
        let named = self.object()?.iter();
        let named = named.map(|(name, value)| {
            let shown: String = name.chars().take(40).collect();
            (name.as_str(), Self { value, place: format!("{}.{shown}", self.place) })
        });
        Ok(named.collect())
    }

    /// The elements of this array.
    pub fn elements(&self) -> Result<Vec<Self>, String> {
        let elements = self.value.as_array().ok_or_else(|| self.wrong("an array"))?;
        let place = |at: usize| format!("{}[{at}]", self.place);
        let numbered = elements.iter().enumerate();
        Ok(numbered.map(|(at, value)| Self { value, place: place(at) }).collect())
    }

    /// A counter, or a time in nanoseconds.
    pub fn count(&self) -> Result<u64, String> {
        let count = self.value.as_u64().filter(|count| *count <= LARGEST);
        count.ok_or_else(|| self.wrong("a whole number from 0 to 2^48"))
    }

    /// A number of 64 bits, which is not added.
    pub fn long(&self) -> Result<u64, String> {
        self.value.as_u64().ok_or_else(|| self.wrong("a whole number"))
    }

    /// A whole number up to this one.
    pub fn up_to(&self, most: usize) -> Result<usize, String> {
        let number = usize::try_from(self.count()?).ok().filter(|number| *number <= most);
        number.ok_or_else(|| self.wrong(&format!("a number from 0 to {most}")))
    }

    /// A number that is not negative, at most 10^15.
    pub fn real(&self) -> Result<f64, String> {
        let number = self.value.as_f64().filter(|number| (0.0..=1e15).contains(number));
        number.ok_or_else(|| self.wrong("a number from 0 to 10^15"))
    }

    /// A time in seconds.
    pub fn time(&self) -> Result<Duration, String> {
        let seconds = self.real()?;
        let time = Duration::try_from_secs_f64(seconds).ok().filter(|_| seconds <= LONGEST);
        time.ok_or_else(|| self.wrong("a time in seconds"))
    }

    /// A text that is not too long, without control characters.
    pub fn text(&self) -> Result<&'a str, String> {
        let text = self
            .value
            .as_str()
            .filter(|text| text.len() <= LONGEST_TEXT && !text.chars().any(char::is_control));
        text.ok_or_else(|| self.wrong("a short text"))
    }

    /// Yes or no.
    pub fn truth(&self) -> Result<bool, String> {
        self.value.as_bool().ok_or_else(|| self.wrong("true or false"))
    }

    /// A member that may be null, read by this.
    pub fn read<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Self) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        self.maybe(name)?.map(|member| read(&member)).transpose()
    }
}
