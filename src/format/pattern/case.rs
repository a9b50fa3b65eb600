//! `(?i)` of a regular expression spelt out: each letter becomes a class of its two cases. The
//! crate regex would need tables of pointers for it, which every start of the program pays for.

use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{
    Ast, ClassAsciiKind, ClassSet, ClassSetItem, Flag, Flags, FlagsItemKind, GroupKind, Span,
};

/// A regular expression without the flag `i` that matches what `pattern` matches; `pattern`
/// itself where it has no such flag, or where something is wrong with it.
pub fn spelt_out(pattern: &str) -> String {
    let Ok(ast) = Parser::new().parse(pattern) else { return pattern.to_owned() };
    let (case, letters) = (LetterCase::AsWritten, Letters::Unicode);
    let mut spelling = Spelling { pattern, out: String::new(), copied: 0, case, letters };
    spelling.expression(&ast);
    spelling.out.push_str(&pattern[spelling.copied..]);
    spelling.out
}

/// The flag `i`.
#[derive(Clone, Copy, PartialEq)]
enum LetterCase {
    AsWritten,
    Both,
}

/// The flag `u`: which letters have two cases.
#[derive(Clone, Copy, PartialEq)]
enum Letters {
    Ascii,
    Unicode,
}

struct Spelling<'a> {
    pattern: &'a str,
    out: String,
    /// How much of `pattern` is in `out`, in bytes.
    copied: usize,
    /// The flags at this place.
    case: LetterCase,
    letters: Letters,
}

impl Spelling<'_> {
    fn expression(&mut self, ast: &Ast) {
        match ast {
            Ast::Flags(set) => {
                let text = without_i(&set.flags);
                let text = if text.is_empty() { text } else { format!("(?{text})") };
                self.set(&set.flags, &set.span, &text);
            }
            Ast::Literal(literal) if self.case == LetterCase::Both => {
                let cases = self.cases_of(literal.c);
                if !cases.is_empty() {
                    let before = self.original(&literal.span);
                    self.replace(&literal.span, &format!("[{before}{cases}]"));
                }
            }
            Ast::ClassBracketed(class) if self.case == LetterCase::Both => {
                self.characters(&class.kind);
            }
            Ast::Repetition(repetition) => self.expression(&repetition.ast),
            Ast::Group(group) => {
                let outside = (self.case, self.letters);
                if let GroupKind::NonCapturing(flags) = &group.kind {
                    self.set(flags, &flags.span, &without_i(flags));
                }
                self.expression(&group.ast);
                (self.case, self.letters) = outside;
            }
            Ast::Alternation(branches) => branches.asts.iter().for_each(|ast| self.expression(ast)),
            Ast::Concat(parts) => parts.asts.iter().for_each(|ast| self.expression(ast)),
            Ast::Empty(_)
            | Ast::Literal(_)
            | Ast::ClassBracketed(_)
            | Ast::Dot(_)
            | Ast::Assertion(_)
            | Ast::ClassUnicode(_)
            | Ast::ClassPerl(_) => {}
        }
    }

    /// Sets `flags`, and writes `text` in their place if `i` is one of them.
    fn set(&mut self, flags: &Flags, span: &Span, text: &str) {
        if let Some(is_set) = flags.flag_state(Flag::Unicode) {
            self.letters = if is_set { Letters::Unicode } else { Letters::Ascii };
        }
        if let Some(is_set) = flags.flag_state(Flag::CaseInsensitive) {
            self.case = if is_set { LetterCase::Both } else { LetterCase::AsWritten };
            self.replace(span, text);
        }
    }

    fn characters(&mut self, set: &ClassSet) {
        match set {
            ClassSet::Item(item) => self.item(item),
            ClassSet::BinaryOp(operation) => {
                self.characters(&operation.lhs);
                self.characters(&operation.rhs);
            }
        }
    }

    fn item(&mut self, item: &ClassSetItem) {
        match item {
            ClassSetItem::Empty(_) | ClassSetItem::Unicode(_) | ClassSetItem::Perl(_) => {}
            ClassSetItem::Literal(literal) => {
                let cases = self.cases_of(literal.c);
                self.add(&literal.span, &cases);
            }
            ClassSetItem::Range(range) => {
                let (start, end) = (range.start.c, range.end.c);
                let cases: String = (start..=end).map(|letter| self.cases_of(letter)).collect();
                let beyond = cases.chars().filter(|case| !(start..=end).contains(case));
                self.add(&range.span, &beyond.collect::<String>());
            }
            ClassSetItem::Ascii(ascii) => {
                if matches!(ascii.kind, ClassAsciiKind::Lower | ClassAsciiKind::Upper) {
                    let not = if ascii.negated { "^" } else { "" };
                    self.replace(&ascii.span, &format!("[:{not}alpha:]"));
                }
            }
            ClassSetItem::Bracketed(class) => self.characters(&class.kind),
            ClassSetItem::Union(union) => union.items.iter().for_each(|item| self.item(item)),
        }
    }

    /// The other cases of a letter; nothing for all else.
    fn cases_of(&self, letter: char) -> String {
        match self.letters {
            Letters::Unicode => cases_of(letter),
            Letters::Ascii if letter.is_ascii_lowercase() => letter.to_ascii_uppercase().into(),
            Letters::Ascii if letter.is_ascii_uppercase() => letter.to_ascii_lowercase().into(),
            Letters::Ascii => String::new(),
        }
    }

    fn original(&self, span: &Span) -> &str {
        &self.pattern[span.start.offset..span.end.offset]
    }

    /// Writes `more` after what is at `span`.
    fn add(&mut self, span: &Span, more: &str) {
        if !more.is_empty() {
            let text = format!("{}{more}", self.original(span));
            self.replace(span, &text);
        }
    }

    fn replace(&mut self, span: &Span, text: &str) {
        self.out.push_str(&self.pattern[self.copied..span.start.offset]);
        self.out.push_str(text);
        self.copied = span.end.offset;
    }
}

/// The flags without `i`, as they are written.
fn without_i(flags: &Flags) -> String {
    let mut text = String::new();
    for item in &flags.items {
        match item.kind {
            FlagsItemKind::Negation => text.push('-'),
            FlagsItemKind::Flag(Flag::CaseInsensitive) => {}
            FlagsItemKind::Flag(Flag::MultiLine) => text.push('m'),
            FlagsItemKind::Flag(Flag::DotMatchesNewLine) => text.push('s'),
            FlagsItemKind::Flag(Flag::SwapGreed) => text.push('U'),
            FlagsItemKind::Flag(Flag::Unicode) => text.push('u'),
            FlagsItemKind::Flag(Flag::CRLF) => text.push('R'),
            FlagsItemKind::Flag(Flag::IgnoreWhitespace) => text.push('x'),
        }
    }
    text.trim_end_matches('-').to_owned()
}

/// The other cases of a letter of Unicode.
fn cases_of(letter: char) -> String {
    let mut cases = vec![letter];
    let mut at = 0;
    while let Some(&known) = cases.get(at) {
        at += 1;
        for other in [single(known.to_lowercase()), single(known.to_uppercase())] {
            cases.extend(other.filter(|other| !cases.contains(other)));
        }
    }
    cases[1..].iter().collect()
}

/// The one character of a mapping; `ß` becomes `SS`, which no class of characters can say.
fn single(mut mapping: impl ExactSizeIterator<Item = char>) -> Option<char> {
    if mapping.len() == 1 { mapping.next() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_without_i() {
        for (pattern, expected) in [
            ("^ok$", "^ok$"),
            ("(?i)^ok 1$", "^[oO][kK] 1$"),
            ("(?i)Größe", "[Gg][rR][öÖ]ß[eE]"),
            ("a(?i)b(?-i)c", "a[bB]c"),
            ("a(?i:b)c", "a(?:[bB])c"),
            ("(?i:b(?-i:c)d)e", "(?:[bB](?:c)[dD])e"),
            ("(a(?i)b)c", "(a[bB])c"),
            ("(?i)a|b", "[aA]|[bB]"),
            ("a|(?i)b|c", "a|[bB]|[cC]"),
            ("(?is-m)a.", "(?s-m)[aA]."),
            ("(?s-i)a(?m-i:b)", "(?s)a(?m:b)"),
            ("(?xi) a # b\n c", "(?x) [aA] # b\n [cC]"),
            ("(?i)a+?(?<n>b){2}", "[aA]+?(?<n>[bB]){2}"),
            (r"(?i)\x41\.\n\u{e4}", r"[\x41a]\.\n[\u{e4}Ä]"),
            ("(?i)[ab_]", "[aAbB_]"),
            ("(?i)[^a-c1]", "[^a-cABC1]"),
            ("(?i)[A-z]", "[A-z]"),
            ("(?i)[a-z&&[^b]]", "[a-zABCDEFGHIJKLMNOPQRSTUVWXYZ&&[^bB]]"),
            ("(?i)[[:lower:][:^upper:][:digit:]]", "[[:alpha:][:^alpha:][:digit:]]"),
            (r"(?i)[\d\w]\D", r"[\d\w]\D"),
            (r"(?i-u)k\xE4(?u)k\x{E4}", r"(?-u)[kK]\xE4(?u)[kK][\x{E4}Ä]"),
            ("(?i)[k](?-u:[k-mé])", "[kK](?-u:[k-mKLMé])"),
            ("(?i)(a", "(?i)(a"),
        ] {
            assert_eq!(spelt_out(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn all_of_unicode_in_a_class() {
        let pattern = spelt_out("(?i)[^\u{0}-\u{10ffff}]");
        assert_eq!(pattern, "[^\u{0}-\u{10ffff}]");
        assert_eq!(cases_of('ſ'), "Ss");
        assert_eq!(cases_of('\u{212a}'), "kK");
    }
}
