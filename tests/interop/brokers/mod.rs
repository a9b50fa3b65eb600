//! The program against brokers other than mosquitto, each with what it does in its own way.

mod aedes;
mod amqtt;
mod common;
mod ejabberd;
pub mod kept;
mod nats;
mod rabbitmq;
mod reports;
mod restart;

use std::path::Path;
use std::sync::OnceLock;

use kept::{Kept, Remains, Start};
pub use rabbitmq::{Node, USER_FLAGS};

use crate::daemon::free_ports;
use crate::is_here;
use crate::program::Program;

/// The user whom every server knows.
const USER: &str = "ann";
const PASSWORD: &str = "s3cret";

/// A broker that runs.
pub struct Server {
    pub url: String,
    /// The newest version that it speaks, for `-V`.
    pub newest: &'static str,
    /// Why it is not MQTT 5 that is spoken with it, in the words of the warning.
    pub no_mqtt_5: Option<&'static str>,
    pub retained: Retained,
    _process: Kept,
}

/// Who gets a retained message.
#[derive(Clone, Copy)]
pub enum Retained {
    /// Whoever subscribes to its topic.
    AsAsked,
    /// The next that subscribes to anything, too.
    ToOthers,
}

/// What is known of a broker before it runs.
struct Kind {
    /// The program that has to be there.
    program: &'static str,
    path: &'static str,
    newest: &'static str,
    no_mqtt_5: Option<&'static str>,
    retained: Retained,
    /// How it is started in a folder of its own; the ports are free, the first is for WebSockets.
    start: fn(&Path, [u16; 3]) -> Start,
}

impl Kind {
    /// The one that all tests share; none when it is to be left out.
    fn shared(&self, place: &'static OnceLock<Server>) -> Option<&'static Server> {
        is_here(self.program).then(|| {
            place
                .get_or_init(|| self.start(&kept::lasting_folder(), free_ports(), Remains::Nothing))
        })
    }

    /// One of a test's own, with its data in this folder.
    fn start(&self, folder: &Path, ports: [u16; 3], remains: Remains) -> Server {
        let start = (self.start)(folder, ports);
        Server {
            url: format!("ws://127.0.0.1:{}{}", ports[0], self.path),
            newest: self.newest,
            no_mqtt_5: self.no_mqtt_5,
            retained: self.retained,
            _process: Kept::start(&start, folder, remains),
        }
    }
}

impl Server {
    /// `mqttws` with this verb and these arguments, as the user whom the server knows.
    pub fn program(&self, verb: &str, arguments: &[&str]) -> Program {
        let own = [verb, &self.url, "-u", USER, "-P", PASSWORD];
        Program::new([&own, arguments].concat())
    }

    /// The same in the newest version that the server speaks.
    pub fn newest(&self, verb: &str, arguments: &[&str]) -> Program {
        self.program(verb, &[arguments, &["-V", self.newest]].concat())
    }
}

/// Where `tests/run` puts the programs of npm and pip.
fn installed(path: &str) -> String {
    format!("{}/target/interop/{path}", env!("CARGO_MANIFEST_DIR"))
}

/// Writes a file and returns its path.
fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn words<const COUNT: usize>(words: [&str; COUNT]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

/// RabbitMQ takes its time to start, most of it waiting. Tests begin in the order of their names:
/// this one begins before all that need a server, and those that need others run beside it.
#[test]
fn a_slow_server_is_started_first() {
    rabbitmq::rabbitmq();
}
