//! The program through nginx as a reverse proxy before mosquitto: set up well, set up badly, and
//! with an idle time that is shorter than the keep alive.

use std::time::Duration;

use crate::broker::Mosquitto;
use crate::daemon::Daemon;
use crate::folder::Folder;
use crate::program::Program;
use crate::{is_here, mosquitto};

/// nginx before `broker`, one process in the foreground.
fn nginx(broker: &Mosquitto, folder: &Folder) -> Option<Daemon> {
    nginx_with(broker, folder, locations)
}

/// The same with these locations, which are told where the broker is.
fn nginx_with(
    broker: &Mosquitto,
    folder: &Folder,
    locations: impl Fn(&str) -> String,
) -> Option<Daemon> {
    let upstream = broker.ws().replace("ws://", "http://").replace("/mqtt", "");
    let prefix = folder.write("nginx.pid", "").replace("nginx.pid", "");
    is_here("nginx").then(|| {
        Daemon::start("nginx", |port| {
            let file =
                folder.write("nginx.conf", configuration(port, &locations(&upstream), &prefix));
            vec!["-p".into(), prefix.clone(), "-c".into(), file, "-e".into(), "stderr".into()]
        })
    })
}

fn configuration(port: u16, locations: &str, prefix: &str) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {prefix}{kind};\n"))
        .concat();
    format!(
        "daemon off;\nmaster_process off;\npid {prefix}nginx.pid;\nevents {{}}\nhttp {{\naccess_log off;\n\
         {temporary}default_type text/html;\nserver {{\nlisten 127.0.0.1:{port};\n\
         {locations}}}\n}}\n"
    )
}

fn locations(upstream: &str) -> String {
    let upgrade = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
                   proxy_set_header Connection upgrade;";
    format!(
        "location /mqtt {{ proxy_pass {upstream}; {upgrade} }}\n\
         location /idle {{ proxy_pass {upstream}; {upgrade} proxy_read_timeout 2s; }}\n\
         location /plain {{ proxy_pass {upstream}; }}\n\
         location /gone {{ proxy_pass http://127.0.0.1:1; {upgrade} }}\n\
         location /moved {{ return 302 /mqtt; }}\n\
         location /page {{ return 200 '<html><head><title>Welcome</title></head></html>'; }}\n\
         location /missing {{ return 404; }}\n"
    )
}

#[test]
fn nginx_set_up_well_leads_on() {
    let (Some(broker), folder) = (mosquitto(), Folder::new()) else { return };
    let Some(nginx) = nginx(&broker, &folder) else { return };
    let subscriber = broker.client("mosquitto_sub", &["-i", "sub", "-t", "t", "-C", "2"]).spawn();
    broker.wait_for_subscription("sub");
    let url = format!("ws://127.0.0.1:{}/mqtt", nginx.port);
    Program::new(["pub", &url, "-t", "t", "-q", "2", "-m", "well"]).run().expect(0, "", "");
    let moved = url.replace("/mqtt", "/moved");
    Program::new(["pub", &moved, "-t", "t", "-q", "1", "-m", "moved", "--follow"])
        .run()
        .expect(0, "", "");
    subscriber.finish().expect(0, "well\nmoved\n", "");
}

#[test]
fn nginx_set_up_badly_is_explained() {
    let (Some(broker), folder) = (mosquitto(), Folder::new()) else { return };
    let Some(nginx) = nginx(&broker, &folder) else { return };
    let refused = |path: &str, words: &str| {
        let url = format!("ws://127.0.0.1:{}/{path}", nginx.port);
        let outcome = Program::new(["pub", &url, "-t", "t", "-n", "--quiet"]).run();
        let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
        let (start, end) = words.split_once(" (*)").unwrap();
        let start = format!("mqttws: connecting to {url}: the server answered HTTP {start} (nginx");
        let is_told = stderr.starts_with(&start) && stderr.ends_with(&format!("{end}\n"));
        assert!(outcome.code() == Some(5) && is_told, "{start} {end}\n{outcome}");
    };
    let lost = "the proxy cannot reach the broker, or drops the Upgrade header";
    let gone = format!("502 Bad Gateway (*); {lost}");
    refused("gone", &gone);
    refused("moved", "302 Moved Temporarily (*); connect to that address, or use --follow");
    refused(
        "page",
        "200 OK (*): Welcome; this is an ordinary web page: check the path and the port",
    );
    refused("missing", "404 Not Found (*); no WebSocket at this path: try /mqtt, /ws or /");
    // Without the Upgrade header mosquitto (libwebsockets) sees an ordinary request, and hangs up.
    refused("plain", &gone);
}

#[test]
fn an_idle_time_shorter_than_the_keep_alive_is_mended() {
    let (Some(broker), folder) = (mosquitto(), Folder::new()) else { return };
    let Some(nginx) = nginx(&broker, &folder) else { return };
    let url = format!("ws://127.0.0.1:{}/idle", nginx.port);
    let flags = [
        "sub",
        &url,
        "-t",
        "t",
        "-q",
        "1",
        "-i",
        "sub",
        "-k",
        "60",
        "--reconnect-delay",
        "0.1",
        "-C",
        "1",
    ];
    let subscriber = Program::new(flags).spawn();
    broker.wait_for_subscription("sub");
    // nginx ends the connection after 2 s; the client comes back.
    broker.wait_for_connection("sub");
    broker.client("mosquitto_pub", &["-t", "t", "-q", "1", "-m", "late"]).run().expect(0, "", "");
    let outcome = subscriber.finish();
    let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert_eq!((outcome.code(), outcome.stdout.as_slice()), (Some(0), &b"late\n"[..]), "{outcome}");
    let is_told = stderr
        .contains("connection lost: the server closed the connection; trying again")
        && stderr.contains("connected again after ");
    assert!(is_told, "{outcome}");
}

#[test]
fn a_keep_alive_shorter_than_the_idle_time_keeps_the_connection() {
    let (Some(broker), folder) = (mosquitto(), Folder::new()) else { return };
    let Some(nginx) = nginx(&broker, &folder) else { return };
    let url = format!("ws://127.0.0.1:{}/idle", nginx.port);
    let flags = ["sub", &url, "-t", "t", "-k", "1", "-W", "4"];
    let outcome = Program::new(flags).spawn().finish_within(Duration::from_secs(20));
    let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(!stderr.contains("lost"), "{outcome}");
}

/// The pieces of the report in the README, between `...`, without what differs from run to run.
fn report_in_the_readme() -> Vec<String> {
    let readme = include_str!("../../README.md");
    let (_, report) = readme.split_once("$ mqttws check ws://broker.example/mqtt\n").unwrap();
    let (report, _) = report.split_once("```").unwrap();
    report.split("...\n").map(without_numbers).collect()
}

/// A report without numbers of bytes and seconds, and with the address and server of the README.
fn without_numbers(report: &str) -> String {
    let words = report.split_inclusive([' ', '\n']);
    let is_number = |word: &&str| word.trim_end().parse::<f64>().is_ok();
    words.filter(|word| !is_number(word)).collect::<String>().replace('\n', " ")
}

/// A proxy that does not pass `Upgrade` on: the README shows what `check` says of it.
#[test]
fn the_report_in_the_readme_is_as_it_looks() {
    let (Some(broker), folder) = (mosquitto(), Folder::new()) else { return };
    let plain = |upstream: &str| format!("location /mqtt {{ proxy_pass {upstream}; }}\n");
    let Some(nginx) = nginx_with(&broker, &folder, plain) else { return };
    let url = format!("ws://127.0.0.1:{}/mqtt", nginx.port);
    let outcome = Program::new(["check", &url]).run();
    let said = String::from_utf8_lossy(&outcome.stdout).replace(&url, "ws://broker.example/mqtt");
    let (server, rest) = said.split_once("nginx/").unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    let said = without_numbers(&format!("{server}nginx\n{rest}"));
    for piece in report_in_the_readme() {
        assert!(said.contains(&piece), "not {piece:?}\n{outcome}");
    }
    assert_eq!(outcome.code(), Some(5), "{outcome}");
}
