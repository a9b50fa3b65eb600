//! The configurations of `man/mqttws-brokers.7`, each in the server that it is for: a message goes
//! through, with only the addresses changed.

use std::path::Path;

use crate::broker::Mosquitto;
use crate::certificates::{Authority, FAR_AWAY};
use crate::daemon::{Daemon, free_ports};
use crate::folder::Folder;
use crate::page::examples;
use crate::program::Program;
use crate::{file, is_here};

/// The configurations for a server, as they are printed.
fn printed(name: &str) -> Vec<String> {
    let examples = examples(&file("man/mqttws-brokers.7"));
    let found = examples.into_iter().filter(|example| example.note("config") == Some(name));
    let found: Vec<String> = found.map(|example| example.text + "\n").collect();
    assert!(!found.is_empty(), "the page has a configuration of {name}");
    found
}

/// A broker, where the server and the broker are to be tested with.
fn broker_for(server: &str) -> Option<Mosquitto> {
    (is_here("mosquitto") && is_here(server)).then(Mosquitto::start)
}

/// A retained message goes to the broker and comes back, once the server is ready.
fn leads_on(port: u16, flags: &[&str]) {
    leads_on_to(&format!("ws://127.0.0.1:{port}/mqtt"), flags);
}

fn leads_on_to(url: &str, flags: &[&str]) {
    let program = |words: &[&str]| Program::new([&[words[0], url], &words[1..], flags].concat());
    program(&["pub", "--wait", "20", "--quiet", "-t", "t", "-r", "-q", "2", "-m", "through"])
        .run()
        .expect(0, "", "");
    program(&["sub", "-t", "t", "-C", "1"]).run().expect(0, "through\n", "");
}

/// A configuration whose broker is this one.
fn with_broker(text: &str, port: u16) -> String {
    assert!(text.contains("9001"), "{text}");
    text.replace("9001", &port.to_string())
}

/// The servers that are tested.
const TESTED: [&str; 18] = [
    "mosquitto",
    "nginx",
    "haproxy",
    "apache",
    "caddy",
    "traefik",
    "envoy",
    "varnishd",
    "h2o",
    "lighttpd",
    "stunnel",
    "hitch",
    "sniproxy",
    "squid",
    "tinyproxy",
    "privoxy",
    "danted",
    "microsocks",
];

#[test]
fn every_configuration_is_for_a_server_that_is_tested() {
    let examples = examples(&file("man/mqttws-brokers.7"));
    for name in examples.iter().filter_map(|example| example.note("config")) {
        assert!(TESTED.contains(&name), "{name}");
    }
}

#[test]
fn mosquitto() {
    let folder = Folder::new();
    if !is_here("mosquitto") {
        return;
    }
    let [text] = &printed("mosquitto")[..] else { panic!("there is one") };
    let [tcp] = free_ports();
    let server = Daemon::start("mosquitto", |port| {
        let text = with_broker(text, port).replace("1883", &tcp.to_string());
        // Without `user` it would give up root's rights and with them the folder of the test.
        vec!["-c".into(), folder.write("mosquitto.conf", format!("user root\n{text}"))]
    });
    leads_on(server.port, &[]);
}

#[test]
fn nginx() {
    let (Some(broker), folder) = (broker_for("nginx"), Folder::new()) else { return };
    let [text] = &printed("nginx")[..] else { panic!("there is one") };
    let server = start_nginx(&folder, &with_broker(text, broker.ws_port()));
    leads_on(server.port, &[]);
}

/// nginx with this `location`.
fn start_nginx(folder: &Folder, location: &str) -> Daemon {
    let prefix = format!("{}/", folder.path().display());
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {prefix}{kind};\n"))
        .concat();
    Daemon::start("nginx", |port| {
        let text = format!(
            "daemon off;\nmaster_process off;\npid {prefix}pid;\nevents {{}}\nhttp {{\naccess_log off;\n\
             {temporary}server {{\nlisten 127.0.0.1:{port};\n{location}}}\n}}\n"
        );
        let file = folder.write("nginx.conf", text);
        vec!["-p".into(), prefix.clone(), "-c".into(), file, "-e".into(), "stderr".into()]
    })
}

/// The configuration of this name leads on; its server listens where it says 8080. `arguments` are
/// those for a folder and the file of the configuration in it.
fn reverse_proxy(
    name: &str,
    program: &str,
    arguments: impl Fn(&Folder, String, u16) -> Vec<String>,
) {
    let (Some(broker), folder) = (broker_for(name), Folder::new()) else { return };
    let [text] = &printed(name)[..] else { panic!("there is one") };
    let text = with_broker(text, broker.ws_port());
    assert!(text.contains("8080") || name == "varnishd" || name == "traefik", "{text}");
    let server = Daemon::start(program, |port| {
        let text = text.replace("8080", &port.to_string());
        arguments(&folder, folder.write(&format!("{name}.conf"), text), port)
    });
    leads_on(server.port, &[]);
}

/// What `check` prints of a broker behind an nginx that does not pass the upgrade on.
pub fn check_without_upgrade() -> Option<String> {
    let (broker, folder) = (broker_for("nginx")?, Folder::new());
    let [text] = &printed("nginx")[..] else { panic!("there is one") };
    let is_kept = |line: &&str| !line.contains("Upgrade") && !line.contains("upgrade");
    let location: Vec<&str> = text.lines().filter(is_kept).collect();
    let location = with_broker(&location.join("\n"), broker.ws_port());
    let server = start_nginx(&folder, &location);
    let url = format!("ws://127.0.0.1:{}/mqtt", server.port);
    let outcome = Program::new(["check", &url]).run();
    assert_eq!(outcome.code(), Some(5), "{outcome}");
    Some(String::from_utf8(outcome.stdout).expect("it is text"))
}

#[test]
fn haproxy() {
    reverse_proxy("haproxy", "haproxy", |_, file, _| vec!["-db".into(), "-f".into(), file]);
}

#[test]
fn caddy() {
    reverse_proxy("caddy", "env", |folder, file, _| {
        // It keeps a copy of its configuration in the user's folder.
        let home = format!("XDG_CONFIG_HOME={}", folder.path().display());
        let text = std::fs::read_to_string(&file).expect("it was just written");
        let file = folder.write("Caddyfile", format!("{{\nadmin off\n}}\n{text}"));
        [&home, "caddy", "run", "--adapter", "caddyfile", "--config", &file].map(Into::into).into()
    });
}

/// A program that `tests/run` installs by pip.
fn installed_by_pip(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/interop/proxies/bin");
    folder.join(name).display().to_string()
}

/// It listens before it knows its routes: until then, it answers 404.
#[test]
fn traefik() {
    reverse_proxy("traefik", &installed_by_pip("traefik"), |folder, file, port| {
        // It tells the kind of a file by its name.
        let named = folder.path().join("mqtt.toml");
        std::fs::rename(file, &named).expect("it was just written");
        vec![
            format!("--entryPoints.web.address=127.0.0.1:{port}"),
            format!("--providers.file.filename={}", named.display()),
            "--global.checkNewVersion=false".into(),
            "--global.sendAnonymousUsage=false".into(),
        ]
    });
}

#[test]
fn envoy() {
    reverse_proxy("envoy", &installed_by_pip("envoy"), |folder, file, _| {
        // It tells the kind of a file by its name.
        let named = folder.path().join("envoy.yaml").display().to_string();
        std::fs::rename(file, &named).expect("it was just written");
        ["-c", &named, "--concurrency", "1", "--disable-hot-restart"].map(Into::into).into()
    });
}

#[test]
fn varnish() {
    reverse_proxy("varnishd", "varnishd", |folder, file, port| {
        let (own, address) = (folder.path().display().to_string(), format!("127.0.0.1:{port}"));
        let flags = ["-F", "-a", &address, "-f", &file, "-n", &own, "-T", "none", "-j", "none"];
        [&flags[..], &["-s", "malloc,10m"]].concat().into_iter().map(Into::into).collect()
    });
}

#[test]
fn h2o() {
    reverse_proxy("h2o", "h2o", |_, file, _| vec!["-c".into(), file]);
}

#[test]
fn lighttpd() {
    reverse_proxy("lighttpd", "lighttpd", |_, file, _| vec!["-D".into(), "-f".into(), file]);
}

#[test]
fn apache() {
    let Some(broker) = broker_for("apache2") else { return };
    let modules = ["mpm_event", "authz_core", "proxy", "proxy_http", "proxy_wstunnel"]
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
        .concat();
    for text in printed("apache") {
        let (folder, text) = (Folder::new(), with_broker(&text, broker.ws_port()));
        let place = folder.path().display();
        let server = Daemon::start("apache2", |port| {
            let text = format!(
                "ServerName localhost\nServerRoot {place}\nDefaultRuntimeDir {place}\n\
                 PidFile {place}/pid\nErrorLog /dev/null\nUser daemon\nGroup daemon\n{modules}\
                 Listen 127.0.0.1:{port}\n{text}"
            );
            vec!["-X".into(), "-f".into(), folder.write("apache.conf", text)]
        });
        leads_on(server.port, &[]);
    }
}

#[test]
fn squid() {
    let (Some(broker), folder) = (broker_for("squid"), Folder::new()) else { return };
    let [text] = &printed("squid")[..] else { panic!("there is one") };
    let text = with_broker(text, broker.ws_port());
    let server = Daemon::start("squid", |port| {
        let text = format!(
            "http_port 127.0.0.1:{port}\n{text}access_log none\ncache_log /dev/null\n\
             cache_store_log none\npid_filename none\ncoredump_dir /\npinger_enable off\n\
             cache deny all\ncache_mem 1 MB\nmax_filedescriptors 1024\nshutdown_lifetime 0 seconds\n"
        );
        vec!["-N".into(), "-f".into(), folder.write("squid.conf", text)]
    });
    leads_on(broker.ws_port(), &["--proxy", &format!("http://127.0.0.1:{}", server.port)]);
}

/// The configuration of this name, which listens with TLS where it says 8443, leads on. `arguments`
/// are those for the file of the configuration.
fn tls_server(name: &str, broker: &Mosquitto, arguments: impl Fn(String) -> Vec<String>) {
    let (folder, authority) = (Folder::new(), Authority::new());
    let certificate = authority.certify(&["localhost"], FAR_AWAY);
    let both = certificate.key.serialize_pem() + &certificate.certificate.pem();
    let both = folder.write("server.pem", both);
    let [text] = &printed(name)[..] else { panic!("there is one") };
    let text = text.replace("server.pem", &both).replace("broker.example", "localhost");
    let text = text.replace("9443", &broker.wss_port());
    let text = text.replace("9001", &broker.ws_port().to_string());
    let server = Daemon::start(name, |port| {
        arguments(folder.write("conf", text.replace("8443", &port.to_string())))
    });
    // sniproxy leaves TLS to the broker.
    let own = folder.write("ca.pem", authority.pem());
    let trusted = if name == "sniproxy" { &broker.authority } else { &own };
    let url = format!("wss://localhost:{}/mqtt", server.port);
    leads_on_to(&url, &["--cafile", trusted]);
}

#[test]
fn stunnel() {
    let Some(broker) = broker_for("stunnel") else { return };
    tls_server("stunnel", &broker, |file| {
        let text = std::fs::read_to_string(&file).expect("it was just written");
        std::fs::write(&file, format!("foreground = yes\npid =\n{text}")).expect("it is ours");
        vec![file]
    });
}

#[test]
fn hitch() {
    let Some(broker) = broker_for("hitch") else { return };
    tls_server("hitch", &broker, |file| {
        // It does not work as root.
        let user = rustix::process::geteuid().is_root().then(|| "--user=nobody".to_owned());
        [format!("--config={file}")].into_iter().chain(user).collect()
    });
}

#[test]
fn sniproxy() {
    let Some(broker) = broker_for("sniproxy") else { return };
    tls_server("sniproxy", &broker, |file| vec!["-f".into(), "-c".into(), file]);
}

/// The configuration of this name, whose forward proxy listens at this port and is reached with
/// this URL, leads on.
fn forward_proxy(
    [name, program, scheme]: [&str; 3],
    printed_port: &str,
    arguments: impl Fn(&Folder, String) -> Vec<String>,
) {
    let (Some(broker), folder) = (broker_for(name), Folder::new()) else { return };
    let [text] = &printed(name)[..] else { panic!("there is one") };
    assert!(text.contains(printed_port), "{text}");
    let text = text.replace("9001", &broker.ws_port().to_string());
    let server = Daemon::start(program, |port| {
        arguments(&folder, text.replace(printed_port, &port.to_string()))
    });
    leads_on(broker.ws_port(), &["--proxy", &format!("{scheme}127.0.0.1:{}", server.port)]);
}

#[test]
fn tinyproxy() {
    forward_proxy(["tinyproxy", "tinyproxy", "http://"], "8888", |folder, text| {
        vec!["-d".into(), "-c".into(), folder.write("tinyproxy.conf", text)]
    });
}

#[test]
fn privoxy() {
    forward_proxy(["privoxy", "privoxy", "http://"], "8118", |folder, text| {
        vec!["--no-daemon".into(), folder.write("privoxy.conf", text)]
    });
}

#[test]
fn dante() {
    forward_proxy(["danted", "danted", "socks5h://"], "1080", |folder, text| {
        vec!["-f".into(), folder.write("dante.conf", text)]
    });
}

#[test]
fn microsocks() {
    forward_proxy(["microsocks", "microsocks", "socks5h://ann:s3cret@"], "1080", |_, text| {
        text.split_whitespace().skip(1).map(Into::into).collect()
    });
}
