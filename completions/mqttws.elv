
use builtin;
use str;

set edit:completion:arg-completer[mqttws] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'mqttws'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'mqttws'= {
            cand --help 'Print help'
            cand --version 'Print the version'
            cand pub 'Publish messages: one, a file, or a stream of lines'
            cand sub 'Subscribe, and write the messages that come to stdout'
            cand ping 'Measure how fast a broker answers, and each step of the way to it'
            cand serve 'Run a local broker, alone or for the time of one command'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'mqttws;pub'= {
            cand -L 'The same as URL'
            cand --url 'The same as URL'
            cand -h 'Host to connect to [default: localhost]'
            cand --host 'Host to connect to [default: localhost]'
            cand -p 'Port to connect to; 443 means wss [default: 80, with TLS 443, without a host 8080]'
            cand --port 'Port to connect to; 443 means wss [default: 80, with TLS 443, without a host 8080]'
            cand --path 'Path of the WebSocket endpoint [default: /mqtt]'
            cand --subprotocol 'WebSocket subprotocols to offer, separated by commas, or `none` [default: mqtt, then mqttv3.1]'
            cand --cafile 'Trust the certificate authorities of this PEM file instead of the built-in ones (repeatable)'
            cand --connect-timeout 'Time for everything from name look-up to CONNACK'
            cand -V 'MQTT version: 5, 311 or 31 [default: the newest that the broker takes]'
            cand --protocol-version 'MQTT version: 5, 311 or 31 [default: the newest that the broker takes]'
            cand -i 'Client id [default: mqttws and random characters]'
            cand --id 'Client id [default: mqttws and random characters]'
            cand -u 'User name'
            cand --username 'User name'
            cand -P 'Password; other users of this machine can see it on the command line'
            cand --pw 'Password; other users of this machine can see it on the command line'
            cand -k 'Keep alive in seconds; 0 turns it off'
            cand --keepalive 'Keep alive in seconds; 0 turns it off'
            cand -t 'Topic to publish to'
            cand --topic 'Topic to publish to'
            cand -m 'Publish this text'
            cand --message 'Publish this text'
            cand -f 'Publish the content of a file as one message'
            cand --file 'Publish the content of a file as one message'
            cand -q 'Quality of service: 0, 1 or 2'
            cand --qos 'Quality of service: 0, 1 or 2'
            cand --insecure 'Do not verify the server''s certificate: anyone on the way can read and change everything'
            cand -d 'Log each packet on stderr'
            cand --debug 'Log each packet on stderr'
            cand --quiet 'No warnings and no progress'
            cand -c 'Keep the session: the broker stores what comes while we are away (needs -i)'
            cand --disable-clean-session 'Keep the session: the broker stores what comes while we are away (needs -i)'
            cand -s 'Publish all of stdin as one message'
            cand --stdin-file 'Publish all of stdin as one message'
            cand -l 'Publish each line of stdin as a message'
            cand --stdin-line 'Publish each line of stdin as a message'
            cand -n 'Publish an empty message'
            cand --null-message 'Publish an empty message'
            cand -r 'Ask the broker to keep the message for later subscribers'
            cand --retain 'Ask the broker to keep the message for later subscribers'
            cand --help 'Print help'
        }
        &'mqttws;sub'= {
            cand -L 'The same as URL'
            cand --url 'The same as URL'
            cand -h 'Host to connect to [default: localhost]'
            cand --host 'Host to connect to [default: localhost]'
            cand -p 'Port to connect to; 443 means wss [default: 80, with TLS 443, without a host 8080]'
            cand --port 'Port to connect to; 443 means wss [default: 80, with TLS 443, without a host 8080]'
            cand --path 'Path of the WebSocket endpoint [default: /mqtt]'
            cand --subprotocol 'WebSocket subprotocols to offer, separated by commas, or `none` [default: mqtt, then mqttv3.1]'
            cand --cafile 'Trust the certificate authorities of this PEM file instead of the built-in ones (repeatable)'
            cand --connect-timeout 'Time for everything from name look-up to CONNACK'
            cand -V 'MQTT version: 5, 311 or 31 [default: the newest that the broker takes]'
            cand --protocol-version 'MQTT version: 5, 311 or 31 [default: the newest that the broker takes]'
            cand -i 'Client id [default: mqttws and random characters]'
            cand --id 'Client id [default: mqttws and random characters]'
            cand -u 'User name'
            cand --username 'User name'
            cand -P 'Password; other users of this machine can see it on the command line'
            cand --pw 'Password; other users of this machine can see it on the command line'
            cand -k 'Keep alive in seconds; 0 turns it off'
            cand --keepalive 'Keep alive in seconds; 0 turns it off'
            cand -t 'Topic filter to subscribe to; + and # are wildcards (repeatable)'
            cand --topic 'Topic filter to subscribe to; + and # are wildcards (repeatable)'
            cand -q 'Highest quality of service to receive: 0, 1 or 2'
            cand --qos 'Highest quality of service to receive: 0, 1 or 2'
            cand -C 'Leave after so many messages'
            cand --count 'Leave after so many messages'
            cand -W 'Leave after so long, with exit code 27 if -C was not met'
            cand --timeout 'Leave after so long, with exit code 27 if -C was not met'
            cand --insecure 'Do not verify the server''s certificate: anyone on the way can read and change everything'
            cand -d 'Log each packet on stderr'
            cand --debug 'Log each packet on stderr'
            cand --quiet 'No warnings and no progress'
            cand -c 'Keep the session: the broker stores what comes while we are away (needs -i)'
            cand --disable-clean-session 'Keep the session: the broker stores what comes while we are away (needs -i)'
            cand -v 'Write the topic and a space before each payload'
            cand --verbose 'Write the topic and a space before each payload'
            cand -N 'Write no line feed behind each payload'
            cand --help 'Print help'
        }
        &'mqttws;ping'= {
            cand -L 'The same as URL'
            cand --url 'The same as URL'
            cand -h 'Host to connect to [default: localhost]'
            cand --host 'Host to connect to [default: localhost]'
            cand -p 'Port to connect to; 443 means wss [default: 80, with TLS 443, without a host 8080]'
            cand --port 'Port to connect to; 443 means wss [default: 80, with TLS 443, without a host 8080]'
            cand --path 'Path of the WebSocket endpoint [default: /mqtt]'
            cand --subprotocol 'WebSocket subprotocols to offer, separated by commas, or `none` [default: mqtt, then mqttv3.1]'
            cand --cafile 'Trust the certificate authorities of this PEM file instead of the built-in ones (repeatable)'
            cand --connect-timeout 'Time for everything from name look-up to CONNACK'
            cand -V 'MQTT version: 5, 311 or 31 [default: the newest that the broker takes]'
            cand --protocol-version 'MQTT version: 5, 311 or 31 [default: the newest that the broker takes]'
            cand -i 'Client id [default: mqttws and random characters]'
            cand --id 'Client id [default: mqttws and random characters]'
            cand -u 'User name'
            cand --username 'User name'
            cand -P 'Password; other users of this machine can see it on the command line'
            cand --pw 'Password; other users of this machine can see it on the command line'
            cand -k 'Keep alive in seconds; 0 turns it off'
            cand --keepalive 'Keep alive in seconds; 0 turns it off'
            cand -c 'Leave after so many probes [default: when interrupted]'
            cand --count 'Leave after so many probes [default: when interrupted]'
            cand --interval 'Time from one probe to the next'
            cand -W 'How long to wait for each answer'
            cand --timeout 'How long to wait for each answer'
            cand --insecure 'Do not verify the server''s certificate: anyone on the way can read and change everything'
            cand -d 'Log each packet on stderr'
            cand --debug 'Log each packet on stderr'
            cand --quiet 'No warnings and no progress'
            cand --help 'Print help'
        }
        &'mqttws;serve'= {
            cand -h 'Address to listen at: this machine only'
            cand --host 'Address to listen at: this machine only'
            cand -p 'Port to listen at; 0 picks a free one'
            cand --port 'Port to listen at; 0 picks a free one'
            cand -d 'Log what happens on stderr'
            cand --debug 'Log what happens on stderr'
            cand --help 'Print help'
        }
        &'mqttws;help'= {
            cand pub 'Publish messages: one, a file, or a stream of lines'
            cand sub 'Subscribe, and write the messages that come to stdout'
            cand ping 'Measure how fast a broker answers, and each step of the way to it'
            cand serve 'Run a local broker, alone or for the time of one command'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'mqttws;help;pub'= {
        }
        &'mqttws;help;sub'= {
        }
        &'mqttws;help;ping'= {
        }
        &'mqttws;help;serve'= {
        }
        &'mqttws;help;help'= {
        }
    ]
    $completions[$command]
}
