//! Processes that are killed while they open or create a store.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use flatrec::{Checksums, Store, VerifyOptions, verify};

use super::{Asked, WAYS, names};
use crate::support::numbered::N;
use crate::support::random::Random;
use crate::support::{process, settings};

const CHILD: &str = "FLATREC_CREATING_CHILD";

fn asked() -> Asked {
    Asked { deletes: Some(true), checksums: Some(true), metadata: Some("m"), ..Asked::default() }
}

/// Creates one store after the other, and leaves each open and empty until it has said so.
#[test]
#[ignore = "the child of the other test"]
fn child() {
    let Ok(directory) = std::env::var(CHILD) else { return };
    for number in 0.. {
        let path = Path::new(&directory).join(format!("s{number}"));
        let options = || Store::<N>::create_options().deletes(true).checksums(true).metadata("m");
        drop(options().open_or_create(path).unwrap());
        println!("\n! created {number}");
    }
}

/// Finds a kill after which there is half a store, or a path at which the next call fails.
#[test]
fn a_kill_leaves_no_store_or_a_whole_empty_one_and_the_next_call_succeeds() {
    let kills =
        settings::number("FLATREC_KILLS").unwrap_or(if cfg!(debug_assertions) { 24 } else { 100 });
    let seed = settings::seed(std::process::id().into());
    let mut random = Random::new(seed);
    let mut kinds = [0, 0];
    for kill in 0..kills {
        let directory = tempfile::tempdir().unwrap();
        let mut child = process::running("open_or_create::killed::child")
            .env(CHILD, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The child is somewhere in the making of a later store when it has said so much.
        let said = random.below(12);
        let created = lines.by_ref().map(|line| line.unwrap());
        let created = created.filter(|line| line.starts_with("! created ")).take(said as usize + 1);
        assert_eq!(created.count() as u64, said + 1, "the child has ended by itself");
        (0..random.below(20_000)).for_each(|_| std::hint::spin_loop());
        child.kill().unwrap();
        drop(lines);
        child.wait().unwrap();
        let left = names(directory.path());
        let last = (0..).take_while(|n| left.contains(&format!("s{n}"))).count();
        let is_begun = left.iter().any(|name| name.starts_with(&format!("s{last}-")));
        kinds[usize::from(is_begun)] += 1;
        for number in 0..=last {
            let path = directory.path().join(format!("s{number}"));
            if number < last {
                check_whole_and_empty(&path);
            }
            let (way, open_or_create) = WAYS[(kill as usize + number) % WAYS.len()];
            let id = open_or_create(&path, asked()).unwrap_or_else(|error| {
                panic!("kill {kill}, store {number} of {last}, {way}, {left:?}: {error}")
            });
            assert_eq!(id, 0, "kill {kill}, {way}: the store was not empty");
            assert_eq!(verify(&path, VerifyOptions::new()).unwrap().problems, []);
        }
        let names = names(directory.path());
        assert!(!names.iter().any(|name| name.contains("unfinished")), "{names:?}, was {left:?}");
    }
    println!("kills between stores: {}, in the making of one: {}", kinds[0], kinds[1]);
}

fn check_whole_and_empty(path: &Path) {
    let store = Store::<N>::open_read_only(path).unwrap();
    assert!(store.is_empty() && store.count() == 0);
    assert_eq!(store.metadata().unwrap(), b"m");
    let checksums = store.info().unwrap().checksums;
    assert!(matches!(checksums, Checksums::Present { .. }), "{checksums}");
}
