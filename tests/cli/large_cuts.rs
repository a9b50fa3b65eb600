//! `mqttws pub` of a large payload over a connection that is reset in the middle: what arrives over
//! the next connection is the payload, byte for byte, and the program ends.

use std::fs::File;
use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::{Message, WebSocket};

use crate::support::folder::Folder;
use crate::support::program::{Outcome, Program};

/// The length of the payload in bytes.
const LENGTH: usize = 2 << 20;

/// A connection that carries a file is reset after each multiple of so many bytes; one whose
/// payload is in memory as a whole, a quarter as often.
const STEP: usize = 64 << 10;

/// How many programs run at once.
const AT_ONCE: usize = 4;

/// More than a socket takes that nobody reads from, in bytes.
const LARGER: usize = 16 << 20;

/// How long the server waits for the next bytes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Numbers that count up: every block differs from every other.
fn numbers(length: usize) -> Vec<u8> {
    (0..length / 4).flat_map(|number| u32::try_from(number).unwrap().to_be_bytes()).collect()
}

/// Where the payload comes from.
#[derive(Clone, Copy, Debug)]
enum Input {
    /// `-f` and a regular file: it is streamed.
    File,
    /// `-f` and a FIFO.
    Fifo,
    /// `-s` and a regular file.
    StdinFile,
    /// `-s` and a pipe.
    StdinPipe,
}

/// One run of the program.
#[derive(Clone, Copy, Debug)]
struct Case {
    input: Input,
    qos: u8,
    /// After how many bytes of the PUBLISH the server resets each connection but the last.
    cuts: [Option<usize>; 2],
}

/// The packets that came over one connection.
struct Packets {
    socket: WebSocket<TcpStream>,
    bytes: Vec<u8>,
}

impl Packets {
    /// Takes the upgrade and CONNECT, and accepts both.
    fn accept(stream: TcpStream, connack: &[u8]) -> Result<Self, String> {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        #[expect(clippy::result_large_err, reason = "as tungstenite asks")]
        let answer = |_: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
            response.headers_mut().insert("Sec-WebSocket-Protocol", "mqtt".parse().unwrap());
            Ok(response)
        };
        let socket = tungstenite::accept_hdr(stream, answer).map_err(|error| error.to_string())?;
        let mut packets = Self { socket, bytes: Vec::new() };
        packets.expect(0x10)?;
        packets.send(connack)?;
        Ok(packets)
    }

    fn send(&mut self, packet: &[u8]) -> Result<(), String> {
        self.socket.send(Message::binary(packet.to_vec())).map_err(|error| error.to_string())
    }

    /// Reads until so many bytes have come that belong to no packet that was taken.
    fn read(&mut self, length: usize) -> Result<(), String> {
        while self.bytes.len() < length {
            match self.socket.read().map_err(|error| error.to_string())? {
                Message::Binary(bytes) => self.bytes.extend_from_slice(&bytes),
                other => return Err(format!("{other:?} instead of packets")),
            }
        }
        Ok(())
    }

    /// Takes the next packet, which begins with this byte: its body.
    fn expect(&mut self, first: u8) -> Result<Vec<u8>, String> {
        let (mut length, mut header) = (0, 1);
        loop {
            self.read(header + 1)?;
            let byte = self.bytes[header];
            length |= usize::from(byte & 0x7f) << (7 * (header - 1));
            header += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        self.read(header + length)?;
        let packet: Vec<u8> = self.bytes.drain(..header + length).collect();
        match packet[0] {
            got if got == first => Ok(packet[header..].to_vec()),
            got => Err(format!("packet {got:#x} instead of {first:#x}")),
        }
    }

    /// Ends the connection by a reset.
    fn reset(self) {
        socket2::SockRef::from(self.socket.get_ref()).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Takes the whole message and acknowledges it: its payload.
    fn message(&mut self, qos: u8, dup: bool) -> Result<Vec<u8>, String> {
        let body = self.expect(0x30 | qos << 1 | u8::from(dup) << 3)?;
        let header = if qos == 0 { 3 } else { 5 };
        if qos > 0 && body[3..5] != [0, 1] {
            return Err(format!("packet identifier {:02x?}", &body[3..5]));
        }
        match qos {
            0 => {}
            1 => self.send(&[0x40, 2, 0, 1])?,
            _ => {
                self.send(&[0x50, 2, 0, 1])?;
                self.expect(0x62)?;
                self.send(&[0x70, 2, 0, 1])?;
            }
        }
        Ok(body[header..].to_vec())
    }
}

/// A server that plays its part in a case.
struct Server {
    listener: TcpListener,
    /// The program has ended: whoever connects now only ends the wait.
    over: AtomicBool,
}

/// Stops a server when it is dropped.
struct Stop<'a>(&'a Server);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::SeqCst);
        TcpStream::connect(self.0.listener.local_addr().unwrap()).ok();
    }
}

impl Server {
    fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").unwrap(), over: AtomicBool::new(false) }
    }

    fn url(&self) -> String {
        format!("ws://{}/mqtt", self.listener.local_addr().unwrap())
    }

    /// Whoever waits for another connection need not any more, however the program came to its end.
    fn until_dropped(&self) -> Stop<'_> {
        Stop(self)
    }

    /// The next connection; none when the program has ended.
    fn accept(&self, session_present: bool) -> Option<Result<Packets, String>> {
        let (stream, _) = self.listener.accept().unwrap();
        let connack = [0x20, 2, u8::from(session_present), 0];
        (!self.over.load(Ordering::SeqCst)).then(|| Packets::accept(stream, &connack))
    }

    /// The payload that came over the last connection, empty when only DISCONNECT came at QoS 0; none
    /// when the program did not come back.
    fn play(&self, Case { qos, cuts, .. }: Case) -> Result<Option<Vec<u8>>, String> {
        let mut known = false;
        for cut in cuts.into_iter().flatten() {
            let Some(packets) = self.accept(known) else { return Ok(None) };
            let mut packets = packets?;
            packets.read(cut)?;
            packets.reset();
            known = qos > 0;
        }
        let Some(packets) = self.accept(known) else { return Ok(None) };
        let mut packets = packets?;
        packets.read(1)?;
        if qos == 0 && packets.bytes[0] == 0xe0 {
            // The kernel had taken all of it before the reset: nothing is sent again.
            return Ok(Some(Vec::new()));
        }
        let payload = packets.message(qos, known)?;
        packets.expect(0xe0)?;
        Ok(Some(payload))
    }
}

/// How the program ended, and what the server got.
type Ending = (Outcome, Result<Option<Vec<u8>>, String>);

/// Runs a case; `file` holds the payload.
fn run(case: Case, file: &str, payload: &[u8]) -> Ending {
    let server = Server::new();
    let url = server.url();
    let qos = case.qos.to_string();
    let command = ["pub", &url, "-V", "311", "-t", "t", "-q", &qos, "-c", "-i", "me", "--quiet"];
    let command = [&command[..], &["--reconnect-delay", "0.01"]].concat();
    let folder = Folder::new();
    thread::scope(|scope| {
        let played = scope.spawn(|| server.play(case));
        let stop = server.until_dropped();
        let outcome = match case.input {
            Input::File => Program::new([&command[..], &["-f", file]].concat()).run(),
            Input::Fifo => {
                let pipe = fifo(folder.path());
                let program = Program::new([&command[..], &["-f", &pipe]].concat()).spawn();
                // A program that has ended does not read it all.
                scope.spawn(move || {
                    File::options().write(true).open(pipe).unwrap().write_all(payload).ok()
                });
                program.finish()
            }
            Input::StdinFile => {
                let script = "file=$1; shift; exec \"$0\" \"$@\" -s <\"$file\"";
                let shell = ["-c", script, env!("CARGO_BIN_EXE_mqttws"), file];
                Program::of("sh", [&shell[..], &command].concat()).run()
            }
            Input::StdinPipe => Program::new([&command[..], &["-s"]].concat()).stdin(payload).run(),
        };
        drop(stop);
        (outcome, played.join().unwrap())
    })
}

fn fifo(folder: &Path) -> String {
    let pipe = folder.join("pipe").display().to_string();
    let (kind, mode) =
        (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, kind, mode, 0).unwrap();
    pipe
}

/// What is wrong with the end of a case, if anything.
fn complaint(case: Case, (outcome, received): &Ending, payload: &[u8]) -> Option<String> {
    let is_told = case.qos == 0
        && outcome.code() == Some(8)
        && String::from_utf8_lossy(&outcome.stderr).contains("messages of QoS 0 may be missing");
    let wrong = match received {
        // The program has ended while the next connection was made.
        Err(wrong) if is_told && wrong.contains("Handshake not finished") => None,
        Err(wrong) => Some(wrong.clone()),
        // That it may be missing was found before the end, and is told.
        Ok(Some(got)) if got.is_empty() && outcome.code() == Some(8) => None,
        Ok(Some(got)) if got != payload => {
            let at = got.iter().zip(payload).position(|(one, other)| one != other);
            Some(format!("{} bytes that differ from byte {at:?}", got.len()))
        }
        Ok(Some(_)) if outcome.code() == Some(0) && outcome.stderr.is_empty() => None,
        // At QoS 0 the program is done when the kernel has all of it.
        Ok(None) if case.qos == 0 && matches!(outcome.code(), Some(0 | 8)) => None,
        Ok(_) => Some("not the end that is due".to_owned()),
    };
    wrong.map(|wrong| format!("{case:?}: {wrong}\n{outcome}"))
}

/// Runs the cases, some at a time, and fails with the first complaints.
fn check(cases: &[Case], length: usize) {
    let payload = numbers(length);
    let folder = Folder::new();
    let file = folder.write("payload", &payload);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut complaints = Vec::new();
        while let Some(&case) = cases.get(next.fetch_add(1, Ordering::Relaxed))
            && complaints.is_empty()
        {
            complaints.extend(complaint(case, &run(case, &file, &payload), &payload));
        }
        complaints
    };
    let complaints: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// A cut at every multiple of [`STEP`], at each QoS.
fn cut_everywhere(input: Input) {
    let places = (STEP..LENGTH).step_by(STEP);
    let cases =
        places.flat_map(|at| [0, 1, 2].map(|qos| Case { input, qos, cuts: [Some(at), None] }));
    check(&cases.collect::<Vec<_>>(), LENGTH);
}

#[test]
fn a_file_is_whole_wherever_it_was_cut() {
    cut_everywhere(Input::File);
}

#[test]
fn a_fifo_is_whole_wherever_it_was_cut() {
    cut_everywhere(Input::Fifo);
}

#[test]
fn stdin_from_a_file_is_whole_wherever_it_was_cut() {
    cut_everywhere(Input::StdinFile);
}

#[test]
fn stdin_from_a_pipe_is_whole_wherever_it_was_cut() {
    cut_everywhere(Input::StdinPipe);
}

#[test]
fn a_file_is_whole_after_two_cuts() {
    let places = [STEP, LENGTH / 2, LENGTH - STEP];
    let pairs = places.into_iter().flat_map(|one| places.map(|other| [Some(one), Some(other)]));
    let cases = pairs
        .flat_map(|cuts| [1, 2].map(|qos| Case { input: Input::File, qos, cuts }))
        .collect::<Vec<_>>();
    check(&cases, LENGTH);
}

/// A message at QoS 0 that was not wholly written is sent again from its first byte.
#[test]
fn at_qos_0_a_file_that_was_cut_is_sent_again() {
    let payload = numbers(LARGER);
    let folder = Folder::new();
    let file = folder.write("payload", &payload);
    for at in [1, STEP, LENGTH] {
        let case = Case { input: Input::File, qos: 0, cuts: [Some(at), None] };
        let (outcome, received) = run(case, &file, &payload);
        outcome.expect(0, "", "");
        assert!(received == Ok(Some(payload.clone())), "cut at {at}: not the payload");
    }
}

/// Runs `pub -q 1` with a file and these flags, at a server that does this.
fn publish(flags: &[&str], serve: impl FnOnce(&Server) -> Result<(), String> + Send) -> Outcome {
    let folder = Folder::new();
    let file = folder.write("payload", numbers(LENGTH));
    let server = Server::new();
    let url = server.url();
    let command =
        ["pub", &url, "-t", "t", "-q", "1", "-f", &file, "--reconnect-delay", "0.01", "--quiet"];
    thread::scope(|scope| {
        let played = scope.spawn(|| serve(&server));
        let stop = server.until_dropped();
        let outcome = Program::new([&command[..], flags].concat()).run();
        drop(stop);
        assert_eq!(played.join().unwrap(), Ok(()), "{outcome}");
        outcome
    })
}

/// Who refuses a message in the middle gets the rest of it all the same, and then the next one from
/// its first byte.
#[test]
fn a_message_that_is_refused_early_does_not_mix_with_the_next() {
    let serve = |server: &Server| {
        let mut packets =
            Packets::accept(server.listener.accept().unwrap().0, &[0x20, 3, 0, 0, 0])?;
        packets.read(STEP)?;
        packets.send(&[0x40, 3, 0, 1, 0x87])?;
        for number in [1, 2] {
            let body = packets.expect(0x32)?;
            let is_right = body[3..6] == [0, number, 0] && body[6..] == numbers(LENGTH);
            assert!(is_right, "message {number} has {} bytes", body.len());
        }
        packets.send(&[0x40, 2, 0, 2])?;
        packets.expect(0xe0).map(|_| ())
    };
    let line = "mqttws: publishing to t: message 1 refused: not authorized\n";
    publish(&["-V", "5", "--repeat", "2"], serve).expect(7, "", line);
}

/// What the broker has acknowledged is not sent again, even if it did not wait for the end.
#[test]
fn a_message_that_is_acknowledged_early_is_over_when_the_connection_is() {
    let serve = |server: &Server| {
        let mut first = Packets::accept(server.listener.accept().unwrap().0, &[0x20, 2, 0, 0])?;
        first.read(STEP)?;
        first.send(&[0x40, 2, 0, 1])?;
        first.socket.get_ref().shutdown(Shutdown::Both).unwrap();
        // With nothing left to do it need not come back.
        match server.accept(true) {
            Some(packets) => packets?.expect(0xe0).map(|_| ()),
            None => Ok(()),
        }
    };
    publish(&["-V", "311", "-c", "-i", "me"], serve).expect(0, "", "");
}
