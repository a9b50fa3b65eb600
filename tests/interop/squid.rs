//! The program through Debian's squid (CONNECT), to mosquitto.

use crate::daemon::Daemon;
use crate::folder::Folder;
use crate::program::Program;
use crate::proxies::{ends_the_idle_tunnel, leads_on};
use crate::{is_here, mosquitto};

/// Squid asks it for each user name and password.
const JUDGE: &str = "while read -r user password; do case $user:$password in ann:s3cret) echo OK;; \
                     *) echo ERR;; esac; done";

/// One that knows a user, and does not lead to port 80.
fn squid(folder: &Folder) -> Option<Daemon> {
    is_here("squid").then(|| {
        Daemon::start("squid", |port| {
            let text = format!(
                "http_port 127.0.0.1:{port}\n\
                 configuration_includes_quoted_values on\n\
                 auth_param basic program /bin/sh -c \"{JUDGE}\"\n\
                 auth_param basic children 1\n\
                 acl known proxy_auth REQUIRED\nacl http port 80\n\
                 http_access deny http\nhttp_access allow known\n\
                 read_timeout 2 seconds\n\
                 access_log none\ncache_log /dev/null\ncache_store_log none\npid_filename none\n\
                 coredump_dir /\npinger_enable off\ncache deny all\ncache_mem 1 MB\n\
                 max_filedescriptors 1024\nshutdown_lifetime 0 seconds\n"
            );
            vec!["-N".into(), "-f".into(), folder.write("squid.conf", text)]
        })
    })
}

#[test]
fn squid_leads_to_both_listeners() {
    let (Some(broker), folder) = (mosquitto(), Folder::new()) else { return };
    let Some(proxy) = squid(&folder) else { return };
    let url = format!("http://ann:s3cret@127.0.0.1:{}", proxy.port);
    leads_on(&broker, &broker.ws(), &url);
    leads_on(&broker, &broker.wss(), &url);
}

#[test]
fn squid_ends_an_idle_tunnel() {
    let (Some(broker), folder) = (mosquitto(), Folder::new()) else { return };
    let Some(proxy) = squid(&folder) else { return };
    ends_the_idle_tunnel(&broker, &format!("http://ann:s3cret@127.0.0.1:{}", proxy.port));
}

#[test]
fn squid_refuses_in_words() {
    let folder = Folder::new();
    let Some(proxy) = squid(&folder) else { return };
    let refused = |user: &str, address: &str, shown: &str, words: &str| {
        let url = format!("http://{user}127.0.0.1:{}", proxy.port);
        let command = ["pub", address, "-t", "t", "-n", "--proxy", &url];
        let outcome = Program::new(command).run();
        let line = format!(
            "mqttws: connecting to {shown}: the proxy http://127.0.0.1:{} answered HTTP {words}\n",
            proxy.port
        );
        let said = String::from_utf8_lossy(&outcome.stderr).into_owned();
        let version = said.split_once(" (squid/").and_then(|(_, rest)| rest.split_once("): "));
        let said = version.map_or(said.clone(), |(version, _)| {
            said.replacen(&format!("squid/{version}"), "squid", 1)
        });
        assert_eq!((outcome.code(), said.as_str()), (Some(3), &*line), "{outcome}");
    };
    let page = "ERROR: The requested URL could not be retrieved";
    let wanted = "407 Proxy Authentication Required (squid): ERR_CACHE_ACCESS_DENIED 0: Basic realm=\"Squid proxy-caching web \
                  server\": ERROR: Cache Access Denied; give its user name and password: \
                  http://USER:PASSWORD@HOST:PORT";
    let (nine, user) = ("ws://127.0.0.1:9/mqtt", "ann:s3cret@");
    refused("", nine, nine, wanted);
    refused("ann:wrong@", nine, nine, wanted);
    refused(
        user,
        nine,
        nine,
        &format!(
            "503 Service Unavailable (squid): ERR_CONNECT_FAIL 111: {page}; the proxy cannot reach the server"
        ),
    );
    refused(
        user,
        "ws://127.0.0.1:80/mqtt",
        "ws://127.0.0.1/mqtt",
        &format!(
            "403 Forbidden (squid): ERR_ACCESS_DENIED 0: {page}; the rules of the proxy forbid it (Squid: acl SSL_ports, \
             http_access)"
        ),
    );
}
