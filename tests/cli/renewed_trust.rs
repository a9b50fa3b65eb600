//! Certificates that change while the program runs: authorities of `--cafile` that are replaced,
//! and certificates that come out of a pipe.

use std::fs;
use std::sync::Arc;

use crate::support::broker::{Broker, Step, packet, until_goodbye};
use crate::support::certificates::{Authority, FAR_AWAY};
use crate::support::folder::Folder;
use crate::support::lines::is_like;
use crate::support::program::{Program, Running};
use crate::support::secure::{Server, fixed, fixed_path};

/// A server with a certificate of this authority, to a client that connects.
fn connected(authority: &Authority) -> Vec<Step> {
    vec![shown(authority), Step::Upgrade, packet("10 <MQTT> 04 *"), Step::Send("20 00 00")]
}

fn shown(authority: &Authority) -> Step {
    let certificate = authority.certify(&["127.0.0.1"], FAR_AWAY);
    Step::Tls(Arc::new(Server::showing(&certificate).config()))
}

/// The end of a connection, and another one that the client refuses.
fn refused(authority: &Authority) -> Vec<Step> {
    vec![Step::End, Step::Reconnect, shown(authority), Step::Gone]
}

fn subscribe(broker: &Broker, flags: &[&str]) -> Running {
    let url = format!("wss://127.0.0.1:{}/mqtt", broker.port());
    let command = ["sub", &url, "-V", "311", "-t", "t", "-C", "1", "--reconnect-delay", "0.2"];
    Program::new([&command[..], flags].concat()).spawn()
}

fn subscribed() -> Vec<Step> {
    vec![packet("82 id <t> 00"), Step::Send("90 id 00")]
}

/// The file of the new authority comes later than its first certificate, whatever its name is, and
/// whether its file or its folder is given.
#[test]
fn a_new_authority_is_waited_for() {
    for (before, after, flag) in [
        (Authority::named("Old"), Authority::named("New"), "--cafile"),
        (Authority::named("Same"), Authority::named("Same"), "--cafile"),
        (Authority::named("Old"), Authority::named("New"), "--capath"),
    ] {
        let folder = Folder::new();
        let file = folder.write("ca.pem", before.pem());
        let again = [vec![Step::Reconnect], connected(&after), subscribed()];
        let message = until_goodbye(vec![Step::Send("30 <t> 'x'")]);
        let parts = [connected(&before), subscribed(), refused(&after)].into_iter();
        let script = parts.chain(again).chain([message]).flatten().collect();
        let broker = Broker::start(script);
        let within = folder.path().display().to_string();
        let place = if flag == "--cafile" { &file } else { &within };
        let mut running = subscribe(&broker, &[flag, place]);
        running.wait_for_words("; looking for other authorities\n");
        fs::rename(folder.write("new.pem", after.pem()), &file).unwrap();
        let outcome = running.finish();
        assert!(outcome.code() == Some(0) && outcome.stdout == b"x\n", "{outcome}");
    }
}

/// Each of the files of TLS may be missing, or half of it, at the moment of a reconnect.
#[test]
fn a_file_that_is_missing_or_cut_for_a_while_is_waited_for() {
    let (certificate, key) = (fixed_path("client-ec.pem"), fixed_path("client-ec.key"));
    for (flag, half) in [
        ("--cafile", None),
        ("--cafile", Some(60)),
        ("--capath", None),
        ("--cert", None),
        ("--cert", Some(60)),
        ("--key", None),
        ("--key", Some(60)),
    ] {
        let (authority, folder) = (Authority::new(), Folder::new());
        let entrance = || {
            let mut server = Server::showing(&authority.certify(&["127.0.0.1"], FAR_AWAY));
            server.clients = Some(fixed("authority.pem"));
            let config = Step::Tls(Arc::new(server.config()));
            vec![config, Step::Upgrade, packet("10 <MQTT> 04 *"), Step::Send("20 00 00")]
        };
        let message = until_goodbye(vec![Step::Send("30 <t> 'x'")]);
        let parts = [entrance(), subscribed(), vec![Step::Tell, Step::End, Step::Reconnect]];
        let parts = parts.into_iter().chain([entrance(), subscribed(), message]);
        let broker = Broker::start(parts.flatten().collect());
        let authorities = folder.path().join("ca").display().to_string();
        fs::create_dir(&authorities).unwrap();
        let ca = format!("{authorities}/ca.pem");
        fs::write(&ca, authority.pem()).unwrap();
        let own = |name: &str, from: &str| folder.write(name, fs::read(from).unwrap());
        let (certificate, key) = (own("cert", &certificate), own("key", &key));
        // The files are read after the command has ended: each try waits for us.
        let gate = folder.path().join("gate").display().to_string();
        Program::of("mkfifo", [&gate]).run().expect(0, "", "");
        let command = format!("read line < '{gate}'; echo username=u");
        let trusted = if flag == "--capath" { [flag, &authorities] } else { ["--cafile", &ca] };
        let own = ["--cert", &certificate, "--key", &key, "--credentials-command", &command];
        let mut running = subscribe(&broker, &[&trusted[..], &own].concat());
        let path = match flag {
            "--cafile" => &ca,
            "--capath" => &authorities,
            "--cert" => &certificate,
            _ => &key,
        };
        let whole = format!("{}.whole", folder.path().join("kept").display());
        fs::write(&gate, "\n").unwrap();
        broker.wait();
        fs::rename(path, &whole).unwrap();
        if let Some(length) = half {
            fs::write(path, &fs::read(&whole).unwrap()[..length]).unwrap();
        }
        fs::write(&gate, "\n").unwrap();
        running.wait_for_words(path);
        fs::rename(&whole, path).unwrap();
        fs::write(&gate, "\n").unwrap();
        let outcome = running.finish();
        assert!(outcome.code() == Some(0) && outcome.stdout == b"x\n", "{flag}: {outcome}");
    }
}

#[test]
fn a_server_for_which_no_authority_vouches_is_left_after_a_while() {
    let (before, after, folder) = (Authority::new(), Authority::new(), Folder::new());
    let file = folder.write("ca.pem", before.pem());
    let script = [connected(&before), subscribed(), refused(&after)].into_iter().flatten();
    let broker = Broker::start(script.collect());
    let outcome = subscribe(&broker, &["--cafile", &file]).finish();
    let said = String::from_utf8_lossy(&outcome.stderr);
    let words = "mqttws: warning: *connection lost: *; trying again\n\
                 mqttws: warning: *certificate signed by an *; looking for other authorities\n\
                 mqttws: subscribed at *: certificate signed by an unknown authority *\n";
    assert!(outcome.code() == Some(4) && is_like(&said, words), "{outcome}");
}

/// As `--cert <(pass show lamp)` of a shell: it can be read only once.
#[test]
fn a_client_certificate_may_come_out_of_a_pipe() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let mut server = Server::showing(&authority.certify(&["127.0.0.1"], FAR_AWAY));
    server.clients = Some(fixed("authority.pem"));
    let broker = server.good();
    let (url, file) = (format!("wss://127.0.0.1:{}/mqtt", broker.port()), "ca.pem");
    let file = folder.write(file, authority.pem());
    let script = "\"$0\" pub \"$1\" -V 311 -t t -m x --cafile <(cat \"$2\") \
                  --cert <(cat \"$3\") --key <(cat \"$4\")";
    let (certificate, key) = (fixed_path("client-ec.pem"), fixed_path("client-ec.key"));
    let words = ["-c", script, env!("CARGO_BIN_EXE_mqttws"), &url, &file, &certificate, &key];
    Program::of("bash", words).run().expect(0, "", "");
}
