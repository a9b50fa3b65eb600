//! The supports checked on their own: they must be able to fail, or no test above them means
//! anything.

use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};

use super::broker::{Broker, Step, connected, packet, subscribed, until_goodbye};
use super::program::Program;

/// A client that owes nothing to the program.
fn client(broker: &Broker) -> WebSocket<TcpStream> {
    let mut request = broker.url().into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "mqtt".parse().unwrap());
    let stream = TcpStream::connect(("127.0.0.1", broker.port())).unwrap();
    tungstenite::client(request, stream).unwrap().0
}

fn send(client: &mut WebSocket<TcpStream>, bytes: &'static [u8]) {
    client.send(Message::Binary(bytes.into())).unwrap();
}

const CONNECT: &[u8] = b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x2d\x00\x02me";

#[test]
fn a_script_is_followed() {
    let broker = Broker::start(until_goodbye(subscribed([Step::Send("30 <t> 'x'"), Step::Tell])));
    let mut client = client(&broker);
    send(&mut client, CONNECT);
    assert_eq!(client.read().unwrap().into_data(), b"\x20\x02\0\0"[..]);
    send(&mut client, b"\x82\x06\x00");
    send(&mut client, b"\x07\x00\x01t\x00");
    assert_eq!(client.read().unwrap().into_data(), b"\x90\x03\0\x07\0"[..]);
    assert!(client.read().unwrap().is_ping());
    assert_eq!(client.read().unwrap().into_data(), b"\x30\x04\0\x01tx"[..]);
    broker.wait();
    send(&mut client, b"\xe0\x00");
    let code = tungstenite::protocol::frame::coding::CloseCode::Normal;
    let close = tungstenite::protocol::CloseFrame { code, reason: "".into() };
    client.close(Some(close)).unwrap();
    assert!(client.read().unwrap().is_close());
    drop(client);
    assert!(broker.finish() > 100);
}

/// What the broker says when `talk` is all that a client does.
fn complaint(script: Vec<Step>, talk: impl FnOnce(&Broker)) -> String {
    let broker = Broker::start(script);
    talk(&broker);
    let panic =
        catch_unwind(AssertUnwindSafe(|| drop(broker))).expect_err("the script cannot be finished");
    panic.downcast_ref::<String>().unwrap().clone()
}

#[test]
fn a_script_that_is_not_followed_fails_the_test() {
    assert_eq!(complaint(connected([]), |_| {}), "the broker: nobody connected");

    let wrong = complaint(connected([packet("e0")]), |broker| {
        let mut client = client(broker);
        send(&mut client, CONNECT);
        send(&mut client, b"\xc0\x00");
        client.flush().unwrap();
        client.read().unwrap();
    });
    assert!(wrong.starts_with("the broker: step 4: expected e0"), "{wrong}");

    let hasty = complaint(connected([]), |broker| {
        let mut client = client(broker);
        send(&mut client, b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x2d\x00\x02me\xc0\x00");
        client.read().ok();
    });
    assert!(hasty.contains("behind CONNECT"), "{hasty}");

    let early = complaint(connected([]), |broker| drop(client(broker)));
    assert!(early.contains("the client ended the connection"), "{early}");

    let text = complaint(connected([]), |broker| {
        client(broker).send(Message::Text("hello".into())).unwrap();
    });
    assert!(text.contains("begins with 0x81"), "{text}");
}

#[test]
fn a_reset_is_a_reset() {
    let broker = Broker::start(vec![Step::Upgrade, Step::Reset]);
    let mut client = client(&broker);
    send(&mut client, CONNECT);
    let error = client.read().unwrap_err();
    assert!(
        matches!(error, tungstenite::Error::Io(_) | tungstenite::Error::Protocol(_)),
        "{error}"
    );
}

#[test]
fn a_program_is_run_and_compared() {
    let cat = Program::of("cat", ["-"]).stdin("a\nb").run();
    cat.expect(0, "a\nb", "");
    assert!(catch_unwind(AssertUnwindSafe(|| cat.expect(0, "a\n", ""))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| cat.expect(1, "a\nb", ""))).is_err());

    let shell =
        Program::of("sh", ["-c", "echo $ONE$HOME; echo two >&2; exit 3"]).env("ONE", "1").run();
    shell.expect(3, "1\n", "two\n");
    assert!(shell.to_string().contains("exit status: 3"), "{shell}");
}

#[test]
fn a_program_that_does_not_end_is_killed_and_fails_the_test() {
    let mut cat = Program::of("cat", ["-"]).stdin("one\n").stdin_held_open().spawn();
    assert_eq!(cat.wait_for_line(|line| line.starts_with("one")), "one");
    let panic = catch_unwind(AssertUnwindSafe(|| cat.finish_within(Duration::from_millis(50))));
    let report = *panic.err().unwrap().downcast::<String>().unwrap();
    assert!(report.contains("it had not ended after 50ms"), "{report}");
    assert!(report.contains("--- stdout (4 bytes)\none\\n"), "{report}");
}

#[test]
fn outputs_are_closed_as_asked() {
    let yes = Program::of("yes", ["y"]).stdout_read_for_one_line().run();
    assert_eq!((yes.code(), yes.stdout.as_slice()), (None, b"y\n".as_slice()), "{yes}");
    let yes = Program::of("yes", ["y"]).stdout_closed().run();
    assert_eq!((yes.code(), yes.stdout.as_slice()), (None, b"".as_slice()), "{yes}");

    let cat = Program::of("cat", ["-"]).stdin_held_open().spawn();
    cat.signal("TERM");
    assert_eq!(cat.finish().code(), None);
}
