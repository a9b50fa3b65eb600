//! How a connection ends: in order, in a hurry, or because the broker broke the protocol. It must
//! never know why the caller wants it to end.

use std::time::{Duration, Instant};

use super::mailbox::{Mail, SocketMail};
use super::{Client, Error, Event};
use crate::mqtt::reason::ReasonCode;
use crate::mqtt::session;

/// How long the other side may take to end the connection after our goodbye.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// How long it may do nothing at the end when nobody wants to wait: neither take what is left, nor
/// end.
pub(super) const HASTE: Duration = Duration::from_millis(250);

impl Client {
    /// Waits only for the output, until `deadline` at the most: `None` when that has passed.
    pub fn await_output(&mut self, deadline: Option<Instant>) -> Option<Event> {
        loop {
            let mail = self.wait(deadline)?;
            match self.deliver(mail) {
                None | Some(Event::Input(_)) => {}
                event => return event,
            }
        }
    }

    /// Ends the connection in order: DISCONNECT, Close 1000, and a second for the other side to end
    /// it too. Nothing that was published is lost by it; if the last of it could not be sent, that
    /// is an error.
    pub fn close(mut self) -> Result<(), Error> {
        let is_online = self.session.is_online();
        let sent = self.end_connection();
        self.clear_remains(is_online && sent.is_ok());
        sent
    }

    /// From now on nobody waits for a server that does not read, or does not end: when it does
    /// nothing for [`HASTE`], what is left is lost.
    pub fn hurry(&mut self) {
        self.hurried = true;
    }

    pub(super) fn end_connection(&mut self) -> Result<(), Error> {
        if let Err(error) = self.say_goodbye() {
            self.transport = None;
            return Err(error);
        }
        let Some(mut transport) = self.transport.take() else { return Ok(()) };
        transport.finish();
        while let Some(line) = transport.traced() {
            (self.options.trace)(&line);
        }
        // Without chunks to read into we would not reach the end.
        for chunk in transport.abandon() {
            self.mailbox.recycle(chunk);
        }
        let deadline = Instant::now() + if self.hurried { HASTE } else { FAREWELL };
        while let Some(mail) = self.mailbox.wait(Some(deadline), false) {
            match mail {
                // Reading on keeps the kernel from answering the broker's last bytes with a reset,
                // which could overtake our last message.
                Mail::Socket(SocketMail::Bytes(chunk)) => self.mailbox.recycle(chunk),
                Mail::Socket(SocketMail::End(_)) | Mail::Signal(_) => break,
                _ => {}
            }
        }
        Ok(())
    }

    /// Sends what there is to send, DISCONNECT, and Close: in one write, where that is little.
    fn say_goodbye(&mut self) -> Result<(), Error> {
        self.session.disconnect(ReasonCode::SUCCESS);
        self.gather();
        if let Some(transport) = &mut self.transport {
            transport.put_close();
        }
        self.send_everything()?;
        if let Some(transport) = &mut self.transport {
            transport.close();
        }
        // After DISCONNECT the server may be gone before it has heard the rest.
        let _ = self.send_everything();
        Ok(())
    }

    /// Tells the broker what it did wrong, as far as it still listens.
    pub(super) fn violated(&mut self, violation: session::Violation) -> Error {
        self.send();
        if let Some(transport) = &mut self.transport {
            transport.close();
            transport.finish();
        }
        Error::Violation(violation)
    }
}
