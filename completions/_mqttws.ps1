
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'mqttws' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'mqttws'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'mqttws' {
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('pub', 'pub', [CompletionResultType]::ParameterValue, 'Publish messages: one, a file, or a stream of lines')
            [CompletionResult]::new('sub', 'sub', [CompletionResultType]::ParameterValue, 'Subscribe, and write the messages that come to stdout')
            [CompletionResult]::new('ping', 'ping', [CompletionResultType]::ParameterValue, 'Measure how fast a broker answers, and each step of the way to it')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Run a local broker, alone or for the time of one command')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'mqttws;pub' {
            [CompletionResult]::new('-L', '-L ', [CompletionResultType]::ParameterName, 'The same as URL')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'The same as URL')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Host to connect to [default: localhost]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Host to connect to [default: localhost]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Port to connect to; 443 means wss [default: 80, with TLS 443, without a host 8080]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Port to connect to; 443 means wss [default: 80, with TLS 443, without a host 8080]')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Path of the WebSocket endpoint [default: /mqtt]')
            [CompletionResult]::new('--subprotocol', '--subprotocol', [CompletionResultType]::ParameterName, 'WebSocket subprotocols to offer, separated by commas, or `none` [default: mqtt, then mqttv3.1]')
            [CompletionResult]::new('--cafile', '--cafile', [CompletionResultType]::ParameterName, 'Trust the certificate authorities of this PEM file instead of the built-in ones (repeatable)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Time for everything from name look-up to CONNACK')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Keep trying the first connection for so long')
            [CompletionResult]::new('--reconnect-delay', '--reconnect-delay', [CompletionResultType]::ParameterName, 'Shortest and longest delay before connecting again')
            [CompletionResult]::new('--reconnect-tries', '--reconnect-tries', [CompletionResultType]::ParameterName, 'Give up after so many tries to connect again [default: never]')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'User name [default: that of the URL, or `$MQTTWS_USERNAME`]')
            [CompletionResult]::new('--username', '--username', [CompletionResultType]::ParameterName, 'User name [default: that of the URL, or `$MQTTWS_USERNAME`]')
            [CompletionResult]::new('-P', '-P ', [CompletionResultType]::ParameterName, 'Password [default: that of the URL, or `$MQTTWS_PASSWORD`]; others can see it on the command line')
            [CompletionResult]::new('--pw', '--pw', [CompletionResultType]::ParameterName, 'Password [default: that of the URL, or `$MQTTWS_PASSWORD`]; others can see it on the command line')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'Read the password from a file; one line end behind it does not count')
            [CompletionResult]::new('--auth-method', '--auth-method', [CompletionResultType]::ParameterName, 'Method of enhanced authentication: SCRAM-SHA-256 with -u and a password, or one with a single step (MQTT 5)')
            [CompletionResult]::new('--auth-data', '--auth-data', [CompletionResultType]::ParameterName, 'Authentication data of a method with a single step')
            [CompletionResult]::new('--auth-data-file', '--auth-data-file', [CompletionResultType]::ParameterName, 'Read the authentication data from a file, byte for byte')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'MQTT version: 5, 311 or 31 [default: the newest that the broker takes]')
            [CompletionResult]::new('--protocol-version', '--protocol-version', [CompletionResultType]::ParameterName, 'MQTT version: 5, 311 or 31 [default: the newest that the broker takes]')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Client id [default: mqttws and random characters]')
            [CompletionResult]::new('--id', '--id', [CompletionResultType]::ParameterName, 'Client id [default: mqttws and random characters]')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Keep alive in seconds; 0 turns it off')
            [CompletionResult]::new('--keepalive', '--keepalive', [CompletionResultType]::ParameterName, 'Keep alive in seconds; 0 turns it off')
            [CompletionResult]::new('-M', '-M ', [CompletionResultType]::ParameterName, 'Most QoS 1 and 2 messages in flight [default: what the broker allows; before MQTT 5 1000, and 20 of QoS 2]')
            [CompletionResult]::new('--max-inflight', '--max-inflight', [CompletionResultType]::ParameterName, 'Most QoS 1 and 2 messages in flight [default: what the broker allows; before MQTT 5 1000, and 20 of QoS 2]')
            [CompletionResult]::new('--will-topic', '--will-topic', [CompletionResultType]::ParameterName, 'Topic of the will: a message that the broker publishes when we vanish')
            [CompletionResult]::new('--will-payload', '--will-payload', [CompletionResultType]::ParameterName, 'Payload of the will [default: empty]')
            [CompletionResult]::new('--will-qos', '--will-qos', [CompletionResultType]::ParameterName, 'QoS of the will')
            [CompletionResult]::new('--will-delay', '--will-delay', [CompletionResultType]::ParameterName, 'How long the broker waits for us to come back before it publishes the will (MQTT 5)')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Read the flags of this profile, too: a table of the configuration file')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Configuration file [default: `$XDG_CONFIG_HOME/mqttws/config.toml`]')
            [CompletionResult]::new('-x', '-x', [CompletionResultType]::ParameterName, 'Seconds for which the broker keeps the session when we are away, or `never` for no end (MQTT 5) [default: with -c never]')
            [CompletionResult]::new('--session-expiry-interval', '--session-expiry-interval', [CompletionResultType]::ParameterName, 'Seconds for which the broker keeps the session when we are away, or `never` for no end (MQTT 5) [default: with -c never]')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Topic to publish to')
            [CompletionResult]::new('--topic', '--topic', [CompletionResultType]::ParameterName, 'Topic to publish to')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'Publish this text')
            [CompletionResult]::new('--message', '--message', [CompletionResultType]::ParameterName, 'Publish this text')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Publish the content of a file as one message')
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Publish the content of a file as one message')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Quality of service: 0, 1 or 2')
            [CompletionResult]::new('--qos', '--qos', [CompletionResultType]::ParameterName, 'Quality of service: 0, 1 or 2')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Do not verify the server''s certificate: anyone on the way can read and change everything')
            [CompletionResult]::new('--no-reconnect', '--no-reconnect', [CompletionResultType]::ParameterName, 'Do not connect again when the connection is lost')
            [CompletionResult]::new('--ask-password', '--ask-password', [CompletionResultType]::ParameterName, 'Ask for the password on the terminal')
            [CompletionResult]::new('--will-retain', '--will-retain', [CompletionResultType]::ParameterName, 'Let the broker keep the will for later subscribers')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Log each packet on stderr')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Log each packet on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings and no progress')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Keep the session: the broker stores what comes while we are away (needs -i)')
            [CompletionResult]::new('--disable-clean-session', '--disable-clean-session', [CompletionResultType]::ParameterName, 'Keep the session: the broker stores what comes while we are away (needs -i)')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Publish all of stdin as one message')
            [CompletionResult]::new('--stdin-file', '--stdin-file', [CompletionResultType]::ParameterName, 'Publish all of stdin as one message')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Publish each line of stdin as a message')
            [CompletionResult]::new('--stdin-line', '--stdin-line', [CompletionResultType]::ParameterName, 'Publish each line of stdin as a message')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Publish an empty message')
            [CompletionResult]::new('--null-message', '--null-message', [CompletionResultType]::ParameterName, 'Publish an empty message')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Ask the broker to keep the message for later subscribers')
            [CompletionResult]::new('--retain', '--retain', [CompletionResultType]::ParameterName, 'Ask the broker to keep the message for later subscribers')
            [CompletionResult]::new('--topic-alias', '--topic-alias', [CompletionResultType]::ParameterName, 'Send the topic once and then an alias for it, as far as the broker allows (MQTT 5)')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'mqttws;sub' {
            [CompletionResult]::new('-L', '-L ', [CompletionResultType]::ParameterName, 'The same as URL')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'The same as URL')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Host to connect to [default: localhost]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Host to connect to [default: localhost]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Port to connect to; 443 means wss [default: 80, with TLS 443, without a host 8080]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Port to connect to; 443 means wss [default: 80, with TLS 443, without a host 8080]')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Path of the WebSocket endpoint [default: /mqtt]')
            [CompletionResult]::new('--subprotocol', '--subprotocol', [CompletionResultType]::ParameterName, 'WebSocket subprotocols to offer, separated by commas, or `none` [default: mqtt, then mqttv3.1]')
            [CompletionResult]::new('--cafile', '--cafile', [CompletionResultType]::ParameterName, 'Trust the certificate authorities of this PEM file instead of the built-in ones (repeatable)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Time for everything from name look-up to CONNACK')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Keep trying the first connection for so long')
            [CompletionResult]::new('--reconnect-delay', '--reconnect-delay', [CompletionResultType]::ParameterName, 'Shortest and longest delay before connecting again')
            [CompletionResult]::new('--reconnect-tries', '--reconnect-tries', [CompletionResultType]::ParameterName, 'Give up after so many tries to connect again [default: never]')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'User name [default: that of the URL, or `$MQTTWS_USERNAME`]')
            [CompletionResult]::new('--username', '--username', [CompletionResultType]::ParameterName, 'User name [default: that of the URL, or `$MQTTWS_USERNAME`]')
            [CompletionResult]::new('-P', '-P ', [CompletionResultType]::ParameterName, 'Password [default: that of the URL, or `$MQTTWS_PASSWORD`]; others can see it on the command line')
            [CompletionResult]::new('--pw', '--pw', [CompletionResultType]::ParameterName, 'Password [default: that of the URL, or `$MQTTWS_PASSWORD`]; others can see it on the command line')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'Read the password from a file; one line end behind it does not count')
            [CompletionResult]::new('--auth-method', '--auth-method', [CompletionResultType]::ParameterName, 'Method of enhanced authentication: SCRAM-SHA-256 with -u and a password, or one with a single step (MQTT 5)')
            [CompletionResult]::new('--auth-data', '--auth-data', [CompletionResultType]::ParameterName, 'Authentication data of a method with a single step')
            [CompletionResult]::new('--auth-data-file', '--auth-data-file', [CompletionResultType]::ParameterName, 'Read the authentication data from a file, byte for byte')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'MQTT version: 5, 311 or 31 [default: the newest that the broker takes]')
            [CompletionResult]::new('--protocol-version', '--protocol-version', [CompletionResultType]::ParameterName, 'MQTT version: 5, 311 or 31 [default: the newest that the broker takes]')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Client id [default: mqttws and random characters]')
            [CompletionResult]::new('--id', '--id', [CompletionResultType]::ParameterName, 'Client id [default: mqttws and random characters]')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Keep alive in seconds; 0 turns it off')
            [CompletionResult]::new('--keepalive', '--keepalive', [CompletionResultType]::ParameterName, 'Keep alive in seconds; 0 turns it off')
            [CompletionResult]::new('-M', '-M ', [CompletionResultType]::ParameterName, 'Most QoS 1 and 2 messages in flight [default: what the broker allows; before MQTT 5 1000, and 20 of QoS 2]')
            [CompletionResult]::new('--max-inflight', '--max-inflight', [CompletionResultType]::ParameterName, 'Most QoS 1 and 2 messages in flight [default: what the broker allows; before MQTT 5 1000, and 20 of QoS 2]')
            [CompletionResult]::new('--will-topic', '--will-topic', [CompletionResultType]::ParameterName, 'Topic of the will: a message that the broker publishes when we vanish')
            [CompletionResult]::new('--will-payload', '--will-payload', [CompletionResultType]::ParameterName, 'Payload of the will [default: empty]')
            [CompletionResult]::new('--will-qos', '--will-qos', [CompletionResultType]::ParameterName, 'QoS of the will')
            [CompletionResult]::new('--will-delay', '--will-delay', [CompletionResultType]::ParameterName, 'How long the broker waits for us to come back before it publishes the will (MQTT 5)')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Read the flags of this profile, too: a table of the configuration file')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Configuration file [default: `$XDG_CONFIG_HOME/mqttws/config.toml`]')
            [CompletionResult]::new('-x', '-x', [CompletionResultType]::ParameterName, 'Seconds for which the broker keeps the session when we are away, or `never` for no end (MQTT 5) [default: with -c never]')
            [CompletionResult]::new('--session-expiry-interval', '--session-expiry-interval', [CompletionResultType]::ParameterName, 'Seconds for which the broker keeps the session when we are away, or `never` for no end (MQTT 5) [default: with -c never]')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Topic filter to subscribe to; + and # are wildcards (repeatable)')
            [CompletionResult]::new('--topic', '--topic', [CompletionResultType]::ParameterName, 'Topic filter to subscribe to; + and # are wildcards (repeatable)')
            [CompletionResult]::new('-U', '-U ', [CompletionResultType]::ParameterName, 'Give a subscription of a kept session back (repeatable)')
            [CompletionResult]::new('--unsubscribe', '--unsubscribe', [CompletionResultType]::ParameterName, 'Give a subscription of a kept session back (repeatable)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Highest quality of service to receive: 0, 1 or 2')
            [CompletionResult]::new('--qos', '--qos', [CompletionResultType]::ParameterName, 'Highest quality of service to receive: 0, 1 or 2')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Leave after so many messages')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'Leave after so many messages')
            [CompletionResult]::new('-W', '-W ', [CompletionResultType]::ParameterName, 'Leave after so long, with exit code 27 if -C was not met')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Leave after so long, with exit code 27 if -C was not met')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Do not verify the server''s certificate: anyone on the way can read and change everything')
            [CompletionResult]::new('--no-reconnect', '--no-reconnect', [CompletionResultType]::ParameterName, 'Do not connect again when the connection is lost')
            [CompletionResult]::new('--ask-password', '--ask-password', [CompletionResultType]::ParameterName, 'Ask for the password on the terminal')
            [CompletionResult]::new('--will-retain', '--will-retain', [CompletionResultType]::ParameterName, 'Let the broker keep the will for later subscribers')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Log each packet on stderr')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Log each packet on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings and no progress')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Keep the session: the broker stores what comes while we are away (needs -i)')
            [CompletionResult]::new('--disable-clean-session', '--disable-clean-session', [CompletionResultType]::ParameterName, 'Keep the session: the broker stores what comes while we are away (needs -i)')
            [CompletionResult]::new('-E', '-E ', [CompletionResultType]::ParameterName, 'Leave as soon as the broker has answered the subscriptions')
            [CompletionResult]::new('--exit-after-subscribe', '--exit-after-subscribe', [CompletionResultType]::ParameterName, 'Leave as soon as the broker has answered the subscriptions')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Write the topic and a space before each payload')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Write the topic and a space before each payload')
            [CompletionResult]::new('-N', '-N ', [CompletionResultType]::ParameterName, 'Write no line feed behind each payload')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'mqttws;ping' {
            [CompletionResult]::new('-L', '-L ', [CompletionResultType]::ParameterName, 'The same as URL')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'The same as URL')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Host to connect to [default: localhost]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Host to connect to [default: localhost]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Port to connect to; 443 means wss [default: 80, with TLS 443, without a host 8080]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Port to connect to; 443 means wss [default: 80, with TLS 443, without a host 8080]')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Path of the WebSocket endpoint [default: /mqtt]')
            [CompletionResult]::new('--subprotocol', '--subprotocol', [CompletionResultType]::ParameterName, 'WebSocket subprotocols to offer, separated by commas, or `none` [default: mqtt, then mqttv3.1]')
            [CompletionResult]::new('--cafile', '--cafile', [CompletionResultType]::ParameterName, 'Trust the certificate authorities of this PEM file instead of the built-in ones (repeatable)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Time for everything from name look-up to CONNACK')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Keep trying the first connection for so long')
            [CompletionResult]::new('--reconnect-delay', '--reconnect-delay', [CompletionResultType]::ParameterName, 'Shortest and longest delay before connecting again')
            [CompletionResult]::new('--reconnect-tries', '--reconnect-tries', [CompletionResultType]::ParameterName, 'Give up after so many tries to connect again [default: never]')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'User name [default: that of the URL, or `$MQTTWS_USERNAME`]')
            [CompletionResult]::new('--username', '--username', [CompletionResultType]::ParameterName, 'User name [default: that of the URL, or `$MQTTWS_USERNAME`]')
            [CompletionResult]::new('-P', '-P ', [CompletionResultType]::ParameterName, 'Password [default: that of the URL, or `$MQTTWS_PASSWORD`]; others can see it on the command line')
            [CompletionResult]::new('--pw', '--pw', [CompletionResultType]::ParameterName, 'Password [default: that of the URL, or `$MQTTWS_PASSWORD`]; others can see it on the command line')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'Read the password from a file; one line end behind it does not count')
            [CompletionResult]::new('--auth-method', '--auth-method', [CompletionResultType]::ParameterName, 'Method of enhanced authentication: SCRAM-SHA-256 with -u and a password, or one with a single step (MQTT 5)')
            [CompletionResult]::new('--auth-data', '--auth-data', [CompletionResultType]::ParameterName, 'Authentication data of a method with a single step')
            [CompletionResult]::new('--auth-data-file', '--auth-data-file', [CompletionResultType]::ParameterName, 'Read the authentication data from a file, byte for byte')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'MQTT version: 5, 311 or 31 [default: the newest that the broker takes]')
            [CompletionResult]::new('--protocol-version', '--protocol-version', [CompletionResultType]::ParameterName, 'MQTT version: 5, 311 or 31 [default: the newest that the broker takes]')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Client id [default: mqttws and random characters]')
            [CompletionResult]::new('--id', '--id', [CompletionResultType]::ParameterName, 'Client id [default: mqttws and random characters]')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Keep alive in seconds; 0 turns it off')
            [CompletionResult]::new('--keepalive', '--keepalive', [CompletionResultType]::ParameterName, 'Keep alive in seconds; 0 turns it off')
            [CompletionResult]::new('-M', '-M ', [CompletionResultType]::ParameterName, 'Most QoS 1 and 2 messages in flight [default: what the broker allows; before MQTT 5 1000, and 20 of QoS 2]')
            [CompletionResult]::new('--max-inflight', '--max-inflight', [CompletionResultType]::ParameterName, 'Most QoS 1 and 2 messages in flight [default: what the broker allows; before MQTT 5 1000, and 20 of QoS 2]')
            [CompletionResult]::new('--will-topic', '--will-topic', [CompletionResultType]::ParameterName, 'Topic of the will: a message that the broker publishes when we vanish')
            [CompletionResult]::new('--will-payload', '--will-payload', [CompletionResultType]::ParameterName, 'Payload of the will [default: empty]')
            [CompletionResult]::new('--will-qos', '--will-qos', [CompletionResultType]::ParameterName, 'QoS of the will')
            [CompletionResult]::new('--will-delay', '--will-delay', [CompletionResultType]::ParameterName, 'How long the broker waits for us to come back before it publishes the will (MQTT 5)')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Read the flags of this profile, too: a table of the configuration file')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Configuration file [default: `$XDG_CONFIG_HOME/mqttws/config.toml`]')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Leave after so many probes [default: when interrupted]')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'Leave after so many probes [default: when interrupted]')
            [CompletionResult]::new('--interval', '--interval', [CompletionResultType]::ParameterName, 'Time from one probe to the next')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'What travels: a PINGREQ, a WebSocket Ping, or a message to a topic of our own and back')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'QoS of `--via publish`')
            [CompletionResult]::new('--qos', '--qos', [CompletionResultType]::ParameterName, 'QoS of `--via publish`')
            [CompletionResult]::new('--size', '--size', [CompletionResultType]::ParameterName, 'Size of the message of `--via publish`, in bytes')
            [CompletionResult]::new('-W', '-W ', [CompletionResultType]::ParameterName, 'How long to wait for each answer')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long to wait for each answer')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Do not verify the server''s certificate: anyone on the way can read and change everything')
            [CompletionResult]::new('--no-reconnect', '--no-reconnect', [CompletionResultType]::ParameterName, 'Do not connect again when the connection is lost')
            [CompletionResult]::new('--ask-password', '--ask-password', [CompletionResultType]::ParameterName, 'Ask for the password on the terminal')
            [CompletionResult]::new('--will-retain', '--will-retain', [CompletionResultType]::ParameterName, 'Let the broker keep the will for later subscribers')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Log each packet on stderr')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Log each packet on stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No warnings and no progress')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'mqttws;serve' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Address to listen at: this machine only')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Address to listen at: this machine only')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Port to listen at; 0 picks a free one')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Port to listen at; 0 picks a free one')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Log what happens on stderr')
            [CompletionResult]::new('--debug', '--debug', [CompletionResultType]::ParameterName, 'Log what happens on stderr')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'mqttws;help' {
            [CompletionResult]::new('pub', 'pub', [CompletionResultType]::ParameterValue, 'Publish messages: one, a file, or a stream of lines')
            [CompletionResult]::new('sub', 'sub', [CompletionResultType]::ParameterValue, 'Subscribe, and write the messages that come to stdout')
            [CompletionResult]::new('ping', 'ping', [CompletionResultType]::ParameterValue, 'Measure how fast a broker answers, and each step of the way to it')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Run a local broker, alone or for the time of one command')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'mqttws;help;pub' {
            break
        }
        'mqttws;help;sub' {
            break
        }
        'mqttws;help;ping' {
            break
        }
        'mqttws;help;serve' {
            break
        }
        'mqttws;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
