//! Reports of `bench` that someone else may have written: they are read or refused in one line, and
//! what was read is the same when it is put together alone.

use crate::command::bench::merging::merge;
use crate::command::bench::stored::read;

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let run = match read(text) {
        Ok(run) => run,
        Err(why) => return assert!(!why.contains('\n'), "{why}"),
    };
    let shown = format!("{:?}", run.results);
    match merge(vec![("a".to_owned(), run.clone())]) {
        Ok(whole) => assert_eq!(format!("{:?}", whole.results), shown),
        Err(why) => assert!(!why.contains('\n'), "{why}"),
    }
    // The same part twice is none.
    assert!(merge(vec![("a".to_owned(), run.clone()), ("b".to_owned(), run)]).is_err());
}
