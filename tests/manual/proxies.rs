//! The configurations of `man/mqttws-brokers.7`, each in the server that it is for: a message goes
//! through, with only the addresses changed.

use crate::broker::Mosquitto;
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

/// A retained message goes to the broker and comes back.
fn leads_on(port: u16, flags: &[&str]) {
    let url = format!("ws://127.0.0.1:{port}/mqtt");
    let program = |words: &[&str]| Program::new([&[words[0], &url], &words[1..], flags].concat());
    program(&["pub", "-t", "t", "-r", "-q", "2", "-m", "through"]).run().expect(0, "", "");
    program(&["sub", "-t", "t", "-C", "1"]).run().expect(0, "through\n", "");
}

/// A configuration whose broker is this one.
fn with_broker(text: &str, port: u16) -> String {
    assert!(text.contains("9001"), "{text}");
    text.replace("9001", &port.to_string())
}

#[test]
fn every_configuration_is_for_a_server_that_is_tested() {
    let examples = examples(&file("man/mqttws-brokers.7"));
    for name in examples.iter().filter_map(|example| example.note("config")) {
        assert!(["mosquitto", "nginx", "haproxy", "apache", "squid"].contains(&name), "{name}");
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
    let prefix = format!("{}/", folder.path().display());
    let [text] = &printed("nginx")[..] else { panic!("there is one") };
    let location = with_broker(text, broker.ws_port());
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {prefix}{kind};\n"))
        .concat();
    let server = Daemon::start("nginx", |port| {
        let text = format!(
            "daemon off;\nmaster_process off;\npid {prefix}pid;\nevents {{}}\nhttp {{\naccess_log off;\n\
             {temporary}server {{\nlisten 127.0.0.1:{port};\n{location}}}\n}}\n"
        );
        let file = folder.write("nginx.conf", text);
        vec!["-p".into(), prefix.clone(), "-c".into(), file, "-e".into(), "stderr".into()]
    });
    leads_on(server.port, &[]);
}

#[test]
fn haproxy() {
    let (Some(broker), folder) = (broker_for("haproxy"), Folder::new()) else { return };
    let [text] = &printed("haproxy")[..] else { panic!("there is one") };
    let text = with_broker(text, broker.ws_port());
    let server = Daemon::start("haproxy", |port| {
        let text = text.replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"));
        vec!["-db".into(), "-f".into(), folder.write("haproxy.cfg", text)]
    });
    leads_on(server.port, &[]);
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
