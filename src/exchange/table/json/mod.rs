//! NDJSON: a JSON object a line.
//!
//! ```text
//! Text -> Lines (blocks) -> object (names and literals) -> Facts (types), or records
//! ```
//!
//! The text of a value decides, as in CSV: it becomes the value of its field by
//! [`Field::parse_text`], so a number keeps all its digits.

mod facts;
mod lines;
mod object;

use std::collections::{HashMap, HashSet};

use self::facts::Facts;
use self::lines::{Lines, lines_of};
use self::object::{Literal, Members, members_of, twice};
use super::watch::{Bad, OnProgress, OnReject, Watch};
use crate::error::{Cause, Error, ErrorKind, Result, named, quoted};
use crate::exchange::csv::in_order;
use crate::exchange::{Inferred, Input, LoadPoint, LoadReport, RecordSink, Reject};
use crate::format::{DataType, Field, Schema};

/// What the caller says of strings and numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct JsonOptions {
    /// Strings that mean null, in all fields or in one.
    pub(super) null_texts: Vec<(Option<String>, String)>,
    /// Whether they and the empty string mean null in fields of text, too.
    pub(super) null_in_texts: bool,
    /// Whether inference takes the narrowest types.
    pub(super) narrow: bool,
}

impl JsonOptions {
    /// Whether a string means null in a field that is not text.
    fn is_null(&self, name: &str, text: &str) -> bool {
        self.null_in_texts && text.is_empty() || self.null_texts_of(name).any(|it| it == text)
    }

    fn null_texts_of(&self, name: &str) -> impl Iterator<Item = &String> {
        let texts = self.null_texts.iter();
        texts
            .filter(move |(field, _)| field.as_ref().is_none_or(|it| it == name))
            .map(|(_, text)| text)
    }

    /// The strings that mean null in each field.
    fn words<'s>(&self, schema: &'s Schema) -> Vec<Vec<String>> {
        let words_of = |field: &'s Field| {
            let is_text = matches!(field.data_type(), DataType::Utf8(_));
            if is_text && !self.null_in_texts {
                return Vec::new();
            }
            let empty = self.null_in_texts.then(String::new);
            let own = field.null_words_or(schema.null_words()).iter();
            own.chain(self.null_texts_of(field.name())).cloned().chain(empty).collect()
        };
        schema.fields().iter().map(words_of).collect()
    }
}

/// A block of lines, and what became of them.
#[derive(Debug, Default)]
struct Part<T> {
    block: Vec<u8>,
    read_bytes: u64,
    end_offset: u64,
    /// The line ends before the block.
    lines_before: u64,
    lines: u64,
    /// The rows that are good.
    rows: u64,
    faults: Vec<Fault>,
    result: T,
}

/// A line that is no row.
#[derive(Debug)]
struct Fault {
    /// The line ends before it in its block.
    line: u64,
    place: std::ops::Range<usize>,
    /// The number of the field, if one is at fault.
    field: Option<usize>,
    reason: String,
    cause: Option<Cause>,
    text: Option<String>,
}

impl Fault {
    fn bad<'b>(&'b self, field: Option<&'b str>) -> Bad<'b> {
        let (reason, cause, text) = (&*self.reason, self.cause, self.text.as_deref());
        Bad { field, reason, cause, text }
    }
}

impl<T: Default> Part<T> {
    fn next(lines: &mut Lines<'_>, spare: Option<Self>) -> Result<Option<Self>> {
        let mut part = spare.unwrap_or_default();
        part.faults.clear();
        part.rows = 0;
        if !lines.next(&mut part.block)? {
            return Ok(None);
        }
        part.lines = memchr::memchr_iter(b'\n', &part.block).count() as u64;
        part.read_bytes = lines.read_bytes();
        part.end_offset = lines.offset();
        Ok(Some(part))
    }
}

/// The facts about the names of a part, in the order in which they come.
#[derive(Debug, Default)]
struct Names {
    facts: Vec<(String, Facts)>,
    places: HashMap<String, usize>,
}

impl Names {
    fn facts_of(&mut self, name: &str) -> &mut Facts {
        let place = match self.places.get(name) {
            Some(&place) => place,
            None => {
                self.places.insert(name.to_owned(), self.facts.len());
                self.facts.push((name.to_owned(), Facts::default()));
                self.facts.len() - 1
            }
        };
        &mut self.facts[place].1
    }
}

impl Part<Names> {
    /// Notes the facts about at most `rows_max` rows.
    fn infer(&mut self, rows_max: u64, lenient: bool, options: &JsonOptions) {
        self.result = Names::default();
        let mut members = Members::new();
        for line in lines_of(&self.block) {
            if self.rows == rows_max {
                break;
            }
            let place = line.start..line.start + line.bytes.len();
            if let Err(reason) = members_of(line.bytes, &mut members) {
                let (field, cause, text) = (None, None, None);
                self.faults.push(Fault { line: line.number, place, field, reason, cause, text });
                if !lenient {
                    break;
                }
                continue;
            }
            self.rows += 1;
            let line = self.lines_before + line.number + 1;
            for (name, literal) in &members {
                let facts = self.result.facts_of(name);
                match literal {
                    Literal::Text(text) if options.is_null(name, text) => {
                        if !options.null_in_texts {
                            facts.note_null_text(text);
                        }
                    }
                    literal => facts.note(literal, line, options.narrow),
                }
            }
        }
    }
}

/// A schema for all rows, or for the first `sample_rows`.
pub(super) fn infer(
    input: &mut Input,
    sample_rows: Option<u64>,
    (threads, lenient): (usize, bool),
    options: &JsonOptions,
    on_progress: &mut Option<OnProgress<'_>>,
) -> Result<Inferred> {
    let mut watch = Watch::new(input);
    let name = watch.name.clone();
    let mut lines = Lines::new(input.read(true)?, 0, 0);
    let threads = if sample_rows.is_some() { 1 } else { threads };
    let rows_left = std::cell::Cell::new(sample_rows.unwrap_or(u64::MAX));
    let rows_max = sample_rows.unwrap_or(u64::MAX);
    let mut lines_before = 0;
    let mut all = Names::default();
    in_order(
        threads,
        |spare| {
            if rows_left.get() == 0 {
                return Ok(None);
            }
            let part = Part::next(&mut lines, spare).map_err(|error| watch_path(error, &name))?;
            Ok(part.map(|mut part| {
                part.lines_before = lines_before;
                lines_before += part.lines;
                part
            }))
        },
        |part: &mut Part<Names>| part.infer(rows_max, lenient, options),
        |part| {
            if let (Some(fault), false) = (part.faults.first(), lenient) {
                let line = part.lines_before + fault.line + 1;
                return Err(watch.bad_row("line", line, &fault.bad(None)));
            }
            for (name, facts) in &part.result.facts {
                all.facts_of(name).merge(facts);
            }
            rows_left.set(rows_left.get().saturating_sub(part.rows));
            watch.pass(watch.rows + part.rows, part.read_bytes, on_progress)
        },
    )?;
    let (rows, path) = (watch.rows, &watch.name);
    let names: HashSet<&str> = all.facts.iter().map(|(name, _)| &**name).collect();
    // A name that is null, and an object in other rows, has no field of its own.
    let is_outer = |outer: &str, facts: &Facts| {
        facts.is_only_null() && names.iter().any(|name| is_within(name, outer))
    };
    let fields = all.facts.iter().filter(|(name, facts)| !is_outer(name, facts));
    let fields: Result<Vec<Field>> =
        fields.map(|(name, facts)| facts.field(name, rows, options.narrow)).collect();
    let schema = fields.and_then(|fields| match fields.is_empty() {
        true => Err(Error::new(ErrorKind::InvalidValue, "read")
            .detail("there is no JSON object with a value")
            .advice("give one JSON object a line")),
        false => Schema::packed(fields),
    });
    let schema = schema.map_err(|error| match error.what_to_do() {
        Some(_) => error.path(path),
        None => error.path(path).advice("change the values, or give a schema"),
    })?;
    Ok(Inferred { schema, rows, strays: Vec::new(), header_may_be_data: false })
}

fn watch_path(error: Error, path: &std::path::Path) -> Error {
    match error.file_path() {
        Some(_) => error,
        None => error.path(path),
    }
}

/// Whether a name is that of a value in the object called `outer`.
fn is_within(name: &str, outer: &str) -> bool {
    name.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'))
}

/// The records of a part.
#[derive(Debug, Default)]
struct Records {
    bytes: Vec<u8>,
    nulls: u64,
    rounded: u64,
}

/// The fields that the names fill.
struct Plan<'s> {
    fields: &'s [Field],
    places: HashMap<&'s str, usize>,
    /// The objects that the fields are in.
    outer: HashSet<&'s str>,
    /// The strings that mean null in each field.
    null_texts: Vec<Vec<String>>,
    record_bytes: usize,
    round: bool,
    lenient: bool,
}

impl<'s> Plan<'s> {
    fn new(schema: &'s Schema, round: bool, lenient: bool, options: &JsonOptions) -> Self {
        let fields = schema.fields();
        let places = fields.iter().map(Field::name).zip(0..).collect();
        let outer = |field: &'s Field| {
            let name = field.name();
            name.match_indices('.').map(move |(dot, _)| &name[..dot])
        };
        let outer = fields.iter().flat_map(outer).collect();
        let record_bytes = schema.record_size() as usize;
        let null_texts = options.words(schema);
        Self { fields, places, outer, null_texts, record_bytes, round, lenient }
    }

    /// Stores the members in `record`, whose bytes are zero. Returns how many values are null, and
    /// how many are rounded.
    fn put(
        &self,
        members: &Members<'_>,
        seen: &mut [bool],
        record: &mut [u8],
    ) -> Result<(u64, u64), Refused> {
        seen.fill(false);
        let (mut found, mut nulls, mut rounded) = (0, 0, 0);
        for (at, (name, literal)) in members.iter().enumerate() {
            // Most objects have their names in the order of the fields.
            let place = match self.fields.get(at) {
                Some(field) if field.name() == name => Some(at),
                _ => self.places.get(&**name).copied(),
            };
            let Some(place) = place else {
                if *literal == Literal::Null && self.outer.contains(&**name) {
                    continue;
                }
                return Err(Refused::whole(format!("no field for the name {}", quoted(name))));
            };
            if std::mem::replace(&mut seen[place], true) {
                return Err(Refused::whole(twice(name)));
            }
            found += 1;
            let field = &self.fields[place];
            let is_null = match literal {
                Literal::Null => true,
                Literal::Text(text) => self.null_texts[place].iter().any(|it| it == text),
                _ => false,
            };
            let text = match literal {
                _ if is_null && field.is_nullable() => {
                    nulls += 1;
                    continue;
                }
                _ if is_null => return Err(Refused::null(place, field, "is null")),
                Literal::Null => continue,
                Literal::Bare(text) | Literal::Array(text) => text,
                Literal::Text(text) => &**text,
            };
            let put = match self.round {
                true => field.parse_text_rounded(text, record),
                false => field.parse_text(text, record).map(|()| false),
            };
            rounded += u64::from(put.map_err(|error| Refused::value(place, text, error))?);
        }
        if found < self.fields.len() {
            for (place, field) in self.fields.iter().enumerate().filter(|(at, _)| !seen[*at]) {
                if !field.is_nullable() {
                    return Err(Refused::null(place, field, "is missing"));
                }
                nulls += 1;
            }
        }
        Ok((nulls, rounded))
    }
}

/// Why a row is refused.
struct Refused {
    field: Option<usize>,
    reason: String,
    cause: Option<Cause>,
    text: Option<String>,
}

impl Refused {
    fn whole(reason: String) -> Self {
        Self { field: None, reason, cause: None, text: None }
    }

    fn null(place: usize, field: &Field, what: &str) -> Self {
        let (name, data_type) = (named(field.name()), field.data_type());
        let reason = format!("field {name} ({data_type}) {what} but not nullable");
        Self { field: Some(place), reason, cause: None, text: None }
    }

    fn value(place: usize, text: &str, error: Error) -> Self {
        let (cause, text) = (error.cause(), Some(text.to_owned()));
        Self { field: Some(place), reason: error.into_detail(), cause, text }
    }
}

impl Part<Records> {
    fn load(&mut self, plan: &Plan<'_>) {
        let records = &mut self.result;
        records.bytes.clear();
        (records.nulls, records.rounded) = (0, 0);
        let mut members = Members::new();
        let mut seen = vec![false; plan.fields.len()];
        for line in lines_of(&self.block) {
            let start = records.bytes.len();
            records.bytes.resize(start + plan.record_bytes, 0);
            let put = members_of(line.bytes, &mut members)
                .map_err(Refused::whole)
                .and_then(|()| plan.put(&members, &mut seen, &mut records.bytes[start..]));
            match put {
                Ok((nulls, rounded)) => {
                    records.nulls += nulls;
                    records.rounded += rounded;
                    self.rows += 1;
                }
                Err(Refused { field, reason, cause, text }) => {
                    records.bytes.truncate(start);
                    let (line, place) = (line.number, line.start..line.start + line.bytes.len());
                    self.faults.push(Fault { line, place, field, reason, cause, text });
                    if !plan.lenient {
                        break;
                    }
                }
            }
        }
    }
}

/// Makes records of the rows after `from`, and gives them to `sink`.
pub(super) fn load(
    input: &mut Input,
    (schema, round, threads, options): (&Schema, bool, usize, &JsonOptions),
    sink: &mut dyn RecordSink,
    from: &LoadPoint,
    (on_progress, on_reject): (&mut Option<OnProgress<'_>>, &mut Option<OnReject<'_>>),
) -> Result<LoadReport> {
    let mut watch = Watch::new(input);
    let name = watch.name.clone();
    let text = match from.offset_bytes {
        0 => input.read(false)?,
        offset => input.read_from(offset)?,
    };
    let mut lines = Lines::new(text, from.offset_bytes, from.lines);
    let plan = Plan::new(schema, round, on_reject.is_some(), options);
    let mut report = from.report;
    let mut lines_before = from.lines;
    watch.rows = report.loaded;
    in_order(
        threads,
        |spare| Part::next(&mut lines, spare).map_err(|error| watch_path(error, &name)),
        |part: &mut Part<Records>| part.load(&plan),
        |part| {
            sink.append_records(&part.result.bytes)?;
            for fault in &part.faults {
                let line = lines_before.saturating_add(fault.line).saturating_add(1);
                let column = fault.field.map(|place| plan.fields[place].name());
                let Some(on_reject) = on_reject else {
                    return Err(watch.bad_row("line", line, &fault.bad(column)));
                };
                let (reason, row) = (&*fault.reason, &part.block[fault.place.clone()]);
                on_reject(&Reject { line, column, reason, row })?;
            }
            report.loaded = report.loaded.saturating_add(part.rows);
            report.rejected = report.rejected.saturating_add(part.faults.len() as u64);
            report.nulls = report.nulls.saturating_add(part.result.nulls);
            report.rounded = report.rounded.saturating_add(part.result.rounded);
            report.read_bytes = part.read_bytes;
            lines_before = lines_before.saturating_add(part.lines);
            watch.pass(report.loaded, part.read_bytes, on_progress)?;
            let (offset_bytes, lines) = (part.end_offset, lines_before);
            sink.reached(&LoadPoint { offset_bytes, lines, report })
        },
    )?;
    report.read_bytes = lines.read_bytes();
    Ok(report)
}
