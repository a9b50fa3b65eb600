//! A strict reader of XML 1.0 as far as JUnit needs it: declaration, elements, attributes, text.

use std::collections::BTreeMap;

/// An element.
#[derive(Debug, Default)]
pub struct Element {
    /// Its name.
    pub name: String,
    /// Its attributes, by their names.
    pub attributes: BTreeMap<String, String>,
    /// The elements in it.
    pub children: Vec<Element>,
    /// The text in it.
    pub text: String,
}

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";

/// The element that a document is, or what is wrong with it.
pub fn parse(document: &str) -> Result<Element, String> {
    if let Some(c) = document.chars().find(|c| !is_char(*c)) {
        return Err(format!("{c:?} is no character of XML"));
    }
    let rest = document.strip_prefix(DECLARATION).unwrap_or(document).trim_start();
    let (root, rest) = element(rest)?;
    if rest.trim().is_empty() { Ok(root) } else { Err(format!("more behind the end: {rest:.40}")) }
}

/// The production `Char`.
fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// An element, and what stands behind it.
fn element(text: &str) -> Result<(Element, &str), String> {
    let rest = text.strip_prefix('<').ok_or_else(|| format!("no element: {text:.40}"))?;
    let (name, mut rest) = name(rest)?;
    let mut found = Element { name: name.to_owned(), ..Element::default() };
    loop {
        rest = rest.trim_start();
        if let Some(rest) = rest.strip_prefix("/>") {
            return Ok((found, rest));
        }
        if let Some(inside) = rest.strip_prefix('>') {
            rest = content(&mut found, inside)?;
            return Ok((found, rest));
        }
        rest = attribute(&mut found, rest)?;
    }
}

fn name(text: &str) -> Result<(&str, &str), String> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(text.len());
    if end == 0 { Err(format!("no name: {text:.40}")) } else { Ok(text.split_at(end)) }
}

fn attribute<'a>(element: &mut Element, text: &'a str) -> Result<&'a str, String> {
    let (name, rest) = name(text)?;
    let rest = rest.strip_prefix("=\"").ok_or_else(|| format!("no value: {rest:.40}"))?;
    let (value, rest) = rest.split_once('"').ok_or("a value without an end")?;
    if element.attributes.insert(name.to_owned(), characters(value)?).is_some() {
        return Err(format!("{name} twice"));
    }
    Ok(rest)
}

/// What stands in an element, to its end tag.
fn content<'a>(parent: &mut Element, mut rest: &'a str) -> Result<&'a str, String> {
    loop {
        let at = rest.find('<').ok_or_else(|| format!("{} has no end", parent.name))?;
        parent.text += &characters(&rest[..at])?;
        rest = &rest[at..];
        if let Some(end) = rest.strip_prefix("</") {
            let (name, end) = name(end)?;
            let end = end.strip_prefix('>').ok_or("an end tag without an end")?;
            return if name == parent.name { Ok(end) } else { Err(format!("</{name}>")) };
        }
        let (child, behind) = element(rest)?;
        parent.children.push(child);
        rest = behind;
    }
}

/// Text with its references resolved.
fn characters(text: &str) -> Result<String, String> {
    if text.contains('<') || text.contains("]]>") {
        return Err(format!("markup in text: {text:.40}"));
    }
    let mut parts = text.split('&');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (reference, rest) = part.split_once(';').ok_or("& alone")?;
        let known = [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\'')];
        let found = known.iter().find(|(name, _)| *name == reference);
        let (_, c) = found.ok_or_else(|| format!("&{reference};"))?;
        out.push(*c);
        out += rest;
    }
    Ok(out)
}
