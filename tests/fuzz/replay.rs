//! Tries each property on its corpus and then on a fixed number of inputs, the same in every run.

use std::any::Any;
use std::fmt::Write as _;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use mqttws_fuzz::mutator::Mutator;
use mqttws_fuzz::properties::{TARGETS, Target};

const USAGE: &str = "\
replay [--seed N] [--inputs N] [TARGET...]
replay TARGET FILE...

Tries every target (or those named) on its corpus, and then on inputs made of it by chance: always the same
ones, unless --seed says otherwise. --inputs is how many, instead of what each target says. With files it tries
the target on these only. What fails is written to target/fuzz/artifacts.
";

/// No input takes a hundredth of this.
const LONGEST: Duration = Duration::from_secs(30);

/// What was asked for.
struct Plan {
    seed: u64,
    inputs: Option<u32>,
    targets: Vec<&'static Target>,
    files: Vec<PathBuf>,
}

impl Plan {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut plan = Self { seed: 1, inputs: None, targets: Vec::new(), files: Vec::new() };
        while let Some(argument) = arguments.next() {
            let mut number = || {
                let value = arguments.next().and_then(|value| value.parse::<u32>().ok());
                value.ok_or_else(|| format!("{argument} takes a number"))
            };
            match argument.as_str() {
                "--seed" => plan.seed = number()?.into(),
                "--inputs" => plan.inputs = Some(number()?),
                name => match TARGETS.iter().find(|target| target.name == name) {
                    Some(target) => plan.targets.push(target),
                    None if Path::new(name).is_file() => plan.files.push(name.into()),
                    None => return Err(format!("{name} is neither a target nor a file")),
                },
            }
        }
        if !plan.files.is_empty() && plan.targets.len() != 1 {
            return Err("files are for one target".to_owned());
        }
        if plan.targets.is_empty() {
            plan.targets.extend(TARGETS);
        }
        Ok(plan)
    }
}

fn main() -> ExitCode {
    let plan = match Plan::read(std::env::args().skip(1)) {
        Ok(plan) => plan,
        Err(error) => {
            eprint!("replay: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let held = if plan.files.is_empty() { all(&Arc::new(plan)) } else { only_files(&plan) };
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn only_files(plan: &Plan) -> bool {
    plan.files.iter().all(|file| {
        let input = fs::read(file).expect("it is a file");
        let held = holds(plan.targets[0], &input);
        println!("{}: {}", file.display(), if held { "nothing found" } else { "FAILED" });
        held
    })
}

/// What a thread tries, and since when.
type Current = Arc<Mutex<Option<(&'static str, Vec<u8>, Instant)>>>;

/// Tries all targets in as many threads as there are processors.
fn all(plan: &Arc<Plan>) -> bool {
    println!("seed {} (another: --seed N)", plan.seed);
    let next = Arc::new(AtomicUsize::new(0));
    let (results, ended) = mpsc::channel();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let tried: Vec<Current> = (0..threads).map(|_| Current::default()).collect();
    for current in &tried {
        let (plan, next, results) = (Arc::clone(plan), Arc::clone(&next), results.clone());
        let current = Arc::clone(current);
        thread::spawn(move || {
            while let Some(target) = plan.targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                let result = run(target, &plan, &current);
                *current.lock().expect("nothing panics while it is locked") = None;
                if results.send(result).is_err() {
                    return;
                }
            }
        });
    }
    drop(results);
    let mut held = true;
    loop {
        match ended.recv_timeout(Duration::from_secs(1)) {
            Ok(result) => held &= result,
            Err(RecvTimeoutError::Disconnected) => return held,
            Err(RecvTimeoutError::Timeout) => {
                if tried.iter().any(hangs) {
                    return false;
                }
            }
        }
    }
}

/// Whether an input takes far too long; says which.
fn hangs(current: &Current) -> bool {
    let current = current.lock().expect("nothing panics while it is locked");
    match &*current {
        Some((name, input, since)) if since.elapsed() > LONGEST => {
            report(name, input, "it has not ended");
            true
        }
        _ => false,
    }
}

/// Tries one target; false at the first input that breaks its property.
fn run(target: &'static Target, plan: &Plan, current: &Current) -> bool {
    let begun = Instant::now();
    let corpus = corpus(target.name);
    let count = plan.inputs.unwrap_or(target.inputs);
    let mut mutator = Mutator::new(corpus.clone(), target.longest, plan.seed);
    let known = corpus.len();
    let made = (0..count).map(|_| mutator.next());
    for (number, input) in corpus.into_iter().chain(made).enumerate() {
        *current.lock().expect("nothing panics while it is locked") =
            Some((target.name, input.clone(), Instant::now()));
        if !holds(target, &input) {
            report(target.name, &input, &format!("input {number} of seed {}", plan.seed));
            return false;
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{}: {known} of the corpus and {count} made of them hold ({seconds:.1} s)",
        target.name
    );
    true
}

fn holds(target: &Target, input: &[u8]) -> bool {
    let result: Result<(), Box<dyn Any + Send>> =
        catch_unwind(AssertUnwindSafe(|| (target.check)(input)));
    result.is_ok()
}

/// The files of a corpus, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).expect("a readable file")).collect()
}

/// Says which input failed, and where it is kept.
fn report(name: &str, input: &[u8], what: &str) {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from);
    let folder = target.join("fuzz/artifacts");
    let mut hash = String::new();
    let sum =
        input.iter().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add((*byte).into()));
    write!(hash, "{sum:08x}").expect("text has room");
    let file = folder.join(format!("{name}-{hash}"));
    let kept = fs::create_dir_all(&folder).and_then(|()| fs::write(&file, input));
    let shown = &input[..input.len().min(200)];
    eprintln!("\n{name} FAILED ({what}): {} bytes: \"{}\"", input.len(), shown.escape_ascii());
    match kept {
        Ok(()) => eprintln!("try it again: tests/fuzz/run {name} {}", file.display()),
        Err(error) => eprintln!("it could not be written to {}: {error}", file.display()),
    }
}
