//! `--report` and `--tree`: the sink that counts messages by topic and writes reports on them. A
//! message is acknowledged when it is counted.

use std::time::{Duration, Instant, SystemTime};

use bytes::{BufMut, BytesMut};

use super::config::{ReportForm, TopicReportOptions};
use crate::format::topic_counts::{
    CountedMessage, MOST_TOPICS, MessageAge, TopicCount, TopicCounts,
};
use crate::mqtt::packet::Publish;
use crate::report;
use crate::stdio;
use crate::stdio::stdout::MessageWriter;
use crate::terminal::bars::CharacterSet;
use crate::terminal::screen;
use crate::terminal::topic_table;

/// The counts, and when the next report is due.
pub struct ReportSink {
    counts: TopicCounts,
    options: TopicReportOptions,
    /// Where reports are written.
    pub output: MessageWriter,
    /// The number of the latest message.
    latest: u64,
    /// When the latest report was written, or the first time began.
    since: Instant,
    /// A report was written: the next one stands apart from it.
    reports: u64,
}

impl ReportSink {
    /// Nothing has come.
    pub fn new(options: TopicReportOptions, output: MessageWriter, now: Instant) -> Self {
        let counts = TopicCounts::new(options.depth);
        Self { counts, options, output, latest: 0, since: now, reports: 0 }
    }

    /// Counts a message.
    pub fn put(&mut self, number: u64, publish: &Publish) {
        count(&mut self.counts, publish);
        self.skip(number);
    }

    /// A message that is not counted.
    pub fn skip(&mut self, number: u64) {
        self.latest = number;
        self.output.skip(number);
    }

    /// Writes a report, if one is due; when the next is.
    pub fn tick(&mut self) -> Option<Instant> {
        let (interval, now) = (self.options.interval?, Instant::now());
        let due = self.since.checked_add(interval)?;
        // A reader that does not read gets the next report later.
        if due > now || self.output.is_full() {
            return Some(due.max(now + Duration::from_millis(100)));
        }
        self.write(now);
        now.checked_add(interval)
    }

    /// The last report.
    pub fn finish(&mut self) {
        self.write(Instant::now());
    }

    fn write(&mut self, now: Instant) {
        let mut out = BytesMut::new();
        match self.options.form {
            ReportForm::Table => self.table(now, &mut out),
            ReportForm::TableJson => self.lines(now, &mut out),
            ReportForm::Tree => self.tree(&mut out),
            ReportForm::TreeJson => {
                out.put_slice(self.counts.tree().json(self.counts.others()).as_bytes());
                out.put_u8(b'\n');
            }
        }
        self.counts.reported();
        (self.since, self.reports) = (now, self.reports + 1);
        self.output.piece(out.freeze());
        self.output.end(self.latest);
        self.output.flush();
    }

    /// A blank line between two reports for people.
    fn begin(&self, out: &mut BytesMut) {
        if self.reports > 0 {
            out.put_u8(b'\n');
        }
    }

    fn table(&self, now: Instant, out: &mut BytesMut) {
        self.begin(out);
        let rows = self.counts.rows(now.saturating_duration_since(self.since));
        let last = |count: &TopicCount| {
            let mut text = BytesMut::new();
            stdio::local_time_of(count.last).conversion('T', &mut text);
            String::from_utf8_lossy(&text).into_owned()
        };
        let size = screen::stdout_is_terminal().then(screen::size);
        topic_table::table(&rows, size, last, out);
    }

    fn tree(&self, out: &mut BytesMut) {
        self.begin(out);
        let columns = screen::stdout_is_terminal().then(|| screen::size().columns);
        let (tree, others) = (self.counts.tree(), self.counts.others());
        topic_table::tree(&tree, others, CharacterSet::of_terminal(), columns, out);
    }

    /// A line of JSON for each topic.
    fn lines(&self, now: Instant, out: &mut BytesMut) {
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let time = rfc_3339(time);
        for row in self.counts.rows(now.saturating_duration_since(self.since)) {
            out.put_slice(row.json(&time, &rfc_3339(row.count.last)).as_bytes());
            out.put_u8(b'\n');
        }
    }
}

/// Counts a message; the user is told when there is no room for more topics.
pub fn count(counts: &mut TopicCounts, publish: &Publish) {
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let bytes = publish.payload.len() as u64;
    let age = if publish.retain { MessageAge::Retained } else { MessageAge::New };
    let message = CountedMessage { bytes, age, time };
    if counts.add(publish.topic_or_empty(), message) {
        report::note(&format!(
            "more than {MOST_TOPICS} topics, or long ones: others are counted together; \
             --depth counts by level"
        ));
    }
}

fn rfc_3339(time: Duration) -> String {
    let mut text = BytesMut::new();
    stdio::local_time_of(time).rfc_3339(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}
