//! Decimals as floats.

use super::*;

/// Finds a decimal that becomes another number than the nearest float, or one that is not counted.
#[test]
fn decimals_become_floats_if_asked() {
    const SCRIPT: &str = r#"
import decimal, os, sys
import pyarrow as pa, pyarrow.feather, pyarrow.parquet
folder = sys.argv[1]
D = decimal.Decimal
table = pa.table({
    "price": pa.array([D("1.50"), D("-0.07"), None], pa.decimal128(9, 2)),
    "big": pa.array([D("12345678901234567890.5"), D("0.1"), D("-3.0")], pa.decimal128(38, 1)),
    "whole": pa.array([D(7), D(8), D(9)], pa.decimal128(9, 0)),
    "pair": pa.array([[D("0.25"), D("123456789012345.123456")]] * 3,
                     pa.list_(pa.decimal128(30, 6), 2)),
})
pa.parquet.write_table(table, os.path.join(folder, "t.parquet"))
pa.feather.write_feather(table, os.path.join(folder, "t.arrow"))
"#;
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    run(&python, SCRIPT, dir.path());
    for name in ["t.parquet", "t.arrow"] {
        let mut reader = reader(&dir.path().join(name)).decimals_as_floats(true);
        let schema = reader.infer(None).unwrap().schema;
        let shown: Vec<String> = schema.fields().iter().map(Field::to_string).collect();
        let expected = "price: float64 nullable at 0\nbig: float64 at 9\nwhole: int32 at 17\n\
                        pair: float64[2] at 21";
        assert_eq!(shown.join("\n"), expected, "{name}");
        assert!(schema.fields().iter().all(|field| field.scale().is_none()), "{name}");
        let mut records: Vec<u8> = Vec::new();
        let report = reader.load(&schema, &mut records).unwrap();
        assert_eq!((report.loaded, report.nulls, report.rounded), (3, 1, 4), "{name}");
        let expected = concat!(
            "{\"price\":1.5,\"big\":1.2345678901234567e19,\"whole\":7,",
            "\"pair\":[0.25,123456789012345.12]}\n",
            "{\"price\":-0.07,\"big\":0.1,\"whole\":8,\"pair\":[0.25,123456789012345.12]}\n",
            "{\"price\":null,\"big\":-3.0,\"whole\":9,\"pair\":[0.25,123456789012345.12]}\n",
        );
        assert_eq!(ndjson(&schema, &records), expected, "{name}");
    }
}
