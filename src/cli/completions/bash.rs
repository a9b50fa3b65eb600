//! The completions for bash.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{CompletedVerb, Taking, Words};

/// What stands before the tables.
const HEAD: &str = r#"# Completions of mqttws for bash (mqttws completions bash).
# Put this into ~/.local/share/bash-completion/completions/mqttws, or source it.

_mqttws_of() { mapfile -t COMPREPLY < <(compgen "$@" -- "$cur"); }

# Some of these words, with commas between.
_mqttws_several() {
    local before=''
    [[ $cur != *,* ]] || before=${cur%,*},
    mapfile -t COMPREPLY < <(compgen -P "$before" -W "$1" -- "${cur##*,}")
}

_mqttws_files() {
    compopt -o filenames 2>/dev/null
    _mqttws_of "$1"
}

# The names of the profiles, of the configuration file that was typed if there is one.
_mqttws_profiles() {
    local at file config=()
    for ((at = 2; at < COMP_CWORD; at++)); do
        [[ ${COMP_WORDS[at]} == --config ]] || continue
        file=${COMP_WORDS[at + 1]}
        [[ $file == = ]] && file=${COMP_WORDS[at + 2]}
        config=(--config "${file/#\~/$HOME}")
    done
    _mqttws_of -W "$("${COMP_WORDS[0]/#\~/$HOME}" profile --names "${config[@]}" 2>/dev/null)"
}

# What serve or sub runs, from this word on.
_mqttws_command() {
    if declare -F _comp_command_offset >/dev/null; then
        _comp_command_offset "$1"
    elif declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    elif ((COMP_CWORD == $1)); then
        _mqttws_of -c
    else
        _mqttws_files -f
    fi
}

_mqttws() {
    local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local verb=${COMP_WORDS[1]} flag='' joined='' head='' at
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        _mqttws_of -W '@VERBS@ --help --version'
        return
    fi
    for ((at = 2; at < COMP_CWORD; at++)); do
        if [[ ${COMP_WORDS[at]} == -- ]]; then
            [[ $verb != serve && $verb != sub ]] || _mqttws_command $((at + 1))
            return
        fi
    done
    # A "=" is a word of its own, unless COMP_WORDBREAKS is without it.
    if [[ $cur == = ]]; then
        flag=$previous cur='' joined='='
    elif [[ $previous == = ]]; then
        flag=${COMP_WORDS[COMP_CWORD - 2]} joined='='
    elif [[ $cur == --*=* ]]; then
        flag=${cur%%=*} head=${cur%%=*}= cur=${cur#*=} joined='='
    elif [[ $previous == -* ]]; then
        flag=$previous
    fi
    if _mqttws_value "$verb" "$flag" "$joined"; then
        [[ -z $head ]] || COMPREPLY=("${COMPREPLY[@]/#/$head}")
        return
    fi
    _mqttws_word "$verb"
}

complete -F _mqttws mqttws
"#;

/// The script.
pub fn script(verbs: &[CompletedVerb]) -> String {
    let names: Vec<&str> = verbs.iter().map(|verb| verb.name.as_str()).collect();
    let mut text = HEAD.replace("@VERBS@", &names.join(" "));
    values(verbs, &mut text);
    plain_words(verbs, &mut text);
    text
}

/// The function that completes the value of a flag; false where the flag has none.
fn values(verbs: &[CompletedVerb], text: &mut String) {
    let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for verb in verbs {
        for flag in verb.flags.iter().filter(|flag| flag.taking != Taking::Nothing) {
            for name in flag.names() {
                let joined = format!("'{} {name} ='", verb.name);
                let next = format!("'{} {name} '", verb.name);
                let patterns = rows.entry(action(&flag.words)).or_default();
                if flag.taking == Taking::Next {
                    patterns.push(next);
                }
                patterns.push(joined);
            }
        }
    }
    text.push_str("\n_mqttws_value() {\n    case \"$1 $2 $3\" in\n");
    for (action, patterns) in rows {
        let patterns = patterns.join(" | \\\n        ");
        writeln!(text, "        {patterns})\n            {action} ;;").expect("to a string");
    }
    text.push_str("        *) return 1 ;;\n    esac\n}\n");
}

/// The function that completes a word that is no value.
fn plain_words(verbs: &[CompletedVerb], text: &mut String) {
    text.push_str("\n_mqttws_word() {\n    case \"$1 $cur\" in\n");
    for verb in verbs {
        let flags: Vec<String> = verb.flags.iter().flat_map(super::CompletedFlag::names).collect();
        let name = &verb.name;
        writeln!(text, "        '{name} -'*)\n            _mqttws_of -W '{}' ;;", flags.join(" "))
            .expect("to a string");
        // What serve or sub runs stands after --.
        if let Words::These(_) = verb.words {
            let action = action(&verb.words);
            writeln!(text, "        '{name} '*) {action} ;;").expect("to a string");
        }
    }
    text.push_str("    esac\n}\n");
}

fn action(words: &Words) -> String {
    match words {
        Words::Unknown => ":".to_owned(),
        Words::These(words) => format!("_mqttws_of -W '{}'", words.join(" ")),
        Words::Several(words) => format!("_mqttws_several '{}'", words.join(" ")),
        Words::Files => "_mqttws_files -f".to_owned(),
        Words::Folders => "_mqttws_files -d".to_owned(),
        Words::Programs => "_mqttws_of -c".to_owned(),
        Words::Profiles => "_mqttws_profiles".to_owned(),
    }
}
