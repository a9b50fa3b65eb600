//! How `mqttws serve` says that it listens: `--json`, `--ready-fd` and a service manager.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use crate::support::folder::Folder;
use crate::support::lines::{fails, is_like};
use crate::support::program::{PATIENCE, Program};

const MQTTWS: &str = env!("CARGO_BIN_EXE_mqttws");

/// The line of `--json` for a URL of this process.
fn start_line(url: &str, pid: u32) -> String {
    let port = url.trim_start_matches("ws://127.0.0.1:").trim_end_matches("/mqtt");
    format!("{{\"url\":\"{url}\",\"port\":{port},\"pid\":{pid},\"ca\":null}}\n")
}

/// The value of the first member.
fn url_of(line: &str) -> &str {
    line.strip_prefix("{\"url\":\"").unwrap().split('"').next().unwrap()
}

#[test]
fn an_object_says_where_it_listens() {
    let mut running = Program::new(["serve", "-p", "0", "--json"]).spawn();
    let line = running.wait_for_line(|line| line.starts_with('{'));
    let pid = running.pid();
    Program::new(["pub", url_of(&line), "-t", "t", "-m", "x", "-q", "1"]).run().expect(0, "", "");
    running.signal("TERM");
    running.finish().expect(0, start_line(url_of(&line), pid), "");
}

#[test]
fn the_object_comes_before_the_output_of_a_command() {
    // Between the two stands one more process on Linux.
    let script = if cfg!(target_os = "linux") {
        "cut -d' ' -f4 /proc/$PPID/stat; echo $MQTTWS_URL"
    } else {
        "echo $PPID; echo $MQTTWS_URL"
    };
    let words = ["serve", "--json", "--", "sh", "-c", script];
    let outcome = Program::new(words).run();
    let text = String::from_utf8(outcome.stdout.clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let [_, pid, url] = lines[..] else { panic!("{outcome}") };
    let first = start_line(url, pid.parse().unwrap());
    outcome.expect(0, format!("{first}{pid}\n{url}\n"), "");
}

/// It is told before the command starts, and has what a program needs to begin.
#[test]
fn a_file_descriptor_gets_the_line() {
    let folder = Folder::new();
    let path = folder.path().join("ready").display().to_string();
    let run = |more: &str| {
        let script = format!(
            "exec \"$0\" serve --ready-fd 7 {more} -- sh -c 'cat \"$1\"; echo $MQTTWS_URL' sh \
             \"$1\" 7>\"$1\""
        );
        let outcome = Program::of("sh", ["-c", &script, MQTTWS, &path]).run();
        assert_eq!((outcome.code(), &outcome.stderr[..]), (Some(0), &b""[..]), "{outcome}");
        String::from_utf8(outcome.stdout).unwrap()
    };
    let text = run("");
    let (first, second) = text.split_once('\n').unwrap();
    assert_eq!(format!("{first}\n"), second);
    let text = run("--json");
    let lines: Vec<&str> = text.lines().collect();
    let [on_stdout, told, url] = lines[..] else { panic!("{text}") };
    assert_eq!((told, url_of(told)), (on_stdout, url));
}

#[test]
fn the_file_descriptor_may_be_a_pipe_or_a_socket() {
    let script = "exec \"$0\" serve --ready-fd 3 -- true 3>&1";
    let outcome = Program::of("sh", ["-c", script, MQTTWS]).run();
    let text = String::from_utf8_lossy(&outcome.stdout);
    assert!(outcome.code() == Some(0) && is_like(&text, "ws://127.0.0.1:*/mqtt\n"), "{outcome}");
    // Such as node's child_process makes.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{port}; exec \"$0\" serve --ready-fd 3 -- sh -c 'read line'"
    );
    let mut running = Program::of("bash", ["-c", &script, MQTTWS]).stdin_held_open().spawn();
    let (socket, _) = listener.accept().unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut line = String::new();
    BufReader::new(socket).read_line(&mut line).unwrap();
    assert!(is_like(&line, "ws://127.0.0.1:*/mqtt\n"), "{line}");
    running.end_stdin();
    running.finish().expect(1, "", "");
}

/// A reader that has gone is no failure.
#[test]
fn nobody_needs_to_read_the_file_descriptor() {
    let script = "(exec \"$0\" serve --ready-fd 3 -- sh -c 'echo ran >&2' 3>&1 >&2) | true";
    Program::of("sh", ["-c", script, MQTTWS]).run().expect(0, "", "ran\n");
}

#[test]
fn a_file_descriptor_that_is_not_open_is_a_mistake() {
    for number in ["3", "77", "4294967295"] {
        let outcome = Program::new(["serve", "--ready-fd", number, "--", "true"]).run();
        let line = format!(
            "mqttws: --ready-fd: file descriptor {number} is not usable: Bad file descriptor*"
        );
        fails(&outcome, 2, &line);
    }
    let line = "mqttws: invalid value 'x' for '--ready-fd <N>': expected the number of an open \
                file descriptor; see mqttws help serve";
    fails(&Program::new(["serve", "--ready-fd", "x"]).run(), 2, line);
    let script = "exec \"$0\" serve --ready-fd 3 -- true 3</dev/null";
    let line = "mqttws: writing to file descriptor 3: Bad file descriptor";
    fails(&Program::of("sh", ["-c", script, MQTTWS]).run(), 1, line);
}

fn next(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 1000];
    let length = socket.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

/// As systemd does; its sockets are paths, or names of the abstract namespace.
#[test]
fn a_service_manager_is_told() {
    let folder = Folder::new();
    let path = folder.path().join("notify").display().to_string();
    let name = format!("mqttws-test-{}", std::process::id());
    let named = SocketAddr::from_abstract_name(&name).unwrap();
    for (address, socket) in [
        (path.clone(), UnixDatagram::bind(&path).unwrap()),
        (format!("@{name}"), UnixDatagram::bind_addr(&named).unwrap()),
    ] {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let serve = Program::new(["serve", "-p", "0"]).env("NOTIFY_SOCKET", &address);
        let mut running = serve.spawn();
        let url = running.wait_for_line(|line| line.starts_with("ws"));
        assert_eq!(next(&socket), format!("READY=1\nSTATUS=Listening at {url}\n"));
        running.signal("TERM");
        assert_eq!(next(&socket), "STOPPING=1\n");
        running.finish().expect(0, format!("{url}\n"), "");
        let words = ["serve", "--", "sh", "-c", "echo ${NOTIFY_SOCKET-none}"];
        Program::new(words).env("NOTIFY_SOCKET", &address).run().expect(0, "none\n", "");
        assert!(is_like(&next(&socket), "READY=1\nSTATUS=Listening at ws://127.0.0.1:*/mqtt\n"));
        assert_eq!(next(&socket), "STOPPING=1\n");
    }
}

#[test]
fn a_service_manager_that_is_not_there_is_a_warning() {
    let warning = "mqttws: warning: telling the service manager at ";
    for (address, why) in [
        ("/no/such", "No such file or directory"),
        ("here", "neither a path nor a name of the abstract namespace"),
    ] {
        let outcome = Program::new(["serve", "--", "true"]).env("NOTIFY_SOCKET", address).run();
        let line = format!("{warning}{address}: {why}\n");
        outcome.expect(0, "", &line);
    }
}
