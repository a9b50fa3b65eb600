//! Messages from the shell to a page and back.

use std::fmt::Write;

use super::chromium::Chromium;
use super::{LIBRARIES, Task, chromium, mqttws, receives, serve, subscribe};
use crate::folder::Folder;
use crate::long_payload;

fn hex(payload: &[u8]) -> String {
    let mut hex = String::new();
    for byte in payload {
        write!(hex, "{byte:02x}").expect("a string takes all");
    }
    hex
}

/// Every byte, none, and more than one frame holds, at every QoS, to the page and back; first what
/// was retained before the page came.
fn carries(task: &Task, chromium: &'static Chromium) {
    let (folder, name, url) = (Folder::new(), task.name(), task.url);
    let (topic, out) = (format!("{name}/in"), format!("{name}/out"));
    let publish = |file: &str, qos: &str, more: &[&str]| {
        let flags = ["-t", &topic, "-q", qos, "-f", file];
        mqttws("pub", url, &[&flags, more].concat()).run().expect(0, "", "");
    };
    let payloads = [(0..=255).collect(), Vec::new(), long_payload(100_000)];
    let count = (1 + 3 * payloads.len()).to_string();
    let format = "q%q %t %x";
    let subscriber = subscribe(url, &["-t", &out, "-q", "2", "-C", &count, "-F", format]);
    publish(&folder.write("payload", "kept"), "1", &["-r"]);
    let mut page = task.open(chromium);
    let kept = hex(b"kept");
    page.tells(&format!("received {topic} q1 r1 {kept}"));
    let mut back = vec![format!("q1 {out} {kept}\n")];
    for qos in ["0", "1", "2"] {
        for payload in &payloads {
            publish(&folder.write("payload", payload), qos, &[]);
            let payload = hex(payload);
            page.tells(&format!("received {topic} q{qos} r0 {payload}"));
            back.push(format!("q{qos} {out} {payload}\n"));
        }
    }
    receives(subscriber, &back.concat());
    // What the page retained is there for whoever comes later.
    mqttws("sub", url, &["-t", &out, "-C", "1", "-F", "r%r %p"]).run().expect(0, "r1 kept\n", "");
}

/// Every version that a library speaks.
pub fn carries_in_every_version(library: usize, url: &str, chromium: &'static Chromium) {
    let (library, versions) = LIBRARIES[library];
    for version in versions {
        carries(&Task { library, version: *version, url, more: "" }, chromium);
    }
}

#[test]
fn mqtt_js_carries_everything() {
    let Some(chromium) = chromium() else { return };
    let (_serve, url) = serve();
    carries_in_every_version(0, &url, chromium);
}

#[test]
fn paho_javascript_carries_everything() {
    let Some(chromium) = chromium() else { return };
    let (_serve, url) = serve();
    carries_in_every_version(1, &url, chromium);
}
