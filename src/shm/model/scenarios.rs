//! The scenarios, and the mistakes that each of them must notice.

use super::actors::Act::{Drop, Read, Take, TakeAnew, Wait};
use super::actors::Deed::{
    Checkpoint, CheckpointHeldBack, Commit, CommitUnsynced, Die, DieInCheckpoint, Falsify, Move,
    Reopen, Replace, Wipe,
};
use super::actors::{Act, Deed, Flaw};
use super::explorer::{Found, Reading, Scenario, Wrong};
use crate::step::Step;

/// The number of executions of each scenario in order, and the number at random.
const EXECUTIONS: usize = 600;
/// The greatest number of executions until a mistake must show.
const EXECUTIONS_MAX: usize = 20_000;

const TWO_CHECKPOINTS: &[Deed] = &[Commit, Commit, Checkpoint, Commit, Checkpoint];

const fn reader(acts: &'static [&'static [Act]]) -> Reading {
    Reading { store: 0, file: 0, has_entry: true, kills: 0, leaves: false, acts }
}

const fn beside(readers: &'static [Reading]) -> Scenario {
    let writer = &[TWO_CHECKPOINTS];
    let (locks_bytes, others_wait) = (true, false);
    Scenario { stores: 1, writer, kills: 0, loses: false, locks_bytes, others_wait, readers }
}

/// A reader with two snapshots at a time.
const ONE_READER: Scenario = beside(&[reader(&[&[Take, Read, Take, Read, Drop, Read]])]);

const TWO_READERS: Scenario =
    beside(&[reader(&[&[Take, Read, Drop, Take, Read]]), reader(&[&[Take, Wait, Read]])]);

/// One reader follows the log, the other reads it again; the writer's own process holds checkpoints
/// back.
const FOLLOWERS: Scenario = Scenario {
    writer: &[&[Commit, CheckpointHeldBack, Commit, CheckpointHeldBack, Commit, Checkpoint]],
    ..beside(&[
        reader(&[&[Take, Drop, Wait, Take, Drop, Take]]),
        reader(&[&[TakeAnew, Drop, TakeAnew, Read]]),
    ])
};

/// Readers die, and others take their entries.
const READERS_DIE: Scenario = beside(&[
    Reading { kills: 1, ..reader(&[&[Take, Read, Take], &[Take, Read]]) },
    Reading { kills: 1, ..reader(&[&[Take, Read], &[Take, Read]]) },
]);

/// The writer dies, perhaps in its checkpoint, and another continues.
const WRITERS_DIE: Scenario = Scenario {
    writer: &[&[Commit, Commit, Checkpoint, Commit], TWO_CHECKPOINTS],
    kills: 2,
    ..beside(&[reader(&[&[Take, Read, Take, Read, Drop, Take, Read]])])
};

/// Commits that readers may have seen are lost with the writer.
const COMMITS_VANISH: Scenario = Scenario {
    writer: &[
        &[CommitUnsynced, CommitUnsynced, Checkpoint, CommitUnsynced],
        &[CommitUnsynced, Checkpoint, CommitUnsynced, Checkpoint],
    ],
    kills: 2,
    loses: true,
    ..beside(&[reader(&[&[Take, Read, Take, Read, Drop, Take, Read]])])
};

/// The writer dies in its first checkpoint, and a reader comes late.
const FIRST_CHECKPOINT: Scenario =
    Scenario { writer: &[&[Commit, DieInCheckpoint], &[]], ..beside(&[reader(&[&[Take]])]) };

/// A commit is lost while a reader takes it up.
const ONE_VANISHES: Scenario =
    Scenario { writer: &[&[CommitUnsynced, Die], &[]], loses: true, ..FIRST_CHECKPOINT };

/// Other commits replace the ones that a reader may have seen.
const OTHER_COMMITS: Scenario = Scenario {
    writer: &[&[CommitUnsynced, Die], &[CommitUnsynced, Checkpoint]],
    loses: true,
    ..beside(&[reader(&[&[Take, Wait, Drop, Take, Read]])])
};

/// A reader that may not write the words.
const WITHOUT_ENTRY: Scenario = beside(&[
    Reading { has_entry: false, ..reader(&[&[Take, Read, Take, Drop, Drop, Take, Read]]) },
    reader(&[&[Take, Read]]),
]);

/// The store is replaced by another and comes back, with readers of both.
const REPLACED: Scenario = Scenario {
    stores: 2,
    writer: &[&[
        Commit, Commit, Checkpoint, Replace, Commit, Checkpoint, Replace, Commit, Checkpoint,
    ]],
    ..beside(&[reader(&[&[Take, Read, Take]]), Reading { store: 1, ..reader(&[&[Take, Read]]) }])
};

/// The store is closed and opened between commits.
const REOPENED: Scenario = Scenario {
    writer: &[&[Commit, Reopen, Commit, Checkpoint, Reopen, Commit, Checkpoint]],
    ..beside(&[reader(&[&[Take, Read, Drop, Take]]), reader(&[&[TakeAnew, Read]])])
};

/// A reader that came by another name, and one that did not.
const OTHER_NAME: Scenario = beside(&[
    Reading { file: 1, leaves: true, ..reader(&[&[Take, Read, Take, Read], &[Take, Read]]) },
    reader(&[&[Take, Read, Drop]]),
]);

/// The writer has come by the other name before, and another one waits to do so: that lock file has
/// words of this store that are not the present writer's.
const OTHER_WORDS: Scenario = Scenario {
    writer: &[&[Move, Commit, Move, Commit, Commit, Checkpoint, Commit, Checkpoint]],
    others_wait: true,
    ..beside(&[Reading { file: 1, leaves: true, ..reader(&[&[TakeAnew, Read, TakeAnew, Read]]) }])
};

/// Readers come and go by two names, and the writer by either.
const NAMES_CHANGE: Scenario = Scenario {
    writer: &[&[Commit, Checkpoint, Move, Commit, Commit, Checkpoint, Move, Commit, Checkpoint]],
    ..beside(&[
        Reading { file: 1, leaves: true, ..reader(&[&[Take, Read, Drop, Take], &[Take, Read]]) },
        Reading { leaves: true, ..reader(&[&[Take, Read], &[TakeAnew, Read]]) },
    ])
};

/// Entries are wiped while a reader reads.
const WIPED: Scenario = Scenario {
    writer: &[&[Commit, Wipe, Commit, Checkpoint, Wipe, Commit, Checkpoint]],
    ..beside(&[Reading { leaves: true, ..reader(&[&[Take, Read, Take, Read, Drop], &[Take]]) }])
};

/// The same where bytes of the data file cannot be locked.
const WIPED_WITHOUT_BYTES: Scenario = Scenario { locks_bytes: false, ..WIPED };

/// Entries come to name another store.
const FALSIFIED: Scenario =
    Scenario { writer: &[&[Commit, Falsify, Commit, Checkpoint, Commit, Checkpoint]], ..WIPED };

/// `FLATREC_INTERLEAVINGS`, or a number that tests have time for.
fn executions() -> usize {
    let asked = std::env::var("FLATREC_INTERLEAVINGS");
    asked.map_or(EXECUTIONS, |count| count.parse().expect("FLATREC_INTERLEAVINGS is a number"))
}

fn holds(scenario: &Scenario) {
    match scenario.explore(Wrong::default(), 0, executions()) {
        Ok(explored) => assert!(explored.complete.is_some(), "not even {explored:?}"),
        Err(Found { what, which, trace }) => {
            panic!("{what}, in {which} of {scenario:?}:\n{}", trace.join("\n"))
        }
    }
}

/// Asserts that one of the executions, random ones from this seed on, fails with this mistake.
fn notices(
    scenario: &Scenario,
    without: &'static [Step],
    flaw: Option<Flaw>,
    from_seed: u64,
) -> Found {
    let wrong = Wrong { without, flaw };
    let found = scenario.explore(wrong, from_seed, EXECUTIONS_MAX);
    found.expect_err("no execution notices the mistake")
}

macro_rules! hold {
    ($($name:ident: $scenario:expr;)*) => {
        $(#[test]
        fn $name() {
            holds(&$scenario);
        })*
    };
}

hold! {
    a_writer_and_a_reader: ONE_READER;
    a_writer_and_two_readers: TWO_READERS;
    followers_and_a_log_that_is_used_anew: FOLLOWERS;
    readers_die_and_others_take_their_entries: READERS_DIE;
    writers_die_and_others_go_on: WRITERS_DIE;
    commits_vanish_with_their_writer: COMMITS_VANISH;
    a_writer_dies_in_its_first_checkpoint: FIRST_CHECKPOINT;
    a_commit_vanishes_while_it_is_taken_up: ONE_VANISHES;
    other_commits_take_the_place_of_vanished_ones: OTHER_COMMITS;
    a_reader_without_an_entry: WITHOUT_ENTRY;
    the_store_is_replaced_and_comes_back: REPLACED;
    the_store_is_closed_and_opened: REOPENED;
    a_reader_under_another_name: OTHER_NAME;
    a_reader_beside_words_of_a_writer_that_waits: OTHER_WORDS;
    readers_and_writers_change_their_names: NAMES_CHANGE;
    entries_that_are_wiped: WIPED;
    entries_that_are_wiped_where_no_byte_is_locked: WIPED_WITHOUT_BYTES;
    entries_that_speak_of_another_store: FALSIFIED;
}

macro_rules! noticed {
    ($(
        $name:ident: $scenario:expr, $without:expr, $flaw:expr, $says:expr
        $(, from $seed:literal)?;
    )*) => {
        $(#[test]
        fn $name() {
            let found = notices(&$scenario, $without, $flaw, 0 $(+ $seed)?);
            assert!(found.what.contains($says), "{found:?}");
        })*
    };
}

// Where few executions show the mistake, the seed is that of the first one. A change to the
// protocol or the model may require new seeds.
noticed! {
    without_target_first: ONE_READER, &[Step::TargetFirst], None, "finds";
    without_target_fence: ONE_READER, &[Step::TargetFence], None, "finds";
    without_entry_scan: ONE_READER, &[Step::EntryScan], None, "finds";
    without_needs_scan: TWO_READERS, &[Step::NeedsScan], None, "reused";
    without_reader_fence: ONE_READER, &[Step::ReaderFence], None, "finds";
    without_reader_recheck: ONE_READER, &[Step::ReaderRecheck], None, "finds";
    without_target_kept: FIRST_CHECKPOINT, &[Step::TargetKept], None, "finds";
    without_epoch_fence: ONE_VANISHES, &[Step::EpochFence], None, "not published", from 2990;
    without_new_lineage: OTHER_COMMITS, &[Step::NewLineage], None, "finds";
    without_retired_first: TWO_READERS, &[Step::RetiredFirst], None, "reused";
    without_retired_fence: TWO_READERS, &[Step::RetiredFence], None, "reused", from 1525;
    without_retired_kept: TWO_READERS, &[Step::RetiredKept], None, "reused", from 6779;
    without_need_fence: TWO_READERS, &[Step::NeedFence], None, "reused", from 704;
    without_need_recheck: TWO_READERS, &[Step::NeedRecheck], None, "reused";
    shown_before_it_is_written: ONE_READER, &[], Some(Flaw::PublishFirst), "published";
    log_reused_before_the_header: ONE_READER, &[], Some(Flaw::RecycleFirst), "reused";
    log_reused_without_asking: TWO_READERS, &[], Some(Flaw::RecycleAll), "reused";
    log_reused_up_to_what_is_needed: TWO_READERS, &[], Some(Flaw::RecycleUpTo), "reused";
    checkpoint_beyond_the_offer: ONE_READER, &[], Some(Flaw::IgnoreOffer), "finds";
    reader_looks_for_a_writer_first: REOPENED, &[], Some(Flaw::WriterFirst), "finds", from 1326;
    no_entry_and_no_lock: WITHOUT_ENTRY, &[], Some(Flaw::NoLock), "finds";
    without_name_scan: OTHER_NAME, &[Step::NameScan], None, "finds";
    without_name_scan_of_falsified_entries: FALSIFIED, &[Step::NameScan], None, "finds";
    without_silent_entry_scan: WIPED_WITHOUT_BYTES, &[Step::SilentEntryScan], None, "reader 1";
    without_entry_name: ONE_READER, &[Step::EntryName], None, "no reader reads";
    byte_locked_after_reading: OTHER_NAME, &[], Some(Flaw::NameLate), "finds";
    no_wait_for_a_checkpoint_elsewhere: OTHER_WORDS, &[], Some(Flaw::NoWait), "finds";
    state_kept_over_another_writer: OTHER_COMMITS, &[], Some(Flaw::KeepCache), "finds";
}
