//! What a client sends, pure: takes its bytes; returns the packets in them, and what else must be
//! answered.

use super::access::UpgradeRules;
use super::brokers::BrokerName;
use super::handshake::{self, Upgraded};
use super::limits::{CLIENT_MESSAGE_BYTES, FIRST_PACKET_BYTES, MESSAGE_BYTES};
use crate::mqtt::packet::{Ack, Decoder, Malformed, Packet, PacketType, PublishRun};
use crate::mqtt::version::Version;
use crate::websocket::frame::{NORMAL, PROTOCOL_ERROR};
use crate::websocket::reader::Reader;
use crate::websocket::upgrade::accept::Refusal;
use crate::websocket::{Role, WebSocketError};

/// The version before CONNECT has said which.
const OLD: Version = Version::V3_1_1;

/// A part of what a client has sent.
#[derive(Debug)]
pub enum ClientInput {
    /// It asks for the upgrade to the broker of this name, which this head grants. Frames follow.
    Upgrade(String, Option<BrokerName>),
    /// It asks for something else, which is refused. Nothing follows.
    Refused(Refusal),
    /// A packet.
    Packet(Packet),
    /// Messages, one after another.
    Run(PublishRun),
    /// Something that is not MQTT, and the version in which a CONNECT like that is answered. No
    /// packets follow.
    Malformed(Malformed, Version),
    /// Pings: these frames answer them.
    Answers(Vec<u8>),
    /// The end of the WebSocket, which a Close of this code answers. Nothing follows.
    Closed(u16),
}

/// The decoders of one connection.
#[derive(Debug)]
pub struct InputDecoder {
    stage: InputStage,
    /// What CONNECT asked for; a second CONNECT, which is an error, changes nothing.
    version: Option<Version>,
    /// The longest packet that is taken after CONNECT, in bytes.
    max_packet: usize,
    /// The longest run of messages that is passed on as one, in bytes.
    longest_run: usize,
}

/// What the next bytes belong to.
#[derive(Debug)]
enum InputStage {
    /// The request for the upgrade, of which this has arrived.
    Request(Vec<u8>),
    /// Frames.
    Frames(Box<Frames>),
    /// Nothing: they are discarded.
    Discarded,
}

#[derive(Debug)]
struct Frames {
    reader: Reader,
    /// `None` after a malformed packet, and after the end of MQTT: frames are still read, so that a
    /// Close is answered.
    decoder: Option<Decoder>,
}

impl InputDecoder {
    /// The decoders of a connection that was just accepted. Packets of at most `max_packet` bytes
    /// are taken.
    pub fn new(max_packet: usize) -> Self {
        let stage = InputStage::Request(Vec::new());
        Self { stage, version: None, max_packet, longest_run: 0 }
    }

    /// From now on passes on runs of messages as one, of at most so many bytes.
    pub fn join_messages(&mut self, longest_run: usize) {
        self.longest_run = longest_run;
    }

    /// The version that the client speaks.
    pub fn version(&self) -> Version {
        self.version.unwrap_or(OLD)
    }

    /// Whether the request for the upgrade has not come, or not the whole of it.
    pub fn is_request(&self) -> bool {
        matches!(self.stage, InputStage::Request(_))
    }

    /// The memory that is held for a request or a packet that is incomplete, in bytes.
    pub fn incomplete(&self) -> usize {
        match &self.stage {
            InputStage::Request(head) => head.capacity(),
            InputStage::Frames(frames) => frames.decoder.as_ref().map_or(0, Decoder::memory),
            InputStage::Discarded => 0,
        }
    }

    /// How much of a request or a packet has come that is incomplete, in bytes.
    pub fn begun(&self) -> usize {
        match &self.stage {
            InputStage::Request(head) => head.len(),
            InputStage::Frames(frames) => frames.decoder.as_ref().map_or(0, Decoder::buffered),
            InputStage::Discarded => 0,
        }
    }

    /// Whether nothing has come at all.
    pub fn is_untouched(&self) -> bool {
        matches!(&self.stage, InputStage::Request(head) if head.is_empty())
    }

    /// Whether a WebSocket is open.
    pub fn is_websocket(&self) -> bool {
        matches!(self.stage, InputStage::Frames(_))
    }

    /// Whether CONNECT has not come.
    pub fn is_before_connect(&self) -> bool {
        self.version.is_none()
    }

    /// From now on discards what comes.
    pub fn discard(&mut self) {
        self.stage = InputStage::Discarded;
    }

    /// From now on nobody asks for packets: their bytes are dropped. Frames are still read.
    pub fn ignore_packets(&mut self) {
        if let InputStage::Frames(frames) = &mut self.stage {
            frames.decoder = None;
        }
    }

    /// Passes what these bytes mean to `take`. Upgrades are granted at `path` alone, and as `rules`
    /// say.
    pub fn feed(
        &mut self,
        arrived: &[u8],
        path: &str,
        rules: &UpgradeRules,
        take: &mut dyn FnMut(ClientInput),
    ) {
        match &mut self.stage {
            InputStage::Request(head) => {
                head.extend_from_slice(arrived);
                self.judge_request(path, rules, take);
            }
            InputStage::Frames(_) => self.read_frames(arrived, take),
            InputStage::Discarded => {}
        }
    }

    fn judge_request(
        &mut self,
        path: &str,
        rules: &UpgradeRules,
        take: &mut dyn FnMut(ClientInput),
    ) {
        let InputStage::Request(arrived) = &mut self.stage else { return };
        match handshake::upgrade(arrived, path, rules) {
            Upgraded::NotYet => {}
            Upgraded::No(refusal) => {
                self.discard();
                take(ClientInput::Refused(refusal));
            }
            Upgraded::Yes { answer, name, head } => {
                let frames = arrived.split_off(head);
                let decoder = Decoder::new(OLD, FIRST_PACKET_BYTES.min(self.max_packet));
                let max_message = self.max_packet.max(CLIENT_MESSAGE_BYTES) + MESSAGE_BYTES;
                self.stage = InputStage::Frames(Box::new(Frames {
                    reader: Reader::new(Role::Server, max_message, false),
                    decoder: Some(decoder),
                }));
                take(ClientInput::Upgrade(answer, name));
                self.read_frames(&frames, take);
            }
        }
    }

    /// Reads frames and the packets in them.
    fn read_frames(&mut self, mut arrived: &[u8], take: &mut dyn FnMut(ClientInput)) {
        loop {
            let InputStage::Frames(frames) = &mut self.stage else { return };
            let taken = frames.reader.feed(arrived);
            arrived = &arrived[taken..];
            let next = frames.reader.next();
            let answers = frames.reader.take_answers();
            match next {
                Some(Ok(payload)) => {
                    if let Some(decoder) = &mut frames.decoder {
                        decoder.feed(payload);
                        self.decode(take);
                    }
                }
                Some(Err(error)) => return self.end_websocket(error, take),
                None if arrived.is_empty() && answers.is_empty() => return,
                None => {}
            }
            if !answers.is_empty() {
                take(ClientInput::Answers(answers));
            }
        }
    }

    /// Takes packets out of the decoder.
    fn decode(&mut self, take: &mut dyn FnMut(ClientInput)) {
        let InputStage::Frames(frames) = &mut self.stage else { return };
        while let Some(decoder) = &mut frames.decoder {
            if let Some(run) = decoder.next_run(self.longest_run) {
                take(ClientInput::Run(run));
                continue;
            }
            if let Some(packet) = next_acknowledgement(decoder) {
                take(ClientInput::Packet(packet));
                continue;
            }
            match decoder.next() {
                Ok(Some(packet)) => {
                    if let Packet::Connect(connect) = &packet {
                        self.version.get_or_insert(connect.version);
                        decoder.set_maximum(self.max_packet);
                    }
                    take(ClientInput::Packet(packet));
                }
                Ok(None) => return,
                Err(error) => {
                    let version = answered_in(&error).unwrap_or(decoder.version());
                    frames.decoder = None;
                    let version = *self.version.get_or_insert(version);
                    take(ClientInput::Malformed(error, version));
                }
            }
        }
    }

    /// The WebSocket ends, by a Close or by a breach of its protocol.
    fn end_websocket(&mut self, error: WebSocketError, take: &mut dyn FnMut(ClientInput)) {
        let version = self.version();
        self.discard();
        take(match error {
            WebSocketError::TooLarge { size, limit } => {
                let bytes = |count| usize::try_from(count).unwrap_or(usize::MAX);
                let (size, maximum) = (bytes(size), bytes(limit));
                ClientInput::Malformed(Malformed::PacketTooLarge { size, maximum }, version)
            }
            WebSocketError::Closed { code, .. } => ClientInput::Closed(code.unwrap_or(NORMAL)),
            error => ClientInput::Closed(error.answer().unwrap_or(PROTOCOL_ERROR)),
        });
    }
}

/// The next packet if it is an acknowledgement, as almost all are: not moved as often as others.
#[inline]
fn next_acknowledgement(decoder: &mut Decoder) -> Option<Packet> {
    let (packet, id) = decoder.next_acknowledgement()?;
    let ack = Ack::success(id);
    Some(match packet {
        PacketType::PubAck => Packet::PubAck(ack),
        PacketType::PubRec => Packet::PubRec(ack),
        PacketType::PubRel => Packet::PubRel(ack),
        _ => Packet::PubComp(ack),
    })
}

/// The version that answers a CONNECT of a version that we do not speak: newer ones know the newest
/// that we do.
fn answered_in(error: &Malformed) -> Option<Version> {
    match error {
        Malformed::UnsupportedVersion { name, level }
            if &**name == Version::V5.protocol_name() && *level > Version::V5.level() =>
        {
            Some(Version::V5)
        }
        _ => None,
    }
}
