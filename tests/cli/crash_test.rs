//! `flatrec crash-test`.

use crate::Place;

/// The figures that the command prints, by their names.
fn figure(output: &str, name: &str) -> u64 {
    let line = output.lines().find(|line| line.starts_with(name)).expect(output);
    line[name.len()..].trim().parse().expect(line)
}

#[test]
fn histories_are_lived_and_counted() {
    let place = Place::new();
    let output = place.ok(["crash-test", "--seed", "5", "--histories", "12"]);
    assert_eq!(figure(&output, "seed"), 5);
    assert_eq!(figure(&output, "histories"), 12);
    assert_eq!(figure(&output, "violations"), 0);
    for name in ["commits", "power cuts", "killed processes", "failed calls", "states checked"] {
        assert!(figure(&output, name) > 0, "{name}: {output}");
    }
    assert_eq!(place.files(), [""; 0], "the disk is a simulated one");
}

#[test]
fn a_seed_is_a_history() {
    let place = Place::new();
    let run = || place.ok(["crash-test", "--seed", "77", "--histories", "4"]);
    assert_eq!(run(), run());
}

#[test]
fn the_time_ends_it() {
    let output = Place::new().ok(["crash-test", "--seconds", "0"]);
    assert_eq!(figure(&output, "histories"), 0);
}
