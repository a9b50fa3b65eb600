//! Pages of other origins: a browser tells them nothing but that they failed.

use std::fs;

use super::chromium::{Chromium, Page};
use super::{Task, chromium, library_file, serve_with, site};
use crate::folder::Folder;

/// The places where a page may come from, and the origin that the browser tells the broker.
struct Places {
    folder: Folder,
    site: u16,
}

impl Places {
    fn new(chromium: &Chromium) -> Self {
        let folder = Folder::new();
        let library = fs::read(library_file("mqttjs")).unwrap();
        for (name, text) in [
            ("mqttjs.html", site::page("mqttjs.js").as_bytes()),
            ("mqttjs.js", &library),
            ("page.js", site::SCRIPT.as_bytes()),
        ] {
            folder.write(name, text);
        }
        Self { folder, site: chromium.site.port }
    }

    /// Name, origin, and where the page lies.
    fn list(&self) -> [(&'static str, String, String); 3] {
        let (folder, site) = (self.folder.path().display(), self.site);
        let foreign = format!("http://foreign.example:{site}");
        [
            ("foreign", foreign.clone(), foreign),
            ("file", "null".to_owned(), format!("file://{folder}")),
            ("sandbox", "null".to_owned(), format!("http://localhost:{site}/framed")),
        ]
    }
}

/// Opens a page that lies there; its name tells the broker and the place.
fn open(chromium: &'static Chromium, url: &str, place: &str, at: &str) -> Page {
    let task = Task { library: "mqttjs", version: 5, url, more: "" };
    let name = format!("{}-{place}", task.name());
    let address = task.address(at, chromium.site.port, &name);
    chromium.open(&address, &name)
}

/// The page sees 1006 and nothing else; why stands on stderr of the broker.
#[test]
fn foreign_pages_are_refused() {
    let Some(chromium) = chromium() else { return };
    let (mut serve, url) = serve_with(&[]);
    for (place, origin, at) in Places::new(chromium).list() {
        open(chromium, &url, place, &at).tells("closed 1006");
        serve.wait_for_words(&format!(
            " was refused with 403 Forbidden: start mqttws serve with --allow-origin {origin} to \
             let in pages "
        ));
    }
    let here = format!("http://localhost:{}", chromium.site.port);
    // A page of this machine, with a name for it that anybody could have made lead here.
    let rebound = url.replace("127.0.0.1", "foreign.example");
    open(chromium, &rebound, "rebound", &here).tells("closed 1006");
    serve.wait_for_words("start mqttws serve with --allow-remote to let in clients that call it ");
    // A library that takes / for a URL without a path.
    let pathless = url.trim_end_matches("mqtt");
    open(chromium, pathless, "pathless", &here).tells("closed 1006");
    serve
        .wait_for_words(" was refused with 404 Not Found: mqttws serve listens at /mqtt, not at /");
}

#[test]
fn foreign_pages_are_let_in_by_their_flags() {
    let Some(chromium) = chromium() else { return };
    let places = Places::new(chromium);
    for (place, origin, at) in places.list() {
        let (_serve, url) = serve_with(&["--allow-origin", &origin]);
        let mut page = open(chromium, &url, place, &at);
        page.tells("upgraded mqtt");
        page.tells("subscribed");
        let other = if origin == "null" { "foreign" } else { "file" };
        let (_, _, at) = places.list().into_iter().find(|(place, ..)| *place == other).unwrap();
        open(chromium, &url, other, &at).tells("closed 1006");
    }
}
