//! Records from the rows of a part, and the facts about them.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Fields, InferPlan, Part, Refusal};
use crate::exchange::csv::column::{Column, Refused};
use crate::exchange::csv::infer::{Facts, Seen};
use crate::exchange::csv::options::CsvOptions;
use crate::exchange::csv::parse;

/// The plan of a load.
pub(in crate::exchange::csv) struct LoadPlan<'p> {
    pub(in crate::exchange::csv) lenient: bool,
    pub(in crate::exchange::csv) columns: &'p [Column],
    /// The places of the columns, in the order of their fields.
    pub(in crate::exchange::csv) order: Vec<usize>,
    pub(in crate::exchange::csv) record_bytes: usize,
    /// For a schema that is a guess.
    pub(in crate::exchange::csv) notes: Option<NotePlan<'p>>,
}

impl<'p> LoadPlan<'p> {
    /// The facts about the columns are noted for these options.
    pub(super) fn notes_for(&self) -> Option<&'p CsvOptions> {
        self.notes.as_ref().map(|notes| notes.infer.options)
    }
}

/// The plan of the notes about a text whose types are guessed.
pub(in crate::exchange::csv) struct NotePlan<'p> {
    pub(in crate::exchange::csv) infer: InferPlan<'p>,
    /// Whether a row did not fit: then no more records are made.
    pub(in crate::exchange::csv) differs: AtomicBool,
}

/// The records of a part.
#[derive(Debug, Default)]
pub(in crate::exchange::csv) struct Records {
    pub(in crate::exchange::csv) bytes: Vec<u8>,
    pub(in crate::exchange::csv) nulls: u64,
    /// The values that are not the text's own.
    pub(in crate::exchange::csv) rounded: u64,
    /// The facts about the columns, if they are noted.
    pub(in crate::exchange::csv) seen: Vec<Seen>,
    /// Whether there are only these facts, because a row of this part or of another one does not
    /// fit the guessed types.
    pub(in crate::exchange::csv) only_facts: bool,
}

impl Part<Records> {
    /// Makes records from the rows. If their types are a guess and do not fit, notes only the facts
    /// about the rows.
    pub(in crate::exchange::csv) fn load(&mut self, plan: &LoadPlan<'_>) {
        let Some(notes) = &plan.notes else { return self.put_rows(plan) };
        // Any order will do: the facts about a part are the same in both ways.
        if !notes.differs.load(Ordering::Relaxed) {
            self.put_rows(plan);
            if self.faults.is_empty() {
                return;
            }
            notes.differs.store(true, Ordering::Relaxed);
            self.rows = 0;
            self.faults.clear();
        }
        self.result.bytes.clear();
        self.result.only_facts = true;
        self.note_facts(&notes.infer, |records| &mut records.seen);
    }

    fn put_rows(&mut self, plan: &LoadPlan<'_>) {
        self.result.bytes.clear();
        self.result.nulls = 0;
        self.result.rounded = 0;
        self.result.only_facts = false;
        self.result.seen.clear();
        if plan.notes.is_some() {
            self.result.seen.resize(plan.columns.len(), Seen::default());
        }
        if self.load_plain(plan) {
            return;
        }
        let mut scratch = Vec::new();
        self.scan(plan.columns.len(), plan.lenient, |records, fields| {
            records.put(plan, &fields, &mut scratch)
        });
    }
}

impl Records {
    /// Makes a record from a row.
    pub(super) fn put(
        &mut self,
        plan: &LoadPlan<'_>,
        fields: &Fields<'_>,
        scratch: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let start = self.bytes.len();
        self.bytes.resize(start + plan.record_bytes, 0);
        let mut counts = Counts::default();
        let record = &mut self.bytes[start..];
        let put = put_row(plan, fields, record, &mut self.seen, scratch, &mut counts);
        match put {
            Ok(()) => self.count(counts),
            Err(_) => self.bytes.truncate(start),
        }
        put
    }

    pub(super) fn count(&mut self, counts: Counts) {
        self.nulls += counts.nulls;
        self.rounded += counts.rounded;
    }
}

/// The values that are not the text's own.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    nulls: u64,
    rounded: u64,
}

/// Stores a row's values in `record`, whose bytes are zero.
#[inline]
fn put_row(
    plan: &LoadPlan<'_>,
    fields: &Fields<'_>,
    record: &mut [u8],
    seen: &mut [Seen],
    scratch: &mut Vec<u8>,
    counts: &mut Counts,
) -> Result<(), Refusal> {
    let known_utf8 = fields.known_utf8;
    for (at, (column, span)) in plan.columns.iter().zip(fields.spans).enumerate() {
        let cell = span.cell(fields.text, scratch);
        let mut notes = plan.notes_for().zip(seen.get_mut(at));
        let mut facts = Facts::default();
        let is_put =
            !column.is_null(cell.text()) && column.put(cell, known_utf8, record, &mut facts);
        if !is_put {
            let is_quoted = span.is_quoted();
            let lines = || fields.lines_before();
            put_other(column, cell, is_quoted, known_utf8, record, notes, lines, counts)
                .map_err(|why| (Some(at), why))?;
        } else if let Some((options, seen)) = &mut notes {
            match column.is_plain_text() {
                true => seen.value(cell, options, || fields.lines_before()),
                false => {
                    seen.facts(facts);
                    seen.length(cell.len());
                    if options.wanted.narrow {
                        seen.number(cell);
                    }
                }
            }
        }
    }
    Ok(())
}

/// Stores a null, or a value that [`Column::put`] does not know.
#[expect(clippy::too_many_arguments, reason = "two loops call it for each such value")]
pub(super) fn put_other(
    column: &Column,
    cell: parse::Cell<'_>,
    is_quoted: bool,
    known_utf8: bool,
    record: &mut [u8],
    notes: Option<(&CsvOptions, &mut Seen)>,
    lines_before: impl FnOnce() -> u64,
    counts: &mut Counts,
) -> Result<(), Refused> {
    if column.is_null(cell.text()) {
        if let Some((options, seen)) = notes {
            seen.null_text(cell, is_quoted, options);
        }
        if !(is_quoted && column.keeps_quoted()) {
            counts.nulls += 1;
            return column.put_null(cell.text());
        }
    } else if let Some((options, seen)) = notes {
        seen.value(cell, options, lines_before);
    }
    if column.put(cell, known_utf8, record, &mut Facts::default()) {
        return Ok(());
    }
    let rounded = column.put_general(cell.text(), record).map_err(|mut why| {
        why.text = Some(String::from_utf8_lossy(cell.text()).into_owned());
        why
    })?;
    counts.rounded += u64::from(rounded);
    Ok(())
}
