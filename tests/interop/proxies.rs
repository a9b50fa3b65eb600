//! The program through Debian's tinyproxy (CONNECT) and microsocks (SOCKS 5), to mosquitto.

use crate::broker::Mosquitto;
use crate::daemon::Daemon;
use crate::folder::Folder;
use crate::program::Program;
use crate::{is_here, mosquitto};

/// tinyproxy with these lines in its configuration; none when it is to be left out.
fn tinyproxy(folder: &Folder, lines: &str) -> Option<Daemon> {
    tinyproxy_with_timeout(folder, 600, lines)
}

fn tinyproxy_with_timeout(folder: &Folder, timeout: u32, lines: &str) -> Option<Daemon> {
    is_here("tinyproxy").then(|| {
        Daemon::start("tinyproxy", |port| {
            let text = format!(
                "Port {port}\nListen 127.0.0.1\nTimeout {timeout}\nMaxClients 20\n{lines}\n"
            );
            vec!["-d".into(), "-c".into(), folder.write("tinyproxy.conf", text)]
        })
    })
}

/// microsocks with these flags; none when it is to be left out.
fn microsocks(flags: &[&str]) -> Option<Daemon> {
    is_here("microsocks").then(|| {
        Daemon::start("microsocks", |port| {
            let own = ["-i".to_owned(), "127.0.0.1".into(), "-p".into(), port.to_string()];
            own.into_iter().chain(flags.iter().map(|flag| (*flag).to_owned())).collect()
        })
    })
}

/// Publishes to `url` through `proxy` and checks that it arrives; then reads it back through the
/// proxy.
pub fn leads_on(broker: &Mosquitto, url: &str, proxy: &str) {
    let secure = ["--cafile", &broker.authority];
    let secure = if url.starts_with("wss") { &secure[..] } else { &[] };
    let flags = ["-t", "t", "--proxy", proxy];
    let publish = [&["pub", url, "-m", "through", "-q", "1", "-r"], &flags[..], secure].concat();
    Program::new(publish).run().expect(0, "", "");
    let plain = broker.client("mosquitto_sub", &["-t", "t", "-C", "1"]).run();
    plain.expect(0, "through\n", "");
    let subscribe = [&["sub", url, "-C", "1"], &flags[..], secure].concat();
    Program::new(subscribe).run().expect(0, "through\n", "");
}

/// The proxy ends a tunnel through which nothing goes.
pub fn ends_the_idle_tunnel(broker: &Mosquitto, proxy: &str) {
    let flags = ["-t", "t", "-k", "60", "--no-reconnect", "--proxy", proxy];
    let idle = Program::new([&["sub", &broker.ws()], &flags[..]].concat()).run();
    let lost = "connection lost: the server closed the connection";
    idle.expect(8, "", &format!("mqttws: subscribed at {}: {lost}\n", broker.ws()));
}

#[test]
fn tinyproxy_leads_to_both_listeners() {
    let (Some(broker), folder) = (mosquitto(), Folder::new()) else { return };
    let Some(proxy) = tinyproxy(&folder, "BasicAuth ann s3cret") else { return };
    let url = format!("http://ann:s3cret@127.0.0.1:{}", proxy.port);
    leads_on(&broker, &broker.ws(), &url);
    leads_on(&broker, &broker.wss(), &url);
}

#[test]
fn tinyproxy_ends_an_idle_tunnel() {
    let (Some(broker), folder) = (mosquitto(), Folder::new()) else { return };
    let Some(proxy) = tinyproxy_with_timeout(&folder, 2, "") else { return };
    ends_the_idle_tunnel(&broker, &format!("http://127.0.0.1:{}", proxy.port));
}

#[test]
fn tinyproxy_refuses_in_words() {
    let folder = Folder::new();
    let Some(proxy) = tinyproxy(&folder, "BasicAuth ann s3cret\nConnectPort 443") else { return };
    let refused = |user: &str, words: &str| {
        let (url, shown) = (
            format!("http://{user}127.0.0.1:{}", proxy.port),
            format!("http://127.0.0.1:{}", proxy.port),
        );
        let outcome =
            Program::new(["pub", "ws://127.0.0.1:9/mqtt", "-t", "t", "-n", "--proxy", &url]).run();
        let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
        let start = format!(
            "mqttws: connecting to ws://127.0.0.1:9/mqtt: the proxy {shown} answered HTTP {words}"
        );
        assert!(outcome.code() == Some(3) && stderr.starts_with(&start), "{start}\n{outcome}");
    };
    refused("", "407 Proxy Authentication Required");
    refused("ann:wrong@", "401 Unauthorized");
    refused("ann:s3cret@", "403 Access violation");
}

#[test]
fn microsocks_leads_to_both_listeners() {
    let Some(broker) = mosquitto() else { return };
    let Some(proxy) = microsocks(&["-u", "ann", "-P", "s3cret"]) else { return };
    for scheme in ["socks5", "socks5h"] {
        let url = format!("{scheme}://ann:s3cret@127.0.0.1:{}", proxy.port);
        leads_on(&broker, &broker.ws(), &url);
        leads_on(&broker, &broker.wss(), &url);
    }
}

#[test]
fn microsocks_refuses_in_words() {
    let Some(proxy) = microsocks(&["-u", "ann", "-P", "s3cret"]) else { return };
    let refused = |user: &str, words: &str| {
        let url = format!("socks5://{user}127.0.0.1:{}", proxy.port);
        let outcome =
            Program::new(["pub", "ws://127.0.0.1:9/mqtt", "-t", "t", "-n", "--proxy", &url]).run();
        let line = format!(
            "mqttws: connecting to ws://127.0.0.1:9/mqtt: the proxy socks5://127.0.0.1:{} {words}\n",
            proxy.port
        );
        outcome.expect(3, "", &line);
    };
    refused("", "wants a user name and a password; give them: socks5://USER:PASSWORD@HOST:PORT");
    refused("ann:wrong@", "refused the user name or the password");
    refused("ann:s3cret@", "could not connect to the server: connection refused");
}
