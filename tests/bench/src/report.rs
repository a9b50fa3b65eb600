//! Rows of numbers as a table for people and as JSON for programs.

use std::fmt::Write;

use crate::case::{Case, Work};
use crate::entrant::Role;
use crate::measure::Cost;

/// One program in one case.
#[derive(Debug)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// What it is compared with.
    pub role: Role,
    /// How many messages it was given.
    pub count: u64,
    /// What each run took.
    pub costs: Vec<Cost>,
    /// The broker's CPU time in each run, in seconds, where it was a real one.
    pub broker: Vec<f64>,
    /// What went wrong, if anything.
    pub problem: Option<String>,
}

impl Row {
    fn median(&self, value: impl Fn(&Cost) -> f64) -> f64 {
        median(self.costs.iter().map(value).collect())
    }

    fn wall(&self) -> f64 {
        self.median(|cost| cost.wall)
    }

    /// Messages a second.
    fn rate(&self) -> f64 {
        count(self.count) / self.wall()
    }

    /// CPU seconds for each message.
    fn cpu(&self) -> f64 {
        self.median(|cost| cost.cpu) / count(self.count)
    }

    fn memory(&self) -> f64 {
        self.median(|cost| count(cost.memory)) / 1024.0
    }

    /// Median and 99th percentile of the round trips it told of, in milliseconds.
    fn round_trip(&self) -> Option<(f64, f64)> {
        let percentile = |cost: &Cost, index: usize| {
            let (_, times) = cost.output.split_once("stddev = ")?;
            times.split('/').nth(index)?.trim().parse::<f64>().ok()
        };
        let all = |index| {
            self.costs.iter().filter_map(|cost| percentile(cost, index)).collect::<Vec<_>>()
        };
        let (median_times, high_times) = (all(2), all(3));
        (!median_times.is_empty()).then(|| (median(median_times), median(high_times)))
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts to 2^52")]
fn count(number: u64) -> f64 {
    number as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        even if even % 2 == 0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

/// The table of one case.
pub fn table(case: &Case, rows: &[Row]) -> String {
    let mut text = format!("\n{}  ({})\n", case.name, describe(case));
    let limits: Vec<&Row> =
        rows.iter().filter(|row| row.role == Role::Limit && !row.costs.is_empty()).collect();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "  {:<17}{:>10}{:>10}{:>12}{:>12}{:>9}",
        "",
        "messages",
        "wall ms",
        rate_unit(case),
        cpu_unit(case),
        "RSS MiB"
    );
    for limit in &limits {
        let name = limit.name.trim_start_matches("bare ");
        let _ = write!(text, "{:>17}", format!("% of {name}"));
    }
    let extra = match case.work {
        Work::Ping => "   p50 ms  p99 ms",
        _ if rows.iter().any(|row| !row.broker.is_empty()) => "   broker's CPU ms",
        _ => "",
    };
    text.push_str(extra);
    text.push('\n');
    for row in rows {
        text.push_str(&line(case, row, &limits));
    }
    text
}

fn line(case: &Case, row: &Row, limits: &[&Row]) -> String {
    let mut text = format!("  {:<17}{:>10}", row.name, row.count);
    if row.costs.is_empty() {
        return text + "  " + row.problem.as_deref().unwrap_or("not measured") + "\n";
    }
    let (rate, cpu) = (row.rate() * rate_factor(case), row.cpu() * cpu_factor(case));
    let _ = write!(text, "{:>10.2}{rate:>12.0}{cpu:>12.0}{:>9.1}", row.wall() * 1e3, row.memory());
    for limit in limits {
        let ratios =
            format!("{:.0} /{:.1}", 100.0 * row.rate() / limit.rate(), row.cpu() / limit.cpu());
        let _ = write!(text, "{ratios:>17}");
    }
    if let Some((median, high)) = row.round_trip() {
        let _ = write!(text, "{median:>9.3}{high:>8.3}");
    }
    if !row.broker.is_empty() {
        let _ = write!(text, "{:>18.0}", median(row.broker.clone()) * 1e3);
    }
    if let Some(problem) = &row.problem {
        let _ = write!(text, "  ! {problem}");
    }
    text + "\n"
}

fn rate_unit(case: &Case) -> &'static str {
    if is_large(case) { "MiB/s" } else { "messages/s" }
}

fn rate_factor(case: &Case) -> f64 {
    if is_large(case) { count(case.size as u64) / 1024.0 / 1024.0 } else { 1.0 }
}

fn cpu_unit(case: &Case) -> &'static str {
    if is_large(case) || case.work == Work::Once { "CPU us" } else { "CPU ns/msg" }
}

fn cpu_factor(case: &Case) -> f64 {
    if is_large(case) || case.work == Work::Once { 1e6 } else { 1e9 }
}

fn is_large(case: &Case) -> bool {
    case.size > 1_000_000
}

fn describe(case: &Case) -> String {
    let work = match case.work {
        Work::Once => "publish one message".to_owned(),
        Work::Lines => format!("publish lines of {} bytes, QoS {}", case.size, case.qos),
        Work::Template(topic) => {
            let topic = format!("{topic:?}").to_lowercase();
            format!("publish messages that are filled in, topic {topic}, QoS {}", case.qos)
        }
        Work::File => format!("publish a file of {} MiB", case.size / 1024 / 1024),
        Work::Subscribe(pack) => {
            format!(
                "receive {} bytes, QoS {}, frames: {}",
                case.size,
                case.qos,
                format!("{pack:?}").to_lowercase()
            )
        }
        Work::Ping => "a message to a topic of our own, and back".to_owned(),
    };
    format!("{work}, {}, {:?}", if case.tls { "wss" } else { "ws" }, case.against)
}

/// All cases and what is known about the run, as JSON.
pub fn json(facts: &[(&str, String)], results: &[(Case, Vec<Row>)]) -> String {
    let facts = facts.iter().map(|(key, value)| format!("  {}: {},\n", quoted(key), quoted(value)));
    let cases: Vec<String> = results.iter().map(|(case, rows)| json_case(case, rows)).collect();
    format!("{{\n{}  \"cases\": [\n{}\n  ]\n}}\n", facts.collect::<String>(), cases.join(",\n"))
}

fn json_case(case: &Case, rows: &[Row]) -> String {
    let rows: Vec<String> = rows.iter().map(json_row).collect();
    format!(
        "    {{\"case\": {}, \"what\": {}, \"size\": {}, \"qos\": {}, \"rows\": [\n{}\n    ]}}",
        quoted(&case.name),
        quoted(&describe(case)),
        case.size,
        case.qos,
        rows.join(",\n")
    )
}

fn json_row(row: &Row) -> String {
    let list = |value: fn(&Cost) -> f64| {
        let numbers: Vec<String> =
            row.costs.iter().map(|cost| format!("{:.6}", value(cost))).collect();
        numbers.join(", ")
    };
    let mut text = format!(
        "      {{\"program\": {}, \"messages\": {}, \"wall_s\": [{}], \
         \"cpu_s\": [{}], \"rss_kib\": [{}]",
        quoted(row.name),
        row.count,
        list(|cost| cost.wall),
        list(|cost| cost.cpu),
        list(|cost| count(cost.memory))
    );
    if !row.costs.is_empty() {
        let (wall, rate, cpu) = (row.wall(), row.rate(), row.cpu() * 1e9);
        let _ = write!(
            text,
            ", \"median_wall_s\": {wall:.6}, \"messages_per_s\": {rate:.1}, \
             \"cpu_ns_per_message\": {cpu:.1}"
        );
    }
    if let Some((median, high)) = row.round_trip() {
        let _ = write!(text, ", \"round_trip_p50_ms\": {median}, \"round_trip_p99_ms\": {high}");
    }
    if !row.broker.is_empty() {
        let _ = write!(text, ", \"broker_cpu_s\": {:.2}", median(row.broker.clone()));
    }
    if let Some(problem) = &row.problem {
        let _ = write!(text, ", \"problem\": {}", quoted(problem));
    }
    text + "}"
}

fn quoted(text: &str) -> String {
    let escape = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04x}", c as u32),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}
