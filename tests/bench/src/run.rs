//! Runs the cases: every program of a case in turn, and that several times, so that whatever else
//! the machine does meanwhile meets all of them alike.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Failure;
use crate::broker::Broker;
use crate::case::{self, Against, Case, Work};
use crate::entrant::{self, Entrant, Place};
use crate::measure::{Cost, Job};
use crate::report::{self, Row};
use crate::server::{Server, Torrent};
use crate::stream::Identity;

/// How long the counterpart may take to tell what it got, once a program has ended.
const AFTERWARDS: Duration = Duration::from_secs(20);

/// What to run.
#[derive(Debug, Default)]
struct Options {
    quick: bool,
    json: Option<PathBuf>,
    cases: Vec<String>,
    place: Place,
    /// Peers that are not here, and why.
    missing: Vec<String>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut options = Self::default();
        for argument in arguments {
            let (key, value) = argument.split_once('=').unwrap_or((argument, ""));
            match key {
                "quick" => options.quick = true,
                "json" => options.json = Some(value.into()),
                "case" => options.cases.push(value.to_owned()),
                "mqttws" => value.clone_into(&mut options.place.mqttws),
                "mosquitto" => options.place.has_mosquitto = true,
                "mqttjs" => options.place.mqttjs = Some(value.to_owned()),
                "paho" => options.place.paho = Some(value.to_owned()),
                "peers" => value.clone_into(&mut options.place.peers),
                "missing" => options.missing.push(value.to_owned()),
                _ => return Err(format!("run: unknown argument {argument}").into()),
            }
        }
        Ok(options)
    }

    /// The cases that were asked for.
    fn cases(&self) -> Vec<Case> {
        let named =
            |case: &Case| self.cases.iter().any(|name| case.name.starts_with(name.as_str()));
        let wanted = |case: &Case| {
            if self.cases.is_empty() { !self.quick || case.quick } else { named(case) }
        };
        let mut cases: Vec<Case> = case::all().into_iter().filter(wanted).collect();
        if self.quick {
            cases.iter_mut().filter(|case| !case.alone).for_each(Case::shorten);
        }
        cases
    }
}

/// Everything that lives as long as the run.
struct Bench {
    options: Options,
    server: Server,
    broker: Option<Broker>,
    folder: Folder,
}

/// Runs and reports.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    let options = Options::parse(arguments)?;
    let cases = options.cases();
    if cases.is_empty() {
        let names: Vec<String> = case::all().into_iter().map(|case| case.name).collect();
        return Err(format!("no such case; there are: {}", names.join(" ")).into());
    }
    let mut bench = Bench::new(options)?;
    let facts = facts(&bench.options);
    for (key, value) in &facts {
        println!("{key}: {value}");
    }
    println!(
        "medians; \"70 /1.5\" below \"% of\" a bare program: 70 % of its rate, \
         1.5 times its CPU time a message"
    );
    let mut results = Vec::new();
    for case in cases {
        let rows = bench.rows(&case)?;
        print!("{}", report::table(&case, &rows));
        results.push((case, rows));
    }
    if let Some(path) = &bench.options.json {
        fs::write(path, report::json(&facts, &results))?;
    }
    Ok(())
}

impl Bench {
    fn new(mut options: Options) -> Result<Self, Failure> {
        let folder = Folder::new()?;
        let identity = Identity::new()?;
        let authority = folder.0.join("ca.pem");
        fs::write(&authority, &identity.authority)?;
        let server = Server::start(0, identity.server_config()?)?;
        options.place.folder = folder.0.display().to_string();
        options.place.authority = authority.display().to_string();
        let broker = if options.place.has_mosquitto
            && options.cases().iter().any(|case| case.against == Against::Mosquitto)
        {
            Some(Broker::start(&options.place.folder, &identity)?)
        } else {
            None
        };
        Ok(Self { options, server, broker, folder })
    }

    /// All programs of one case.
    fn rows(&mut self, case: &Case) -> Result<Vec<Row>, Failure> {
        if case.against == Against::Mosquitto && self.broker.is_none() {
            return Ok(Vec::new());
        }
        let (tcp, ws) = match (&self.broker, case.against) {
            (Some(broker), Against::Mosquitto) => (broker.tcp, broker.ws),
            _ => (self.server.port(), self.server.port()),
        };
        let place = Place { tcp, ws, ..self.options.place.clone() };
        let entrants = entrant::line_up(case, &place);
        let row = |entrant: &Entrant| Row {
            name: entrant.name,
            role: entrant.role,
            count: entrant.count,
            costs: Vec::new(),
            broker: Vec::new(),
            problem: None,
        };
        let mut rows: Vec<Row> = entrants.iter().map(row).collect();
        let runs = if self.options.quick { 3 } else { 5 } * case.repeat;
        for _ in 0..runs {
            for (entrant, row) in entrants.iter().zip(&mut rows) {
                self.enter(case, &place, entrant, row)?;
            }
        }
        self.folder.forget(case);
        Ok(rows)
    }

    /// One run of one program.
    fn enter(
        &self,
        case: &Case,
        place: &Place,
        entrant: &Entrant,
        row: &mut Row,
    ) -> Result<(), Failure> {
        if row.costs.is_empty() && row.problem.is_some() {
            // What did not work once will only take time again.
            return Ok(());
        }
        let job = self.job(case, place, entrant)?;
        // What an earlier program left behind does not count.
        self.server.tallies().try_iter().for_each(drop);
        let before = self.broker_cpu(case);
        let cost = job.run()?;
        if let (Some(before), Some(after)) = (before, self.broker_cpu(case)) {
            row.broker.push(after - before);
        }
        let problem = self.problem(case, entrant, &job, &cost);
        if problem.is_none() || cost.succeeded {
            row.costs.push(cost);
        }
        row.problem = problem.or(row.problem.take());
        Ok(())
    }

    fn broker_cpu(&self, case: &Case) -> Option<f64> {
        self.broker.as_ref().filter(|_| case.against == Against::Mosquitto)?.cpu()
    }

    fn job(&self, case: &Case, place: &Place, entrant: &Entrant) -> Result<Job, Failure> {
        let mut job = Job {
            argv: entrant.argv.clone(),
            endless: entrant.endless,
            one_core: case.work == Work::Ping,
            timeout: Duration::from_secs(if self.options.quick { 30 } else { 120 }),
            results: format!("{}/result", place.folder),
            ..Job::default()
        };
        match case.work {
            Work::Lines | Work::Template(_) => {
                job.stdin = place.lines_file(case.size, entrant.count);
                write_once(&job.stdin, entrant.count, case.size, b'\n')?;
            }
            Work::File => {
                let path = place.payload_file(case.size);
                write_once(&path, 1, case.size, b'x')?;
                job.stdin = path;
            }
            Work::Subscribe(pack) => {
                self.server.set_torrent(Some(Torrent {
                    count: entrant.count,
                    size: case.size,
                    pack,
                }));
                job.bytes =
                    if entrant.detached { 0 } else { entrant.count * (case.size as u64 + 1) };
            }
            Work::Ping => self.server.set_torrent(None),
            Work::Once => {}
        }
        if entrant.detached {
            job.stdin.clear();
        }
        Ok(job)
    }

    /// What the program did not do.
    fn problem(&self, case: &Case, entrant: &Entrant, job: &Job, cost: &Cost) -> Option<String> {
        let mut arrived = 0;
        if case.against == Against::Sink {
            let first = self.server.tallies().recv_timeout(AFTERWARDS).ok();
            arrived = first
                .iter()
                .copied()
                .chain(self.server.tallies().try_iter())
                .map(|tally| tally.publishes)
                .sum();
        }
        if !cost.succeeded {
            return Some("failed".to_owned());
        }
        if cost.bytes != job.bytes && !entrant.endless {
            return Some(format!("{} of {} bytes written", cost.bytes, job.bytes));
        }
        let publishes =
            matches!(case.work, Work::Once | Work::Lines | Work::Template(_) | Work::File);
        (publishes && case.against == Against::Sink && arrived != entrant.count)
            .then(|| format!("{arrived} of {} messages arrived", entrant.count))
    }
}

/// A file of `count` records of `size` bytes, each with `end` behind it unless it is the only one.
fn write_once(path: &str, count: u64, size: usize, end: u8) -> Result<(), Failure> {
    if Path::new(path).exists() {
        return Ok(());
    }
    let mut file = BufWriter::with_capacity(1024 * 1024, File::create(path)?);
    let mut record = vec![b'x'; size];
    if end == b'\n' {
        record.push(end);
    }
    for _ in 0..count {
        file.write_all(&record)?;
    }
    Ok(file.flush()?)
}

/// What makes numbers comparable.
fn facts(options: &Options) -> Vec<(&'static str, String)> {
    let first_line = |path: &str, key: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.rsplit(": ").next().unwrap_or_default().trim().to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processor = first_line("/proc/cpuinfo", "model name");
    let kernel = first_line("/proc/sys/kernel/osrelease", "");
    let load = first_line("/proc/loadavg", "");
    let missing =
        if options.missing.is_empty() { "nothing".to_owned() } else { options.missing.join("; ") };
    vec![
        ("machine", format!("{processor}, {cores} cores, Linux {kernel}")),
        ("load before", load),
        ("left out", missing),
    ]
}

/// A folder that goes with the run.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("mqttws-bench-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Removes the largest files of a case.
    fn forget(&self, case: &Case) {
        let large = case.count * case.size as u64 > 150_000_000;
        let file = self.0.join(format!("lines-{}-{}", case.size, case.count));
        if large && case.alone {
            // There is none for cases that read nothing.
            let _ = fs::remove_file(file);
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}
