//! What the manual says of answers, of commands and of scripts for mosquitto's clients.

/// Of `pub`.
pub const REQUESTS: &str = r".SH ANSWERS
With \fB\-\-request\fR each message asks for an answer, which is written to stdout as \fBsub\fR writes messages. First a
topic for the answers is subscribed to; nothing is asked before the broker has granted it. It is one of our own, or that
of \fB\-e\fR. In MQTT 5 the message names it (response topic) and has correlation data; of the messages that come, the
first one with the same correlation data is the answer. Those that the broker had kept, and second ones, are ignored.
.PP
With \fB\-l\fR or \fB\-\-json\fR it is a request a line, and up to 20 of them, or as many as \fB\-M\fR says, wait for their
answers at once; these are written as they come. The correlation data of a request is a word of the run, \- and the
number of its line: \fB\-F '%D %p'\fR shows which answer is whose.
.PP
A single request with \fB\-e\fR has no correlation data, unless \fB\-D publish correlation\-data\fR gives it some: it is
that of \fBmosquitto_rr\fR, and the first message is the answer. So it is before MQTT 5, where requests are made one at
a time and \fB\-e\fR has to be given.
.PP
An answer that takes longer than \fB\-W\fR, counted from its request, is one line on stderr; the others go on, and the
exit code is 27. At QoS 0 a lost connection may take a request or its answer with it: that is told, and the exit code
is 8. \fB\-\-json\fR beside \fB\-m\fR, \fB\-f\fR, \fB\-s\fR, \fB\-l\fR or \fB\-n\fR is the form of the answers.
.PP
.nf
mqttws sub \-t time \-\-reply \-\-exec date &
mqttws pub \-\-request \-t time \-n
.fi
";

/// Of `sub`.
pub const COMMANDS: &str = r#".SH A COMMAND FOR EACH MESSAGE
With \fB\-\-exec\fR \fBsh \-c\fR runs a command for each message, with the payload on its stdin (or what \fB\-v\fR,
\fB\-F\fR, \fB\-\-json\fR, \fB\-\-hex\fR and \fB\-\-base64\fR make of the message) and these variables in its environment:
.TP
\fBMQTT_TOPIC\fR, \fBMQTT_QOS\fR, \fBMQTT_RETAIN\fR, \fBMQTT_DUP\fR, \fBMQTT_MID\fR
The topic; 0 to 2; 0 or 1; 0 or 1; the packet identifier, at QoS 1 and 2.
.TP
\fBMQTT_RESPONSE_TOPIC\fR, \fBMQTT_CORRELATION_DATA\fR, \fBMQTT_CONTENT_TYPE\fR, \fBMQTT_MESSAGE_EXPIRY_INTERVAL\fR, \
\fBMQTT_PAYLOAD_FORMAT_INDICATOR\fR, \fBMQTT_SUBSCRIPTION_IDENTIFIER\fR
Properties that are there (MQTT 5); correlation data in hexadecimal digits.
.TP
\fBMQTT_USER_\fR\fINAME\fR
A user property; letters of its name are capital ones, and all but letters and digits is _.
.PP
What has more than 65535 bytes is left out; so are user properties beyond 256 KiB. A payload is never a part of the command:
quote the variables ("$MQTT_TOPIC"), for their values are the publisher's.
.PP
One command runs at a time, or \fB\-\-jobs\fR of them; when as many again wait, the broker is no longer read from. A
message is acknowledged when its command and all before it have ended with exit code 0. With any other exit code, or
ended by a signal, no other command is started, those that run may end, and the exit code is 1: the message and those
behind it are not acknowledged, and come again with \fB\-c\fR. With \fB\-\-keep\-going\fR the failure is told, the message
acknowledged, and the exit code is 1 in the end.
.PP
With \fB\-\-reply\fR what a command writes to stdout (up to 16 MiB) is published to the response topic of its message,
with the same correlation data and QoS, and the message is acknowledged after that. Without it stdout is ours.
.PP
Each command leads a process group of its own. SIGHUP, SIGINT and SIGTERM are passed on to it; what has not ended after
three seconds is killed.
.PP
.nf
mqttws sub \-t jobs \-q 1 \-c \-i worker \-\-exec 'convert \- \-resize 50% png:out/$MQTT_MID.png' \-\-jobs 4
.fi
"#;

/// Of both.
pub const DROP_IN: &str = r".SH SCRIPTS FOR MOSQUITTO'S CLIENTS
Under the name \fBmosquitto_pub\fR, \fBmosquitto_sub\fR or \fBmosquitto_rr\fR (a link to mqttws) the command line is that
of this client: \fBpub\fR, \fBsub\fR or \fBpub \-\-request\fR; the path of a URL behind \fB\-L\fR is the topic, and the
broker is at /mqtt; and flags are read from \fB$XDG_CONFIG_HOME/mosquitto_pub\fR (\fB_sub\fR, \fB_rr\fR) or
\fB~/.config/mosquitto_pub\fR. Under our own name these files are not read: their port is seldom one of WebSockets.
.PP
\fB\-o\fR \fIFILE\fR reads flags from such a file: one a line, its value behind a blank, \fB#\fR before a comment. What is
typed wins. To \fBsub\fR it is such a file only if it is there and no folder.
.PP
The exit codes are ours, a message without a topic is an error, and the flags of plain TCP say what to use instead.
";
