//! Who may connect: the user name and the password of CONNECT. A password that takes long to check
//! is checked in slices, so that other clients do not wait for it.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use super::connect::{BAD_CREDENTIALS, NOT_AUTHORIZED};
use super::reason::Reason;
use super::{ConnectionId, Router, packet_weight};
use crate::broker::access::acl::{Acl, AclClient, ClientRights};
use crate::broker::access::users::{LoginVerdict, PasswordProof, Users};
use crate::broker::limits::FIRST_PACKET_BYTES;
use crate::mqtt::packet::{Connect, Packet};
use crate::mqtt::reason::ReasonCode;

/// The iterations of PBKDF2 between two looks at other clients: about a millisecond.
const SLICE: u32 = 1000;

/// The users and what they may do, and the logins that are being checked.
#[derive(Debug, Default)]
pub struct Logins {
    /// `None` lets in everybody.
    pub users: Option<Users>,
    /// What a client may do; `None` is everything.
    pub acl: Option<Acl>,
    pending: HashMap<ConnectionId, PendingLogin>,
    /// Those in `pending`, and perhaps some whose connections have ended.
    order: VecDeque<ConnectionId>,
}

/// A CONNECT whose password is being checked.
#[derive(Debug)]
struct PendingLogin {
    connect: Connect,
    proof: Box<PasswordProof>,
    /// What the client has sent since: it need not wait for CONNACK (§3.1.4).
    packets: Vec<Packet>,
    /// What these weigh, in bytes.
    weight: usize,
}

impl Logins {
    /// Whether there is something to compute.
    pub fn is_busy(&self) -> bool {
        !self.order.is_empty()
    }

    /// What a client may do, unless that is everything.
    pub fn rights(&self, client_id: &str, connect: &Connect) -> Option<Box<ClientRights>> {
        let username = connect.credentials.username.as_deref();
        let acl = self.acl.as_ref()?;
        Some(Box::new(acl.rights(AclClient { id: client_id, username })))
    }

    /// The connection has ended.
    pub fn forget(&mut self, id: ConnectionId) {
        self.pending.remove(&id);
    }

    /// Keeps a packet for the time after the login, if one is being checked. It is given back if
    /// there is none; `Err` is too much of them.
    pub fn keep(&mut self, id: ConnectionId, packet: Packet) -> Result<Option<Packet>, TooMuch> {
        let Some(login) = self.pending.get_mut(&id) else { return Ok(Some(packet)) };
        login.weight += packet_weight(&packet);
        if login.weight > FIRST_PACKET_BYTES {
            return Err(TooMuch);
        }
        login.packets.push(packet);
        Ok(None)
    }
}

/// A client has sent more than is kept before it is known who it is.
#[derive(Debug)]
pub struct TooMuch;

impl Router {
    /// Lets a client in, now or when its password has been checked, or refuses it.
    pub(super) fn log_in(&mut self, id: ConnectionId, connect: &Connect, now: Instant) {
        let Some(users) = &self.logins.users else { return self.admit_client(id, connect, now) };
        let (name, password) = (&connect.credentials.username, &connect.credentials.password);
        match users.judge(name.as_deref(), password.as_deref()) {
            LoginVerdict::Right => self.admit_client(id, connect, now),
            LoginVerdict::Wrong => self.refuse_login(id, now),
            LoginVerdict::Missing => {
                let string = "a user name and a password are needed (--user, --users)";
                let reason = Reason::new(ReasonCode::NOT_AUTHORIZED, string);
                self.refuse(id, &reason, NOT_AUTHORIZED, now);
            }
            LoginVerdict::Undecided(proof) => {
                let connect = connect.clone();
                let login = PendingLogin { connect, proof, packets: Vec::new(), weight: 0 };
                self.logins.pending.insert(id, login);
                self.logins.order.push_back(id);
            }
        }
    }

    fn refuse_login(&mut self, id: ConnectionId, now: Instant) {
        let string = "no user of --user or --users has this name and this password";
        let reason = Reason::new(ReasonCode::BAD_USER_NAME_OR_PASSWORD, string);
        self.refuse(id, &reason, BAD_CREDENTIALS, now);
    }

    /// Goes on with the logins that are being checked, in turn.
    pub(super) fn check_passwords(&mut self, now: Instant) {
        let mut budget = SLICE;
        while let Some(id) = self.logins.order.pop_front() {
            let Some(login) = self.logins.pending.get_mut(&id) else { continue };
            match login.proof.advance(&mut budget) {
                Some(is_right) => self.end_login(id, is_right, now),
                None => self.logins.order.push_back(id),
            }
            if budget == 0 {
                return;
            }
        }
    }

    fn end_login(&mut self, id: ConnectionId, is_right: bool, now: Instant) {
        let Some(login) = self.logins.pending.remove(&id) else { return };
        if !is_right {
            return self.refuse_login(id, now);
        }
        self.admit_client(id, &login.connect, now);
        for packet in login.packets {
            self.receive(id, packet, now);
        }
    }

    /// A packet of a client that is not connected.
    pub(super) fn receive_first(&mut self, id: ConnectionId, packet: Packet, now: Instant) {
        match self.logins.keep(id, packet) {
            Ok(Some(Packet::Connect(connect))) => self.connect(id, &connect, now),
            Ok(None) => {}
            Ok(Some(_)) => {
                self.misbehaved(id, "the first packet is not CONNECT [MQTT-3.1.0-1]", now);
            }
            Err(TooMuch) => self.misbehaved(id, "too much is sent before CONNACK", now),
        }
    }
}
