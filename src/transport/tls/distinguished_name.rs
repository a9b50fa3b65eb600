//! The name of a subject or an issuer as text: its common name, or else the whole name as in
//! RFC 4514.
//!
//! The `Display` of x509-cert would do, but it brings a table of 1,500 attributes and algorithms
//! into the program, of which the dynamic linker touches 110 KiB at every start.

use std::fmt::{self, Write};

use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::Encode;
use x509_cert::der::asn1::{Any, Ia5StringRef};
use x509_cert::ext::pkix::name::DirectoryString;
use x509_cert::name::Name;

/// The attributes that have a short name (RFC 4514 §3), and two that certificates often hold.
const SHORT_NAMES: [(&str, &str); 11] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("2.5.4.5", "serialNumber"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

/// The common name, at most 100 characters of it; `None` if there is none, or an empty one.
pub fn common_name(name: &Name) -> Option<String> {
    let common_name = name.common_name().ok().flatten()?;
    let value: String = common_name.value().chars().take(100).collect();
    (!value.is_empty()).then_some(value)
}

/// `CN=` and the common name; without one the whole name, at most 200 characters of it.
pub fn printed(name: &Name) -> String {
    match common_name(name) {
        Some(name) => format!("CN={name}"),
        None if name.is_empty() => "no name".into(),
        None => Whole(name).to_string().chars().take(200).collect(),
    }
}

/// The whole name, its last part first (RFC 4514 §2.1).
struct Whole<'a>(&'a Name);

impl fmt::Display for Whole<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<_> = self.0.iter_rdn().collect();
        parts.reverse();
        for (at, part) in parts.into_iter().enumerate() {
            if at > 0 {
                f.write_char(',')?;
            }
            for (at, attribute) in part.iter().enumerate() {
                if at > 0 {
                    f.write_char('+')?;
                }
                put_attribute(attribute, f)?;
            }
        }
        Ok(())
    }
}

/// `O=Example`; an attribute without a short name, or whose value is no text, as
/// `1.2.3=#` and its value in hexadecimal (RFC 4514 §2.4).
fn put_attribute(attribute: &AttributeTypeAndValue, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let oid = attribute.oid.to_string();
    let short = SHORT_NAMES.iter().find(|(known, _)| *known == oid).map(|(_, short)| short);
    if let (Some(short), Some(text)) = (short, text(&attribute.value)) {
        write!(f, "{short}=")?;
        return put_escaped(&text, f);
    }
    let value = attribute.value.to_der().map_err(|_| fmt::Error)?;
    write!(f, "{oid}=#{}", data_encoding::HEXLOWER.encode(&value))
}

fn text(value: &Any) -> Option<String> {
    let directory = DirectoryString::try_from(value).ok();
    let directory = directory.map(|text| text.value().into_owned());
    directory.or_else(|| Ia5StringRef::try_from(value).ok().map(|text| text.as_str().to_owned()))
}

/// The text with the escapes of RFC 4514 §2.4.
fn put_escaped(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let last = text.chars().count().saturating_sub(1);
    for (at, c) in text.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => write!(f, "\\{c}")?,
            '#' if at == 0 => f.write_str("\\#")?,
            ' ' if at == 0 || at == last => f.write_str("\\ ")?,
            c if c.is_ascii_control() => write!(f, "\\{:02x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn name(text: &str) -> Name {
        Name::from_str(text).unwrap()
    }

    #[test]
    fn the_common_name_suffices() {
        assert_eq!(printed(&name("CN=broker.example,O=Example,C=DE")), "CN=broker.example");
    }

    #[test]
    fn a_name_without_a_common_name_is_printed_whole_as_the_library_does() {
        let texts = [
            "O=Example,C=DE",
            "OU=a\\, b,O=\\#x\\ ",
            "OU=one+UID=two,DC=example,DC=com",
            "1.2.3.4=#0c03616263,L=here",
        ];
        for text in texts.map(name) {
            assert_eq!(printed(&text), text.to_string());
        }
        assert_eq!(printed(&Name::default()), "no name");
    }

    #[test]
    fn a_name_may_be_long() {
        let long = name(&format!("O={}", "x".repeat(300)));
        assert_eq!(printed(&long).chars().count(), 200);
    }
}
