//! The completions for fish.

use std::fmt::Write;

use super::{CompletedFlag, CompletedVerb, Taking, Words};

/// What stands before the tables.
const HEAD: &str = r#"# Completions of mqttws for fish (mqttws completions fish).
# Put this into ~/.config/fish/completions/mqttws.fish.

# Whether this is the command; after serve -- and sub -- another program follows.
function __mqttws_verb
    set -l words (commandline -opc)
    test "$words[2]" = $argv[1]; and not contains -- -- $words
end

function __mqttws_no_verb
    test (count (commandline -opc)) -eq 1
end

function __mqttws_serves
    set -l words (commandline -opc)
    contains -- "$words[2]" serve sub; and contains -- -- $words
end

# What serve or sub runs.
function __mqttws_command
    set -l words (commandline -opc) (commandline -ct)
    set -l at (contains -i -- -- $words)
    complete -C (string join -- ' ' (string escape -- $words[(math $at + 1)..-2]) $words[-1])
end

# Some of these words, with commas between; the word may begin with the flag.
function __mqttws_several
    set -l word (string replace -r -- '^--[^=]*=' '' (commandline -ct))
    set -l before (string match -r -- '.*,' $word; or echo '')
    printf '%s\n' $before$argv
end

# Folders; the word may begin with the flag.
function __mqttws_folders
    __fish_complete_directories (string replace -r -- '^--[^=]*=' '' (commandline -ct))
end

# The names of the profiles, of the configuration file that was typed if there is one.
function __mqttws_profiles
    set -l words (commandline -opc)
    set -l config
    for at in (seq 3 (count $words))
        if test "$words[$at]" = --config; and test (count $words) -gt $at
            set config --config $words[(math $at + 1)]
        else if string match -q -- '--config=*' $words[$at]
            set config --config (string replace -- --config= '' $words[$at])
        end
    end
    $words[1] profile --names $config 2>/dev/null
end

complete -c mqttws -f
complete -c mqttws -n __mqttws_serves -a '(__mqttws_command)'
complete -c mqttws -n __mqttws_no_verb -l help -d 'Print help'
complete -c mqttws -n __mqttws_no_verb -l version -d 'Print the version'
"#;

/// The script.
pub fn script(verbs: &[CompletedVerb]) -> String {
    let mut text = HEAD.to_owned();
    for CompletedVerb { name, help, .. } in verbs {
        let help = quoted(help);
        writeln!(text, "complete -c mqttws -n __mqttws_no_verb -a {name} -d {help}")
            .expect("to a string");
    }
    for verb in verbs {
        writeln!(text, "\n# {}", verb.name).expect("to a string");
        let head = format!("complete -c mqttws -n '__mqttws_verb {}'", verb.name);
        for flag in &verb.flags {
            writeln!(text, "{head}{}", row(flag)).expect("to a string");
        }
        if let Words::These(words) = &verb.words {
            writeln!(text, "{head} -a {}", quoted(&words.join(" "))).expect("to a string");
        }
    }
    text
}

fn row(flag: &CompletedFlag) -> String {
    let short = flag.short.map_or(String::new(), |short| format!(" -s {short}"));
    let long = flag.long.as_ref().map_or(String::new(), |long| format!(" -l {long}"));
    let help = quoted(&flag.help);
    format!("{short}{long}{} -d {help}", value(flag))
}

fn value(flag: &CompletedFlag) -> String {
    let words = match &flag.words {
        Words::Unknown => String::new(),
        Words::These(words) => format!(" -a {}", quoted(&words.join(" "))),
        Words::Several(words) => {
            format!(" -a {}", quoted(&format!("(__mqttws_several {})", words.join(" "))))
        }
        Words::Files => {
            return if flag.taking == Taking::Next { " -r -F" } else { " -F" }.to_owned();
        }
        Words::Folders => " -a '(__mqttws_folders)'".to_owned(),
        Words::Programs => " -a '(__fish_complete_command)'".to_owned(),
        Words::Profiles => " -a '(__mqttws_profiles)'".to_owned(),
    };
    match flag.taking {
        Taking::Nothing => String::new(),
        Taking::Joined => words,
        Taking::Next => format!(" -x{words}"),
    }
}

/// A text as a word in single quotes: there `\` stands before a quote and before itself.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}
