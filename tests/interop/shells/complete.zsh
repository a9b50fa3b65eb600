# complete.zsh FOLDER LINE: what zsh completes at the end of LINE, a candidate per line. An interactive zsh on a
# pseudo-terminal, with the completions of FOLDER, is given the line and a tab; in place of showing the candidates
# it prints them between two lines with a NUL.
zmodload zsh/zpty
zpty z zsh -f -i
setup=$(mktemp)
cat >$setup <<SETUP
fpath=($1 \$fpath)
SETUP
cat >>$setup <<'SETUP'
PROMPT=
autoload -U compinit
compinit -u -D
bindkey '^M' undefined
bindkey '^J' undefined
bindkey '^I' complete-word
null-line() { print -r -- $'\0' }
compprefuncs=(null-line)
comppostfuncs=(null-line exit)
zstyle ':completion:*' list-grouped false
zstyle ':completion:*' insert-tab false
zmodload zsh/zutil
compadd() {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
        builtin compadd "$@"
        return
    fi
    local -a hits
    local -A before
    builtin compadd -A hits "$@"
    zparseopts -E P:=before
    (( $#hits )) && print -rl -- "$IPREFIX${before[-P]}"${^hits}
    builtin compadd "$@"
}
print ready
SETUP
zpty -w z "source $setup"
while zpty -r z line; do
    [[ $line == ready* ]] && break
done
rm -f $setup
zpty -w -n z "$2"$'\t'
between=0
while zpty -r z line; do
    if [[ $line == *$'\0'* ]]; then
        (( between )) && break
        between=1
    elif (( between )); then
        print -r -- ${line//[$'\r\n']/}
    fi
done
