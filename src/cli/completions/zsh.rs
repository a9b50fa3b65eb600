//! The completions for zsh.

use std::fmt::Write;

use super::{CompletedFlag, CompletedVerb, Taking, Words, quoted};

/// What stands before the tables.
const HEAD: &str = r#"#compdef mqttws
# Completions of mqttws for zsh (mqttws completions zsh).
# Put this as _mqttws into a folder of $fpath.

# The names of the profiles, of the configuration file that was typed if there is one.
_mqttws_profiles() {
    local -a names config
    [[ -z ${opt_args[--config]} ]] || config=(--config ${~${(Q)opt_args[--config]}})
    names=(${(f)"$(${~${(Q)program}} profile --names $config 2>/dev/null)"})
    compadd -a names
}

_mqttws() {
    local program=$words[1] curcontext=$curcontext context state line
    typeset -A opt_args
    local at=${words[(i)--]}
    if (( CURRENT == 2 )); then
        local -a verbs
        verbs=(
@VERBS@        )
        _describe -t commands command verbs -- '(--help --version)'
        return
    fi
    shift words
    (( CURRENT-- ))
    # What serve or sub runs.
    if [[ $words[1] == (serve|sub) ]] && (( at <= CURRENT )); then
        shift $(( at - 1 )) words
        (( CURRENT -= at - 1 ))
        _normal
        return
    fi
    case $words[1] in
"#;

/// The script.
pub fn script(verbs: &[CompletedVerb]) -> String {
    let rows = verbs.iter().map(|verb| {
        let row = format!("{}:{}", verb.name, verb.help);
        format!("            {}\n", quoted(&row))
    });
    let mut text = HEAD.replace("@VERBS@", &rows.collect::<String>());
    for verb in verbs {
        writeln!(text, "    {})\n        _arguments -s -S \\", verb.name).expect("to a string");
        for flag in &verb.flags {
            writeln!(text, "            {} \\", specification(flag)).expect("to a string");
        }
        // What serve or sub runs is completed above.
        let action = match &verb.words {
            Words::Programs => "()".to_owned(),
            words => action(words),
        };
        writeln!(text, "            {}", quoted(&format!(":word:{action}"))).expect("to a string");
        text.push_str("        ;;\n");
    }
    text.push_str("    esac\n}\n\n_mqttws \"$@\"\n");
    text
}

/// A flag as `_arguments` takes it.
fn specification(flag: &CompletedFlag) -> String {
    let short = flag.short.map(|short| match flag.taking {
        Taking::Next => format!("-{short}+"),
        Taking::Nothing | Taking::Joined => format!("-{short}"),
    });
    let long = flag.long.as_ref().map(|long| match flag.taking {
        Taking::Next => format!("--{long}="),
        Taking::Joined => format!("--{long}=-"),
        Taking::Nothing => format!("--{long}"),
    });
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let help = escaped(&flag.help);
    let value = match flag.taking {
        Taking::Nothing => String::new(),
        Taking::Joined => format!("::{}:{}", escaped(&flag.value_name), action(&flag.words)),
        Taking::Next => format!(":{}:{}", escaped(&flag.value_name), action(&flag.words)),
    };
    let rest = format!("[{help}]{value}");
    let others =
        if flag.is_repeatable { "*".to_owned() } else { format!("({})", flag.names().join(" ")) };
    match names.as_slice() {
        [one] => quoted(&format!("{others}{one}{rest}")),
        several => format!("{}{{{}}}{}", quoted(&others), several.join(","), quoted(&rest)),
    }
}

fn action(words: &Words) -> String {
    match words {
        // A message (a blank) would be shown in place of a flag that is completed.
        Words::Unknown => "()".to_owned(),
        Words::These(words) => format!("({})", words.join(" ")),
        Words::Several(words) => format!("_sequence compadd - {}", words.join(" ")),
        Words::Files => "_files".to_owned(),
        Words::Folders => "_files -/".to_owned(),
        Words::Programs => "_command_names -e".to_owned(),
        Words::Profiles => "_mqttws_profiles".to_owned(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('[', r"\[").replace(']', r"\]").replace(':', r"\:")
}
