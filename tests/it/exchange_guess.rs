//! A load in one pass, with guessed types, counts only if it is what two passes would give.
#![cfg(feature = "exchange")]

use flatrec::exchange::{CsvOptions, CsvReader, Inferred, Input, LoadReport};
use flatrec::{DataType, ErrorKind, Schema};
use proptest::prelude::*;

const CASES: u32 = 300;

/// The result of a load: what was inferred, the records, and the report.
type Loaded = (Inferred, Vec<u8>, LoadReport);

fn reader(text: &[u8], options: &CsvOptions) -> CsvReader<'static> {
    CsvReader::new(Input::from_bytes(text), options.clone())
}

/// Two passes; `None` if one fails.
fn in_two_passes(text: &[u8], options: &CsvOptions) -> Option<Loaded> {
    let mut reader = reader(text, options);
    let inferred = reader.infer(None).ok()?;
    let mut records = Vec::new();
    let report = reader.load(&inferred.schema, &mut records).ok()?;
    Some((inferred, records, report))
}

/// One pass with guessed types, and a second one if they are wrong; `None` if one fails. Also
/// returns whether there was a second one.
fn with_guess(text: &[u8], options: &CsvOptions, guess: &Schema) -> (Option<Loaded>, bool) {
    let mut reader = reader(text, options);
    let mut records = Vec::new();
    let Ok((inferred, report)) = reader.load_guessed(guess, &mut records) else {
        return (None, false);
    };
    let is_right = report.is_some();
    let report = report.or_else(|| {
        records.clear();
        reader.load(&inferred.schema, &mut records).ok()
    });
    (report.map(|report| (inferred, records, report)), !is_right)
}

/// The values of a column: most are of the first form, a few of the second.
const FORMS: [[&str; 2]; 16] = [
    ["[0-9]{1,4}", "-?[0-9]{1,20}"],
    ["-?[1-9][0-9]{0,3}", "0{1,3}[0-9]"],
    ["[1-9][0-9]{16,17}", "[1-9][0-9]{18}|[0-9]\\.5"],
    ["[1-9][0-9]{20}", "[1-9]\\.25"],
    ["[0-9]{1,2}\\.[0-9]{1,2}", "nan|-?inf|1e-?[0-9]{1,2}|\\.5|-0"],
    ["[0-9]\\.[0-9]", "0\\.[0-9]{9}|[0-9]{9}|16777217"],
    ["2013-0[1-9]-[0-2][1-8]", "1[0-9]{3}-0[1-9]-1[0-9]|2013-02-31"],
    ["2013-0[1-9]-1[0-9]T05:00:0[0-9]", "2013-01-01|0013-01-01T00:00:00|2013-01-01 05:00"],
    ["2013-01-01 05:00:00\\.[0-9]{1,9}Z", "1066-01-01T00:00:00Z|2013-01-01T00:00:00"],
    ["2013-01-01T05:00:00\\.[0-9]{1,3}", "2013-01-01T05:00:00\\.1234|2262-04-11T23:47:16.5"],
    ["2013-01-01T05:00:00\\.[0-9]{7}", "1677-09-21T00:12:43\\.5|2262-04-11T23:47:16.5|1066-01-01"],
    ["true|false", "TRUE|False|[TF01]"],
    ["[a-c]", "[a-z ]{0,12}|true|7"],
    ["[1-9]", "NA|n/a|-"],
    ["EWR|JFK|LGA", "NA|5"],
    ["[a-zä]{0,5}", "[\"ab,\n]{0,9}"],
];

#[derive(Clone, Debug)]
struct File {
    rows: Vec<Vec<String>>,
    line_end: &'static str,
    has_last_end: bool,
    quotes_all: bool,
}

impl File {
    fn text(&self) -> String {
        let mut text = String::from("first");
        (1..self.rows.first().map_or(1, Vec::len)).for_each(|n| text.push_str(&format!(",c{n}")));
        for row in &self.rows {
            text.push_str(self.line_end);
            let cells: Vec<String> = row.iter().map(|cell| self.cell(cell)).collect();
            text.push_str(&cells.join(","));
        }
        if self.has_last_end {
            text.push_str(self.line_end);
        }
        text
    }

    fn cell(&self, cell: &str) -> String {
        match self.quotes_all || cell.contains(['"', ',', '\n']) {
            true => format!("\"{}\"", cell.replace('"', "\"\"")),
            false => cell.to_owned(),
        }
    }
}

/// A cell: of the first form of its column, of the second, empty, or two cells.
fn cell(form: [&'static str; 2], weights: [u32; 4]) -> impl Strategy<Value = String> {
    let [often, seldom, empty, split] = weights;
    prop_oneof![
        often => form[0],
        seldom => form[1],
        empty => Just(String::new()),
        split => Just("a\",b".to_owned()),
    ]
}

fn files() -> impl Strategy<Value = File> {
    let forms = prop::collection::vec(prop::sample::select(&FORMS[..]), 1..5);
    let weights =
        prop::sample::select(&[[40, 0, 0, 0], [40, 1, 1, 0], [60, 0, 1, 0], [9, 1, 1, 1]]);
    (forms, weights, 0usize..60, 0u8..4, any::<bool>(), prop::bool::weighted(0.1)).prop_flat_map(
        |(forms, weights, rows, ending, has_last_end, quotes_all)| {
            let row: Vec<_> = forms.iter().map(|form| cell(*form, weights)).collect();
            let line_end = ["\n", "\n", "\r\n", "\r"][usize::from(ending)];
            prop::collection::vec(row, rows).prop_map(move |rows| File {
                rows,
                line_end,
                has_last_end,
                quotes_all,
            })
        },
    )
}

fn options() -> impl Strategy<Value = CsvOptions> {
    let plain = CsvOptions::new();
    prop::sample::select(vec![
        plain.clone(),
        plain.clone().threads(2),
        plain.clone().null_text("NA"),
        plain.clone().null_text("7").null_text("2013-01-01").null_text("true"),
        plain.clone().null_text_of("first", "NA").quoted_null(true),
        plain.clone().quoted_null(true),
        plain.clone().narrow(true),
        plain.clone().narrow(true).null_text("NA").nullable(true),
        plain.clone().text_width(6),
        plain.clone().round(true).data_type_of("first", DataType::Int16),
        plain.clone().round(true),
        plain.clone().data_type_of("first", DataType::Float32),
        plain.clone().data_type_of("first", DataType::Date32),
        plain.clone().text_width_of("first", 9),
        plain.clone().header(false),
        plain.clone().header(true),
        plain.comment(b'-').unwrap(),
    ])
}

/// Finds a load with guessed types that differs from two passes, or is refused without a reason.
#[test]
fn a_guess_counts_if_two_passes_give_the_same() {
    let (mut right, mut wrong, mut bad) = (0, 0, 0);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(CASES));
    let counts = std::cell::RefCell::new((&mut right, &mut wrong, &mut bad));
    runner
        .run(&(files(), options(), 1u64..400), |(file, options, sample_bytes)| {
            let text = file.text();
            let expected = in_two_passes(text.as_bytes(), &options);
            let guess = reader(text.as_bytes(), &options).guess(Some(sample_bytes));
            let mut counts = counts.borrow_mut();
            if let Some(guess) = guess {
                let is_right = expected.as_ref().is_some_and(|it| it.0.schema == guess);
                let (loaded, has_second) = with_guess(text.as_bytes(), &options, &guess);
                prop_assert_eq!(&loaded, &expected, "{}", text);
                // A value may not fit the type that was asked for: then both ways fail.
                prop_assert!(loaded.is_none() || has_second != is_right, "{}", text);
                *(if is_right { &mut *counts.0 } else { &mut *counts.1 }) += 1;
            }
            match &expected {
                // The right types are taken, whatever the sample was.
                Some(expected) => {
                    let loaded = with_guess(text.as_bytes(), &options, &expected.0.schema);
                    prop_assert_eq!(loaded, (Some(expected.clone()), false), "{}", text);
                }
                None => *counts.2 += 1,
            }
            Ok(())
        })
        .unwrap();
    assert!(
        right > CASES / 10 && wrong > CASES / 10 && bad > CASES / 30,
        "{right} right, {wrong} wrong, {bad} bad"
    );
}

type Rejects = Vec<(u64, Option<String>, String, Vec<u8>)>;

fn load(text: &[u8], options: &CsvOptions, schema: &Schema) -> (Vec<u8>, Rejects, LoadReport) {
    let (mut records, mut rejects) = (Vec::new(), Rejects::new());
    let report = reader(text, options)
        .on_reject(|reject| {
            let column = reject.column.map(str::to_owned);
            rejects.push((reject.line, column, reject.reason.to_owned(), reject.row.to_vec()));
            Ok(())
        })
        .load(schema, &mut records)
        .unwrap();
    (records, rejects, report)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]
    /// Finds a record, a bad row or a line number that differs where columns are stored one after
    /// the other. A mark of comments makes the load take row by row.
    #[test]
    fn columns_one_by_one_give_what_rows_do(
        file in files(),
        options in options(),
        sample_rows in 1u64..60,
    ) {
        // Those rows are taken one by one anyway.
        prop_assume!(options != CsvOptions::new().comment(b'-').unwrap());
        let text = file.text().replace("\n\n", "\n");
        let text = if file.quotes_all { text.replace('"', "") } else { text };
        let by_rows = options.clone().comment(b'\x01').unwrap();
        let Ok(inferred) = reader(text.as_bytes(), &options).infer(Some(sample_rows)) else {
            return Ok(());
        };
        let expected = load(text.as_bytes(), &by_rows, &inferred.schema);
        let error = |options| {
            let loaded = reader(text.as_bytes(), options).load(&inferred.schema, &mut Vec::new());
            loaded.map_err(|error| error.to_string())
        };
        prop_assert_eq!(load(text.as_bytes(), &options, &inferred.schema), expected, "{}", text);
        prop_assert_eq!(error(&options), error(&by_rows));
    }
}

/// Finds a sample that stays at the start of a file.
#[test]
fn a_sample_has_rows_from_all_over_the_file() {
    let mut text = String::from("n,name\n");
    for n in 0..100_000 {
        let name = if n > 60_000 && n % 100 == 0 { "" } else { "a name" };
        text.push_str(&format!("{n},{name}\n"));
    }
    let guess = reader(text.as_bytes(), &CsvOptions::new()).guess(None).unwrap();
    assert_eq!(guess.fields()[1].to_string(), "name: utf8(6) nullable at 8");
    let expected = in_two_passes(text.as_bytes(), &CsvOptions::new());
    assert_eq!(with_guess(text.as_bytes(), &CsvOptions::new(), &guess), (expected, false));

    let short = &text[..100_000];
    assert_eq!(reader(short.as_bytes(), &CsvOptions::new()).guess(None), None);
}

/// Finds an error of the sink that passes for a wrong guess.
#[test]
fn an_error_of_the_sink_is_one_of_the_load() {
    struct Full;
    impl flatrec::exchange::RecordSink for Full {
        fn append_records(&mut self, _: &[u8]) -> flatrec::Result<()> {
            Err(std::io::Error::from(std::io::ErrorKind::StorageFull).into())
        }
    }
    let text = b"a\n1\n2\n";
    let mut reader = reader(text, &CsvOptions::new());
    let guess = reader.guess(Some(100)).unwrap();
    let error = reader.load_guessed(&guess, &mut Full).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace);
}

/// Finds a pass that goes on making records, or that reads less than all rows, after a row that
/// does not fit the guess.
#[test]
fn a_row_that_does_not_fit_turns_the_pass_into_an_inference() {
    const ROWS: usize = 40_000;
    for (at, threads) in [(10, 1), (10, 2), (ROWS / 2, 1), (ROWS / 2, 2), (ROWS - 1, 1)] {
        for odd in ["7,a much longer name", "7,", "seven,a name", "2.5,a name"] {
            // With carriage returns, rows are taken one by one. The longest number comes first.
            let end = ["\n", "\r\n"][threads - 1];
            let mut text = format!("n,name{end}123456789,a name{end}");
            for row in 1..ROWS {
                match row == at {
                    true => text.push_str(odd),
                    false => text.push_str(&format!("{},a name", row % 1000 + 100_000)),
                }
                text.push_str(end);
            }
            let options = CsvOptions::new().threads(threads);
            let guess = reader(b"n,name\n100000,a name\n", &options).infer(None).unwrap().schema;
            let mut records = Vec::new();
            let mut one_pass = reader(text.as_bytes(), &options);
            let (inferred, report) = one_pass.load_guessed(&guess, &mut records).unwrap();
            assert_eq!(report, None, "{odd} in row {at}");
            let expected = reader(text.as_bytes(), &options).infer(None).unwrap();
            assert_eq!(inferred, expected, "{odd} in row {at}");
            // Those of the blocks before the row, at most.
            let size = guess.record_size() as usize;
            assert!(records.len() % size == 0 && records.len() <= at * size, "{odd} in row {at}");
        }
    }
}
