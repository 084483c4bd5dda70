//! The example `tick_store`: it runs, and what it promises holds when processes are killed.
#![cfg(feature = "derive")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use flatrec::{Database, ErrorKind, Store, VerifyOptions, verify};

use self::example::audit::Audit;
use self::example::feed::FEEDS;
#[cfg(unix)]
use self::example::follower::Follower;
use self::example::store::{TickStore, between};
use self::example::tick::Tick;
use self::example::upgrade::{self, OldTick};
use crate::support::random::Random;
use crate::support::{process, settings};

#[allow(dead_code, reason = "`main` is the example's own")]
#[path = "../../examples/tick_store/main.rs"]
mod example;

/// Says which store a child serves: the number of packets an older program left, and the path.
const SERVE: &str = "FLATREC_TICK_STORE_SERVE";
/// The time of the newest tick of an older program.
const OLD_TIME: i64 = 1_000_000_000_000_000;

struct Place {
    directory: tempfile::TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ticks.rec");
    Place { directory, path }
}

/// Finds an example that only runs in an empty directory.
#[test]
fn the_example_runs_twice_in_one_directory() {
    let place = place();
    for _ in 0..2 {
        let follower = process::running("tick_store::follower_child");
        example::run(place.directory.path(), follower).unwrap();
        assert_eq!(verify(&place.path, VerifyOptions::new()).unwrap().problems, []);
    }
    let backup = place.directory.path().join("backup.rec");
    assert_eq!(verify(backup, VerifyOptions::new()).unwrap().problems, []);
}

/// The follower of the example, as a process.
#[test]
#[ignore = "the child of the other test"]
fn follower_child() {
    let Some(path) = std::env::var_os(example::FOLLOW) else { return };
    let after = std::env::var(example::AFTER).unwrap().parse().unwrap();
    example::follow(path.as_ref(), after).unwrap();
}

/// Finds a search that differs from a scan, beside deleted ticks too.
#[test]
fn a_search_by_time_finds_what_a_scan_finds() {
    let place = place();
    upgrade::leave_old_store(&place.path, 50, OLD_TIME).unwrap();
    let store = TickStore::open(&place.path).unwrap();
    let first = OLD_TIME - 149;
    let mut random = Random::new(settings::seed(1));
    for expired in [first - 1, first + 40, OLD_TIME - 3] {
        store.expire(expired).unwrap();
        let ticks = store.snapshot().unwrap();
        for _ in 0..50 {
            let from = first - 10 + random.below(170) as i64;
            let times = from..from + random.below(100) as i64;
            let scanned = ticks.iter().filter(|(_, tick)| times.contains(&tick.at));
            let found = between(&ticks, times.clone());
            assert!(found.map(|(id, _)| id).eq(scanned.map(|(id, _)| id)), "{times:?}");
        }
    }
}

/// Finds an expiry that leaves an old tick or takes one that is not old.
#[test]
fn expiry_deletes_old_packets_whole_and_leaves_the_newest() {
    let place = place();
    upgrade::leave_old_store(&place.path, 50, OLD_TIME).unwrap();
    let store = TickStore::open(&place.path).unwrap();
    for before in [OLD_TIME - 30, OLD_TIME + 1] {
        let all = store.snapshot().unwrap();
        let deleted = store.expire(before).unwrap();
        let left = store.snapshot().unwrap();
        assert_eq!(Audit::of(&left).unwrap() + deleted, all.live_count());
        let oldest = left.iter().next().unwrap().1.at;
        assert_eq!(oldest, before.min(OLD_TIME));
    }
    // The next packet follows the one that is left.
    let packet = store.begin_packet().unwrap();
    assert!(packet.commit().unwrap() > OLD_TIME);
}

/// Finds an upgrade beside which another program writes to the store that is about to go.
#[test]
fn an_upgrade_keeps_other_writers_out() {
    let place = place();
    upgrade::leave_old_store(&place.path, 5, OLD_TIME).unwrap();
    let aside = Store::<Tick>::create_options().create_aside(&place.path, true).unwrap();
    let old = Database::<OldTick>::open(&place.path).map(drop).unwrap_err();
    assert_eq!(old.kind(), ErrorKind::Locked, "{old}");
    drop(aside);
    // And a program that has the store open keeps the upgrade out.
    let service = Database::<OldTick>::open(&place.path).unwrap();
    let aside = Store::<Tick>::create_options().create_aside(&place.path, true).map(drop);
    assert_eq!(aside.unwrap_err().kind(), ErrorKind::Locked);
    service.close().unwrap();
    let store = TickStore::open(&place.path).unwrap();
    let ticks = store.snapshot().unwrap();
    assert!(ticks.iter().all(|(_, tick)| tick.venue.is_none()));
    assert_eq!(ticks.live_count(), Audit::of(&ticks).unwrap());
}

/// Finds a store of another program that an upgrade destroys.
#[test]
fn a_store_that_is_no_older_one_is_left_alone() {
    let place = place();
    let mut other = Store::<flatrec::PodRecord<u64>>::create(&place.path).unwrap();
    other.append(&flatrec::PodRecord(7)).unwrap();
    other.close().unwrap();
    let error = TickStore::open(&place.path).map(drop).unwrap_err();
    let error = error.downcast_ref::<flatrec::Error>().unwrap();
    assert_eq!(error.kind(), ErrorKind::SchemaMismatch);
    let other = Store::<flatrec::PodRecord<u64>>::open(&place.path).unwrap();
    assert_eq!(other.get(0).unwrap().0, 7);
    let files = std::fs::read_dir(place.directory.path()).unwrap().count();
    assert!(files <= 2, "the data file and the lock file, and not {files} files");
}

/// Finds a follower that reads a tick twice or not at all when the record numbers change.
#[test]
#[cfg(unix)] // Windows does not replace a file that a reader has open.
fn a_follower_goes_on_in_a_store_that_was_compacted() {
    let place = place();
    upgrade::leave_old_store(&place.path, 50, OLD_TIME).unwrap();
    let store = TickStore::open(&place.path).unwrap();
    let mut follower = Follower::open(&place.path, 0).unwrap();
    let mut audit = Audit::default();
    follower.read_new(|tick| audit.add(tick)).unwrap();
    assert_eq!(audit.finish().unwrap(), store.snapshot().unwrap().live_count());

    store.expire(OLD_TIME - 20).unwrap();
    example::write_feed(&store, 0, 3, |_, _| {}).unwrap();
    store.close().unwrap();
    let left = upgrade::compact(&place.path).unwrap();
    let store = TickStore::open(&place.path).unwrap();
    assert_eq!(store.snapshot().unwrap().count(), left);
    let written = example::write_feed(&store, 1, 3, |_, _| {}).unwrap();

    follower.read_new(|tick| audit.add(tick)).unwrap();
    follower.wait(Duration::ZERO).unwrap();
    follower.read_new(|tick| audit.add(tick)).unwrap();
    let newest: Vec<Tick> = store.snapshot().unwrap().iter().map(|(_, tick)| *tick).collect();
    assert!(newest.len() as u64 > written);
    let expected = newest.last().unwrap();
    let mut again = Vec::new();
    let push = |tick: &Tick| {
        again.push(*tick);
        Ok(())
    };
    follower.read_new(push).unwrap();
    assert_eq!((again, audit.finish().is_ok()), (vec![], true), "{expected:?} is the newest");
}

/// Serves a store until the parent kills it.
#[test]
#[ignore = "the child of the other tests"]
fn service_child() {
    let Some(path) = std::env::var_os(SERVE) else { return };
    say("opening");
    let store = TickStore::open(path.as_ref()).unwrap();
    say("serving");
    std::thread::scope(|scope| {
        for feed in 0..FEEDS {
            let store = &store;
            scope.spawn(move || {
                let acknowledge = |packet, at| say(&format!("packet {feed} {packet} {at}"));
                example::write_feed(store, feed, 1 << 40, acknowledge).unwrap();
            });
        }
        loop {
            let ticks = store.snapshot().unwrap();
            assert!(store.wait_for_change(&ticks).unwrap());
            // Half of the ticks are old now and then.
            let Some((_, middle)) = ticks.range(ticks.count() / 2..).next() else { continue };
            if ticks.live_count() > 3000 {
                say(&format!("expiring {}", middle.at));
                store.expire(middle.at).unwrap();
                say(&format!("expired {}", middle.at));
            }
        }
    });
}

/// Writes a line to the parent in one call, so that a kill cannot split it.
fn say(line: &str) {
    std::io::stdout().lock().write_all(format!("\n! {line}\n").as_bytes()).unwrap();
}

/// What the service has said before it was killed.
#[derive(Default)]
struct Said {
    /// Feed, number and time of each packet that it acknowledged.
    packets: Vec<(u8, u64, i64)>,
    /// The latest time before which it began to delete ticks, and before which it had done so.
    expiring: i64,
    expired: i64,
}

impl Said {
    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        match words[..] {
            ["packet", feed, packet, at] => self.packets.push((
                feed.parse().unwrap(),
                packet.parse().unwrap(),
                at.parse().unwrap(),
            )),
            ["expiring", before] => self.expiring = before.parse().unwrap(),
            ["expired", before] => self.expired = before.parse().unwrap(),
            _ => {}
        }
    }
}

/// Runs a service, and kills it at a moment after it began to open the store and has said this
/// many further lines.
fn killed(path: &Path, lines: u64, moment: Duration, said: &mut Said) {
    let mut child = process::running("tick_store::service_child")
        .env(SERVE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut listen = |said: &mut Said| hear(&mut output, said);
    while listen(said).is_some_and(|line| line != "! opening\n") {}
    let _ = (0..lines).take_while(|_| listen(said).is_some()).count();
    std::thread::sleep(moment);
    child.kill().unwrap();
    while listen(said).is_some() {}
    let status = child.wait().unwrap();
    // On Windows a killed process has an exit code, other than that of a failed test.
    assert!(matches!(status.code(), None | Some(1)), "the service ended by itself: {status}");
}

fn hear(output: &mut BufReader<ChildStdout>, said: &mut Said) -> Option<String> {
    let mut line = String::new();
    (output.read_line(&mut line).unwrap() > 0).then(|| {
        said.hear(&line);
        line
    })
}

fn seed() -> u64 {
    let now = UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = settings::seed(now);
    println!("FLATREC_SEED={seed} (the moments of the kills differ anyway)");
    seed
}

/// Finds an acknowledged packet that a kill loses, a torn one, and a tick that was deleted too
/// early or too late.
#[test]
fn a_killed_service_has_every_acknowledged_packet_whole() {
    let kills = settings::number("FLATREC_KILLS").unwrap_or(12);
    let mut random = Random::new(seed());
    let place = place();
    let mut said = Said::default();
    for _ in 0..kills {
        let lines = if random.one_in(3) { 0 } else { 1 + random.below(400) };
        killed(&place.path, lines, Duration::from_micros(random.below(4000)), &mut said);
        if !place.path.exists() {
            continue; // the kill came before the store had its name
        }
        let ticks = Database::<Tick>::open_read_only(&place.path).unwrap().begin_read().unwrap();
        // Each packet is whole, and a feed has each number once and without gaps.
        Audit::of(&ticks).unwrap();
        let oldest = ticks.iter().next().map_or(0, |(_, tick)| tick.at);
        assert!(oldest >= said.expired, "ticks of {oldest}, which were deleted, are there");
        // The kill may have come between a deletion and its acknowledgement.
        if oldest >= said.expiring {
            said.expired = said.expiring;
        }
        let found: std::collections::HashSet<(u8, u64, i64)> =
            ticks.iter().map(|(_, tick)| (tick.feed, tick.packet, tick.at)).collect();
        for packet in &said.packets {
            assert!(
                packet.2 < said.expired || found.contains(packet),
                "{packet:?} was acknowledged"
            );
        }
    }
    assert!(said.packets.len() > 10 * usize::try_from(kills).unwrap(), "the service did nothing");
}

/// Finds a moment of an upgrade at which a kill loses ticks.
#[test]
fn an_upgrade_that_is_killed_leaves_the_old_store_or_the_new_one() {
    const PACKETS: u64 = 2000;
    let mut random = Random::new(seed());
    for _ in 0..settings::number("FLATREC_KILLS").unwrap_or(6) {
        let place = place();
        let left = upgrade::leave_old_store(&place.path, PACKETS, OLD_TIME).unwrap();
        let mut said = Said::default();
        killed(&place.path, 0, Duration::from_micros(random.below(60_000)), &mut said);
        if let Ok(old) = Store::<OldTick>::open_read_only(&place.path) {
            assert_eq!(old.count(), left);
        }
        // The next service upgrades what is left, and finds all ticks.
        let store = TickStore::open(&place.path).unwrap();
        let ticks = store.snapshot().unwrap();
        Audit::of(&ticks).unwrap();
        let old = between(&ticks, OLD_TIME - 3 * PACKETS as i64..OLD_TIME + 1);
        assert!(old.count() as u64 == left || said.expiring > 0, "ticks of the old store are lost");
    }
}
