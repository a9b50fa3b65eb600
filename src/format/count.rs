//! A number and its noun, in the singular where there is one of it.

/// `1 message`, `2 messages`: `noun` is the singular of a noun that takes an s.
pub fn count(number: u64, noun: &str) -> String {
    format!("{number} {}", plural(number, noun))
}

/// The same of how many there are: `1 of 2 messages`, `0 of 1 message`.
pub fn count_of(number: u64, all: u64, noun: &str) -> String {
    format!("{number} of {}", count(all, noun))
}

/// The noun alone, for a number that is written in another way.
pub fn plural(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_nothing_else() {
        let counts = [0, 1, 2, 11, 101].map(|number| count(number, "byte"));
        assert_eq!(counts, ["0 bytes", "1 byte", "2 bytes", "11 bytes", "101 bytes"]);
        assert_eq!(count_of(0, 1, "message"), "0 of 1 message");
        assert_eq!(count_of(1, 3, "message"), "1 of 3 messages");
    }
}
