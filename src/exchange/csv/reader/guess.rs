//! A load in one pass: it begins with the types of a sample, and notes what inference would.
//!
//! The sample decides only how fast the load is. The notes are those of the whole text, and the
//! load counts only if inference makes the same schema of them. Otherwise the caller drops the
//! records, and loads the text with the schema that the notes gave: the first row that does not fit
//! turns the rest of the pass into an inference.

use super::{CsvReader, Inferred, Source, conclude};
use crate::error::Result;
use crate::exchange::csv::infer::Seen;
use crate::exchange::csv::part::{InferPlan, Part, Records};
use crate::exchange::csv::split::Form;
use crate::exchange::{Input, LoadPoint, LoadReport, RecordSink};
use crate::format::Schema;

/// A shorter text is read twice in a few milliseconds.
const TEXT_BYTES_MIN: u64 = 512 << 10;
/// The part of a text that the sample is.
const SAMPLE_DIVISOR: u64 = 32;
/// The least and the most bytes of a sample.
const SAMPLE_BYTES: (u64, u64) = (64 << 10, 4 << 20);
/// The places of a plain file at which the sample looks, besides its start: a null or a long text
/// may come first in its middle.
const PLACES: u64 = 32;

impl CsvReader<'_> {
    /// A schema from a sample of the text, for [`CsvReader::load_guessed`]; `None` for a stream
    /// and for a text of which no sample is worth it. The sample has about `sample_bytes` bytes;
    /// without a number it is a small part of the text, which is not short then.
    ///
    /// ```
    /// use flatrec::exchange::{CsvOptions, CsvReader, Input};
    /// let csv = "a,b\n1,x\n2,y\n3,\n";
    /// let mut reader = CsvReader::new(Input::from_bytes(csv), CsvOptions::new());
    /// let guess = reader.guess(Some(8)).unwrap();
    /// assert_eq!(guess.fields()[1].to_string(), "b: utf8(1) at 8");
    /// // The last row has a null, for which the guess has no room.
    /// let (inferred, report) = reader.load_guessed(&guess, &mut Vec::new())?;
    /// assert_eq!(report, None);
    /// assert_eq!(inferred.schema.fields()[1].to_string(), "b: utf8(1) nullable at 8");
    ///
    /// let whole = reader.guess(Some(1000)).unwrap();
    /// let mut records: Vec<u8> = Vec::new();
    /// let (again, report) = reader.load_guessed(&whole, &mut records)?;
    /// assert_eq!((report.unwrap().loaded, records.len()), (3, 30));
    /// assert_eq!((&again.schema, &again), (&whole, &inferred));
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn guess(&mut self, sample_bytes: Option<u64>) -> Option<Schema> {
        let total_bytes = self.input.total_bytes().filter(|_| !self.input.is_stream())?;
        let (least, most) = SAMPLE_BYTES;
        let sample_bytes = match sample_bytes {
            Some(bytes) => bytes,
            None if total_bytes < TEXT_BYTES_MIN => return None,
            None => (total_bytes / SAMPLE_DIVISOR).clamp(least, most),
        };
        // An error means that there is no guess: the inference of the whole text shows it.
        self.sampled(total_bytes, sample_bytes).ok().flatten()
    }

    fn sampled(&mut self, total_bytes: u64, sample_bytes: u64) -> Result<Option<Schema>> {
        let Self { input, options, .. } = self;
        let mut source = Source::open(input, options, true)?;
        let names = source.layout.names.clone();
        options.wanted.check_names(names.iter().map(String::as_str))?;
        let mut sample = Sample {
            plan: InferPlan::new(options, &names, false),
            form: source.blocks.form(),
            seen: vec![Seen::default(); names.len()],
            rows: 0,
        };
        let is_plain = source.blocks.is_plain();
        let mut wanted_bytes = if is_plain { sample_bytes / 4 } else { sample_bytes };
        while let Some(mut part) = source.next(None, u64::MAX)? {
            let len_bytes = usize::try_from(wanted_bytes).unwrap_or(usize::MAX);
            part.shorten(len_bytes, sample.form);
            wanted_bytes = wanted_bytes.saturating_sub(part.text_bytes());
            if !sample.add(part) {
                return Ok(None);
            }
            if is_plain || wanted_bytes == 0 {
                break;
            }
        }
        drop(source);
        if is_plain && sample_bytes >= PLACES {
            sample.look_around(input, total_bytes, sample_bytes / PLACES)?;
        }
        let Sample { seen, rows, .. } = sample;
        let guess = conclude(input, options, &names, &seen, rows, None)?;
        Ok(Some(guess.schema))
    }

    /// Loads all rows, as [`CsvReader::load`] does, with a schema that was guessed, and infers the
    /// schema at the same time, as [`CsvReader::infer`] does. Sets no rows aside.
    ///
    /// Without a report the guess was wrong: a row does not fit, or inference chooses another
    /// schema. The records that `sink` has got do not count then. From the first such row on this
    /// only infers, and a load with the inferred schema tells of bad rows.
    ///
    /// # Errors
    /// As [`CsvReader::infer`] and [`CsvReader::load`], but not for values.
    pub fn load_guessed(
        &mut self,
        schema: &Schema,
        sink: &mut dyn RecordSink,
    ) -> Result<(Inferred, Option<LoadReport>)> {
        let mut noted = Noted::default();
        let start = LoadPoint::default();
        let report = self.load_noting(schema, sink, &start, Some(&mut noted))?;
        let Noted { names, mut seen, rows, text_bytes, differs } = noted;
        seen.resize(names.len(), Seen::default());
        let Self { input, options, .. } = self;
        let inferred = conclude(input, options, &names, &seen, rows, Some((rows, text_bytes)))?;
        let is_right = !differs && inferred.schema == *schema;
        Ok((inferred, is_right.then_some(report)))
    }
}

/// What a load has noted of a file whose types are guessed.
#[derive(Default)]
pub(super) struct Noted {
    pub(super) names: Vec<String>,
    seen: Vec<Seen>,
    pub(super) rows: u64,
    pub(super) text_bytes: u64,
    /// Whether a row did not fit.
    pub(super) differs: bool,
}

impl Noted {
    /// Adds the next part, whose lines count from `lines` on.
    pub(super) fn merge(&mut self, part: &Part<Records>, lines: u64) {
        self.differs |= part.result.only_facts;
        self.seen.resize(part.result.seen.len(), Seen::default());
        for (column, seen) in self.seen.iter_mut().zip(&part.result.seen) {
            column.merge(seen, lines);
        }
    }
}

/// The facts about a part of a text.
struct Sample<'p> {
    plan: InferPlan<'p>,
    form: Form,
    seen: Vec<Seen>,
    rows: u64,
}

impl Sample<'_> {
    /// Adds the facts about `part`, and returns whether all its rows are well-formed.
    fn add(&mut self, mut part: Part<Vec<Seen>>) -> bool {
        part.infer(&self.plan);
        if !part.faults.is_empty() {
            return false;
        }
        for (column, seen) in self.seen.iter_mut().zip(&part.result) {
            column.merge(seen, 0);
        }
        self.rows += part.rows;
        true
    }

    /// Looks at `step_bytes` bytes at places all over a plain text.
    fn look_around(&mut self, input: &mut Input, total_bytes: u64, step_bytes: u64) -> Result<()> {
        let Ok(step_len) = usize::try_from(step_bytes) else { return Ok(()) };
        for place in 1..=PLACES {
            let offset = total_bytes / PLACES * place;
            let mut text = vec![0; step_len];
            let last = total_bytes.saturating_sub(step_bytes);
            let len = input.read_from(offset.min(last))?.fill(&mut text)?;
            text.truncate(len);
            // A place within quotes gives rows that are malformed: it does not count.
            self.add(Part::within(text, self.form, self.seen.len() == 1));
        }
        Ok(())
    }
}
