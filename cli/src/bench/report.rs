//! The figures as text.

use std::io::{self, Write};

use clap::ValueEnum as _;

use super::machine::Machine;
use super::plan::{Way, Work};
use super::results::Results;
use crate::output::{Column, Table};

/// Writes the figures, ratios first.
pub(super) fn write(out: &mut impl Write, results: &Results, machine: &Machine) -> io::Result<()> {
    writeln!(out, "{}\n{}\n", heading(results), machine.line())?;
    writeln!(out, "How many times as long as the raw map (less is better):\n")?;
    ratios(out, results)?;
    writeln!(out, "\nTimes of an operation (median, least and greatest) and costs:\n")?;
    costs(out, results)?;
    for (number, (work, why)) in results.left_out().enumerate() {
        let begin = if number == 0 { "\n" } else { "" };
        writeln!(out, "{begin}not measured: {}: {why}", work.title())?;
    }
    Ok(())
}

/// The records and rounds, in one line.
pub(super) fn heading(results: &Results) -> String {
    let shape = results.shape;
    let rounds =
        if results.rounds == 1 { "1 round".into() } else { format!("{} rounds", results.rounds) };
    format!(
        "{} records of {} bytes ({}), {rounds} in {:.1} s",
        grouped(shape.records),
        shape.bytes,
        bytes(shape.total_bytes() as f64),
        results.time.as_secs_f64()
    )
}

fn ratios(out: &mut impl Write, results: &Results) -> io::Result<()> {
    let ways = &Way::value_variants()[1..];
    let mut columns = vec![Column::text("work"), Column::number(Way::Map.title())];
    columns.extend(ways.iter().map(|way| Column::number(way.title())));
    let mut table = Table::new(out, columns);
    for work in results.works() {
        let limit = results.per_operation_ns(work, Way::Map);
        let mut cells = vec![work.title().to_owned()];
        cells.push(limit.map_or_else(String::new, |spread| time(spread.median)));
        cells.extend(
            ways.iter().map(|way| results.ratio(work, *way).map_or_else(String::new, times)),
        );
        table.row(&cells)?;
    }
    table.finish()
}

fn costs(out: &mut impl Write, results: &Results) -> io::Result<()> {
    let columns = vec![
        Column::text("work"),
        Column::text("way"),
        Column::number("time"),
        Column::number("least"),
        Column::number("greatest"),
        Column::number("faults"),
        Column::number("with a read"),
        Column::number("written"),
        Column::number("peak memory"),
    ];
    let mut table = Table::new(out, columns);
    for work in results.works() {
        for &way in work.ways() {
            if let Some(cells) = cost_cells(results, work, way) {
                table.row(&cells)?;
            }
        }
    }
    table.finish()
}

/// The cells of [`costs`]: counts are of the whole measurement.
pub(super) fn cost_cells(results: &Results, work: Work, way: Way) -> Option<[String; 9]> {
    let spread = results.per_operation_ns(work, way)?;
    let count = |cost: Option<f64>| cost.map_or_else(String::new, |cost| grouped(cost as u64));
    let size = |cost: Option<f64>| cost.map_or_else(String::new, bytes);
    Some([
        work.title().to_owned(),
        way.title().to_owned(),
        time(spread.median),
        time(spread.least),
        time(spread.greatest),
        count(results.cost(work, way, |measured| measured.costs.minor_faults)),
        count(results.cost(work, way, |measured| measured.costs.major_faults)),
        size(results.cost(work, way, |measured| measured.costs.written_bytes)),
        size(results.cost(work, way, |measured| measured.costs.peak_bytes)),
    ])
}

/// Three digits of a time.
pub(super) fn time(ns: f64) -> String {
    let (number, unit) = match ns {
        ..1e3 => (ns, "ns"),
        ..1e6 => (ns / 1e3, "us"),
        ..1e9 => (ns / 1e6, "ms"),
        _ => (ns / 1e9, "s"),
    };
    format!("{} {unit}", digits(number))
}

/// A ratio.
pub(super) fn times(ratio: f64) -> String {
    format!("{} x", if ratio < 10.0 { format!("{ratio:.2}") } else { digits(ratio) })
}

fn digits(number: f64) -> String {
    match number {
        ..10.0 => format!("{number:.2}"),
        ..100.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

/// A size in binary units.
pub(super) fn bytes(bytes: f64) -> String {
    match bytes {
        ..1024.0 => format!("{bytes:.0} B"),
        ..1_048_576.0 => format!("{} KiB", digits(bytes / 1024.0)),
        ..1_073_741_824.0 => format!("{} MiB", digits(bytes / 1_048_576.0)),
        _ => format!("{} GiB", digits(bytes / 1_073_741_824.0)),
    }
}

/// A number with commas between its thousands.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds a wrong unit, or digits that say more or less than three.
    #[test]
    fn figures_have_three_digits_and_a_unit() {
        let times_of = [0.4321, 43.21, 999.9, 1e3, 45_678.0, 7.0e6, 2.5e9].map(time);
        assert_eq!(
            times_of,
            ["0.43 ns", "43.2 ns", "1000 ns", "1.00 us", "45.7 us", "7.00 ms", "2.50 s"]
        );
        assert_eq!(
            [0.984, 1.0, 12.34, 1234.4].map(times),
            ["0.98 x", "1.00 x", "12.3 x", "1234 x"]
        );
        let sizes = [0.0, 1023.0, 2048.0, 125e6, 5e9].map(bytes);
        assert_eq!(sizes, ["0 B", "1023 B", "2.00 KiB", "119 MiB", "4.66 GiB"]);
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
