//! The figures of all rounds.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::ValueEnum as _;
use serde_json::{Value, json};

use super::child::Measured;
use super::machine::Machine;
use super::plan::{Way, Work, name};
use super::shape::Shape;

/// All measurements of a run.
#[derive(Debug)]
pub(super) struct Results {
    pub(super) shape: Shape,
    pub(super) rounds: u32,
    pub(super) time: Duration,
    measured: BTreeMap<(Work, Way), Vec<Measured>>,
    left_out: Vec<(Work, String)>,
}

/// The median of some figures, with the least and the greatest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) greatest: f64,
}

impl Spread {
    /// `None` if there are no figures.
    fn of(mut figures: Vec<f64>) -> Option<Self> {
        figures.sort_by(f64::total_cmp);
        let (least, greatest) = (*figures.first()?, *figures.last()?);
        let middle = figures.len() / 2;
        let median = match figures.len() % 2 {
            0 => (figures[middle - 1] + figures[middle]) / 2.0,
            _ => figures[middle],
        };
        Some(Self { median, least, greatest })
    }
}

impl Results {
    pub(super) fn new(shape: Shape) -> Self {
        let measured = BTreeMap::new();
        Self { shape, rounds: 0, time: Duration::ZERO, measured, left_out: Vec::new() }
    }

    pub(super) fn add(&mut self, work: Work, way: Way, measured: Measured) {
        self.measured.entry((work, way)).or_default().push(measured);
    }

    pub(super) fn leave_out(&mut self, work: Work, why: String) {
        self.left_out.push((work, why));
    }

    pub(super) fn took(&mut self, rounds: u32, time: Duration) {
        (self.rounds, self.time) = (rounds, time);
    }

    /// The number of measurements.
    pub(super) fn count(&self) -> usize {
        self.measured.values().map(Vec::len).sum()
    }

    /// The works that were measured.
    pub(super) fn works(&self) -> impl Iterator<Item = Work> + '_ {
        Work::value_variants()
            .iter()
            .copied()
            .filter(|work| self.measured.contains_key(&(*work, Way::Map)))
    }

    /// The works that could not be measured, and why.
    pub(super) fn left_out(&self) -> impl Iterator<Item = (Work, &str)> {
        self.left_out.iter().map(|(work, why)| (*work, &**why))
    }

    fn spread(
        &self,
        work: Work,
        way: Way,
        of: impl Fn(&Measured) -> Option<f64>,
    ) -> Option<Spread> {
        Spread::of(self.measured.get(&(work, way))?.iter().filter_map(of).collect())
    }

    /// The time of an operation, in nanoseconds.
    pub(super) fn per_operation_ns(&self, work: Work, way: Way) -> Option<Spread> {
        self.spread(work, way, |measured| Some(measured.per_operation_ns()))
    }

    /// How many times as long as the raw map it takes.
    pub(super) fn ratio(&self, work: Work, way: Way) -> Option<f64> {
        let own = self.per_operation_ns(work, way)?.median;
        Some(own / self.per_operation_ns(work, Way::Map)?.median)
    }

    /// The median of a cost.
    pub(super) fn cost(
        &self,
        work: Work,
        way: Way,
        of: impl Fn(&Measured) -> Option<u64>,
    ) -> Option<f64> {
        Some(self.spread(work, way, |measured| of(measured).map(|cost| cost as f64))?.median)
    }

    /// The operations of a measurement.
    pub(super) fn operations(&self, work: Work, way: Way) -> Option<f64> {
        self.cost(work, way, |measured| Some(measured.operations))
    }

    pub(super) fn to_json(&self, machine: &Machine) -> Value {
        let results = self.measured.iter().map(|(&(work, way), measured)| {
            let time = self.per_operation_ns(work, way);
            let closed = self.spread(work, way, |measured| {
                let time = measured.until_closed?;
                Some(time.as_secs_f64() * 1e9 / measured.operations as f64)
            });
            json!({
                "work": name(work),
                "way": name(way),
                "times_the_raw_map": self.ratio(work, way),
                "ns_per_operation": time.map(Spread::to_json),
                "ns_per_operation_until_closed": closed.map(Spread::to_json),
                "measurements": measured.iter().map(|one| one.to_json()).collect::<Vec<_>>(),
            })
        });
        let left_out = self.left_out().map(|(work, why)| json!({"work": name(work), "why": why}));
        json!({
            "records": self.shape.records,
            "record_bytes": self.shape.bytes,
            "rounds": self.rounds,
            "seconds": self.time.as_secs_f64(),
            "flatrec": env!("CARGO_PKG_VERSION"),
            "machine": machine.to_json(),
            "results": results.collect::<Vec<_>>(),
            "not_measured": left_out.collect::<Vec<_>>(),
        })
    }
}

impl Spread {
    fn to_json(self) -> Value {
        json!({"median": self.median, "least": self.least, "greatest": self.greatest})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds a median of a list that is not sorted, or of an even number.
    #[test]
    fn a_median_is_in_the_middle() {
        let spread = |figures: &[f64]| Spread::of(figures.to_vec()).unwrap();
        let of = |median, least, greatest| Spread { median, least, greatest };
        assert_eq!(spread(&[3.0, 1.0, 2.0]), of(2.0, 1.0, 3.0));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]), of(2.5, 1.0, 4.0));
        assert_eq!(spread(&[7.0]), of(7.0, 7.0, 7.0));
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
