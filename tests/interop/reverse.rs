//! What the tests of reverse proxies share: certificates, and what has to pass.

use crate::broker::Mosquitto;
use crate::certificates::{Authority, FAR_AWAY};
use crate::folder::Folder;
use crate::long_payload;
use crate::program::{Outcome, Program};

/// The files of a proxy that ends TLS itself.
pub struct Files {
    pub folder: Folder,
    pub authority: String,
    pub certificate: String,
    pub key: String,
    /// Certificate and key in one file.
    pub both: String,
}

impl Files {
    pub fn new() -> Self {
        let (authority, folder) = (Authority::new(), Folder::new());
        let certificate = authority.certify(&["localhost", "127.0.0.1"], FAR_AWAY);
        let (pem, key) = (certificate.certificate.pem(), certificate.key.serialize_pem());
        Self {
            authority: folder.write("ca.pem", authority.pem()),
            certificate: folder.write("server.pem", &pem),
            both: folder.write("both.pem", format!("{pem}{key}")),
            key: folder.write("server.key", key),
            folder,
        }
    }

    /// A file below the folder that need not exist.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

/// Where the broker's WebSocket listener is.
pub fn address(broker: &Mosquitto) -> String {
    format!("127.0.0.1:{}", broker.ws_port())
}

/// Publishes 1 MiB through `url`, and a retained message that is read back through it.
pub fn leads_on(broker: &Mosquitto, url: &str, flags: &[&str]) {
    let payload = long_payload(1 << 20);
    let long = ["-i", "long", "-t", "long", "-q", "1", "-N", "-C", "1"];
    let subscriber = broker.client("mosquitto_sub", &long).spawn();
    broker.wait_for_subscription("long");
    let program = |words: &[&str]| Program::new([words, flags].concat());
    program(&["pub", url, "-t", "long", "-q", "2", "-s"]).stdin(&*payload).run().expect(0, "", "");
    subscriber.finish().expect(0, payload, "");
    program(&["pub", url, "-t", "t", "-r", "-q", "1", "-m", "through"]).run().expect(0, "", "");
    program(&["sub", url, "-t", "t", "-C", "1"]).run().expect(0, "through\n", "");
}

/// `pub` to `url`, which does not get through.
pub fn publish(url: &str, flags: &[&str]) -> Outcome {
    Program::new([&["pub", url, "-t", "t", "-m", "x"], flags].concat()).run()
}

/// The proxy ends a connection over which nothing went for its time; one with a shorter keep alive
/// goes on.
pub fn ends_the_idle(broker: &Mosquitto, url: &str) {
    let flags = ["sub", url, "-t", "idle", "-i", "idle", "-C", "1"];
    let idle = Program::new([&flags[..], &["-k", "60", "--no-reconnect"]].concat()).run();
    let lost = "connection lost: the server closed the connection";
    idle.expect(8, "", &format!("mqttws: subscribed at {url}: {lost}\n"));
    let alive = Program::new([&flags[..], &["-k", "1"]].concat()).spawn();
    broker.wait_for_subscription("idle");
    broker.wait_for_subscription("idle");
    // The second of the two lines is this subscription's; now the time of the proxy passes.
    let away = ["sub", url, "-t", "away", "-k", "60", "--no-reconnect"];
    assert_eq!(Program::new(away).run().code(), Some(8));
    broker.client("mosquitto_pub", &["-t", "idle", "-m", "x"]).run().expect(0, "", "");
    alive.finish().expect(0, "x\n", "");
}
