# Completions of mqttws for bash (mqttws completions bash).
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
        _mqttws_of -W 'pub sub ping check bench serve profile completions man version help --help --version'
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

_mqttws_value() {
    case "$1 $2 $3" in
        'pub -t ' | \
        'pub -t =' | \
        'pub --topic ' | \
        'pub --topic =' | \
        'pub --topic-prefix ' | \
        'pub --topic-prefix =' | \
        'pub -m ' | \
        'pub -m =' | \
        'pub --message ' | \
        'pub --message =' | \
        'pub --delimiter ' | \
        'pub --delimiter =' | \
        'pub --split ' | \
        'pub --split =' | \
        'pub --payload-encoding ' | \
        'pub --payload-encoding =' | \
        'pub -e ' | \
        'pub -e =' | \
        'pub --response-topic ' | \
        'pub --response-topic =' | \
        'pub -F ' | \
        'pub -F =' | \
        'pub --format ' | \
        'pub --format =' | \
        'pub -W ' | \
        'pub -W =' | \
        'pub --timeout ' | \
        'pub --timeout =' | \
        'pub --repeat ' | \
        'pub --repeat =' | \
        'pub --repeat-delay ' | \
        'pub --repeat-delay =' | \
        'pub --rate ' | \
        'pub --rate =' | \
        'pub --replay =' | \
        'pub -i ' | \
        'pub -i =' | \
        'pub --id ' | \
        'pub --id =' | \
        'pub -I ' | \
        'pub -I =' | \
        'pub --id-prefix ' | \
        'pub --id-prefix =' | \
        'pub -k ' | \
        'pub -k =' | \
        'pub --keepalive ' | \
        'pub --keepalive =' | \
        'pub -M ' | \
        'pub -M =' | \
        'pub --max-inflight ' | \
        'pub --max-inflight =' | \
        'pub --will-topic ' | \
        'pub --will-topic =' | \
        'pub --will-payload ' | \
        'pub --will-payload =' | \
        'pub --will-delay ' | \
        'pub --will-delay =' | \
        'pub -u ' | \
        'pub -u =' | \
        'pub --username ' | \
        'pub --username =' | \
        'pub -P ' | \
        'pub -P =' | \
        'pub --pw ' | \
        'pub --pw =' | \
        'pub --auth-data ' | \
        'pub --auth-data =' | \
        'pub --credentials-command ' | \
        'pub --credentials-command =' | \
        'pub -L ' | \
        'pub -L =' | \
        'pub --url ' | \
        'pub --url =' | \
        'pub --url-command ' | \
        'pub --url-command =' | \
        'pub -h ' | \
        'pub -h =' | \
        'pub --host ' | \
        'pub --host =' | \
        'pub -p ' | \
        'pub -p =' | \
        'pub --port ' | \
        'pub --port =' | \
        'pub --path ' | \
        'pub --path =' | \
        'pub -H ' | \
        'pub -H =' | \
        'pub --header ' | \
        'pub --header =' | \
        'pub --origin ' | \
        'pub --origin =' | \
        'pub --user-agent ' | \
        'pub --user-agent =' | \
        'pub --basic-auth ' | \
        'pub --basic-auth =' | \
        'pub --bearer ' | \
        'pub --bearer =' | \
        'pub --max-message-size ' | \
        'pub --max-message-size =' | \
        'pub -A ' | \
        'pub -A =' | \
        'pub --bind ' | \
        'pub --bind =' | \
        'pub --resolve ' | \
        'pub --resolve =' | \
        'pub --proxy ' | \
        'pub --proxy =' | \
        'pub --no-proxy ' | \
        'pub --no-proxy =' | \
        'pub --connect-timeout ' | \
        'pub --connect-timeout =' | \
        'pub --wait ' | \
        'pub --wait =' | \
        'pub --reconnect-delay ' | \
        'pub --reconnect-delay =' | \
        'pub --reconnect-tries ' | \
        'pub --reconnect-tries =' | \
        'pub --pin-sha256 ' | \
        'pub --pin-sha256 =' | \
        'pub --sni ' | \
        'pub --sni =' | \
        'pub --tls-alpn ' | \
        'pub --tls-alpn =' | \
        'sub -t ' | \
        'sub -t =' | \
        'sub --topic ' | \
        'sub --topic =' | \
        'sub -T ' | \
        'sub -T =' | \
        'sub --filter-out ' | \
        'sub --filter-out =' | \
        'sub -U ' | \
        'sub -U =' | \
        'sub --unsubscribe ' | \
        'sub --unsubscribe =' | \
        'sub --random-filter ' | \
        'sub --random-filter =' | \
        'sub -F ' | \
        'sub -F =' | \
        'sub --format ' | \
        'sub --format =' | \
        'sub --report ' | \
        'sub --report =' | \
        'sub --depth ' | \
        'sub --depth =' | \
        'sub --message-rate =' | \
        'sub --jobs ' | \
        'sub --jobs =' | \
        'sub --to ' | \
        'sub --to =' | \
        'sub --to-profile ' | \
        'sub --to-profile =' | \
        'sub --map ' | \
        'sub --map =' | \
        'sub --match ' | \
        'sub --match =' | \
        'sub --match-topic ' | \
        'sub --match-topic =' | \
        'sub --match-json ' | \
        'sub --match-json =' | \
        'sub --fail-on ' | \
        'sub --fail-on =' | \
        'sub --ready-fd ' | \
        'sub --ready-fd =' | \
        'sub -C ' | \
        'sub -C =' | \
        'sub --count ' | \
        'sub --count =' | \
        'sub -W ' | \
        'sub -W =' | \
        'sub --timeout ' | \
        'sub --timeout =' | \
        'sub --for ' | \
        'sub --for =' | \
        'sub --idle ' | \
        'sub --idle =' | \
        'sub --share ' | \
        'sub --share =' | \
        'sub -i ' | \
        'sub -i =' | \
        'sub --id ' | \
        'sub --id =' | \
        'sub -I ' | \
        'sub -I =' | \
        'sub --id-prefix ' | \
        'sub --id-prefix =' | \
        'sub -k ' | \
        'sub -k =' | \
        'sub --keepalive ' | \
        'sub --keepalive =' | \
        'sub -M ' | \
        'sub -M =' | \
        'sub --max-inflight ' | \
        'sub --max-inflight =' | \
        'sub --will-topic ' | \
        'sub --will-topic =' | \
        'sub --will-payload ' | \
        'sub --will-payload =' | \
        'sub --will-delay ' | \
        'sub --will-delay =' | \
        'sub -u ' | \
        'sub -u =' | \
        'sub --username ' | \
        'sub --username =' | \
        'sub -P ' | \
        'sub -P =' | \
        'sub --pw ' | \
        'sub --pw =' | \
        'sub --auth-data ' | \
        'sub --auth-data =' | \
        'sub --credentials-command ' | \
        'sub --credentials-command =' | \
        'sub -L ' | \
        'sub -L =' | \
        'sub --url ' | \
        'sub --url =' | \
        'sub --url-command ' | \
        'sub --url-command =' | \
        'sub -h ' | \
        'sub -h =' | \
        'sub --host ' | \
        'sub --host =' | \
        'sub -p ' | \
        'sub -p =' | \
        'sub --port ' | \
        'sub --port =' | \
        'sub --path ' | \
        'sub --path =' | \
        'sub -H ' | \
        'sub -H =' | \
        'sub --header ' | \
        'sub --header =' | \
        'sub --origin ' | \
        'sub --origin =' | \
        'sub --user-agent ' | \
        'sub --user-agent =' | \
        'sub --basic-auth ' | \
        'sub --basic-auth =' | \
        'sub --bearer ' | \
        'sub --bearer =' | \
        'sub --max-message-size ' | \
        'sub --max-message-size =' | \
        'sub -A ' | \
        'sub -A =' | \
        'sub --bind ' | \
        'sub --bind =' | \
        'sub --resolve ' | \
        'sub --resolve =' | \
        'sub --proxy ' | \
        'sub --proxy =' | \
        'sub --no-proxy ' | \
        'sub --no-proxy =' | \
        'sub --connect-timeout ' | \
        'sub --connect-timeout =' | \
        'sub --wait ' | \
        'sub --wait =' | \
        'sub --reconnect-delay ' | \
        'sub --reconnect-delay =' | \
        'sub --reconnect-tries ' | \
        'sub --reconnect-tries =' | \
        'sub --pin-sha256 ' | \
        'sub --pin-sha256 =' | \
        'sub --sni ' | \
        'sub --sni =' | \
        'sub --tls-alpn ' | \
        'sub --tls-alpn =' | \
        'ping -c ' | \
        'ping -c =' | \
        'ping --count ' | \
        'ping --count =' | \
        'ping --interval ' | \
        'ping --interval =' | \
        'ping -w ' | \
        'ping -w =' | \
        'ping --deadline ' | \
        'ping --deadline =' | \
        'ping --size ' | \
        'ping --size =' | \
        'ping -W ' | \
        'ping -W =' | \
        'ping --timeout ' | \
        'ping --timeout =' | \
        'ping --warn ' | \
        'ping --warn =' | \
        'ping --crit ' | \
        'ping --crit =' | \
        'ping -i ' | \
        'ping -i =' | \
        'ping --id ' | \
        'ping --id =' | \
        'ping -I ' | \
        'ping -I =' | \
        'ping --id-prefix ' | \
        'ping --id-prefix =' | \
        'ping -k ' | \
        'ping -k =' | \
        'ping --keepalive ' | \
        'ping --keepalive =' | \
        'ping --will-topic ' | \
        'ping --will-topic =' | \
        'ping --will-payload ' | \
        'ping --will-payload =' | \
        'ping --will-delay ' | \
        'ping --will-delay =' | \
        'ping -u ' | \
        'ping -u =' | \
        'ping --username ' | \
        'ping --username =' | \
        'ping -P ' | \
        'ping -P =' | \
        'ping --pw ' | \
        'ping --pw =' | \
        'ping --auth-data ' | \
        'ping --auth-data =' | \
        'ping --credentials-command ' | \
        'ping --credentials-command =' | \
        'ping -L ' | \
        'ping -L =' | \
        'ping --url ' | \
        'ping --url =' | \
        'ping --url-command ' | \
        'ping --url-command =' | \
        'ping -h ' | \
        'ping -h =' | \
        'ping --host ' | \
        'ping --host =' | \
        'ping -p ' | \
        'ping -p =' | \
        'ping --port ' | \
        'ping --port =' | \
        'ping --path ' | \
        'ping --path =' | \
        'ping -H ' | \
        'ping -H =' | \
        'ping --header ' | \
        'ping --header =' | \
        'ping --origin ' | \
        'ping --origin =' | \
        'ping --user-agent ' | \
        'ping --user-agent =' | \
        'ping --basic-auth ' | \
        'ping --basic-auth =' | \
        'ping --bearer ' | \
        'ping --bearer =' | \
        'ping --max-message-size ' | \
        'ping --max-message-size =' | \
        'ping -A ' | \
        'ping -A =' | \
        'ping --bind ' | \
        'ping --bind =' | \
        'ping --resolve ' | \
        'ping --resolve =' | \
        'ping --proxy ' | \
        'ping --proxy =' | \
        'ping --no-proxy ' | \
        'ping --no-proxy =' | \
        'ping --connect-timeout ' | \
        'ping --connect-timeout =' | \
        'ping --wait ' | \
        'ping --wait =' | \
        'ping --reconnect-delay ' | \
        'ping --reconnect-delay =' | \
        'ping --reconnect-tries ' | \
        'ping --reconnect-tries =' | \
        'ping --pin-sha256 ' | \
        'ping --pin-sha256 =' | \
        'ping --sni ' | \
        'ping --sni =' | \
        'ping --tls-alpn ' | \
        'ping --tls-alpn =' | \
        'check --topic-prefix ' | \
        'check --topic-prefix =' | \
        'check --pause ' | \
        'check --pause =' | \
        'check --timeout ' | \
        'check --timeout =' | \
        'check --idle-time ' | \
        'check --idle-time =' | \
        'check -i ' | \
        'check -i =' | \
        'check --id ' | \
        'check --id =' | \
        'check -u ' | \
        'check -u =' | \
        'check --username ' | \
        'check --username =' | \
        'check -P ' | \
        'check -P =' | \
        'check --pw ' | \
        'check --pw =' | \
        'check --auth-data ' | \
        'check --auth-data =' | \
        'check --credentials-command ' | \
        'check --credentials-command =' | \
        'check -L ' | \
        'check -L =' | \
        'check --url ' | \
        'check --url =' | \
        'check --url-command ' | \
        'check --url-command =' | \
        'check -h ' | \
        'check -h =' | \
        'check --host ' | \
        'check --host =' | \
        'check -p ' | \
        'check -p =' | \
        'check --port ' | \
        'check --port =' | \
        'check --path ' | \
        'check --path =' | \
        'check -H ' | \
        'check -H =' | \
        'check --header ' | \
        'check --header =' | \
        'check --origin ' | \
        'check --origin =' | \
        'check --user-agent ' | \
        'check --user-agent =' | \
        'check --basic-auth ' | \
        'check --basic-auth =' | \
        'check --bearer ' | \
        'check --bearer =' | \
        'check -A ' | \
        'check -A =' | \
        'check --bind ' | \
        'check --bind =' | \
        'check --resolve ' | \
        'check --resolve =' | \
        'check --proxy ' | \
        'check --proxy =' | \
        'check --no-proxy ' | \
        'check --no-proxy =' | \
        'check --connect-timeout ' | \
        'check --connect-timeout =' | \
        'check --pin-sha256 ' | \
        'check --pin-sha256 =' | \
        'check --sni ' | \
        'check --sni =' | \
        'check --tls-alpn ' | \
        'check --tls-alpn =' | \
        'bench --pub ' | \
        'bench --pub =' | \
        'bench --sub ' | \
        'bench --sub =' | \
        'bench --connect ' | \
        'bench --connect =' | \
        'bench --topics ' | \
        'bench --topics =' | \
        'bench -t ' | \
        'bench -t =' | \
        'bench --topic ' | \
        'bench --topic =' | \
        'bench --filter ' | \
        'bench --filter =' | \
        'bench --share-groups =' | \
        'bench --connect-rate ' | \
        'bench --connect-rate =' | \
        'bench --loops ' | \
        'bench --loops =' | \
        'bench --rate ' | \
        'bench --rate =' | \
        'bench --tick ' | \
        'bench --tick =' | \
        'bench --size ' | \
        'bench --size =' | \
        'bench --sub-qos ' | \
        'bench --sub-qos =' | \
        'bench --seed ' | \
        'bench --seed =' | \
        'bench --for ' | \
        'bench --for =' | \
        'bench -C ' | \
        'bench -C =' | \
        'bench --count ' | \
        'bench --count =' | \
        'bench --warmup ' | \
        'bench --warmup =' | \
        'bench --drain ' | \
        'bench --drain =' | \
        'bench --ramp ' | \
        'bench --ramp =' | \
        'bench --resolution ' | \
        'bench --resolution =' | \
        'bench --cut ' | \
        'bench --cut =' | \
        'bench --stall ' | \
        'bench --stall =' | \
        'bench --churn ' | \
        'bench --churn =' | \
        'bench --fail ' | \
        'bench --fail =' | \
        'bench --tolerate ' | \
        'bench --tolerate =' | \
        'bench --max-lateness ' | \
        'bench --max-lateness =' | \
        'bench --runs ' | \
        'bench --runs =' | \
        'bench --hgrm ' | \
        'bench --hgrm =' | \
        'bench --report ' | \
        'bench --report =' | \
        'bench --part ' | \
        'bench --part =' | \
        'bench --run ' | \
        'bench --run =' | \
        'bench --start-at ' | \
        'bench --start-at =' | \
        'bench -k ' | \
        'bench -k =' | \
        'bench --keepalive ' | \
        'bench --keepalive =' | \
        'bench -u ' | \
        'bench -u =' | \
        'bench --username ' | \
        'bench --username =' | \
        'bench -P ' | \
        'bench -P =' | \
        'bench --pw ' | \
        'bench --pw =' | \
        'bench --auth-data ' | \
        'bench --auth-data =' | \
        'bench --credentials-command ' | \
        'bench --credentials-command =' | \
        'bench --url-command ' | \
        'bench --url-command =' | \
        'bench -h ' | \
        'bench -h =' | \
        'bench --host ' | \
        'bench --host =' | \
        'bench -p ' | \
        'bench -p =' | \
        'bench --port ' | \
        'bench --port =' | \
        'bench --path ' | \
        'bench --path =' | \
        'bench -H ' | \
        'bench -H =' | \
        'bench --header ' | \
        'bench --header =' | \
        'bench --origin ' | \
        'bench --origin =' | \
        'bench --user-agent ' | \
        'bench --user-agent =' | \
        'bench --basic-auth ' | \
        'bench --basic-auth =' | \
        'bench --bearer ' | \
        'bench --bearer =' | \
        'bench --max-message-size ' | \
        'bench --max-message-size =' | \
        'bench --resolve ' | \
        'bench --resolve =' | \
        'bench --connect-timeout ' | \
        'bench --connect-timeout =' | \
        'bench --wait ' | \
        'bench --wait =' | \
        'bench --pin-sha256 ' | \
        'bench --pin-sha256 =' | \
        'bench --sni ' | \
        'bench --sni =' | \
        'bench --tls-alpn ' | \
        'bench --tls-alpn =' | \
        'bench -A ' | \
        'bench -A =' | \
        'bench --bind ' | \
        'bench --bind =' | \
        'bench -L ' | \
        'bench -L =' | \
        'bench --url ' | \
        'bench --url =' | \
        'bench -i ' | \
        'bench -i =' | \
        'bench --id ' | \
        'bench --id =' | \
        'bench -M ' | \
        'bench -M =' | \
        'bench --max-inflight ' | \
        'bench --max-inflight =' | \
        'serve -h ' | \
        'serve -h =' | \
        'serve --host ' | \
        'serve --host =' | \
        'serve -p ' | \
        'serve -p =' | \
        'serve --port ' | \
        'serve --port =' | \
        'serve --ready-fd ' | \
        'serve --ready-fd =' | \
        'serve --limit ' | \
        'serve --limit =' | \
        'serve --expect ' | \
        'serve --expect =' | \
        'serve --fault ' | \
        'serve --fault =' | \
        'serve --allow-origin ' | \
        'serve --allow-origin =' | \
        'serve --allow-remote =' | \
        'serve --user ' | \
        'serve --user =' | \
        'serve --tls =')
            : ;;
        'pub --capath ' | \
        'pub --capath =' | \
        'sub -o ' | \
        'sub -o =' | \
        'sub --output-dir ' | \
        'sub --output-dir =' | \
        'sub --capath ' | \
        'sub --capath =' | \
        'ping --capath ' | \
        'ping --capath =' | \
        'check --capath ' | \
        'check --capath =' | \
        'bench --capath ' | \
        'bench --capath =')
            _mqttws_files -d ;;
        'pub -f ' | \
        'pub -f =' | \
        'pub --file ' | \
        'pub --file =' | \
        'pub --will-file ' | \
        'pub --will-file =' | \
        'pub --password-file ' | \
        'pub --password-file =' | \
        'pub --auth-data-file ' | \
        'pub --auth-data-file =' | \
        'pub --unix ' | \
        'pub --unix =' | \
        'pub --cafile ' | \
        'pub --cafile =' | \
        'pub --cert ' | \
        'pub --cert =' | \
        'pub --key ' | \
        'pub --key =' | \
        'pub --key-password-file ' | \
        'pub --key-password-file =' | \
        'pub --tls-keylog ' | \
        'pub --tls-keylog =' | \
        'pub --config ' | \
        'pub --config =' | \
        'pub -o ' | \
        'pub -o =' | \
        'sub --will-file ' | \
        'sub --will-file =' | \
        'sub --password-file ' | \
        'sub --password-file =' | \
        'sub --auth-data-file ' | \
        'sub --auth-data-file =' | \
        'sub --unix ' | \
        'sub --unix =' | \
        'sub --cafile ' | \
        'sub --cafile =' | \
        'sub --cert ' | \
        'sub --cert =' | \
        'sub --key ' | \
        'sub --key =' | \
        'sub --key-password-file ' | \
        'sub --key-password-file =' | \
        'sub --tls-keylog ' | \
        'sub --tls-keylog =' | \
        'sub --config ' | \
        'sub --config =' | \
        'ping --will-file ' | \
        'ping --will-file =' | \
        'ping --password-file ' | \
        'ping --password-file =' | \
        'ping --auth-data-file ' | \
        'ping --auth-data-file =' | \
        'ping --unix ' | \
        'ping --unix =' | \
        'ping --cafile ' | \
        'ping --cafile =' | \
        'ping --cert ' | \
        'ping --cert =' | \
        'ping --key ' | \
        'ping --key =' | \
        'ping --key-password-file ' | \
        'ping --key-password-file =' | \
        'ping --tls-keylog ' | \
        'ping --tls-keylog =' | \
        'ping --config ' | \
        'ping --config =' | \
        'check --json =' | \
        'check --junit ' | \
        'check --junit =' | \
        'check --baseline ' | \
        'check --baseline =' | \
        'check --password-file ' | \
        'check --password-file =' | \
        'check --auth-data-file ' | \
        'check --auth-data-file =' | \
        'check --unix ' | \
        'check --unix =' | \
        'check --cafile ' | \
        'check --cafile =' | \
        'check --cert ' | \
        'check --cert =' | \
        'check --key ' | \
        'check --key =' | \
        'check --key-password-file ' | \
        'check --key-password-file =' | \
        'check --tls-keylog ' | \
        'check --tls-keylog =' | \
        'check --config ' | \
        'check --config =' | \
        'bench --users ' | \
        'bench --users =' | \
        'bench --body ' | \
        'bench --body =' | \
        'bench --baseline ' | \
        'bench --baseline =' | \
        'bench --json =' | \
        'bench --password-file ' | \
        'bench --password-file =' | \
        'bench --auth-data-file ' | \
        'bench --auth-data-file =' | \
        'bench --unix ' | \
        'bench --unix =' | \
        'bench --cafile ' | \
        'bench --cafile =' | \
        'bench --cert ' | \
        'bench --cert =' | \
        'bench --key ' | \
        'bench --key =' | \
        'bench --key-password-file ' | \
        'bench --key-password-file =' | \
        'bench --tls-keylog ' | \
        'bench --tls-keylog =' | \
        'bench --config ' | \
        'bench --config =' | \
        'bench --merge ' | \
        'bench --merge =' | \
        'serve --load ' | \
        'serve --load =' | \
        'serve --save ' | \
        'serve --save =' | \
        'serve --record ' | \
        'serve --record =' | \
        'serve --users ' | \
        'serve --users =' | \
        'serve --acl ' | \
        'serve --acl =' | \
        'serve --ca-out ' | \
        'serve --ca-out =' | \
        'serve --cert ' | \
        'serve --cert =' | \
        'serve --key ' | \
        'serve --key =' | \
        'serve --key-password-file ' | \
        'serve --key-password-file =' | \
        'serve --client-ca ' | \
        'serve --client-ca =' | \
        'profile --config ' | \
        'profile --config =')
            _mqttws_files -f ;;
        'pub -q ' | \
        'pub -q =' | \
        'pub --qos ' | \
        'pub --qos =' | \
        'pub --will-qos ' | \
        'pub --will-qos =' | \
        'sub -q ' | \
        'sub -q =' | \
        'sub --qos ' | \
        'sub --qos =' | \
        'sub --will-qos ' | \
        'sub --will-qos =' | \
        'ping -q ' | \
        'ping -q =' | \
        'ping --qos ' | \
        'ping --qos =' | \
        'ping --will-qos ' | \
        'ping --will-qos =' | \
        'bench -q ' | \
        'bench -q =' | \
        'bench --qos ' | \
        'bench --qos =')
            _mqttws_of -W '0 1 2' ;;
        'pub --tls-version ' | \
        'pub --tls-version =' | \
        'sub --tls-version ' | \
        'sub --tls-version =' | \
        'ping --tls-version ' | \
        'ping --tls-version =' | \
        'check --tls-version ' | \
        'check --tls-version =' | \
        'bench --tls-version ' | \
        'bench --tls-version =')
            _mqttws_of -W '1.2 1.3' ;;
        'pub -V ' | \
        'pub -V =' | \
        'pub --protocol-version ' | \
        'pub --protocol-version =' | \
        'sub -V ' | \
        'sub -V =' | \
        'sub --protocol-version ' | \
        'sub --protocol-version =' | \
        'ping -V ' | \
        'ping -V =' | \
        'ping --protocol-version ' | \
        'ping --protocol-version =' | \
        'check -V ' | \
        'check -V =' | \
        'check --versions ' | \
        'check --versions =' | \
        'bench -V ' | \
        'bench -V =' | \
        'bench --protocol-version ' | \
        'bench --protocol-version =')
            _mqttws_of -W '5 311 31' ;;
        'pub --auth-method ' | \
        'pub --auth-method =' | \
        'sub --auth-method ' | \
        'sub --auth-method =' | \
        'ping --auth-method ' | \
        'ping --auth-method =' | \
        'check --auth-method ' | \
        'check --auth-method =' | \
        'bench --auth-method ' | \
        'bench --auth-method =')
            _mqttws_of -W 'SCRAM-SHA-256' ;;
        'sub --retain-handling ' | \
        'sub --retain-handling =')
            _mqttws_of -W 'always new never' ;;
        'sub --color ' | \
        'sub --color =')
            _mqttws_of -W 'auto always never' ;;
        'pub -D ' | \
        'pub -D =' | \
        'pub --property ' | \
        'pub --property =' | \
        'sub -D ' | \
        'sub -D =' | \
        'sub --property ' | \
        'sub --property =' | \
        'ping -D ' | \
        'ping -D =' | \
        'ping --property ' | \
        'ping --property =' | \
        'bench -D ' | \
        'bench -D =' | \
        'bench --property ' | \
        'bench --property =')
            _mqttws_of -W 'connect will publish subscribe unsubscribe disconnect' ;;
        'bench --arrival ' | \
        'bench --arrival =')
            _mqttws_of -W 'even poisson' ;;
        'bench --verify ' | \
        'bench --verify =')
            _mqttws_of -W 'full none' ;;
        'pub --summary =' | \
        'sub --summary =' | \
        'ping --summary =' | \
        'serve --log ' | \
        'serve --log =')
            _mqttws_of -W 'json' ;;
        'ping --on ' | \
        'ping --on =')
            _mqttws_of -W 'min avg max p50 p90 p99' ;;
        'pub --subprotocol ' | \
        'pub --subprotocol =' | \
        'sub --subprotocol ' | \
        'sub --subprotocol =' | \
        'ping --subprotocol ' | \
        'ping --subprotocol =' | \
        'bench --subprotocol ' | \
        'bench --subprotocol =')
            _mqttws_of -W 'mqtt mqttv3.1 none' ;;
        'ping --via ' | \
        'ping --via =')
            _mqttws_of -W 'mqtt websocket publish' ;;
        'ping --format ' | \
        'ping --format =')
            _mqttws_of -W 'nagios prometheus' ;;
        'pub -x ' | \
        'pub -x =' | \
        'pub --session-expiry-interval ' | \
        'pub --session-expiry-interval =' | \
        'sub -x ' | \
        'sub -x =' | \
        'sub --session-expiry-interval ' | \
        'sub --session-expiry-interval =' | \
        'bench -x ' | \
        'bench -x =' | \
        'bench --session-expiry-interval ' | \
        'bench --session-expiry-interval =')
            _mqttws_of -W 'never' ;;
        'sub --json =')
            _mqttws_of -W 'parse' ;;
        'check --only ' | \
        'check --only =' | \
        'check --skip ' | \
        'check --skip =')
            _mqttws_of -W 'reach tls upgrade framing-in framing-out connect publish subscribe session properties flow-control ending limits' ;;
        'sub --exec ' | \
        'sub --exec =' | \
        'sub --shell ' | \
        'sub --shell =' | \
        'sub --exec-argv ' | \
        'sub --exec-argv =')
            _mqttws_of -c ;;
        'pub --profile ' | \
        'pub --profile =' | \
        'sub --profile ' | \
        'sub --profile =' | \
        'ping --profile ' | \
        'ping --profile =' | \
        'check --profile ' | \
        'check --profile =' | \
        'bench --profile ' | \
        'bench --profile =')
            _mqttws_profiles ;;
        'serve --deviate ' | \
        'serve --deviate =')
            _mqttws_several 'any-path wrong-path-hangs other-protocol-at-wrong-path path-exact-with-query page-instead-of-upgrade upgrade-unasked any-key any-version version-not-named any-method upgrade-compared-with-case host-without-port-refused request-in-one-read short-headers-only origin-list origin-mute mute-refusals connection-keep-alive no-upgrade-header wrong-accept-key unasked-extension another-extension clock-off no-subprotocol always-mqtt wrong-subprotocol list-echoed first-name-taken list-refused list-mute mqttv31-refused none-offered-silence origin-wanted first-packet-only behind-connect-lost frame-is-packet header-in-one-read no-continuation few-fragments no-pong ping-fed-to-mqtt pong-fatal empty-message-ends text-taken text-ignored unmasked-taken reserved-bits-taken reserved-opcode-ignored orphan-ignored ping-fragment-taken long-ping-ignored top-bit-ignored frames-up-to-64-kib packets-up-to-20-kib text-out masked-out reserved-bit-out long-length-out fragments-out byte-a-message-out close-1005-out no-close-after-disconnect close-unanswered no-close-on-errors close-echoed mqtt5-refused mqtt5-closed-mute mqtt5-unanswered mqtt311-unanswered mqtt311-closed-mute mqtt31-unanswered level-6-taken refused-not-closed session-present-after-clean-start no-assigned-id empty-id-refused empty-id-kept no-takeover disconnect-without-reason any-connect-flags any-first-packet second-connect-ignored any-auth-method pingreq-unanswered keep-alive-not-enforced payload-cut-at-nul reordered one-lost qos-2-twice no-pubrec qos-2-as-1 no-puback byte-order-mark-stripped topics-unchecked utf8-unchecked publish-headers-unchecked fixed-headers-unchecked dup-passed unknown-pubrel-ignored retained-never-stored retained-never-cleared retain-always-1 retain-always-0 all-retained user-properties-dropped user-property-added expiry-not-counted short-acks-refused topic-alias-fatal aliases-outlive-connections alias-0-taken retain-announced-as-absent receive-maximum-ignored maximum-packet-size-ignored more-in-flight-than-announced larger-than-announced-taken one-suback-code suback-codes-reversed qos-raised qos-downgraded filter-held-twice unsubscribe-ignored unsuback-with-foreign-id unsuback-always-0 hash-without-parent no-local-ignored retain-as-published-ignored retain-handling-ignored subscription-ids-ignored share-ignored share-never-delivered any-filter-granted subscribe-unchecked session-lost session-kept-after-clean-start no-dup expiry-ignored expiry-in-disconnect-ignored will-never will-after-disconnect disconnect-with-will-ignored will-delay-ignored odd-header-spelling long-answer redirected login-wanted bad-gateway http2-spoken early-data-lost early-data-ends none-offered-taken ping-between-fragments-ends pings-out reset-after-disconnect no-end-after-close no-end-after-disconnect no-close-notify alpn-mqtt-only alpn-http11-only mqtt31-refused huge-maximum-refused refusals-mute session-present-never session-present-but-lost no-will-with-session qos-2-ends blank-in-topic-ends large-messages-dropped packet-ids-reused share-refused publish-before-suback silent-after-connack silent-after-subscribe silent-after-100-packets connack-late suback-late acknowledgements-late sends-40-kb-a-second cut-after-60-s-idle list' ;;
        *) return 1 ;;
    esac
}

_mqttws_word() {
    case "$1 $cur" in
        'pub -'*)
            _mqttws_of -W '-t --topic --topic-prefix -m --message -f --file -s --stdin-file -l --stdin-line -n --null-message --json -0 --null --delimiter --split --strict-input --template --payload-encoding --request -e --response-topic -v --verbose -F --format --pretty --hex --base64 -N -W --timeout --repeat -q --qos -r --retain --topic-alias --latency --repeat-delay --rate --replay -V --protocol-version -i --id -I --id-prefix -k --keepalive -M --max-inflight --allow-control-characters --will-topic --will-payload --will-file --will-qos --will-retain --will-delay -u --username -P --pw --password-file --ask-password --auth-method --auth-data --auth-data-file --credentials-command -L --url --url-command -h --host -p --port --path --subprotocol -H --header --origin --user-agent --basic-auth --bearer --follow --strict --frame-per-packet --max-message-size -4 --ipv4 -6 --ipv6 -A --bind --resolve --unix --proxy --no-proxy --connect-timeout --wait --no-reconnect --reconnect-delay --reconnect-tries --cafile --capath --system-roots --pin-sha256 --insecure --cert --key --key-password-file --sni --tls-alpn --tls-version --tls-keylog --profile --config --print-config -d --debug --quiet --abort --disconnect-with-will -c --disable-clean-session -x --session-expiry-interval -D --property -o --summary --help' ;;
        'sub -'*)
            _mqttws_of -W '-t --topic -T --filter-out -U --unsubscribe -R --retained-only --remove-retained --random-filter --retain-as-published --retain-handling --no-local -v --verbose --time --hexdump -F --format --json --pretty --hex --base64 -N -0 --null -o --output-dir -w --watch --color --latency --summary --report --depth --tree --changed --message-rate --exec --shell --exec-argv --jobs --keep-going --reply --to --to-profile --map --allow-loops --match --match-topic --match-json --fail-on --expect-none --show-others --ready-fd -C --count -W --timeout --for --idle -E --exit-after-subscribe -q --qos --share -V --protocol-version -i --id -I --id-prefix -k --keepalive -M --max-inflight --allow-control-characters --will-topic --will-payload --will-file --will-qos --will-retain --will-delay -u --username -P --pw --password-file --ask-password --auth-method --auth-data --auth-data-file --credentials-command -L --url --url-command -h --host -p --port --path --subprotocol -H --header --origin --user-agent --basic-auth --bearer --follow --strict --frame-per-packet --max-message-size -4 --ipv4 -6 --ipv6 -A --bind --resolve --unix --proxy --no-proxy --connect-timeout --wait --no-reconnect --reconnect-delay --reconnect-tries --cafile --capath --system-roots --pin-sha256 --insecure --cert --key --key-password-file --sni --tls-alpn --tls-version --tls-keylog --profile --config --print-config -d --debug --quiet --abort --disconnect-with-will -c --disable-clean-session -x --session-expiry-interval -D --property --help' ;;
        'ping -'*)
            _mqttws_of -W '-c --count --interval --flood -w --deadline --via -q --qos --size -W --timeout --json --summary --warn --crit --on --format -V --protocol-version -i --id -I --id-prefix -k --keepalive --allow-control-characters --will-topic --will-payload --will-file --will-qos --will-retain --will-delay -u --username -P --pw --password-file --ask-password --auth-method --auth-data --auth-data-file --credentials-command -L --url --url-command -h --host -p --port --path --subprotocol -H --header --origin --user-agent --basic-auth --bearer --follow --strict --frame-per-packet --max-message-size -4 --ipv4 -6 --ipv6 -A --bind --resolve --unix --proxy --no-proxy --connect-timeout --wait --no-reconnect --reconnect-delay --reconnect-tries --cafile --capath --system-roots --pin-sha256 --insecure --cert --key --key-password-file --sni --tls-alpn --tls-version --tls-keylog --profile --config --print-config -d --debug --quiet -D --property --help' ;;
        'check -'*)
            _mqttws_of -W '--full --allow-remote --only --skip --list -V --versions --topic-prefix --pause --timeout --idle-time --json --tap --junit --baseline -v --verbose -i --id -u --username -P --pw --password-file --ask-password --auth-method --auth-data --auth-data-file --credentials-command -L --url --url-command -h --host -p --port --path -H --header --origin --user-agent --basic-auth --bearer -4 --ipv4 -6 --ipv6 -A --bind --resolve --unix --proxy --no-proxy --connect-timeout --cafile --capath --system-roots --pin-sha256 --insecure --cert --key --key-password-file --sni --tls-alpn --tls-version --tls-keylog --profile --config --print-config -d --debug --quiet --help' ;;
        'bench -'*)
            _mqttws_of -W '--pub --sub --connect --topics -t --topic --filter --sub-all --share-groups --connect-rate --allow-remote --dry-run --users --tls-resume --loops --rate --arrival --tick --size --body --verify --topic-alias -q --qos --sub-qos -r --retain --retained --seed --for -C --count --warmup --drain --ramp --find-max --resolution --cut --stall --churn --will -c --disable-clean-session -x --session-expiry-interval --fail --tolerate --max-lateness --fail-fast --baseline --runs --json --hgrm --report --part --run --start-at -D --property -V --protocol-version -k --keepalive --allow-control-characters -u --username -P --pw --password-file --ask-password --auth-method --auth-data --auth-data-file --credentials-command --url-command -h --host -p --port --path --subprotocol -H --header --origin --user-agent --basic-auth --bearer --strict --frame-per-packet --max-message-size -4 --ipv4 -6 --ipv6 --resolve --unix --connect-timeout --wait --no-reconnect --cafile --capath --system-roots --pin-sha256 --insecure --cert --key --key-password-file --sni --tls-alpn --tls-version --tls-keylog --profile --config --print-config --quiet --merge -A --bind -L --url -i --id -M --max-inflight --help' ;;
        'serve -'*)
            _mqttws_of -W '-h --host -p --port --json --ready-fd -d --debug --log --limit --load --save --record --expect --deviate --fault --allow-origin --allow-remote --user --users --acl --tls --ca-out --cert --key --key-password-file --client-ca --help' ;;
        'profile -'*)
            _mqttws_of -W '--config --names --help' ;;
        'completions -'*)
            _mqttws_of -W '--help' ;;
        'completions '*) _mqttws_of -W 'bash zsh fish powershell elvish' ;;
        'man -'*)
            _mqttws_of -W '--help' ;;
        'man '*) _mqttws_of -W 'mqttws pub sub ping check bench serve examples brokers cloud' ;;
        'version -'*)
            _mqttws_of -W '--help' ;;
        'help -'*)
            _mqttws_of -W '' ;;
        'help '*) _mqttws_of -W 'pub sub ping check bench serve profile completions man version help' ;;
    esac
}
