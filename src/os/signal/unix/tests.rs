//! Both kinds of signal, on the system that has both.

use super::*;

/// Whether the descriptor can be read, as another `poll` sees it.
fn is_readable(signal: &impl AsFd) -> bool {
    let mut watched = [PollFd::from_borrowed_fd(signal.as_fd(), PollFlags::IN)];
    poll(&mut watched, Some(&Timespec::default())).unwrap() == 1
}

fn follow_the_rules<E: Ends>() {
    let signal = SignalOf::<E>::new().unwrap();
    assert!(!is_readable(&signal) && !signal.wait(Duration::from_millis(3)).unwrap());
    signal.clear().unwrap();
    for _ in 0..3 {
        signal.set().unwrap();
        signal.set().unwrap();
        assert!(is_readable(&signal) && signal.wait(Duration::MAX).unwrap());
        assert!(is_readable(&signal), "the wait must not clear the signal");
        signal.clear().unwrap();
        assert!(!is_readable(&signal) && !signal.wait(Duration::ZERO).unwrap());
    }
    // More than one read takes, and more than there is room for.
    (0..100_000).for_each(|_| signal.set().unwrap());
    signal.clear().unwrap();
    assert!(!is_readable(&signal));
}

/// Finds a signal that a wait clears, that stays set, or that blocks its setter.
#[test]
fn a_signal_is_readable_from_its_setting_to_its_clearing() {
    #[cfg(target_os = "linux")]
    follow_the_rules::<Counter>();
    follow_the_rules::<Sockets>();
}
