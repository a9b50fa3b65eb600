//! Whether a process group still runs.

use std::fs;

use rustix::process::Pid;

/// Whether a process of this group runs; one that has ended and was not waited for does not. On a
/// system without `/proc` nobody knows, and none does.
pub fn runs(group: Pid) -> bool {
    let Ok(entries) = fs::read_dir("/proc") else { return false };
    let is_number = |name: &[u8]| name.iter().all(u8::is_ascii_digit);
    let mut processes =
        entries.flatten().filter(|entry| is_number(entry.file_name().as_encoded_bytes()));
    processes.any(|process| {
        fs::read(process.path().join("stat")).is_ok_and(|stat| runs_in(&stat, group))
    })
}

/// Fields 3 and 5 of a line of `/proc/PID/stat` are the state and the group; field 2 is a name in
/// parentheses, and may hold anything.
fn runs_in(stat: &[u8], group: Pid) -> bool {
    let after_name = stat.iter().rposition(|byte| *byte == b')').map_or(0, |end| end + 1);
    let fields = String::from_utf8_lossy(&stat[after_name..]);
    let mut fields = fields.split_ascii_whitespace();
    let has_ended = matches!(fields.next(), None | Some("Z" | "X" | "x"));
    let group = group.as_raw_nonzero().get();
    !has_ended && fields.nth(1).and_then(|number| number.parse().ok()) == Some(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zombie_does_not_run() {
        let group = Pid::from_raw(7).expect("a process");
        for (stat, expected) in [
            ("9 (sleep) S 1 7 7 0", true),
            ("9 (a) Z (b) T 1 7 7 0", true),
            ("9 (sleep) Z 1 7 7 0", false),
            ("9 (sleep) S 7 70 7 0", false),
            ("", false),
        ] {
            assert_eq!(runs_in(stat.as_bytes(), group), expected, "{stat}");
        }
    }
}
