//! `/NAME/mqtt`: a broker of its own for each name.

use super::{serve, stop};
use crate::support::lines::fails;
use crate::support::program::Program;

/// The URL of the broker of this name.
fn named(url: &str, name: &str) -> String {
    url.replace("/mqtt", &format!("/{name}/mqtt"))
}

fn retain(url: &str, message: &str) {
    let words = ["pub", url, "-t", "t", "-i", "me", "-r", "-q", "1", "-m", message];
    Program::new(words).run().expect(0, "", "");
}

#[test]
fn nothing_passes_from_one_to_another() {
    let (serve, url) = serve();
    let urls = [url.clone(), named(&url, "a"), named(&url, "B-1.2_3~")];
    let subscribers: Vec<_> = urls
        .iter()
        .map(|url| {
            // The same client id: none takes over the session of another.
            let words = ["sub", url, "-t", "#", "-i", "one", "-C", "2", "-d", "--no-reconnect"];
            let mut subscriber = Program::new(words).spawn();
            subscriber.wait_for_words("received SUBACK");
            subscriber
        })
        .collect();
    for url in &urls {
        retain(url, url);
    }
    for url in &urls {
        retain(url, "end");
    }
    for (subscriber, url) in subscribers.into_iter().zip(&urls) {
        let outcome = subscriber.finish();
        assert_eq!(outcome.code(), Some(0), "{outcome}");
        assert_eq!(outcome.stdout, format!("{url}\nend\n").as_bytes(), "{outcome}");
    }
    stop(serve);
}

#[test]
fn names_that_are_none() {
    let (serve, url) = serve();
    let long = "x".repeat(65);
    for name in ["-a", "a%20b", "a'b", ".a", &long] {
        let pattern = "mqttws: connecting to ws://127.0.0.1:*/mqtt: the server answered HTTP 404 Not \
                       Found: a broker has a name of 1 to 64 letters, digits, '-', '.', '_' and '~', \
                       which begins with a letter or digit, as in /NAME/mqtt; *";
        fails(&Program::new(["pub", &named(&url, name), "-t", "t", "-m", "x"]).run(), 5, pattern);
    }
    // Each of them is a line of the broker, too.
    serve.signal("INT");
    assert_eq!(serve.finish().code(), Some(0));
}

/// A broker does what is due at a time, also where nobody does anything.
#[test]
fn a_will_that_is_delayed() {
    let (serve, url) = serve();
    let url = named(&url, "wills");
    let subscriber = ["sub", &url, "-t", "will", "-C", "1", "-d"];
    let mut subscriber = Program::new(subscriber).spawn();
    subscriber.wait_for_words("received SUBACK");
    let words = ["sub", &url, "-t", "x", "-d", "--will-topic", "will", "--will-payload", "gone"];
    let delay = ["-D", "will", "will-delay-interval", "1", "-x", "60", "-i", "me"];
    let mut willing = Program::new([&words[..], &delay].concat()).spawn();
    willing.wait_for_words("received SUBACK");
    willing.signal("KILL");
    let outcome = subscriber.finish();
    assert_eq!((outcome.code(), &outcome.stdout[..]), (Some(0), &b"gone\n"[..]), "{outcome}");
    stop(serve);
}

#[test]
fn signals_are_for_all_of_them() {
    let (serve, url) = serve();
    let url = named(&url, "a");
    retain(&url, "kept");
    for (signal, end) in [("USR1", "connection reset"), ("INT", "server shutting down")] {
        let words = ["sub", &url, "-t", "t", "-d", "--no-reconnect"];
        let mut subscriber = Program::new(words).spawn();
        subscriber.wait_for_line(|line| line == "kept\n");
        serve.signal(signal);
        let outcome = subscriber.finish();
        assert!(String::from_utf8_lossy(&outcome.stderr).contains(end), "{outcome}");
    }
    assert_eq!(serve.finish().code(), Some(0));
}
