//! The eight headlines: the four points of the founding page, and the four statements of OASIS.

use super::super::finding::Verdict;
use super::super::points::Mark;
use super::super::run::PointResult;

/// A headline, judged from its points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headline {
    /// Its mark.
    pub mark: Mark,
    /// The worst verdict of its points.
    pub verdict: Verdict,
    /// What was seen at the worst.
    pub observed: String,
    /// The points that decide it: those with the worst verdict.
    pub points: Vec<&'static str>,
}

/// All eight, in the order of the report.
pub fn of(results: &[PointResult]) -> Vec<Headline> {
    Mark::ALL.into_iter().map(|mark| headline(mark, results)).collect()
}

fn headline(mark: Mark, results: &[PointResult]) -> Headline {
    let of_mark = |result: &&PointResult| result.point.marks.contains(&mark);
    let judged = |result: &&PointResult| result.verdict != Verdict::NotApplicable;
    let judged: Vec<&PointResult> = results.iter().filter(of_mark).filter(judged).collect();
    let Some(verdict) = judged.iter().map(|result| result.verdict).max() else {
        let observed = "not asked".to_owned();
        return Headline { mark, verdict: Verdict::NotApplicable, observed, points: Vec::new() };
    };
    let decisive: Vec<&PointResult> =
        judged.into_iter().filter(|result| result.verdict == verdict).collect();
    let mut points: Vec<&'static str> = decisive.iter().map(|result| result.point.name).collect();
    points.dedup();
    let observed = match (verdict, points.len()) {
        (Verdict::Pass, 2..) => format!("{} points hold", points.len()),
        _ => decisive.first().map_or_else(String::new, |result| result.observed.clone()),
    };
    Headline { mark, verdict, observed, points }
}
