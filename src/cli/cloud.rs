//! The text of `man/mqttws-cloud.7`: how to reach brokers that are rented. `tests/cli/cloud.rs`
//! runs each recipe as it stands there; this must never know more of a service than its
//! documentation says.

/// The page. Each recipe is the first example that runs `mqttws` under its heading.
pub const PAGE: &str = r#".TH MQTTWS-CLOUD 7  mqttws "mqttws manual"
.SH NAME
mqttws\-cloud \- how mqttws reaches the MQTT brokers of cloud services
.SH DESCRIPTION
One recipe for each service and each of its ways to say who we are. What is to be replaced are the names: of the
endpoint, the client (\fBlamp\-1\fR), the user (\fBlab\fR) and the topics. \fBmqttws sub\fR and \fBmqttws ping\fR
connect by the same flags as \fBmqttws pub\fR.
.PP
All of them want TLS and the server's name in it (SNI), the path exactly as it is written here, and the
subprotocol \fBmqtt\fR: that is what mqttws does unless told otherwise. No ALPN is offered unless
\fB\-\-tls\-alpn\fR asks for it. In a shell, a URL that holds \fB$\fR, \fB&\fR or \fB?\fR stands in single quotes.
.PP
Secrets stand in files here: everyone on a machine can read the command line of a process. Its environment
(\fBMQTTWS_URL\fR, \fBMQTTWS_USERNAME\fR, \fBMQTTWS_PASSWORD\fR) is for its owner alone. A profile
(\fB\-\-profile\fR) keeps all the flags of a broker in one place.
.PP
Each recipe is tested as it stands here against a server that demands what the service documents; the services
themselves were not asked.
.SH AWS IOT CORE
The port is 443 and the path \fB/mqtt\fR. MQTT 5 and 3.1.1; QoS 0 and 1 (in MQTT 5 the broker says so, and a message
of QoS 2 is refused here with exit code 7; before MQTT 5 it is never acknowledged); payloads of up to 128 KiB; a keep
alive of 30 to 1200 seconds. The policy must allow the client id, so give one with \fB\-i\fR.
.SS Presigned URL
The credentials are the query of the URL, made by an SDK by Signature Version 4: service
\fBiotdevicegateway\fR, only the header \fBhost\fR signed, the path \fB/mqtt\fR, and the session token of temporary
credentials (\fBX\-Amz\-Security\-Token\fR) added behind the signature, not signed. It is sent as it is typed; nothing
in it is decoded or encoded again. With the URL in the file \fBpresigned\-url\fR:
.PP
.nf
MQTTWS_URL=$(cat presigned\-url) mqttws pub \-i lamp\-1 \-t lab/door \-m open \-q 1
.fi
.PP
A wrong or outdated signature is answered by \fBHTTP 403 Forbidden: ForbiddenException\fR (exit code 5). Check that no \fB:443\fR was signed with the host, that the
clock is right, and that the token is not signed. A lost connection is made again with the same URL: where it no longer
is valid by then (\fBX\-Amz\-Expires\fR), use \fB\-\-no\-reconnect\fR and start again with a new one.
.SS Custom authorizer
The token and its signature are headers; \fB@\fR reads a value from a file. The name of the token's header is the
one that the authorizer was created with (here \fBlab\-token\fR).
.PP
.nf
mqttws pub wss://abc123\-ats.iot.eu\-west\-1.amazonaws.com/mqtt \-i lamp\-1 \e
    \-H \(aqx\-amz\-customauthorizer\-name: lab\(aq \e
    \-H \(aqx\-amz\-customauthorizer\-signature: @signature\(aq \e
    \-H \(aqlab\-token: @token\(aq \e
    \-t lab/door \-m open \-q 1
.fi
.PP
They can also stand in the query of the URL, percent\-encoded, under the same names. An authorizer that checks user name
and password takes \fB\-u\fR and \fB\-\-password\-file\fR.
.SS Client certificate with ALPN
For an endpoint of your own that takes WebSockets with a client certificate, such as a gateway in front of AWS IoT:
.PP
.nf
mqttws pub wss://iot.example.com/mqtt \-i lamp\-1 \e
    \-\-cert lamp\-1.pem \-\-key lamp\-1.key \-\-tls\-alpn x\-amzn\-mqtt\-ca \e
    \-t lab/door \-m open \-q 1
.fi
.PP
AWS's own endpoints (\fB*.amazonaws.com\fR) take a certificate under this ALPN name for MQTT \fIwithout\fR WebSockets
only, which mqttws does not speak: they close the connection without an HTTP answer (exit code 5). Over
WebSockets they take a presigned URL or a custom authorizer.
.SH AZURE IOT HUB
The port is 443; MQTT 3.1.1 only, hence \fB\-V 311\fR; QoS 0 and 1 (a message of QoS 2 ends the connection,
again and again: \fB\-\-no\-reconnect\fR makes that exit code 8); messages of
up to 256 KiB; a keep alive of up to 1177 seconds. A device publishes to \fBdevices/ID/messages/events/\fR and
subscribes to \fBdevices/ID/messages/devicebound/#\fR; there are no topics between devices.
.SS SAS token
The client id is the device's, the user name has a query of its own, and the password is a SAS token:
.PP
.nf
az iot hub generate\-sas\-token \-n lab \-d lamp\-1 \-o tsv > sas\-token
.fi
.PP
.nf
mqttws pub \(aqwss://lab.azure\-devices.net/$iothub/websocket\(aq \-V 311 \-i lamp\-1 \e
    \-u \(aqlab.azure\-devices.net/lamp\-1/?api\-version=2021\-04\-12\(aq \-\-password\-file sas\-token \e
    \-t devices/lamp\-1/messages/events/ \-m open \-q 1
.fi
.PP
A token that is wrong or outdated is answered by \fBnot authorized\fR (exit code 6); it is one line, beginning with
\fBSharedAccessSignature sr=\fR. A device with a certificate leaves the password out and gives \fB\-\-cert\fR and
\fB\-\-key\fR.
.SH HIVEMQ CLOUD
The port is 8884 and the path \fB/mqtt\fR; MQTT 5, 3.1.1 and 3.1. The credentials are made in the cluster's
access management.
.SS Credentials of the cluster
.nf
mqttws pub wss://0123456789abcdef.s1.eu.hivemq.cloud:8884/mqtt \-i lamp\-1 \e
    \-u lab \-\-password\-file password \e
    \-t lab/door \-m open \-q 1
.fi
.PP
A cluster is found by its name in TLS: with another one (\fB\-\-sni\fR), or with none (an address in the URL), TLS fails
(exit code 4).
.SH EMQX CLOUD
The port is 8084 and the path \fB/mqtt\fR; MQTT 5, 3.1.1 and 3.1. The credentials are made in the
deployment's client authentication.
.SS Credentials of the deployment
.nf
mqttws pub wss://abcdef01.ala.eu\-central\-1.emqxsl.com:8084/mqtt \-i lamp\-1 \e
    \-u lab \-\-password\-file password \e
    \-t lab/door \-m open \-q 1
.fi
.PP
Where the deployment's certificate is of an authority of its own, give the file that its overview page offers with
\fB\-\-cafile\fR. The subprotocol \fBmqttv3.1\fR, which \fB\-V 31\fR tries first, is answered by
\fBHTTP 400\fR: give \fB\-\-subprotocol mqtt\fR with it.
.SH SEE ALSO
\fBmqttws\fR(1), \fBmqttws\-pub\fR(1), \fBmqttws\-sub\fR(1), \fBmqttws\-ping\fR(1)
"#;
