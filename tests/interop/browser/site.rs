//! The web server of the pages, on a port of this machine: it serves the files beside this one and
//! the libraries of npm, and takes the lines that pages tell.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;

use super::library_file;

/// The script of the page.
pub const SCRIPT: &str = include_str!("page.js");

/// A page around the page, which has no origin of its own there.
const FRAME: &str = "<!DOCTYPE html><iframe sandbox=allow-scripts></iframe>\
                     <script>frames[0].location = '/mqttjs.html' + location.search</script>";

/// Where the lines of a page go, by the name of the page.
type Listeners = Arc<Mutex<HashMap<String, Sender<String>>>>;

/// The server; it ends with the process.
pub struct Site {
    pub port: u16,
    listeners: Listeners,
}

impl Site {
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let listeners = Listeners::default();
        let site = Self { port, listeners: Arc::clone(&listeners) };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let listeners = Arc::clone(&listeners);
                // What a page does not get, its test misses.
                thread::spawn(move || answer(client, &listeners).ok());
            }
        });
        site
    }

    /// What the page of this name is going to tell.
    pub fn listen(&self, name: &str) -> Receiver<String> {
        let (sender, receiver) = mpsc::channel();
        self.listeners.lock().unwrap().insert(name.to_owned(), sender);
        receiver
    }
}

/// A request: its target and its body.
struct Request {
    target: String,
    body: Vec<u8>,
}

/// Reads one request.
fn read(client: &TcpStream) -> io::Result<Request> {
    let mut reader = BufReader::new(client);
    let (mut line, mut length) = (String::new(), 0);
    reader.read_line(&mut line)?;
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    line.clear();
    while reader.read_line(&mut line)? > 2 {
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Request { target, body })
}

/// Answers one request and closes the connection.
fn answer(mut client: TcpStream, listeners: &Listeners) -> io::Result<()> {
    let Request { target, body } = read(&client)?;
    if let Some(name) = target.strip_prefix("/tell/") {
        let line = String::from_utf8_lossy(&body).into_owned();
        // A page may live longer than its test.
        listeners.lock().unwrap().get(name).map(|listener| listener.send(line));
    }
    let path = target.split('?').next().unwrap_or_default();
    let (status, kind, text) = match file(path.trim_start_matches('/')) {
        Some((kind, text)) => ("200 OK", kind, text),
        None => ("204 No Content", "text/plain", String::new()),
    };
    let length = text.len();
    write!(
        client,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{text}"
    )
}

/// A file of the site: its type and its text.
fn file(name: &str) -> Option<(&'static str, String)> {
    let (html, script) = ("text/html; charset=utf-8", "text/javascript; charset=utf-8");
    let library = |name| (script, fs::read_to_string(library_file(name)).unwrap());
    match name {
        "page.js" => Some((script, SCRIPT.to_owned())),
        "mqttjs.js" => Some(library("mqttjs")),
        "paho.js" => Some(library("paho")),
        "mqttjs.html" => Some((html, page("mqttjs.js"))),
        "framed/mqttjs.html" => Some((html, FRAME.to_owned())),
        "paho.html" => Some((html, page("paho.js"))),
        _ => None,
    }
}

/// The page, with the library at this address.
pub fn page(library: &str) -> String {
    include_str!("page.html").replace("LIBRARY", library)
}
