//! What passes between a client and the broker, changed by the deviations in their order.

use super::filter::DeviationFilter;
use super::head::RewrittenHead;
use super::stream::messages;
use super::{
    BrokerDeviations, ConnectionAliases, DeviationMemory, EarlyBytes, KeptBytes, KnownDeviation,
    RequestStep, RewriteStep, Side, SideEnding,
};

/// A longer head is the broker's to refuse, in bytes.
const LONGEST_HEAD: usize = 64 * 1024;

/// The end of a head.
const EMPTY_LINE: &[u8] = b"\r\n\r\n";

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TrafficStage {
    /// The request comes.
    Request,
    /// It has come; the head of the answer has not.
    Answer,
    /// Frames come.
    Frames,
    /// Nothing that comes is looked at, and nothing is answered.
    Hung,
}

/// One connection between its client and the broker.
#[derive(Debug)]
pub struct DeviantTraffic {
    filters: Vec<DeviationFilter>,
    stage: TrafficStage,
    request: RewrittenHead,
    /// The part of a head that has come.
    head: Vec<u8>,
    reads: u32,
    passed: Passed,
}

/// What has passed and was not taken.
#[derive(Debug, Default)]
struct Passed {
    /// For the broker.
    onward: Vec<u8>,
    /// For the client.
    back: Vec<u8>,
    end: Option<DeviantEnd>,
}

/// How a deviation ends the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviantEnd {
    /// By FIN.
    Closed,
    /// By RST.
    Reset,
}

impl DeviantTraffic {
    /// The connection of this number, with these deviations.
    pub fn new(connection: u64, deviations: &BrokerDeviations) -> Self {
        let memory = || {
            let aliases = ConnectionAliases::new(deviations.aliases.clone());
            DeviationMemory { connection, aliases, ..DeviationMemory::default() }
        };
        let filter = |deviation: &KnownDeviation| DeviationFilter {
            change: deviation.change(),
            memory: memory(),
            max_packet: deviations.max_packet,
            version: None,
            flows: Default::default(),
        };
        Self {
            filters: deviations.list.iter().map(filter).collect(),
            stage: TrafficStage::Request,
            request: RewrittenHead::default(),
            head: Vec::new(),
            reads: 0,
            passed: Passed::default(),
        }
    }

    /// Takes the bytes of one read from the client.
    pub fn receive(&mut self, bytes: &[u8]) {
        match self.stage {
            _ if self.passed.end.is_some() => {}
            TrafficStage::Request => self.request(bytes),
            TrafficStage::Answer => self.receive_early(bytes),
            TrafficStage::Frames => self.receive_frames(bytes),
            TrafficStage::Hung => {}
        }
    }

    /// Takes bytes that came before the answer to the request.
    fn receive_early(&mut self, bytes: &[u8]) {
        let fates = self.filters.iter().map(|filter| filter.change.early);
        match fates.max_by_key(|fate| *fate as u8).unwrap_or_default() {
            EarlyBytes::Read => self.receive_frames(bytes),
            EarlyBytes::Lost => {}
            EarlyBytes::Fatal => self.passed.end = Some(DeviantEnd::Closed),
        }
    }

    fn receive_frames(&mut self, bytes: &[u8]) {
        let is_taken = |filter: &mut DeviationFilter| filter.takes_read(bytes);
        if self.filters.iter_mut().all(is_taken) {
            self.pass_from_client(0, bytes);
        } else {
            self.passed.end = Some(DeviantEnd::Closed);
        }
    }

    /// Takes bytes of the broker.
    pub fn send(&mut self, bytes: &[u8]) {
        match self.stage {
            _ if self.passed.end.is_some() => {}
            TrafficStage::Request | TrafficStage::Answer => self.answer(bytes),
            TrafficStage::Frames => self.pass_from_server(self.filters.len(), bytes),
            TrafficStage::Hung => {}
        }
    }

    /// The broker has sent all that it has for now.
    pub fn settle(&mut self) {
        for at in (0..self.filters.len()).rev() {
            let filter = &mut self.filters[at];
            let is_due = filter.change.kept == KeptBytes::SentLast && self.passed.end.is_none();
            if let Some(bytes) = filter.memory.kept.take_if(|_| is_due) {
                self.pass_from_server(at, &messages(&bytes, false));
            }
        }
    }

    /// Takes what goes on to the broker.
    pub fn take_onward(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.passed.onward)
    }

    /// What waits for the client.
    pub fn waiting(&mut self) -> &mut Vec<u8> {
        &mut self.passed.back
    }

    /// Whether nothing waits for the client.
    pub fn is_idle(&self) -> bool {
        self.passed.back.is_empty()
    }

    /// How the broker ends its side of the connection.
    pub fn ending(&self) -> SideEnding {
        let endings = self.filters.iter().map(|filter| filter.change.ending);
        endings.max_by_key(|ending| *ending as u8).unwrap_or_default()
    }

    /// Whether the connection ends, after what waits for the client.
    pub fn end(&self) -> Option<DeviantEnd> {
        self.passed.end
    }
}

/// The upgrade.
impl DeviantTraffic {
    fn request(&mut self, bytes: &[u8]) {
        self.reads += 1;
        self.head.extend_from_slice(bytes);
        let Some(end) = memchr::memmem::find(&self.head, EMPTY_LINE) else {
            if self.head.len() > LONGEST_HEAD {
                self.passed.onward.append(&mut self.head);
            }
            return;
        };
        let rest = self.head.split_off(end + EMPTY_LINE.len());
        let head =
            RewrittenHead(String::from_utf8_lossy(&std::mem::take(&mut self.head)).into_owned());
        self.stage = TrafficStage::Answer;
        self.request = head.clone();
        self.judge_request(head);
        let goes_on = self.stage == TrafficStage::Answer && self.passed.end.is_none();
        if goes_on && !rest.is_empty() {
            self.receive_early(&rest);
        }
    }

    fn judge_request(&mut self, mut head: RewrittenHead) {
        for DeviationFilter { change, memory, .. } in &mut self.filters {
            memory.reads = self.reads;
            match change.request.map_or(RequestStep::Pass, |judge| judge(memory, &head)) {
                RequestStep::Pass => {}
                RequestStep::Change(changed) => head = RewrittenHead(changed),
                RequestStep::Answer(answer) => {
                    self.passed.back.extend(answer.into_bytes());
                    return self.passed.end = Some(DeviantEnd::Closed);
                }
                RequestStep::Mute => return self.passed.end = Some(DeviantEnd::Closed),
                RequestStep::Hang => return self.stage = TrafficStage::Hung,
            }
        }
        self.passed.onward.extend(head.0.into_bytes());
    }

    fn answer(&mut self, bytes: &[u8]) {
        self.head.extend_from_slice(bytes);
        let Some(end) = memchr::memmem::find(&self.head, EMPTY_LINE) else { return };
        let rest = self.head.split_off(end + EMPTY_LINE.len());
        let head =
            RewrittenHead(String::from_utf8_lossy(&std::mem::take(&mut self.head)).into_owned());
        let is_upgrade = head.is_upgrade();
        let mut changes = self.filters.iter().rev().filter_map(|filter| filter.change.response);
        let answer = changes.try_fold(head, |head, change| change(&self.request, head));
        let Some(RewrittenHead(text)) = answer else {
            return self.passed.end = Some(DeviantEnd::Closed);
        };
        self.passed.back.extend(text.into_bytes());
        self.stage = TrafficStage::Frames;
        if is_upgrade {
            self.pass_from_server(self.filters.len(), &rest);
        } else {
            self.passed.back.extend(rest);
        }
    }
}

/// Frames.
impl DeviantTraffic {
    /// Bytes that come to the filter at this place from the client's side.
    fn pass_from_client(&mut self, at: usize, bytes: &[u8]) {
        let Some(filter) = self.filters.get_mut(at) else {
            return self.passed.onward.extend_from_slice(bytes);
        };
        for step in filter.feed(Side::Client, bytes) {
            match step {
                RewriteStep::Onward(bytes) => self.pass_from_client(at + 1, &bytes),
                RewriteStep::Back(bytes) => self.pass_from_server(at, &bytes),
                RewriteStep::End => return self.passed.end = Some(DeviantEnd::Closed),
                RewriteStep::Reset => return self.passed.end = Some(DeviantEnd::Reset),
                RewriteStep::Pass => {}
            }
        }
    }

    /// Bytes that come to the filters before this place from the broker's side.
    fn pass_from_server(&mut self, after: usize, bytes: &[u8]) {
        let Some(filter) = after.checked_sub(1).and_then(|at| self.filters.get_mut(at)) else {
            return self.passed.back.extend_from_slice(bytes);
        };
        for step in filter.feed(Side::Server, bytes) {
            match step {
                RewriteStep::Onward(bytes) => self.pass_from_server(after - 1, &bytes),
                RewriteStep::Back(bytes) => self.pass_from_client(after, &bytes),
                RewriteStep::End => return self.passed.end = Some(DeviantEnd::Closed),
                RewriteStep::Reset => return self.passed.end = Some(DeviantEnd::Reset),
                RewriteStep::Pass => {}
            }
        }
    }
}
