//! The examples of a manual page: what stands between `.EX` and `.EE`, as a shell reads it, and the
//! comments before it, which say how it is tested:
//!
//! `.\" test [head|background]`: it is run by sh. It ends by itself; or after the lines of `prints`
//! or `matches`, its reader going away (`head`); or when `after` has ended (`background`).
//! `.\" before COMMAND`, `.\" after COMMAND`: run before it and after it; they must succeed.
//! `.\" prints LINE`: a line of its stdout; `.\" matches PATTERN`: the same as a pattern of sh.
//! `.\" exit CODE`: its exit code, if that is not 0.
//! `.\" output COMMAND`: what this command prints, but for its numbers and line ends.
//! `.\" file NAME`: a file for the examples after it. `.\" config NAME`: the configuration of a
//! server, tested in `proxies.rs`. `.\" elsewhere FILE`: this file of the repository tests it.
//! `.\" needs PROGRAM`: it is run where this program is not left out. `.\" workflow`: a file of GitHub
//! Actions, of which each step that runs mqttws is run. `.\" parsed`: a file of another program, in
//! which each command line of mqttws is parsed.
//! `.\" not-run REASON`: one of `NOT_RUN`.

/// One example.
#[derive(Debug, Clone)]
pub struct Example {
    /// What is printed, without the markup.
    pub text: String,
    /// The comments before it: first word, and the rest.
    pub notes: Vec<(String, String)>,
}

impl Example {
    /// What the notes of a kind say.
    pub fn notes<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a str> {
        self.notes.iter().filter(move |(name, _)| name == kind).map(|(_, rest)| rest.as_str())
    }

    /// What the note of a kind says.
    pub fn note<'a>(&'a self, kind: &'a str) -> Option<&'a str> {
        self.notes(kind).next()
    }
}

/// The kinds of notes; one of the first eight stands before every example.
const KINDS: [&str; 14] = [
    "test",
    "output",
    "workflow",
    "file",
    "config",
    "elsewhere",
    "parsed",
    "not-run",
    "before",
    "after",
    "prints",
    "matches",
    "exit",
    "needs",
];

/// The examples of a page, in their order.
pub fn examples(page: &str) -> Vec<Example> {
    let (mut found, mut notes) = (Vec::new(), Vec::new());
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(note) = line.strip_prefix(".\\\" ") {
            let (kind, rest) = note.split_once(' ').unwrap_or((note, ""));
            assert!(KINDS.contains(&kind), "what is the note {note:?}?");
            notes.push((kind.to_owned(), rest.to_owned()));
        } else if line == ".EX" {
            let text: Vec<String> =
                lines.by_ref().take_while(|line| *line != ".EE").map(plain).collect();
            let text = text.join("\n");
            let is_tested = notes.iter().any(|(kind, _)| KINDS[..8].contains(&kind.as_str()));
            assert!(is_tested, "no note says how this example is tested:\n{text}");
            found.push(Example { text, notes: std::mem::take(&mut notes) });
        }
    }
    assert!(notes.is_empty(), "notes without an example: {notes:?}");
    found
}

/// A line without the markup of roff.
pub fn plain(line: &str) -> String {
    let marks = [
        ("\\fB", ""),
        ("\\fI", ""),
        ("\\fR", ""),
        ("\\&", ""),
        ("\\-", "-"),
        ("\\(aq", "'"),
        ("\\(ga", "`"),
        ("\\(ha", "^"),
        ("\\(ti", "~"),
        ("\\e", "\\"),
    ];
    marks.iter().fold(line.to_owned(), |line, (mark, text)| line.replace(mark, text))
}

#[test]
fn an_example_is_what_a_reader_sees() {
    let page = ".SH EXAMPLES\n.IP \"\" 4\n.\\\" test\n.\\\" prints it's\n.EX\necho \\(aqit\\e\\(aqs\\(aq \\-n\n.EE\n";
    let found = examples(page);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].text, r"echo 'it\'s' -n");
    assert_eq!(found[0].note("prints"), Some("it's"));
}
