//! The recipes of `man/mqttws-cloud.7`, run as they stand there, against servers that demand what
//! each service documents and refuse everything else. They are reached by their real names and
//! ports, through an HTTP proxy that is the server itself: nothing leaves this machine.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::{ClientHello, NoClientAuth, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};

use crate::support::broker::{Broker, Step, packet, until_goodbye, until_session_end};
use crate::support::certificates::{Authority, FAR_AWAY};
use crate::support::folder::Folder;
use crate::support::lines::fails;
use crate::support::program::{Outcome, Program};
use crate::support::secure::fixed;

const PRESIGNED: &str = "Presigned URL";
const PRESIGNED_ANEW: &str = "Presigned URL for each connection";
const AUTHORIZER: &str = "Custom authorizer";
const CERTIFICATE: &str = "Client certificate with ALPN";
const AZURE: &str = "SAS token";
const AZURE_ANEW: &str = "SAS token for each connection";
const HIVEMQ: &str = "Credentials of the cluster";
const EMQX: &str = "Credentials of the deployment";

/// The host, and path and query, of a URL as AWS wants it signed.
const AWS_HOST: &str = "abc123-ats.iot.eu-west-1.amazonaws.com";
const AWS_TARGET: &str = "/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261122%2Feu-west-1%2F\
     iotdevicegateway%2Faws4_request&X-Amz-Date=20261122T120000Z&X-Amz-Expires=300&X-Amz-SignedHeaders=host&\
     X-Amz-Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7&\
     X-Amz-Security-Token=IQoJb3JpZ2luX2VjEA%2BaCWV1%2F%3D%3D";
/// Maximum QoS 1, Receive Maximum 100, Maximum Packet Size 146 KiB, Topic Alias Maximum 8.
const AWS_CONNACK: &str = "20 00 00 0d 21 00 64 24 01 27 00 02 48 00 22 00 08";

const SAS_TOKEN: &str = "SharedAccessSignature sr=lab.azure-devices.net%2Fdevices%2Flamp-1&sig=c2ln%2BbmF0dXJl%3D&se=1795348800";
const DEVICE: &str = "<lamp-1> <lab.azure-devices.net/lamp-1/?api-version=2021-04-12>";

/// What a service demands in TLS.
struct Service {
    /// The only name that it has a certificate for.
    host: &'static str,
    port: u16,
    /// The one application protocol that must be offered; `None` demands that there is no such
    /// offer.
    alpn: Option<&'static str>,
    /// Whether a client must show a certificate of `tests/cli/certificates/authority.pem`.
    certificate: bool,
}

impl Service {
    fn at(host: &'static str, port: u16) -> Self {
        Self { host, port, alpn: None, certificate: false }
    }

    fn aws() -> Self {
        Self::at(AWS_HOST, 443)
    }

    fn gateway() -> Self {
        Self { alpn: Some("x-amzn-mqtt-ca"), certificate: true, ..Self::at("iot.example.com", 443) }
    }

    fn azure() -> Self {
        Self::at("lab.azure-devices.net", 443)
    }

    fn hivemq() -> Self {
        Self::at("0123456789abcdef.s1.eu.hivemq.cloud", 8884)
    }

    fn emqx() -> Self {
        Self::at("abcdef01.ala.eu-central-1.emqxsl.com", 8084)
    }

    /// As a proxy and then in TLS: what comes before the upgrade.
    fn entrance(&self, config: &Arc<ServerConfig>) -> [Step; 3] {
        let connect = String::leak(format!("CONNECT {}:{} HTTP/1.1", self.host, self.port));
        let request = Step::Request(Vec::leak(vec![&*connect]));
        [request, Step::Answer("HTTP/1.1 200 OK\r\n\r\n"), Step::Tls(Arc::clone(config))]
    }

    /// The upgrade at this path, with the subprotocol `mqtt` alone, and with these headers.
    fn request(&self, target: &str, headers: &[&str]) -> Step {
        let standard = if self.port == 443 { String::new() } else { format!(":{}", self.port) };
        let mut lines =
            vec![format!("GET {target} HTTP/1.1"), format!("Host: {}{standard}", self.host)];
        lines.push("Sec-WebSocket-Protocol: mqtt".to_owned());
        lines.extend(headers.iter().map(|header| (*header).to_owned()));
        Step::Request(Vec::leak(lines.into_iter().map(|line| &*String::leak(line)).collect()))
    }

    fn config(&self, authority: &Authority) -> ServerConfig {
        let provider = Arc::new(ring::default_provider());
        let certificate = authority.certify(&[self.host], FAR_AWAY);
        let key = certificate.key.serialize_der().try_into().unwrap();
        let chain = vec![certificate.certificate.der().clone()];
        let key = Arc::new(CertifiedKey::from_der(chain, key, &provider).unwrap());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(fixed("authority.pem")).unwrap()).unwrap();
        let builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let verifier = if self.certificate {
            builder.build().unwrap()
        } else {
            Arc::new(NoClientAuth) as Arc<_>
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(Demands { host: self.host, alpn: self.alpn, key }));
        config.alpn_protocols = self.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }
}

/// A server's demands on the first message of TLS.
#[derive(Debug)]
struct Demands {
    host: &'static str,
    alpn: Option<&'static str>,
    key: Arc<CertifiedKey>,
}

impl ResolvesServerCert for Demands {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let offered: Option<Vec<Vec<u8>>> =
            hello.alpn().map(|names| names.map(<[u8]>::to_vec).collect());
        let demanded = self.alpn.map(|name| vec![name.as_bytes().to_vec()]);
        let is_right = hello.server_name() == Some(self.host) && offered == demanded;
        is_right.then(|| Arc::clone(&self.key))
    }
}

/// The first example under a heading of the page that runs mqttws, as a shell reads it.
fn recipe(heading: &str) -> String {
    example(heading, "mqttws ")
}

/// The first example under a heading of the page that has these words.
fn example(heading: &str, words: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/mqttws-cloud.7");
    let page = fs::read_to_string(path).unwrap();
    let (_, section) =
        page.split_once(&format!("\n.SS {heading}\n")).expect("the page has this heading");
    let section = format!("\n{section}");
    let examples = section.split("\n.nf\n").skip(1);
    let mut examples =
        examples.filter_map(|rest| rest.split_once("\n.fi").map(|(example, _)| example));
    let example =
        examples.find(|example| example.contains(words)).expect("the section has an example");
    example.replace("\\-", "-").replace("\\(aq", "'").replace("\\e", "\\")
}

/// Runs a recipe, after `change`, against what `service` does after TLS, once for each connection.
fn run(
    service: &Service,
    connections: Vec<Vec<Step>>,
    heading: &str,
    files: &[(&str, &str)],
    change: impl Fn(&str) -> String,
) -> Outcome {
    let (authority, folder) = (Authority::new(), Folder::new());
    let config = Arc::new(service.config(&authority));
    let mut script = Vec::new();
    for steps in connections {
        if !script.is_empty() {
            script.push(Step::Reconnect);
        }
        script.extend(service.entrance(&config));
        script.extend(steps);
    }
    for (name, content) in files {
        folder.write(name, content);
    }
    let authority = folder.write("authority.pem", authority.pem());
    fs::create_dir(folder.path().join("mqttws")).unwrap();
    folder.write("mqttws/config.toml", format!("[profile.default]\ncafile = '{authority}'\n"));
    let broker = Broker::start(script);
    let place = folder.path().display().to_string();
    let outcome = Program::of("sh", ["-c", &format!("cd '{place}'\n{}", change(&recipe(heading)))])
        .env("PATH", &path_with_mqttws())
        .env("XDG_CONFIG_HOME", &place)
        .env("https_proxy", &format!("http://127.0.0.1:{}", broker.port()))
        .run();
    broker.finish();
    outcome
}

fn path_with_mqttws() -> String {
    let folder = Path::new(env!("CARGO_BIN_EXE_mqttws")).parent().unwrap().display().to_string();
    format!("{folder}:{}", std::env::var("PATH").unwrap())
}

fn unchanged(recipe: &str) -> String {
    recipe.to_owned()
}

fn at_qos_2(recipe: &str) -> String {
    assert!(recipe.contains("-q 1"), "{recipe}");
    recipe.replace("-q 1", "-q 2")
}

/// CONNECT in MQTT 5 with a client id, with these flags and this end.
fn connect(flags: &str, end: &str) -> Step {
    packet(&format!("10 <MQTT> 05 {flags} 00 2d 08 11 00 00 02 58 21 .. .. <lamp-1> {end}"))
}

/// CONNECT in MQTT 5 as the user `lab`.
fn connect_as_lab() -> Step {
    connect("c2", "<lab> <hush>")
}

/// An upgrade that is taken, CONNECT, CONNACK, the message at QoS 1 and its PUBACK, and the end.
fn taking(request: Step, connect: Step, connack: &'static str) -> Vec<Vec<Step>> {
    let message = packet("32 <lab/door> id 00 'open'");
    vec![until_session_end(vec![
        request,
        Step::Accept,
        connect,
        Step::Send(connack),
        message,
        Step::Send("40 id"),
    ])]
}

#[test]
fn aws_iot_core_with_a_presigned_url() {
    let service = Service::aws();
    let url = format!("wss://{AWS_HOST}{AWS_TARGET}\n");
    let script = taking(service.request(AWS_TARGET, &[]), connect("02", ""), AWS_CONNACK);
    run(&service, script, PRESIGNED, &[("presigned-url", &url)], unchanged).expect(0, "", "");
}

#[test]
fn aws_iot_core_refuses_a_wrong_signature() {
    let service = Service::aws();
    let target = AWS_TARGET.replace("f2b5d7", "f2b5d8");
    let answer = Step::Answer(
        "HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\ncontent-length: 23\r\n\
         x-amzn-ErrorType: ForbiddenException\r\n\r\n{\"message\":\"Forbidden\"}",
    );
    let script = vec![vec![service.request(&target, &[]), answer, Step::Gone]];
    let url = format!("wss://{AWS_HOST}{target}\n");
    let outcome = run(&service, script, PRESIGNED, &[("presigned-url", &url)], unchanged);
    let words = "the server answered HTTP 403 Forbidden: ForbiddenException: {\"message\":\"Forbidden\"}; sign the URL again (check the clock, the region, and that the host is signed without :443), or allow it in the policy";
    fails(&outcome, 5, &format!("mqttws: connecting to wss://{AWS_HOST}/mqtt*: {words}"));
}

/// What the AWS CLI prints, its secret being the one of AWS's examples.
const AWS_KEY: &str = r#"{"Version": 1, "AccessKeyId": "AKIDEXAMPLE",
    "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "SessionToken": "IQoJb3JpZ2luX2VjEA+aCWV1/==", "Expiration": "2026-11-22T13:00:00+00:00"}"#;

/// The URL that AWS's own library signs with it at noon.
const AWS_SIGNED: &str = "/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261122%2F\
     eu-west-1%2Fiotdevicegateway%2Faws4_request&X-Amz-Date=20261122T120000Z&X-Amz-Expires=300&\
     X-Amz-SignedHeaders=host&\
     X-Amz-Signature=2a08d2bccb0b882c7238125a9a7707e57aca1f9957eb829ecfcd7d5c18386adf&\
     X-Amz-Security-Token=IQoJb3JpZ2luX2VjEA%2BaCWV1%2F%3D%3D";

/// A recipe with this program of the service in the place of its own.
fn with_program<'a>(name: &'a str, script: &'a str) -> impl Fn(&str) -> String + 'a {
    move |recipe| {
        let write = format!("mkdir bin; cat > bin/{name} <<'END'\n#!/bin/sh\n{script}\nEND\n");
        format!(
            "{write}chmod +x bin/{name}; PATH=$PWD/bin:/usr/bin:/bin:$PATH\n{recipe} -C 1 --reconnect-delay 0.01"
        )
    }
}

#[test]
fn aws_iot_core_with_a_presigned_url_for_each_connection() {
    let script = example(PRESIGNED_ANEW, "HOST REGION");
    let noon = "datetime(2026, 11, 22, 12, tzinfo=timezone.utc)";
    let script = script.replace("datetime.now(timezone.utc)", noon);
    let connect = |connack| {
        let connect = packet("10 <MQTT> 05 .. 00 2d 08 11 ff ff ff ff 21 80 00 <lamp-1>");
        let request = Service::aws().request(AWS_SIGNED, &[]);
        vec![request, Step::Accept, connect, Step::Send(connack)]
    };
    let mut first = connect("20 00 00 00");
    first.extend([packet("82 id 00 <lab/#> 01"), Step::Send("90 id 00 01"), Step::End]);
    let mut second = connect("20 01 00 00");
    second.extend([Step::Send("32 <lab/door> 00 01 00 'open'"), packet("40 00 01")]);
    let scripts = vec![first, crate::support::broker::until(second, "e0")];
    let aws = format!("echo '{AWS_KEY}'");
    let change = with_program("aws", &aws);
    let executable = |recipe: &str| change(&format!("chmod +x aws-url\n{recipe}"));
    let files = [("aws-url", script.as_str())];
    let outcome = run(&Service::aws(), scripts, PRESIGNED_ANEW, &files, executable);
    assert_eq!((outcome.code(), &outcome.stdout[..]), (Some(0), &b"open\n"[..]), "{outcome}");
}

#[test]
fn aws_iot_core_has_no_qos_2() {
    let service = Service::aws();
    let url = format!("wss://{AWS_HOST}{AWS_TARGET}\n");
    let request = service.request(AWS_TARGET, &[]);
    let connect = packet("10 <MQTT> 05 02 00 2d *");
    let script =
        vec![until_session_end(vec![request, Step::Accept, connect, Step::Send(AWS_CONNACK)])];
    let outcome = run(&service, script, PRESIGNED, &[("presigned-url", &url)], at_qos_2);
    let words =
        "mqttws: publishing to lab/door: message refused: the broker accepts QoS 1 at most\n";
    outcome.expect(7, "", words);
}

#[test]
fn aws_iot_core_with_a_custom_authorizer() {
    let service = Service::aws();
    let files = [("signature", "c2lnbmF0dXJl+/==\n"), ("token", "allow me\n")];
    let headers = [
        "x-amz-customauthorizer-name: lab",
        "x-amz-customauthorizer-signature: c2lnbmF0dXJl+/==",
        "lab-token: allow me",
    ];
    let script = taking(service.request("/mqtt", &headers), connect("02", ""), AWS_CONNACK);
    run(&service, script, AUTHORIZER, &files, unchanged).expect(0, "", "");
}

/// The client's certificate and key, under the names that the recipe has for them.
fn identity() -> [String; 2] {
    ["client-ec.pem", "client-ec.key"].map(|name| fs::read_to_string(fixed(name)).unwrap())
}

#[test]
fn a_gateway_with_client_certificates_and_alpn() {
    let service = Service::gateway();
    let [certificate, key] = identity();
    let files = [("lamp-1.pem", certificate.as_str()), ("lamp-1.key", key.as_str())];
    let script = taking(service.request("/mqtt", &[]), connect("02", ""), AWS_CONNACK);
    run(&service, script, CERTIFICATE, &files, unchanged).expect(0, "", "");
}

#[test]
fn a_gateway_refuses_whoever_shows_no_certificate() {
    let service = Service::gateway();
    let bare = |recipe: &str| recipe.replace("--cert lamp-1.pem --key lamp-1.key", "");
    let words = "mqttws: connecting to wss://iot.example.com/mqtt: the server demands a client certificate; give \
                 one with --cert and --key\n";
    run(&service, vec![vec![Step::Gone]], CERTIFICATE, &[], bare).expect(4, "", words);
}

#[test]
fn aws_iot_core_takes_client_certificates_without_websockets_only() {
    let service = Service::gateway();
    let [certificate, key] = identity();
    let files = [("lamp-1.pem", certificate.as_str()), ("lamp-1.key", key.as_str())];
    // The other name of the subprotocol is tried, too.
    let again = vec![Step::Request(&["Sec-WebSocket-Protocol: mqttv3.1"]), Step::End];
    let script = vec![vec![service.request("/mqtt", &[]), Step::End], again];
    let words = "mqttws: connecting to wss://iot.example.com/mqtt: the server closed the connection without an \
                 HTTP answer; most often --subprotocol or --origin is wrong, or the port speaks another protocol (plain MQTT) or expects the PROXY protocol\n";
    run(&service, script, CERTIFICATE, &files, unchanged).expect(5, "", words);
}

/// The upgrade at Azure, CONNECT in MQTT 3.1.1 with this SAS token, and what follows.
fn at_azure<const N: usize>(service: &Service, token: &str, rest: [Step; N]) -> Vec<Step> {
    let connect = packet(&format!("10 <MQTT> 04 c2 00 2d {DEVICE} <{token}>"));
    let mut steps = vec![service.request("/$iothub/websocket", &[]), Step::Accept, connect];
    steps.extend(rest);
    steps
}

#[test]
fn azure_iot_hub_with_a_sas_token() {
    let service = Service::azure();
    let message = packet("32 <devices/lamp-1/messages/events/> id 'open'");
    let script =
        at_azure(&service, SAS_TOKEN, [Step::Send("20 00 00"), message, Step::Send("40 id")]);
    let token = format!("{SAS_TOKEN}\n");
    run(&service, vec![until_goodbye(script)], AZURE, &[("sas-token", &token)], unchanged)
        .expect(0, "", "");
}

#[test]
fn azure_iot_hub_with_a_sas_token_for_each_connection() {
    let service = Service::azure();
    let connect = |token: &str, connack| {
        let connect = packet(&format!("10 <MQTT> 04 c0 00 2d {DEVICE} <{token}>"));
        let request = service.request("/$iothub/websocket", &[]);
        vec![request, Step::Accept, connect, Step::Send(connack)]
    };
    let mut first = connect("SharedAccessSignature sr=1", "20 00 00");
    first.push(packet("82 id <devices/lamp-1/messages/devicebound/#> 01"));
    first.extend([Step::Send("90 id 01"), Step::End]);
    let mut second = connect("SharedAccessSignature sr=11", "20 01 00");
    let topic = "32 <devices/lamp-1/messages/devicebound/a> 00 01 'open'";
    second.extend([Step::Send(topic), packet("40 00 01")]);
    let az = "printf 1 >> runs; echo \"SharedAccessSignature sr=$(cat runs)\"";
    let scripts = vec![first, until_goodbye(second)];
    let outcome = run(&service, scripts, AZURE_ANEW, &[], with_program("az", az));
    assert_eq!((outcome.code(), &outcome.stdout[..]), (Some(0), &b"open\n"[..]), "{outcome}");
}

#[test]
fn azure_iot_hub_refuses_an_outdated_token() {
    let service = Service::azure();
    let script =
        at_azure(&service, "SharedAccessSignature old", [Step::Send("20 00 05"), Step::Gone]);
    let files = [("sas-token", "SharedAccessSignature old\n")];
    let words = "mqttws: connecting to wss://lab.azure-devices.net/$iothub/websocket: the broker refused: not \
                 authorized; check -u and -P\n";
    run(&service, vec![script], AZURE, &files, unchanged).expect(6, "", words);
}

#[test]
fn azure_iot_hub_has_no_qos_2() {
    let service = Service::azure();
    let (connect, message) =
        (packet("10 <MQTT> 04 *"), packet("34 <devices/lamp-1/messages/events/> id 'open'"));
    let request = service.request("/$iothub/websocket", &[]);
    let script = vec![request, Step::Accept, connect, Step::Send("20 00 00"), message, Step::End];
    let files = [("sas-token", SAS_TOKEN)];
    let words = "mqttws: publishing to devices/lamp-1/messages/events/ at wss://lab.azure-devices.net/$iothub/websocket: connection lost: the server closed the \
                 connection\n";
    let once = |recipe: &str| at_qos_2(recipe) + " --no-reconnect";
    run(&service, vec![script], AZURE, &files, once).expect(8, "", words);
}

#[test]
fn hivemq_cloud() {
    let service = Service::hivemq();
    let script = taking(service.request("/mqtt", &[]), connect_as_lab(), "20 00 00 00");
    run(&service, script, HIVEMQ, &[("password", "hush\n")], unchanged).expect(0, "", "");
}

#[test]
fn hivemq_cloud_is_found_by_its_name() {
    let service = Service::hivemq();
    let other = |recipe: &str| recipe.to_owned() + " --sni other.example";
    let outcome = run(&service, vec![vec![Step::Gone]], HIVEMQ, &[("password", "hush\n")], other);
    let words =
        format!("connecting to wss://{}:8884/mqtt: the server refused access", service.host);
    outcome.expect(4, "", &format!("mqttws: {words}\n"));
}

#[test]
fn emqx_cloud() {
    let service = Service::emqx();
    let script = taking(service.request("/mqtt", &[]), connect_as_lab(), "20 00 00 00");
    run(&service, script, EMQX, &[("password", "hush\n")], unchanged).expect(0, "", "");
}

#[test]
fn emqx_cloud_refuses_a_wrong_password() {
    let service = Service::emqx();
    let connect = connect("c2", "<lab> <hushed>");
    let script = vec![
        service.request("/mqtt", &[]),
        Step::Accept,
        connect,
        Step::Send("20 00 86 00"),
        Step::Gone,
    ];
    let words = format!(
        "mqttws: connecting to wss://{}:8084/mqtt: the broker refused: bad user name or password; check -u and \
         -P\n",
        service.host
    );
    run(&service, vec![script], EMQX, &[("password", "hushed\n")], unchanged).expect(6, "", &words);
}

#[test]
fn emqx_cloud_in_the_oldest_version() {
    let service = Service::emqx();
    let connect = packet("10 <MQIsdp> 03 c2 00 2d <lamp-1> <lab> <hush>");
    let message = packet("32 <lab/door> id 'open'");
    let steps =
        vec![service.request("/mqtt", &[]), Step::Accept, connect, Step::Send("20 00 00"), message];
    let script = until_goodbye(steps.into_iter().chain([Step::Send("40 id")]).collect());
    let oldest = |recipe: &str| recipe.to_owned() + " -V 31 --subprotocol mqtt";
    run(&service, vec![script], EMQX, &[("password", "hush\n")], oldest).expect(0, "", "");
}
