use super::*;
use proptest::prelude::*;

type Fields = Vec<(Vec<u8>, bool)>;

/// A `#` begins a comment, but the texts here have few.
fn form(delimiter: u8) -> Form {
    Form { delimiter, comment: Some(b'#') }
}

fn split(text: &[u8], delimiter: u8) -> Vec<(Fields, Option<Malformed>, usize)> {
    let mut rows = Vec::new();
    let mut scratch = Vec::new();
    let _ = Splitter::new(form(delimiter), false).rows(text, |row| {
        let fields = row
            .spans
            .iter()
            .map(|span| (span.cell(text, &mut scratch).text().to_vec(), span.is_quoted()))
            .collect();
        rows.push((fields, row.malformed, row.next));
        ControlFlow::<()>::Continue(())
    });
    rows
}

/// The rows as short texts, quoted fields in angle brackets.
fn shown(text: &str) -> Vec<String> {
    let show = |(bytes, quoted): &(Vec<u8>, bool)| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        if *quoted { format!("<{text}>") } else { text }
    };
    split(text.as_bytes(), b',')
        .iter()
        .map(|(fields, malformed, _)| {
            let row = fields.iter().map(show).collect::<Vec<_>>().join("|");
            malformed.map_or(row.clone(), |why| format!("{row} {why:?}"))
        })
        .collect()
}

#[test]
fn plain_rows_end_with_lf_crlf_cr_or_the_text() {
    assert_eq!(shown("a,b\n1,2\r\n3,4"), ["a|b", "1|2", "3|4"]);
    assert_eq!(shown("1,2\n"), ["1|2"]);
    assert_eq!(shown("1,\r"), ["1|"], "a line end without its LF");
    assert_eq!(shown("1,\n,\n"), ["1|", "|"]);
    assert_eq!(shown("a\rb,c\n\rd\r\r\n\"e\"\r\"f\rg\""), ["a", "b|c", "d", "<e>", "<f\rg>"]);
    assert_eq!(shown(""), Vec::<String>::new());
}

#[test]
fn quotes_keep_delimiters_line_ends_and_quotes() {
    assert_eq!(shown("\"a,b\",c\n"), ["<a,b>|c"]);
    assert_eq!(shown("\"a\nb\",\"\"\r\nc,d\n"), ["<a\nb>|<>", "c|d"]);
    assert_eq!(shown("\"say \"\"hi\"\"\",x\n"), ["<say \"hi\">|x"]);
    assert_eq!(shown("\"\"\"\"\n"), ["<\">"]);
    assert_eq!(shown("5\" pipe,6\"\n7,8\n"), ["5\" pipe|6\"", "7|8"], "text, not at the start");
    assert_eq!(shown("\"a\""), ["<a>"]);
    assert_eq!(shown("\"a\"\r"), ["<a>"]);
}

#[test]
fn bad_quotes_make_one_bad_row() {
    assert_eq!(shown("\"a\"b,c\n1,2\n"), ["<a>|c TextAfterQuote", "1|2"]);
    assert_eq!(shown("\"a\" ,\"c\nd\"\n1,2\n"), ["<a>|<c\nd> TextAfterQuote", "1|2"]);
    assert_eq!(shown("1,2\n3,\"open\n5,6\n"), ["1|2", "3|<open\n5,6\n> UnclosedQuote"]);
}

#[test]
fn blank_lines_are_rows_of_one_column_only() {
    assert_eq!(shown("\n1,2\n\r\n\n3,4\n\n"), ["1|2", "3|4"]);
    assert_eq!(shown("\"\"\n1\n"), ["<>", "1"], "a line with a quoted empty field is not blank");
    let mut rows = 0;
    let _ = Splitter::new(form(b','), true).rows(b"1\n\n\r\n2\n", |row| {
        rows += row.spans.len();
        ControlFlow::<()>::Continue(())
    });
    assert_eq!(rows, 4);
}

#[test]
fn comments_are_no_rows_and_their_quotes_mean_nothing() {
    assert_eq!(shown("# a,\"b\n1,2\n#\r\n#\"\r3,#4\n#end"), ["1|2", "3|#4"]);
    assert_eq!(shown("\"a\n#b\",c\n#d"), ["<a\n#b>|c"]);
    let end = |text: &str| last_row_end(text.as_bytes(), form(b','));
    assert_eq!(end("# a,\"b\n1,2\n#,\"\n3"), 15);
    assert_eq!(end("1\n# a,\"b"), 2);
    assert_eq!(end("#\"\n\"1\n2\"\n"), 9);
}

#[test]
fn blocks_are_cut_behind_the_last_complete_row() {
    let end = |text: &str| last_row_end(text.as_bytes(), form(b','));
    assert_eq!(end("a,b\nc"), 4);
    assert_eq!(end("abc"), 0);
    assert_eq!(end("a\n\"b\nc"), 2);
    assert_eq!(end("a\n\"b\nc\"\nd"), 8);
    assert_eq!(end("a\n\"b\"\"\n"), 2, "a doubled quote");
    assert_eq!(end("a\nb\"\nc"), 5, "a quote inside plain text");
    assert_eq!(end("a\n\"b\""), 2, "a quote at the end may be the first of two");
    assert_eq!(end("a\rb\rc"), 4);
    assert_eq!(end("a\rb\r"), 2, "a line feed may follow");
    assert_eq!(end("a\r\"b\"\r"), 2, "a line feed may follow");
    assert_eq!(end("a\r\n\"b\rc\"\r\nd"), 10);
}

/// The result of csv-core for `text`: it ends lines at CR, LF and CR LF, takes quotes in plain
/// fields as text; blank lines are skipped.
fn oracle(text: &[u8], delimiter: u8) -> Vec<Vec<Vec<u8>>> {
    use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};
    let mut reader: Reader =
        ReaderBuilder::new().delimiter(delimiter).terminator(Terminator::CRLF).build();
    let mut rows = Vec::new();
    let (mut output, mut ends) = (vec![0; 4096], vec![0; 512]);
    let mut rest = text;
    loop {
        let (mut out_len, mut end_len) = (0, 0);
        loop {
            let (result, read, written, ended) =
                reader.read_record(rest, &mut output[out_len..], &mut ends[end_len..]);
            rest = &rest[read..];
            out_len += written;
            end_len += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return rows,
                full => panic!("{full:?}: the buffers suffice for these tests"),
            }
        }
        let mut start = 0;
        let fields = ends[..end_len].iter().map(|&end| {
            let field = output[start..end].to_vec();
            start = end;
            field
        });
        rows.push(fields.collect());
    }
}

/// Texts with many special characters.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(&b","[..]),
        3 => Just(&b"\""[..]),
        2 => Just(&b"\n"[..]),
        1 => Just(&b"\r"[..]),
        1 => Just(&b"\r\n"[..]),
        1 => Just(&b"\"\""[..]),
        1 => Just(&b",\""[..]),
        1 => Just(&b"\","[..]),
        3 => Just(&b"abc"[..]),
        1 => Just(&b"twenty-one characters"[..]),
    ];
    prop::collection::vec(piece, 0..120).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn splits_what_csv_core_splits(text in texts()) {
        let ours = split(&text, b',');
        // csv-core reads on at a row that we call bad, so only the rows before the first bad row
        // are compared.
        let good = ours.iter().take_while(|(_, malformed, _)| malformed.is_none()).count();
        let theirs = oracle(&text, b',');
        prop_assert!(theirs.len() >= good);
        for ((fields, _, _), expected) in ours[..good].iter().zip(&theirs) {
            let fields: Vec<Vec<u8>> = fields.iter().map(|(bytes, _)| bytes.clone()).collect();
            prop_assert_eq!(&fields, expected);
        }
        if good == ours.len() {
            prop_assert_eq!(good, theirs.len());
        }
    }

    #[test]
    fn cuts_agree_with_rows(text in texts()) {
        // Every cut of the text ends at a row of the whole text.
        let ends: Vec<usize> = split_with_blanks(&text);
        for cut in 0..=text.len() {
            let end = last_row_end(&text[..cut], form(b','));
            prop_assert!(end == 0 || ends.contains(&end), "cut {cut} ends at {end} of {ends:?}");
        }
        // Every row is found except the last, which may continue.
        let ending = text.strip_suffix(b"\r").unwrap_or(&text);
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let complete = ending.iter().rposition(is_end).map_or(0, |at| at + 1);
        let last = ends.iter().rev().find(|&&end| end < text.len() || end == complete);
        let unclosed = split(&text, b',').iter().any(|(_, why, _)| why.is_some());
        if let (Some(&last), false) = (last, unclosed) {
            prop_assert!(last_row_end(&text, form(b',')) >= last);
        }
    }
}

/// The ends of all rows, including blank ones.
fn split_with_blanks(text: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let _ = Splitter::new(form(b','), true).rows(text, |row| {
        ends.push(row.next);
        ControlFlow::<()>::Continue(())
    });
    ends
}
