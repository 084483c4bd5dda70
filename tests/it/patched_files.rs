//! A store's files with random changes, opened together in every way: what the fuzz target
//! `whole_store` does, shorter, and the same each time. `FLATREC_CASES` says how many cases,
//! `FLATREC_SEED` which.
#![cfg(feature = "derive")]

use crate::support::every_way::{Outcome, open_every_way};
use crate::support::patched::{Files, changed};
use crate::support::random::Random;
use crate::support::settings;

/// An input of few changes, so that some files still open.
fn draw_input(random: &mut Random) -> Vec<u8> {
    let len = 1 + random.below(40);
    let mut input: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
    // Most changes are found by checksums that do not hold.
    if !random.one_in(4) {
        input[0] |= 0x3F;
    }
    input
}

/// Finds a way to open that refuses a good file, without which the next tests would show nothing.
#[test]
fn good_files_open_in_every_way() {
    for (files, how) in Files::good().iter().zip([0x3F, 0x7F]) {
        let directory = tempfile::tempdir().unwrap();
        let outcome = open_every_way(directory.path(), files);
        assert_eq!(outcome, Outcome { clean: true, read: true, written: true });
        // Checksums that are computed anew are those that were there.
        assert!(changed(&[how]) == *files);
    }
}

/// Numbers next to which something ends: the signed and unsigned numbers of 32 and of 64 bits, and
/// what the format allows.
const EDGES: [u64; 12] = [
    0,
    1,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    (1 << 62) + 1,
    (1 << 63) - 2,
    (1 << 63) - 1,
    1 << 63,
    u64::MAX - 1,
    u64::MAX,
];

/// A sequence of 2^63 - 1 was read, and the next commit panicked; a commit of that number was
/// acknowledged, and every checkpoint panicked. What the headers count is taken to every edge, and
/// of the other numbers a part; a thousand `FLATREC_CASES` stand for all of them.
#[test]
fn numbers_at_their_edges_are_refused_or_can_be_used() {
    let (of_counts, of_others) = match settings::cases(200) {
        1000.. => (1, 1),
        100.. => (1, 7),
        _ => (5, 29), // where calls are slow
    };
    let (mut at, mut cases, mut read, mut written) = (0, 0, 0, 0);
    for (which, files) in Files::good().iter().enumerate() {
        for place in files.numbers() {
            for edge in EDGES.into_iter().filter(|&edge| place.has_room_for(edge)) {
                at += 1;
                let one_in = match place.counts_records_or_commits() {
                    true => of_counts,
                    false => of_others,
                };
                if at % one_in != 0 {
                    continue;
                }
                let directory = tempfile::tempdir().unwrap();
                println!("files {which}, {place:?}: {edge}");
                let outcome = open_every_way(directory.path(), &files.with_number(place, edge));
                cases += 1;
                read += u32::from(outcome.read);
                written += u32::from(outcome.written);
            }
        }
    }
    println!("{cases} cases: {read} read, {written} written");
    assert!(read > cases / 10 && written > cases / 20, "{read} and {written} of {cases}");
}

/// Finds a changed byte with which a file opens and then panics or reads out of bounds.
#[test]
fn changed_files_are_refused_or_can_be_used() {
    let (seed, cases) = (settings::seed(1), settings::cases(200));
    let (mut clean, mut read, mut written) = (0, 0, 0);
    for case in 0..cases {
        let input = draw_input(&mut Random::new(seed.wrapping_add(case)));
        println!("FLATREC_SEED={} FLATREC_CASES=1: {input:?}", seed.wrapping_add(case));
        let directory = tempfile::tempdir().unwrap();
        let outcome = open_every_way(directory.path(), &changed(&input));
        clean += u64::from(outcome.clean);
        read += u64::from(outcome.read);
        written += u64::from(outcome.written);
    }
    println!("{cases} cases: {clean} clean, {read} read, {written} written");
    // Changes that nothing survives, or that nothing notices, test nothing.
    if cases >= 100 {
        for some in [clean, read, written] {
            assert!(some > cases / 20 && some < cases * 19 / 20, "{some} of {cases}");
        }
    }
}
