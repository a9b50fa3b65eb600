# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_mqttws_global_optspecs
    string join \n help version
end

function __fish_mqttws_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_mqttws_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_mqttws_using_subcommand
    set -l cmd (__fish_mqttws_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c mqttws -n "__fish_mqttws_needs_command" -l help -d 'Print help'
complete -c mqttws -n "__fish_mqttws_needs_command" -l version -d 'Print the version'
complete -c mqttws -n "__fish_mqttws_needs_command" -f -a "pub" -d 'Publish messages: one, a file, or a stream of lines or records'
complete -c mqttws -n "__fish_mqttws_needs_command" -f -a "sub" -d 'Subscribe, and write the messages that come to stdout'
complete -c mqttws -n "__fish_mqttws_needs_command" -f -a "ping" -d 'Measure how fast a broker answers, and each step of the way to it'
complete -c mqttws -n "__fish_mqttws_needs_command" -f -a "check" -d 'Say point by point whether a server, and the proxies before it, is interoperable over WebSockets, and what to change'
complete -c mqttws -n "__fish_mqttws_needs_command" -f -a "serve" -d 'Run a local broker, alone or for the time of one command'
complete -c mqttws -n "__fish_mqttws_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s L -l url -d 'The same as URL' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s h -l host -d 'Host to connect to [default: localhost]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s p -l port -d 'Port to connect to; 443 means wss [default: 80, with TLS 443, without a host 8080]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l path -d 'Path of the WebSocket endpoint [default: /mqtt]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s A -l bind -d 'Connect from this local address' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l resolve -d 'Use these addresses for this host and port instead of looking the name up; `*` is any host (repeatable)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l unix -d 'Connect to this Unix socket, whatever the host, the port and the proxy' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l proxy -d 'Connect through this proxy; an empty value means none' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l no-proxy -d 'Hosts that are reached without a proxy, separated by commas [default: `$no_proxy` or `$NO_PROXY`]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l subprotocol -d 'WebSocket subprotocols to offer, separated by commas, or `none` [default: mqtt, then mqttv3.1]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s H -l header -d 'Send this header with the upgrade; `Name: @FILE` reads the value from a file (repeatable)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l origin -d 'Send this Origin header' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l user-agent -d 'Send this User-Agent header' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l basic-auth -d 'Authenticate the upgrade with user name and password; `@FILE` reads them from a file' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l bearer -d 'Authenticate the upgrade with this token; `@FILE` reads it from a file' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l max-message-size -d 'The largest WebSocket message and MQTT packet to accept; K, M and G count in 1024 [default: 256M and a header]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l cafile -d 'Trust the certificate authorities of this PEM file instead of the built-in ones (repeatable)' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l capath -d 'Trust the certificate authorities of all PEM files in this folder instead of the built-in ones' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l pin-sha256 -d 'Trust exactly the certificate with this SHA-256, whatever its name, age or issuer (repeatable)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l cert -d 'Show this certificate (PEM) to a server that asks for one' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l key -d 'The private key (PEM) of the certificate [default: in the file of --cert]' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l key-password-file -d 'The password of an encrypted private key is the first line of this file' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l sni -d 'Name to send to the server and to find in its certificate [default: the host]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l tls-alpn -d 'Application protocols to offer (ALPN), separated by commas [default: none]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l tls-version -d 'Speak only this version of TLS: 1.2 or 1.3 [default: the newer one that the server speaks]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l tls-keylog -d 'Append the secrets of the connection to this file, for Wireshark [default: `$SSLKEYLOGFILE`]' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l ciphers -d 'Cipher suites' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l psk -d 'A pre-shared key' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l psk-identity -d 'Whose pre-shared key it is' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l tls-engine -d 'An engine of OpenSSL' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l tls-engine-kpass-sha1 -d 'The password of that engine\'s key' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l keyform -d 'Whether the key is in a file or in an engine' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l dhparam -d 'Parameters of a key exchange' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l connect-timeout -d 'Time limit for connecting, from name look-up to CONNACK, and for the answer to a SUBSCRIBE' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l wait -d 'Keep trying to make the first connection for this time' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l reconnect-delay -d 'Shortest and longest delay before reconnecting' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l reconnect-tries -d 'Give up after this many attempts to reconnect [default: never]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s u -l username -d 'User name [default: that of the URL, or `$MQTTWS_USERNAME`]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s P -l pw -d 'Password [default: that of the URL, or `$MQTTWS_PASSWORD`]; others can see it on the command line' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l password-file -d 'Read the password from a file; one line end after it is not part of it' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l auth-method -d 'Method of enhanced authentication: SCRAM-SHA-256 with -u and a password, or one with a single step (MQTT 5)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l auth-data -d 'Authentication data of a method with a single step' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l auth-data-file -d 'Read the authentication data from a file, byte for byte' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s V -l protocol-version -d 'MQTT version: 5, 311 or 31 [default: the newest that the broker takes]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s i -l id -d 'Client id [default: mqttws and random characters]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s I -l id-prefix -d 'Begin the generated client id with this' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s k -l keepalive -d 'Keep alive; 0 turns it off' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s M -l max-inflight -d 'Largest number of QoS 1 and 2 messages in flight [default: what the broker allows; before MQTT 5 1000, and 20 of QoS 2]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l will-topic -d 'Topic of the will: a message that the broker publishes when we disconnect uncleanly' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l will-payload -d 'Payload of the will [default: empty]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l will-file -d 'The payload of the will is the content of this file' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l will-qos -d 'QoS of the will' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l will-delay -d 'How long the broker waits for us to reconnect before it publishes the will (MQTT 5)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l profile -d 'Also read the flags of this profile, a table of the configuration file [default: `$MQTTWS_PROFILE`]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l config -d 'Configuration file [default: `$XDG_CONFIG_HOME/mqttws/config.toml`]' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s x -l session-expiry-interval -d 'How long the broker keeps the session after we disconnect; `never` (needs -i) has no end (MQTT 5) [default: with -c never]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s D -l property -d 'Give a packet a property: connect, will, publish, subscribe, unsubscribe or disconnect; its name, such as content-type; its value (MQTT 5, repeatable)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s e -l response-topic -d 'Response topic, on which the answers arrive [default: a topic for this client alone]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s F -l format -d 'Write each answer in this format, as `sub` does' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l retain-handling -d 'Retained messages are never answers, whenever the broker sends them (MQTT 5)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s t -l topic -d 'Topic to publish to; with --json the topic of records without one' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l topic-prefix -d 'Put this before every topic' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s o -d 'Also read flags from this file: one per line, its value after a blank, as mosquitto does' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s m -l message -d 'Publish this text' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s f -l file -d 'Publish the content of a file as one message' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l delimiter -d 'With -l or --json: each record ends in this character (\\t, \\xHH)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l split -d 'With -l: the topic is the part of the line before the first such character, the message the part after it' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s W -l timeout -d 'Exit with code 27 if not everything was handed over after this time; with --request, if an answer takes longer' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l repeat -d 'Publish the message this many times' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l repeat-delay -d 'Time from one message to the next with --repeat' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l rate -d 'Publish at most this many messages a second' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l replay -d 'With --json: keep the time between the records, or publish this many times as fast' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s q -l qos -d 'Quality of service: 0, 1 or 2; with --json the one of records that name none' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l summary -d 'Print at the end how much was published, and how fast it was acknowledged, on stderr' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s 4 -l ipv4 -d 'Connect to IPv4 addresses only'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s 6 -l ipv6 -d 'Connect to IPv6 addresses only'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l follow -d 'Follow up to 5 redirects, never from wss to ws; nothing that identifies you goes to another host'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l strict -d 'Refuse what is otherwise taken with a warning: odd answers to the upgrade, and broken rules of MQTT that do no harm'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l frame-per-packet -d 'Send each MQTT packet as a WebSocket message of its own'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l system-roots -d 'Trust the authorities that the operating system trusts (or those in `$SSL_CERT_FILE`)'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l insecure -d 'Do not verify the server\'s certificate: anyone on the network path can read and change everything'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l no-reconnect -d 'Do not reconnect when the connection is lost'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l ask-password -d 'Ask for the password on the terminal'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l allow-control-characters -d 'Take control characters in topics; many brokers disconnect a client that sends one'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l will-retain -d 'Let the broker retain the will for later subscribers'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l print-config -d 'Print the settings in force and where each came from, with secrets masked; connect to nothing'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s d -l debug -d 'Log each packet on stderr; twice (-dd) also proxy, TLS, the HTTP upgrade and each WebSocket frame'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l quiet -d 'No warnings and no progress'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s c -l disable-clean-session -d 'Keep the session: the broker stores messages while we are disconnected (needs -i)'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l nodelay -d 'Packets are never held back'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l ws -d 'WebSockets are all that we speak'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l request -d 'Wait for the answer to each message and write it to stdout (MQTT 5, or with -e)'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s v -l verbose -d 'Write the topic and a space before each answer'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l pretty -d 'Spread JSON over several lines'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l hex -d 'Write answers as hexadecimal digits'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l base64 -d 'Write answers as base64'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s N -d 'Write no line feed after each answer'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s R -d 'Retained messages are never answers'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l retain-as-published -d 'Keep the retain flag of answers as it was published (MQTT 5)'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s s -l stdin-file -d 'Publish all of stdin as one message; nothing at all is an error, as with `mosquitto_pub`'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s l -l stdin-line -d 'Publish each line of stdin as a message'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s n -l null-message -d 'Publish an empty message'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l json -d 'Publish each line of stdin as the message that it describes, as `sub --json` writes it; with --request also write the answers so (or only them, together with -m, -f, -s, -l or -n)'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s 0 -l null -d 'With -l or --json: each record ends in NUL, not in a line feed'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l strict-input -d 'Stop at the first invalid record; without this flag it is skipped'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -s r -l retain -d 'Ask the broker to retain the message for later subscribers'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l topic-alias -d 'Send the topic once and then an alias for it, as far as the broker allows (MQTT 5)'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l latency -d 'Send the time with each message, as user property `time`, for `sub --latency` (MQTT 5); with --request print at the end how long the answers took'
complete -c mqttws -n "__fish_mqttws_using_subcommand pub" -l help -d 'Print help'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s L -l url -d 'The same as URL' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s h -l host -d 'Host to connect to [default: localhost]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s p -l port -d 'Port to connect to; 443 means wss [default: 80, with TLS 443, without a host 8080]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l path -d 'Path of the WebSocket endpoint [default: /mqtt]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s A -l bind -d 'Connect from this local address' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l resolve -d 'Use these addresses for this host and port instead of looking the name up; `*` is any host (repeatable)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l unix -d 'Connect to this Unix socket, whatever the host, the port and the proxy' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l proxy -d 'Connect through this proxy; an empty value means none' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l no-proxy -d 'Hosts that are reached without a proxy, separated by commas [default: `$no_proxy` or `$NO_PROXY`]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l subprotocol -d 'WebSocket subprotocols to offer, separated by commas, or `none` [default: mqtt, then mqttv3.1]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s H -l header -d 'Send this header with the upgrade; `Name: @FILE` reads the value from a file (repeatable)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l origin -d 'Send this Origin header' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l user-agent -d 'Send this User-Agent header' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l basic-auth -d 'Authenticate the upgrade with user name and password; `@FILE` reads them from a file' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l bearer -d 'Authenticate the upgrade with this token; `@FILE` reads it from a file' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l max-message-size -d 'The largest WebSocket message and MQTT packet to accept; K, M and G count in 1024 [default: 256M and a header]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l cafile -d 'Trust the certificate authorities of this PEM file instead of the built-in ones (repeatable)' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l capath -d 'Trust the certificate authorities of all PEM files in this folder instead of the built-in ones' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l pin-sha256 -d 'Trust exactly the certificate with this SHA-256, whatever its name, age or issuer (repeatable)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l cert -d 'Show this certificate (PEM) to a server that asks for one' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l key -d 'The private key (PEM) of the certificate [default: in the file of --cert]' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l key-password-file -d 'The password of an encrypted private key is the first line of this file' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l sni -d 'Name to send to the server and to find in its certificate [default: the host]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l tls-alpn -d 'Application protocols to offer (ALPN), separated by commas [default: none]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l tls-version -d 'Speak only this version of TLS: 1.2 or 1.3 [default: the newer one that the server speaks]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l tls-keylog -d 'Append the secrets of the connection to this file, for Wireshark [default: `$SSLKEYLOGFILE`]' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l ciphers -d 'Cipher suites' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l psk -d 'A pre-shared key' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l psk-identity -d 'Whose pre-shared key it is' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l tls-engine -d 'An engine of OpenSSL' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l tls-engine-kpass-sha1 -d 'The password of that engine\'s key' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l keyform -d 'Whether the key is in a file or in an engine' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l dhparam -d 'Parameters of a key exchange' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l connect-timeout -d 'Time limit for connecting, from name look-up to CONNACK, and for the answer to a SUBSCRIBE' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l wait -d 'Keep trying to make the first connection for this time' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l reconnect-delay -d 'Shortest and longest delay before reconnecting' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l reconnect-tries -d 'Give up after this many attempts to reconnect [default: never]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s u -l username -d 'User name [default: that of the URL, or `$MQTTWS_USERNAME`]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s P -l pw -d 'Password [default: that of the URL, or `$MQTTWS_PASSWORD`]; others can see it on the command line' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l password-file -d 'Read the password from a file; one line end after it is not part of it' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l auth-method -d 'Method of enhanced authentication: SCRAM-SHA-256 with -u and a password, or one with a single step (MQTT 5)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l auth-data -d 'Authentication data of a method with a single step' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l auth-data-file -d 'Read the authentication data from a file, byte for byte' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s V -l protocol-version -d 'MQTT version: 5, 311 or 31 [default: the newest that the broker takes]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s i -l id -d 'Client id [default: mqttws and random characters]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s I -l id-prefix -d 'Begin the generated client id with this' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s k -l keepalive -d 'Keep alive; 0 turns it off' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s M -l max-inflight -d 'Largest number of QoS 1 and 2 messages in flight [default: what the broker allows; before MQTT 5 1000, and 20 of QoS 2]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l will-topic -d 'Topic of the will: a message that the broker publishes when we disconnect uncleanly' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l will-payload -d 'Payload of the will [default: empty]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l will-file -d 'The payload of the will is the content of this file' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l will-qos -d 'QoS of the will' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l will-delay -d 'How long the broker waits for us to reconnect before it publishes the will (MQTT 5)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l profile -d 'Also read the flags of this profile, a table of the configuration file [default: `$MQTTWS_PROFILE`]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l config -d 'Configuration file [default: `$XDG_CONFIG_HOME/mqttws/config.toml`]' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s x -l session-expiry-interval -d 'How long the broker keeps the session after we disconnect; `never` (needs -i) has no end (MQTT 5) [default: with -c never]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s D -l property -d 'Give a packet a property: connect, will, publish, subscribe, unsubscribe or disconnect; its name, such as content-type; its value (MQTT 5, repeatable)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s t -l topic -d 'Topic filter to subscribe to; + and # are wildcards (repeatable)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s T -l filter-out -d 'Leave out messages whose topic matches this filter (repeatable)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s U -l unsubscribe -d 'Unsubscribe from this filter, in the session of an earlier run (repeatable)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s q -l qos -d 'Highest quality of service to receive: 0, 1 or 2' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s C -l count -d 'Exit after this many messages' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s W -l timeout -d 'Exit with code 27 after this time, unless the messages of -C came before; --for exits with 0' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l for -d 'Exit with code 0 this long after the broker has answered the subscriptions' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l idle -d 'Exit after this time without a message, with exit code 0' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l random-filter -d 'Write a message only with this probability, in percent; with -C only written ones count' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l retain-handling -d 'Retained messages: always, only for a new subscription, or never (MQTT 5) [default: always]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l share -d 'Share the subscriptions with the other members of this group: each message goes to one of them' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s F -l format -d 'Write each message in this format; see FORMATS in the manual' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l json -d 'Write each message as a line of JSON; with =parse also the payload as JSON, where it is' -r -f -a "text\t'Text, or base64'
parse\t'And JSON, where they are'"
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s o -l output-dir -d 'Write each message to a file of its own in this folder, named by its topic and a number; if it is a file, read flags from it: one per line, its value after a blank, as mosquitto does' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l exec -d 'Run this command for each message, with its payload on stdin and `$MQTT_TOPIC`, `$MQTT_QOS`... set' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l jobs -d 'Run up to this many commands at once; messages are still acknowledged in order' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l color -d 'Colour topics: auto (on a terminal, unless `$NO_COLOR` is set), always or never' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l summary -d 'Print at the end how much was received, on stderr' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s 4 -l ipv4 -d 'Connect to IPv4 addresses only'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s 6 -l ipv6 -d 'Connect to IPv6 addresses only'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l follow -d 'Follow up to 5 redirects, never from wss to ws; nothing that identifies you goes to another host'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l strict -d 'Refuse what is otherwise taken with a warning: odd answers to the upgrade, and broken rules of MQTT that do no harm'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l frame-per-packet -d 'Send each MQTT packet as a WebSocket message of its own'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l system-roots -d 'Trust the authorities that the operating system trusts (or those in `$SSL_CERT_FILE`)'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l insecure -d 'Do not verify the server\'s certificate: anyone on the network path can read and change everything'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l no-reconnect -d 'Do not reconnect when the connection is lost'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l ask-password -d 'Ask for the password on the terminal'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l allow-control-characters -d 'Take control characters in topics; many brokers disconnect a client that sends one'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l will-retain -d 'Let the broker retain the will for later subscribers'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l print-config -d 'Print the settings in force and where each came from, with secrets masked; connect to nothing'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s d -l debug -d 'Log each packet on stderr; twice (-dd) also proxy, TLS, the HTTP upgrade and each WebSocket frame'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l quiet -d 'No warnings and no progress'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s c -l disable-clean-session -d 'Keep the session: the broker stores messages while we are disconnected (needs -i)'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l nodelay -d 'Packets are never held back'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l ws -d 'WebSockets are all that we speak'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s E -l exit-after-subscribe -d 'Exit as soon as the broker has answered the subscriptions'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s R -d 'Leave out retained messages'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l retained-only -d 'Take only retained messages, and exit when the first other one comes'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l remove-retained -d 'Remove each retained message from the broker after it was written; those that -T leaves out stay'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l retain-as-published -d 'Keep the retain flag as it was published (MQTT 5)'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l no-local -d 'Do not receive messages that this connection itself publishes (MQTT 5)'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s v -l verbose -d 'Write the topic and a space before each payload'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l pretty -d 'Spread JSON over several lines'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l hex -d 'Write payloads as hexadecimal digits'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l base64 -d 'Write payloads as base64'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s N -d 'Write no line feed after each message'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s 0 -l null -d 'Write NUL instead of a line feed after each message'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l keep-going -d 'Go on after a command has failed; its message is acknowledged, and the exit code at the end is 1'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l reply -d 'Publish what the command writes to stdout to the response topic of its message, with the same correlation data (MQTT 5)'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -s w -l watch -d 'Draw one line per topic and keep it up to date; needs a terminal'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l latency -d 'Print at the end how long messages took from `pub --latency`, on stderr (MQTT 5)'
complete -c mqttws -n "__fish_mqttws_using_subcommand sub" -l help -d 'Print help'
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -s L -l url -d 'The same as URL' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -s h -l host -d 'Host to connect to [default: localhost]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -s p -l port -d 'Port to connect to; 443 means wss [default: 80, with TLS 443, without a host 8080]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l path -d 'Path of the WebSocket endpoint [default: /mqtt]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -s A -l bind -d 'Connect from this local address' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l resolve -d 'Use these addresses for this host and port instead of looking the name up; `*` is any host (repeatable)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l unix -d 'Connect to this Unix socket, whatever the host, the port and the proxy' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l proxy -d 'Connect through this proxy; an empty value means none' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l no-proxy -d 'Hosts that are reached without a proxy, separated by commas [default: `$no_proxy` or `$NO_PROXY`]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l subprotocol -d 'WebSocket subprotocols to offer, separated by commas, or `none` [default: mqtt, then mqttv3.1]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -s H -l header -d 'Send this header with the upgrade; `Name: @FILE` reads the value from a file (repeatable)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l origin -d 'Send this Origin header' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l user-agent -d 'Send this User-Agent header' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l basic-auth -d 'Authenticate the upgrade with user name and password; `@FILE` reads them from a file' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l bearer -d 'Authenticate the upgrade with this token; `@FILE` reads it from a file' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l max-message-size -d 'The largest WebSocket message and MQTT packet to accept; K, M and G count in 1024 [default: 256M and a header]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l cafile -d 'Trust the certificate authorities of this PEM file instead of the built-in ones (repeatable)' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l capath -d 'Trust the certificate authorities of all PEM files in this folder instead of the built-in ones' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l pin-sha256 -d 'Trust exactly the certificate with this SHA-256, whatever its name, age or issuer (repeatable)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l cert -d 'Show this certificate (PEM) to a server that asks for one' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l key -d 'The private key (PEM) of the certificate [default: in the file of --cert]' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l key-password-file -d 'The password of an encrypted private key is the first line of this file' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l sni -d 'Name to send to the server and to find in its certificate [default: the host]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l tls-alpn -d 'Application protocols to offer (ALPN), separated by commas [default: none]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l tls-version -d 'Speak only this version of TLS: 1.2 or 1.3 [default: the newer one that the server speaks]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l tls-keylog -d 'Append the secrets of the connection to this file, for Wireshark [default: `$SSLKEYLOGFILE`]' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l ciphers -d 'Cipher suites' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l psk -d 'A pre-shared key' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l psk-identity -d 'Whose pre-shared key it is' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l tls-engine -d 'An engine of OpenSSL' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l tls-engine-kpass-sha1 -d 'The password of that engine\'s key' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l keyform -d 'Whether the key is in a file or in an engine' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l dhparam -d 'Parameters of a key exchange' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l connect-timeout -d 'Time limit for connecting, from name look-up to CONNACK, and for the answer to a SUBSCRIBE' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l wait -d 'Keep trying to make the first connection for this time' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l reconnect-delay -d 'Shortest and longest delay before reconnecting' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l reconnect-tries -d 'Give up after this many attempts to reconnect [default: never]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -s u -l username -d 'User name [default: that of the URL, or `$MQTTWS_USERNAME`]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -s P -l pw -d 'Password [default: that of the URL, or `$MQTTWS_PASSWORD`]; others can see it on the command line' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l password-file -d 'Read the password from a file; one line end after it is not part of it' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l auth-method -d 'Method of enhanced authentication: SCRAM-SHA-256 with -u and a password, or one with a single step (MQTT 5)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l auth-data -d 'Authentication data of a method with a single step' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l auth-data-file -d 'Read the authentication data from a file, byte for byte' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -s V -l protocol-version -d 'MQTT version: 5, 311 or 31 [default: the newest that the broker takes]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -s i -l id -d 'Client id [default: mqttws and random characters]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -s I -l id-prefix -d 'Begin the generated client id with this' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -s k -l keepalive -d 'Keep alive; 0 turns it off' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -s M -l max-inflight -d 'Largest number of QoS 1 and 2 messages in flight [default: what the broker allows; before MQTT 5 1000, and 20 of QoS 2]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l will-topic -d 'Topic of the will: a message that the broker publishes when we disconnect uncleanly' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l will-payload -d 'Payload of the will [default: empty]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l will-file -d 'The payload of the will is the content of this file' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l will-qos -d 'QoS of the will' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l will-delay -d 'How long the broker waits for us to reconnect before it publishes the will (MQTT 5)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l profile -d 'Also read the flags of this profile, a table of the configuration file [default: `$MQTTWS_PROFILE`]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l config -d 'Configuration file [default: `$XDG_CONFIG_HOME/mqttws/config.toml`]' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -s c -l count -d 'Exit after this many probes, or, with `-w`, answers [default: when interrupted; 5 with --warn, --crit or --format]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l interval -d 'Time from one probe to the next' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -s w -l deadline -d 'Exit after this time, from the start of the program on, whatever was answered' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l via -d 'Kind of probe: a PINGREQ, a WebSocket Ping, or a message to a topic for this client alone and back' -r -f -a "mqtt\t'PINGREQ and PINGRESP'
websocket\t'A Ping and a Pong of the WebSocket'
publish\t'A message through the broker and back'"
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -s q -l qos -d 'QoS of `--via publish`' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l size -d 'Size of the message of `--via publish`, in bytes' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -s W -l timeout -d 'Time limit for each answer' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l summary -d 'Print the summary on stderr, too, at the end' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l warn -d 'Print one line, as a monitoring plugin, and exit with 1 if it takes longer than this' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l crit -d 'The same with exit code 2' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l on -d 'What is compared with --warn and --crit: min, avg, max, or a percentile [default: p99]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l format -d 'Print at the end the line of a monitoring plugin, or metrics, and nothing else' -r -f -a "nagios\t'The line of a monitoring plugin'
prometheus\t'Metrics in the text format of Prometheus'"
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -s D -l property -d 'Give a packet a property: connect, will, publish, subscribe, unsubscribe or disconnect; its name, such as content-type; its value (MQTT 5, repeatable)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -s 4 -l ipv4 -d 'Connect to IPv4 addresses only'
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -s 6 -l ipv6 -d 'Connect to IPv6 addresses only'
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l follow -d 'Follow up to 5 redirects, never from wss to ws; nothing that identifies you goes to another host'
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l strict -d 'Refuse what is otherwise taken with a warning: odd answers to the upgrade, and broken rules of MQTT that do no harm'
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l frame-per-packet -d 'Send each MQTT packet as a WebSocket message of its own'
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l system-roots -d 'Trust the authorities that the operating system trusts (or those in `$SSL_CERT_FILE`)'
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l insecure -d 'Do not verify the server\'s certificate: anyone on the network path can read and change everything'
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l no-reconnect -d 'Do not reconnect when the connection is lost'
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l ask-password -d 'Ask for the password on the terminal'
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l allow-control-characters -d 'Take control characters in topics; many brokers disconnect a client that sends one'
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l will-retain -d 'Let the broker retain the will for later subscribers'
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l print-config -d 'Print the settings in force and where each came from, with secrets masked; connect to nothing'
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -s d -l debug -d 'Log each packet on stderr; twice (-dd) also proxy, TLS, the HTTP upgrade and each WebSocket frame'
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l quiet -d 'No warnings and no progress'
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l flood -d 'Send each probe as soon as the one before is answered; a terminal shows a dot for each that is not'
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l json -d 'Print an object for each probe and one for the summary'
complete -c mqttws -n "__fish_mqttws_using_subcommand ping" -l help -d 'Print help'
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -s L -l url -d 'The same as URL' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -s h -l host -d 'Host to connect to [default: localhost]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -s p -l port -d 'Port to connect to; 443 means wss [default: 80, with TLS 443, without a host 8080]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l path -d 'Path of the WebSocket endpoint [default: /mqtt]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -s A -l bind -d 'Connect from this local address' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l resolve -d 'Use these addresses for this host and port instead of looking the name up; `*` is any host (repeatable)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l unix -d 'Connect to this Unix socket, whatever the host, the port and the proxy' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l proxy -d 'Connect through this proxy; an empty value means none' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l no-proxy -d 'Hosts that are reached without a proxy, separated by commas [default: `$no_proxy` or `$NO_PROXY`]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -s H -l header -d 'Send this header with the upgrade; `Name: @FILE` reads the value from a file (repeatable)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l origin -d 'Send this Origin header' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l user-agent -d 'Send this User-Agent header' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l basic-auth -d 'Authenticate the upgrade with user name and password; `@FILE` reads them from a file' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l bearer -d 'Authenticate the upgrade with this token; `@FILE` reads it from a file' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l max-message-size -d 'The largest WebSocket message and MQTT packet to accept; K, M and G count in 1024 [default: 256M and a header]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l cafile -d 'Trust the certificate authorities of this PEM file instead of the built-in ones (repeatable)' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l capath -d 'Trust the certificate authorities of all PEM files in this folder instead of the built-in ones' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l pin-sha256 -d 'Trust exactly the certificate with this SHA-256, whatever its name, age or issuer (repeatable)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l cert -d 'Show this certificate (PEM) to a server that asks for one' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l key -d 'The private key (PEM) of the certificate [default: in the file of --cert]' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l key-password-file -d 'The password of an encrypted private key is the first line of this file' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l sni -d 'Name to send to the server and to find in its certificate [default: the host]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l tls-alpn -d 'Application protocols to offer (ALPN), separated by commas [default: none]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l tls-version -d 'Speak only this version of TLS: 1.2 or 1.3 [default: the newer one that the server speaks]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l tls-keylog -d 'Append the secrets of the connection to this file, for Wireshark [default: `$SSLKEYLOGFILE`]' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l ciphers -d 'Cipher suites' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l psk -d 'A pre-shared key' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l psk-identity -d 'Whose pre-shared key it is' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l tls-engine -d 'An engine of OpenSSL' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l tls-engine-kpass-sha1 -d 'The password of that engine\'s key' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l keyform -d 'Whether the key is in a file or in an engine' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l dhparam -d 'Parameters of a key exchange' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l connect-timeout -d 'Time limit for connecting, from name look-up to CONNACK, and for the answer to a SUBSCRIBE' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -s u -l username -d 'User name [default: that of the URL, or `$MQTTWS_USERNAME`]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -s P -l pw -d 'Password [default: that of the URL, or `$MQTTWS_PASSWORD`]; others can see it on the command line' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l password-file -d 'Read the password from a file; one line end after it is not part of it' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l auth-method -d 'Method of enhanced authentication: SCRAM-SHA-256 with -u and a password, or one with a single step (MQTT 5)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l auth-data -d 'Authentication data of a method with a single step' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l auth-data-file -d 'Read the authentication data from a file, byte for byte' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -s i -l id -d 'Client id [default: mqttws and random characters]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -s I -l id-prefix -d 'Begin the generated client id with this' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l will-file -d 'The payload of the will is the content of this file' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l profile -d 'Also read the flags of this profile, a table of the configuration file [default: `$MQTTWS_PROFILE`]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l config -d 'Configuration file [default: `$XDG_CONFIG_HOME/mqttws/config.toml`]' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l only -d 'Ask only these points: names, groups or marks (F1 to F4, O1 to O4), separated by commas, `*` for any characters (repeatable)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l skip -d 'Do not ask these points (repeatable)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l shuffle -d 'Ask the points in a random order, which this number makes the same each time: for the tests' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -s V -l versions -d 'MQTT versions to check, separated by commas: 5, 311, 31 [default: all that the server takes]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l topic-prefix -d 'What every topic begins with' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l pause -d 'Time between two connections' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l timeout -d 'Time limit for a point, beside its own length' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l idle-time -d 'How long idle-survives is silent' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l json -d 'Print a JSON object instead of the text, or write it into this file' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l junit -d 'Write JUnit XML into this file' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l baseline -d 'A former report of `--json`: what failed there is known and does not count' -r -F
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l protocol-version -d 'MQTT version: 5, 311 or 31 [default: the newest that the broker takes]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l subprotocol -d 'WebSocket subprotocols to offer, separated by commas, or `none` [default: mqtt, then mqttv3.1]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -s k -l keepalive -d 'Keep alive; 0 turns it off' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -s M -l max-inflight -d 'Largest number of QoS 1 and 2 messages in flight [default: what the broker allows; before MQTT 5 1000, and 20 of QoS 2]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l will-topic -d 'Topic of the will: a message that the broker publishes when we disconnect uncleanly' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l will-payload -d 'Payload of the will [default: empty]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l will-qos -d 'QoS of the will' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l will-delay -d 'How long the broker waits for us to reconnect before it publishes the will (MQTT 5)' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l reconnect-delay -d 'Shortest and longest delay before reconnecting' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l reconnect-tries -d 'Give up after this many attempts to reconnect [default: never]' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l wait -d 'Keep trying to make the first connection for this time' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -s 4 -l ipv4 -d 'Connect to IPv4 addresses only'
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -s 6 -l ipv6 -d 'Connect to IPv6 addresses only'
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l follow -d 'Follow up to 5 redirects, never from wss to ws; nothing that identifies you goes to another host'
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l system-roots -d 'Trust the authorities that the operating system trusts (or those in `$SSL_CERT_FILE`)'
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l insecure -d 'Do not verify the server\'s certificate: anyone on the network path can read and change everything'
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l ask-password -d 'Ask for the password on the terminal'
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l allow-control-characters -d 'Take control characters in topics; many brokers disconnect a client that sends one'
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l print-config -d 'Print the settings in force and where each came from, with secrets masked; connect to nothing'
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -s d -l debug -d 'Log each packet on stderr; twice (-dd) also proxy, TLS, the HTTP upgrade and each WebSocket frame'
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l quiet -d 'No warnings and no progress'
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l full -d 'Ask all points: broken bytes, second connections, retained messages, sessions, load and long waits, too; about 3 minutes'
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l allow-remote -d 'Allow the points of `--full` beyond this machine and private networks: they can bring a faulty server down'
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l list -d 'List all points and connect to nothing; with `--json` as an array'
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l tap -d 'Print TAP (version 14) instead of the text'
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -s v -l verbose -d 'Show the points that hold, too, and the evidence of all'
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l strict -d 'Refuse what is otherwise taken with a warning: odd answers to the upgrade, and broken rules of MQTT that do no harm'
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l frame-per-packet -d 'Send each MQTT packet as a WebSocket message of its own'
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l will-retain -d 'Let the broker retain the will for later subscribers'
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l no-reconnect -d 'Do not reconnect when the connection is lost'
complete -c mqttws -n "__fish_mqttws_using_subcommand check" -l help -d 'Print help'
complete -c mqttws -n "__fish_mqttws_using_subcommand serve" -s h -l host -d 'Address to listen on, of this machine only' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand serve" -s p -l port -d 'Port to listen on; 0 picks a free one' -r
complete -c mqttws -n "__fish_mqttws_using_subcommand serve" -s d -l debug -d 'Log what happens on stderr'
complete -c mqttws -n "__fish_mqttws_using_subcommand serve" -l help -d 'Print help'
complete -c mqttws -n "__fish_mqttws_using_subcommand help; and not __fish_seen_subcommand_from pub sub ping check serve help" -f -a "pub" -d 'Publish messages: one, a file, or a stream of lines or records'
complete -c mqttws -n "__fish_mqttws_using_subcommand help; and not __fish_seen_subcommand_from pub sub ping check serve help" -f -a "sub" -d 'Subscribe, and write the messages that come to stdout'
complete -c mqttws -n "__fish_mqttws_using_subcommand help; and not __fish_seen_subcommand_from pub sub ping check serve help" -f -a "ping" -d 'Measure how fast a broker answers, and each step of the way to it'
complete -c mqttws -n "__fish_mqttws_using_subcommand help; and not __fish_seen_subcommand_from pub sub ping check serve help" -f -a "check" -d 'Say point by point whether a server, and the proxies before it, is interoperable over WebSockets, and what to change'
complete -c mqttws -n "__fish_mqttws_using_subcommand help; and not __fish_seen_subcommand_from pub sub ping check serve help" -f -a "serve" -d 'Run a local broker, alone or for the time of one command'
complete -c mqttws -n "__fish_mqttws_using_subcommand help; and not __fish_seen_subcommand_from pub sub ping check serve help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
