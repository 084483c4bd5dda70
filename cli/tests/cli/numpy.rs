//! `schema --as numpy`, and the README's program that maps a store with it.

use flatrec::{Durability, DynDatabase};

use super::skip::skip;
use super::*;

/// A store of three flights, `flights.rec`.
fn flights(place: &Place) -> PathBuf {
    place.write("in.csv", "carrier,flight,dep_delay\nMQ,3944,853\nDL,269,\nB6,517,401\n");
    place.ok(["load", "in.csv", "flights.rec"]);
    place.path("flights.rec")
}

/// Opens the store and commits a change of record 0 and an appended record, which stay in the log.
fn changed(path: &Path) -> DynDatabase {
    let database = DynDatabase::options().checkpoint_at(1 << 40).open(path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    let record = transaction.get(2).unwrap().to_vec();
    transaction.set(0, &record).unwrap();
    transaction.append(&record).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    database
}

/// Copies the store with its log, as a killed writer would leave it, to `dead.rec`.
fn killed(place: &Place) {
    for name in place.files() {
        if let Some(suffix) = name.strip_prefix("flights.rec").filter(|&it| it != "-lock") {
            std::fs::copy(place.path(&name), place.path(&format!("dead.rec{suffix}"))).unwrap();
        }
    }
}

/// Finds a shape with records that only the log has, and a log that is passed over in silence.
#[test]
fn the_arguments_for_numpy_are_of_the_file_and_a_log_is_mentioned() {
    let place = Place::new();
    let path = flights(&place);
    let closed = place.ok(["schema", "flights.rec", "--as", "numpy"]);
    assert!(closed.starts_with("{'dtype': {'names': ["), "{closed}");
    assert!(closed.ends_with("}, 'offset': 65536, 'shape': (3,)}\n"), "{closed}");

    let database = changed(&path);
    let what = "1 commit with changes of 2 records is in the log and not in the file yet; numpy \
                reads the file alone, which counts 3 of 4 records";
    let ran = place.run(["schema", "flights.rec", "--as", "numpy"]);
    assert_eq!((ran.status, &ran.stdout), (Some(0), &closed));
    assert_eq!(
        ran.stderr,
        format!(
            "flatrec: flights.rec: {what} (let process {} close the store, or run `flatrec backup \
             flights.rec COPY` and read the copy)\n",
            std::process::id()
        )
    );
    place.ok(["schema", "flights.rec", "--as", "c"]);
    killed(&place);
    let ran = place.run(["schema", "dead.rec", "--as", "numpy"]);
    assert_eq!((ran.status, &ran.stdout), (Some(0), &closed));
    assert_eq!(
        ran.stderr,
        format!(
            "flatrec: dead.rec: {what} (run `flatrec checkpoint dead.rec`, or run `flatrec backup \
             dead.rec COPY` and read the copy)\n"
        )
    );

    // What the messages advise.
    let all = closed.replace("(3,)", "(4,)");
    place.ok(["backup", "flights.rec", "copy.rec"]);
    assert_eq!(place.ok(["schema", "copy.rec", "--as", "numpy"]), all);
    place.ok(["checkpoint", "dead.rec"]);
    assert_eq!(place.ok(["schema", "dead.rec", "--as", "numpy"]), all);
    // A log whose commits are all in the file.
    database.checkpoint().unwrap();
    assert_eq!(place.ok(["schema", "flights.rec", "--as", "numpy"]), all);
    database.close().unwrap();
    assert_eq!(place.ok(["schema", "flights.rec", "--as", "numpy"]), all);
}

/// A Python that has numpy.
fn python() -> Option<String> {
    let named = std::env::var("FLATREC_PYTHON").ok();
    for candidate in named.iter().map(String::as_str).chain(["python3", "python"]) {
        let found = Command::new(candidate).args(["-c", "import numpy"]).output();
        if found.is_ok_and(|output| output.status.success()) {
            return Some(candidate.to_owned());
        }
    }
    skip!("this machine has no python3 with numpy: python3 -m pip install numpy");
    None
}

/// Runs the program in the README's section about numpy in `place`.
fn readme_program(python: &str, place: &Place) -> Ran {
    let readme = include_str!("../../../README.md");
    let (_, section) = readme.split_once("\n## numpy\n").unwrap();
    let (_, program) = section.split_once("```python\n").unwrap();
    let (program, _) = program.split_once("```\n").unwrap();
    let flatrec = Path::new(env!("CARGO_BIN_EXE_flatrec")).parent().unwrap().to_owned();
    let others = std::env::var_os("PATH").unwrap_or_default();
    let paths = [flatrec].into_iter().chain(std::env::split_paths(&others));
    let mut command = Command::new(python);
    command.args(["-c", program]).current_dir(place.path(""));
    let output = output_of(command.env("PATH", std::env::join_paths(paths).unwrap()));
    Ran {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap().replace('\r', ""),
        stderr: String::from_utf8(output.stderr).unwrap().replace('\r', ""),
    }
}

/// Finds a program in the README that reads other records than the store has: it once counted
/// records by the length of the file, and read records as zeros that were still in the log.
#[test]
fn the_readme_s_program_reads_a_closed_store_and_refuses_one_with_a_log() {
    let Some(python) = python() else { return };
    let place = Place::new();
    let path = flights(&place);
    let ran = readme_program(&python, &place);
    assert_eq!((ran.status, &*ran.stderr), (Some(0), ""), "{}", ran.stdout);
    assert_eq!(ran.stdout, "[(b'MQ', 3944, 853) (b'B6',  517, 401)]\n");

    let database = changed(&path);
    let ran = readme_program(&python, &place);
    assert_eq!((ran.status, &*ran.stdout), (Some(1), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("flatrec backup flights.rec COPY"), "{}", ran.stderr);

    database.close().unwrap();
    let ran = readme_program(&python, &place);
    assert_eq!((ran.status, &*ran.stderr), (Some(0), ""), "{}", ran.stdout);
    assert_eq!(ran.stdout, "[(b'B6', 517, 401) (b'B6', 517, 401) (b'B6', 517, 401)]\n");
    std::fs::remove_file(path).unwrap();
    let ran = readme_program(&python, &place);
    assert_eq!((ran.status, &*ran.stdout), (Some(1), ""), "{}", ran.stderr);
    assert!(ran.stderr.starts_with("flatrec: "), "{}", ran.stderr);
}
