//! Stores with extreme numbers in the header: every command reads them or gives a reason, and none
//! panics.

use super::*;

/// The numbers in each header slot, and their offsets.
const NUMBERS: [(&str, usize); 5] =
    [("sequence", 64), ("count", 72), ("live count", 80), ("free head", 88), ("commit", 128)];

const EDGES: [u64; 6] = [0, 1 << 32, (1 << 63) - 2, (1 << 63) - 1, 1 << 63, u64::MAX];

/// The header slots to change. One choice is enough on systems where each command starts slowly.
const SLOTS: &[&[usize]] = match cfg!(any(windows, target_endian = "big")) {
    true => &[&[0, 4096]],
    false => &[&[0], &[4096], &[0, 4096]],
};

/// Commands that change nothing and must work as with any other store.
const READING: [&[&str]; 9] = [
    &["info", "n.rec"],
    &["get", "n.rec", "1"],
    &["scan", "n.rec"],
    &["tail", "n.rec"],
    &["schema", "n.rec"],
    &["export", "n.rec", "out.csv", "--force"],
    &["verify", "n.rec"],
    &["backup", "n.rec", "copy.rec", "--force"],
    &["salvage", "n.rec", "saved.rec", "--force"],
];

const WRITING: [&[&str]; 6] = [
    &["set", "n.rec", "1", "name=y"],
    &["append", "n.rec", "more.csv"],
    &["delete", "n.rec", "0"],
    &["checkpoint", "n.rec"],
    &["verify", "n.rec", "--rebuild"],
    &["compact", "n.rec", "compact.rec", "--force"],
];

/// A closed store with a deleted record, and a free list of that record.
fn store(place: &Place) -> Vec<u8> {
    place.write("n.csv", "n,name\n0,x\n1,x\n2,x\n3,x\n");
    place.write("more.csv", "n,name\n4,x\n");
    // Commits without checksums would be a doubt.
    place.ok(["load", "n.csv", "n.rec", "--deletes", "--no-checksums"]);
    place.ok(["delete", "n.rec", "3"]);
    bytes(&place.path("n.rec"))
}

fn patched(good: &[u8], slots: &[usize], at: usize, number: u64) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for &slot in slots {
        bytes[slot + at..slot + at + 8].copy_from_slice(&number.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[slot..slot + 508]);
        bytes[slot + 508..slot + 512].copy_from_slice(&crc.to_le_bytes());
    }
    bytes
}

/// Runs a command on a store with these bytes.
#[track_caller]
fn ends_well(place: &Place, args: &[&str], store: &[u8]) -> Ran {
    place.write("n.rec", store);
    let _ = std::fs::remove_file(place.path("n.rec-sum"));
    let ran = place.run(args);
    // It may report an error, but must not panic or die by a signal.
    assert!(matches!(ran.status, Some(0 | 1)), "{args:?}: {ran:?}");
    assert!(!ran.stderr.contains("panicked"), "{args:?}: {}", ran.stderr);
    ran
}

/// A sequence of 2^63 - 1 made every writing command panic. A commit of that number made those
/// panic that checkpoint, with acknowledged commits in the log.
#[test]
fn every_command_accepts_or_refuses_numbers_at_their_limits() {
    let place = Place::new();
    let good = store(&place);
    let mut used_up = 0;
    for ((name, at), edge) in NUMBERS.into_iter().flat_map(|of| EDGES.map(|edge| (of, edge))) {
        for &slots in SLOTS {
            let store = patched(&good, slots, at, edge);
            let is_read = ends_well(&place, &["scan", "n.rec"], &store).status == Some(0);
            if !is_read {
                ends_well(&place, &["info", "n.rec"], &store);
                ends_well(&place, &["set", "n.rec", "1", "name=y"], &store);
                continue;
            }
            let counts_time = ["sequence", "commit"].contains(&name);
            let is_past = counts_time && edge >= 1 << 63 && slots.len() == 2;
            assert!(!is_past, "a {name} of {edge} is accepted, although such numbers end at 2^63");
            for args in READING {
                let ran = ends_well(&place, args, &store);
                let what = format!("{args:?} with a {name} of {edge} at {slots:?}");
                assert!(ran.status == Some(0) || !counts_time, "{what}: {}", ran.stderr);
            }
            for args in WRITING {
                let ran = ends_well(&place, args, &store);
                let refused = ran.status == Some(1) && ran.stderr.contains("the limit of 2^63");
                used_up += u32::from(refused);
                if counts_time {
                    assert!(ran.status == Some(0) || refused, "{args:?}: {}", ran.stderr);
                    let shown = place.ok(["get", "n.rec", "1", "--format", "csv"]);
                    let is_set = ran.status == Some(0) && args[0] == "set";
                    assert_eq!(shown, if is_set { "n,name\n1,y\n" } else { "n,name\n1,x\n" });
                }
            }
        }
    }
    assert!(used_up > 0, "no writing command was refused");
}

/// Finds an error without the remedy: a copy counts from 1 again.
#[test]
fn a_store_whose_numbers_are_used_up_continues_as_a_copy() {
    let place = Place::new();
    let good = store(&place);
    for (at, [a, b]) in [(64, [1, 0]), (128, [0, 0])] {
        let last = (1 << 63) - 1;
        let store = patched(&good, &[0], at, last - a);
        place.write("n.rec", patched(&store, &[4096], at, last - b));
        let said = place.error(["set", "n.rec", "1", "name=y"]);
        assert!(said.contains("is 9223372036854775807, too close to the limit of 2^63"), "{said}");
        assert!(said.contains("backup"), "{said}");
        place.ok(["backup", "n.rec", "copy.rec", "--force"]);
        assert_eq!(place.ok(["set", "copy.rec", "1", "name=y"]), "name: \"x\" -> \"y\"\n");
    }
}
