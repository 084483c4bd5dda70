//! `flatrec bench`.

use serde_json::Value;

use crate::Place;

const WORKS: [(&str, usize); 11] = [
    ("append", 6),
    ("get", 4),
    ("fields", 4),
    ("scan", 6),
    ("update", 4),
    ("commit", 4),
    ("open", 4),
    ("cold-get", 4),
    ("cold-scan", 6),
    ("large-get", 4),
    ("large-scan", 6),
];

fn results_of<'a>(json: &'a Value, work: &str) -> Vec<&'a Value> {
    let results = json["results"].as_array().unwrap().iter();
    results.filter(|result| result["work"] == work).collect()
}

/// Finds a work that is not measured in all ways and without a reason, a ratio that is not one of
/// the figures, a page that needs other files, and files that stay.
#[test]
fn every_work_is_measured_in_every_way_or_left_out_with_a_reason() {
    let place = Place::new();
    let args = ["bench", "--records", "3000", "--bytes", "61", "--seconds", "0"];
    let files = ["--json", "f.json", "--html", "f.html"];
    let text = place.ok(args.iter().chain(&files));
    assert_eq!(place.files(), ["f.html", "f.json"], "files stay");
    let json: Value = serde_json::from_str(&place.read("f.json")).unwrap();
    assert_eq!((&json["records"], &json["record_bytes"]), (&3000.into(), &61.into()));
    assert_eq!(json["rounds"], 1);
    let page = place.read("f.html");
    assert!(!page.contains("src=") && !page.contains("href=") && !page.contains("url("), "{page}");
    let left_out = json["not_measured"].as_array().unwrap();
    for (work, ways) in WORKS {
        let results = results_of(&json, work);
        let reason = left_out.iter().find(|left_out| left_out["work"] == work);
        if let Some(reason) = reason {
            assert!(results.is_empty() && !reason["why"].as_str().unwrap().is_empty(), "{work}");
            continue;
        }
        assert_eq!(results.len(), ways, "{work}");
        let median = |result: &Value| result["ns_per_operation"]["median"].as_f64().unwrap();
        let map = results.iter().find(|result| result["way"] == "map").expect(work);
        for result in &results {
            let ratio = result["times_the_raw_map"].as_f64().unwrap();
            assert!((ratio - median(result) / median(map)).abs() < 1e-9, "{result}");
            assert!(median(result) > 0.0, "{result}");
            assert_eq!(result["measurements"].as_array().unwrap().len(), 1);
        }
    }
    // The records take too little for a limit of the memory, whoever may set one.
    assert!(left_out.iter().any(|left_out| left_out["work"] == "large-scan"));
    for title in ["append all, one sync", "durable commit of one record"] {
        assert!(text.contains(title) && page.contains(title), "{title}: {text}");
    }
    assert!(text.contains("not measured: scan, 1/4 fits in memory: "), "{text}");
}

/// Finds rounds that end after the first, medians of fewer figures, and a limit that `--only` does
/// not keep.
#[test]
fn every_round_measures_every_way() {
    let place = Place::new();
    let args = ["bench", "--records", "500", "--rounds", "3", "--only", "open,fields"];
    let json = place.ok(args.iter().chain(&["--json", "-"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["rounds"], 3);
    assert_eq!(json["results"].as_array().unwrap().len(), 8);
    for result in results_of(&json, "open") {
        assert_eq!(result["measurements"].as_array().unwrap().len(), 3);
        let figure = |name: &str| result["ns_per_operation"][name].as_f64().unwrap();
        assert!(figure("least") <= figure("median") && figure("median") <= figure("greatest"));
    }
    assert!(place.files().is_empty());
}

/// Finds a measurement that does not check what it has read.
#[test]
fn a_wrong_result_is_no_figure() {
    let place = Place::new();
    let schema = flatrec::Schema::packed([
        flatrec::Field::new("id", flatrec::DataType::UInt64),
        flatrec::Field::new("rest", flatrec::DataType::Binary(117)),
    ]);
    let mut store = flatrec::DynStore::create(place.path("x.rec"), &schema.unwrap()).unwrap();
    store.append_packed(&[1; 125 * 10]).unwrap();
    store.close().unwrap();
    for (work, way) in [("scan", "chunks"), ("get", "map"), ("open", "database")] {
        let args = ["bench", "--records", "10", "--only", work, "--measure", way];
        let text = place.error(args.iter().chain(&["--file", "x.rec"]));
        assert_eq!(text, format!("{work} by {way} gave a wrong sum"));
    }
    let args = ["bench", "--records", "10", "--only", "append", "--measure", "calls"];
    let text = place.error(args.iter().chain(&["--file", "x.rec"]));
    assert!(text.contains("exists"), "{text}");
}

#[test]
fn wrong_input_is_refused_before_anything_is_measured() {
    let place = Place::new();
    place.write("f.json", "kept");
    let text = place.error(["bench", "--only", "open", "--json", "f.json"]);
    let why = "create f.json: it exists already (choose another path, or replace it with --force)";
    assert_eq!(text, why);
    assert_eq!(place.read("f.json"), "kept");
    let text = place.error(["bench", "--dir", "nowhere"]);
    assert!(text.starts_with("open the folder nowhere: "), "{text}");
    let text = place.error(["bench", "--dir", "f.json"]);
    assert!(text.contains("it is no folder (give one to --dir)"), "{text}");
    for args in [
        &["--html", "-"][..],
        &["--bytes", "23"],
        &["--records", "0"],
        &["--rounds", "0"],
        &["--rounds", "2", "--seconds", "2"],
        &["--only", "nothing"],
        &["--measure", "map"],
    ] {
        let ran = place.run(["bench"].iter().chain(args));
        assert_eq!(ran.status, Some(2), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(place.files(), ["f.json"]);
}

/// Finds files that stay after Ctrl-C, which ends the measurement's own process, too.
#[test]
#[cfg(target_os = "linux")]
#[cfg_attr(target_arch = "s390x", ignore = "qemu-user hides which signals the program handles")]
fn an_interrupted_run_leaves_nothing() {
    use std::process::Stdio;

    let place = Place::new();
    let mut command = place.command(["bench", "--records", "2000", "--seconds", "1000000"]);
    command.args(["--json", "f.json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Its folder shows that it handles signals.
    let has_folder = || place.files().iter().any(|name| name.starts_with("flatrec-bench-"));
    while child.try_wait().unwrap().is_none() && !has_folder() {
        std::thread::yield_now();
    }
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let ran = child.wait_with_output().unwrap();
    assert_eq!(ran.status.code(), Some(130), "{ran:?}");
    assert_eq!(place.files(), [""; 0]);
}
