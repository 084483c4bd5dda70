//! An initialiser that waits for itself through another thread.

use std::time::Duration;

use super::Mapping;
use crate::error::ErrorKind;
use crate::io::Access;

/// An initialiser that waits for a thread that waits for it: the thread's wait has a limit, which
/// is short in these tests.
#[test]
fn a_thread_that_an_initialiser_waits_for_gets_an_error() {
    let (done, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(errors_of_those_waited_for()).unwrap());
    let errors = wait.recv_timeout(Duration::from_secs(30)).expect("they wait for ever");
    assert_eq!(errors.len(), 3);
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    }
}

fn errors_of_those_waited_for() -> Vec<crate::error::Error> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shared");
    let name = format!("flatrec-waits-{}", std::process::id());
    let of_file = || Mapping::open_or_create(&path, 100, |_| Ok(())).map(drop);
    let of_memory = || Mapping::named(&name, 100, |_| Ok(())).map(drop);
    let opened = || Mapping::open_named(&name, Access::ReadOnly).map(drop);
    let in_thread = |open: &(dyn Fn() -> crate::error::Result<()> + Sync)| {
        std::thread::scope(|scope| scope.spawn(open).join().unwrap()).unwrap_err()
    };
    let mut errors = Vec::new();
    let file = Mapping::open_or_create(&path, 100, |_| {
        errors.push(in_thread(&of_file));
        Ok(())
    });
    file.unwrap();
    let memory = Mapping::named(&name, 100, |_| {
        errors.extend([in_thread(&of_memory), in_thread(&opened)]);
        Ok(())
    });
    memory.unwrap();
    errors
}
