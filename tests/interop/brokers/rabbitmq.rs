//! RabbitMQ with `web_mqtt`: MQTT 3.1.1 over AMQP queues.

use std::path::Path;
use std::sync::OnceLock;

use super::kept::Start;
use super::{Kind, PASSWORD, Retained, Server, USER, common, write};

pub const RABBITMQ: Kind = Kind {
    program: "rabbitmq-server",
    path: "/ws",
    newest: "311",
    no_mqtt_5: Some(
        "no answer to CONNECT: the server closed the WebSocket with code 1011 (internal error)",
    ),
    retained: Retained::AsAsked,
    start,
};

/// RabbitMQ's own start script below this folder: Debian's demands root and writes to /var.
const RELEASES: &str = "/usr/lib/rabbitmq/lib";

/// The user, where a command names one itself.
pub const USER_FLAGS: [&str; 4] = ["-u", USER, "-P", PASSWORD];

/// One server alone.
fn start(folder: &Path, [ws, cluster, _]: [u16; 3]) -> Start {
    let settings = format!("default_user = {USER}\ndefault_pass = {PASSWORD}\n");
    Node { host: 1, ws, cluster, settings: &settings }.start(folder)
}

/// A node, alone or of a cluster. Each node of a cluster has an address of its own, and all of them
/// talk to each other at one port: nobody has to look up ports, and no epmd is needed.
pub struct Node<'a> {
    /// The end of its address: 127.0.0.`host`.
    pub host: u8,
    /// The port for WebSockets, at 127.0.0.1.
    pub ws: u16,
    /// The port for the other nodes.
    pub cluster: u16,
    /// More of its `rabbitmq.conf`.
    pub settings: &'a str,
}

impl Node<'_> {
    fn configuration(&self) -> String {
        let Self { ws, settings, .. } = self;
        format!(
            "listeners.tcp = none\n\
             mqtt.listeners.tcp = none\n\
             mqtt.allow_anonymous = false\n\
             web_mqtt.tcp.ip = 127.0.0.1\nweb_mqtt.tcp.port = {ws}\n\
             vm_memory_high_watermark.absolute = 1GB\ndisk_free_limit.absolute = 10MB\n\
             {settings}"
        )
    }

    /// How it is started in a folder of its own.
    pub fn start(&self, folder: &Path) -> Start {
        write(folder, "rabbitmq.conf", &self.configuration());
        write(folder, "enabled_plugins", "[rabbitmq_web_mqtt].\n");
        let Self { host, cluster, .. } = self;
        let name = format!("mqttws@127.0.0.{host}");
        let erlang = format!(
            "-name {name} -setcookie mqttws -start_epmd false -erl_epmd_port {cluster} \
             -kernel inet_dist_use_interface {{127,0,0,{host}}} +S 2:2 +sbwt none"
        );
        in_folder(folder, name, erlang)
    }
}

fn in_folder(folder: &Path, name: String, erlang: String) -> Start {
    let file = |file: &str| folder.join(file).display().to_string();
    let release = std::fs::read_dir(RELEASES).into_iter().flatten().flatten().next();
    let release = release.expect("Debian's RabbitMQ is there").path();
    Start {
        words: vec![release.join("sbin/rabbitmq-server").display().to_string()],
        environment: vec![
            // The start script becomes Erlang instead of waiting for it.
            ("RUNNING_UNDER_SYSTEMD", "true".into()),
            ("RABBITMQ_HOME", release.display().to_string()),
            ("RABBITMQ_CONF_ENV_FILE", "/dev/null".into()),
            ("RABBITMQ_NODENAME", name),
            ("RABBITMQ_USE_LONGNAME", "true".into()),
            ("RABBITMQ_CONFIG_FILE", file("rabbitmq.conf")),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", file("advanced.config")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", file("enabled_plugins")),
            ("RABBITMQ_MNESIA_BASE", file("data")),
            ("RABBITMQ_FEATURE_FLAGS_FILE", file("features")),
            ("RABBITMQ_GENERATED_CONFIG_DIR", file("generated")),
            ("RABBITMQ_PLUGINS_EXPAND_DIR", file("plugins")),
            ("RABBITMQ_LOG_BASE", file("logs")),
            ("RABBITMQ_LOGS", "-".into()),
            ("RABBITMQ_PID_FILE", file("pid")),
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", erlang),
        ],
        ready: "Server startup complete",
    }
}

pub fn rabbitmq() -> Option<&'static Server> {
    static SERVER: OnceLock<Server> = OnceLock::new();
    RABBITMQ.shared(&SERVER)
}

/// It takes QoS 2 as QoS 1 and answers with PUBACK, up to 3.13.
#[test]
fn carries_everything_at_every_qos() {
    let Some(server) = rabbitmq() else { return };
    common::carries(server, "0", "");
    common::carries(server, "1", "");
    common::carries(server, "2", "mqttws: warning: the broker took QoS 2 as QoS 1\n");
}

#[test]
fn a_puback_for_qos_2_is_a_violation_when_strict() {
    let Some(server) = rabbitmq() else { return };
    let publish = server.newest("pub", &["-t", "rabbit/strict", "-m", "x", "-q", "2", "--strict"]);
    let line = "mqttws: publishing to rabbit/strict: the broker broke the protocol: an unexpected \
                PUBACK for a QoS 2 message\n";
    publish.run().expect(9, "", line);
}

#[test]
fn keeps_a_retained_message() {
    let Some(server) = rabbitmq() else { return };
    common::retains(server);
}

#[test]
fn keeps_a_session() {
    let Some(server) = rabbitmq() else { return };
    common::keeps_a_session(server, "1");
}

#[test]
fn older_versions_are_found() {
    let Some(server) = rabbitmq() else { return };
    common::falls_back(server);
}

/// The older version is refused in words, MQTT 5 without one.
#[test]
fn a_wrong_password_is_told() {
    let Some(server) = rabbitmq() else { return };
    common::refuses(
        server,
        "no answer to CONNECT: the server closed the WebSocket with code 1002 (protocol error): \
         unauthenticated; some brokers refuse credentials, a client id or a version this way: \
         check -u, -P, -i, -V",
    );
}

#[test]
fn a_wrong_path_is_told() {
    let Some(server) = rabbitmq() else { return };
    common::is_not_found(server, "404 Not Found (Cowboy)");
}

#[test]
fn a_shared_subscription_is_warned_of() {
    let Some(server) = rabbitmq() else { return };
    common::does_not_share(server);
}
