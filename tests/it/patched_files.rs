//! A store's files with random changes, opened together in every way. This is a shorter run of the
//! fuzz target `whole_store` that is the same each time. `FLATREC_CASES` says how many cases,
//! `FLATREC_SEED` which.
#![cfg(feature = "derive")]

use crate::support::every_way::{Outcome, open_every_way};
use crate::support::patched::{Files, changed};
use crate::support::random::Random;
use crate::support::settings;

/// Draws an input of few changes, so that some files still open.
fn draw_input(random: &mut Random) -> Vec<u8> {
    let len = 1 + random.below(40);
    let mut input: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
    // Checksums find most changes, unless the input corrects them.
    if !random.one_in(4) {
        input[0] |= 0x3F;
    }
    input
}

/// Finds a handle that refuses good files. Otherwise the next tests would show nothing.
#[test]
fn good_files_open_in_every_way() {
    for (files, how) in Files::good().iter().zip([0x3F, 0x7F]) {
        let directory = tempfile::tempdir().unwrap();
        let outcome = open_every_way(directory.path(), files);
        assert_eq!(outcome, Outcome { clean: true, read: true, written: true });
        // Corrected checksums of good files are the same.
        assert!(changed(&[how]) == *files);
    }
}

/// Numbers near a limit: of signed and unsigned numbers of 32 and 64 bits, and of the format.
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

/// A handle accepted a sequence of 2^63 - 1, and the next commit panicked. A commit of that number
/// was acknowledged, and every checkpoint panicked. The test takes each count of the headers to
/// every limit, and a part of the other numbers. With a thousand `FLATREC_CASES` it takes them all.
#[test]
fn numbers_at_their_limits_are_refused_or_usable() {
    let (of_counts, of_others) = match settings::cases(200) {
        1000.. => (1, 1),
        100.. => (1, 7),
        _ => (5, 29), // on systems with slow calls
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
                println!("files {which}, {place:?} = {edge}");
                let outcome = open_every_way(directory.path(), &files.with_number(place, edge));
                cases += 1;
                read += u32::from(outcome.read);
                written += u32::from(outcome.written);
            }
        }
    }
    assert!(read > cases / 10 && written > cases / 20, "{read} read, {written} written of {cases}");
}

/// Finds a changed byte with which the files open, but a handle then panics or reads out of bounds.
#[test]
fn changed_files_are_refused_or_usable() {
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
    // Changes that all files survive, or none, would test nothing.
    if cases >= 100 {
        for some in [clean, read, written] {
            assert!(
                some > cases / 20 && some < cases * 19 / 20,
                "{clean} clean, {read} read, {written} written of {cases}"
            );
        }
    }
}
