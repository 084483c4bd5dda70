//! Faults that are not the guard's, and a process without it. Each runs in a child, whose
//! environment names the case.

#![allow(unsafe_code, reason = "signals, and memory that faults")]

use std::ffi::{c_int, c_void};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use flatrec::{DynStore, ErrorKind, install_fault_guard};

use super::{COUNT, HAS_HANDLER, Place, cut_to};
use crate::support::process;

const CASE: &str = "FLATREC_FAULT_CASE";

/// Runs `case` in a child, and returns its status and its output.
fn child(case: &str) -> (ExitStatus, String) {
    let output = process::running("children::the_child").env(CASE, case).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status, text.into_owned())
}

#[track_caller]
fn assert_killed(case: &str, signal: c_int) {
    let (status, text) = child(case);
    assert_eq!(status.signal(), Some(signal), "{case}: {status}: {text}");
}

#[track_caller]
fn assert_exit(case: &str, code: i32) {
    let (status, text) = child(case);
    assert_eq!(status.code(), Some(code), "{case}: {status}: {text}");
}

/// Finds a library that handles faults without being asked.
#[test]
fn without_the_guard_a_fault_ends_the_process() {
    assert_killed("no guard", libc::SIGBUS);
}

/// Finds a guard that handles faults of references, whose caller would read zeros.
#[test]
fn a_touch_of_a_lost_page_by_reference_ends_the_process() {
    assert_killed("reference", libc::SIGBUS);
    assert_killed("reference, default before", libc::SIGBUS);
}

/// Finds a guard that returns from a fault of others when the process ignores SIGBUS: the fault
/// would recur for ever.
#[test]
#[cfg_attr(target_arch = "s390x", ignore = "qemu-user repeats an ignored fault for ever")]
fn a_touch_of_a_lost_page_ends_a_process_that_ignores_the_signal() {
    assert_killed("reference, ignored before", libc::SIGBUS);
}

/// Finds a guard that changes what SIGSEGV does.
#[test]
fn faults_of_another_kind_end_the_process() {
    assert_killed("no access", libc::SIGSEGV);
}

/// Finds a guard that takes a SIGBUS from another process for a fault.
#[test]
fn a_sent_signal_is_handled_as_before_the_guard() {
    assert_killed("raised, default before", libc::SIGBUS);
    assert_exit("raised, ignored before", 0);
    assert_killed("raised, handled once before", libc::SIGBUS);
}

/// Finds a guard that drops faults of others, or passes its own on.
#[test]
fn an_earlier_handler_gets_the_faults_of_others_only() {
    assert_exit("handler before", 43);
}

/// Finds a guard that passes a fault on without its address, or off the alternate stack.
#[test]
#[cfg_attr(target_arch = "s390x", ignore = "qemu-user gives a fault another address")]
fn an_earlier_action_gets_the_faults_of_others_with_their_addresses() {
    assert_exit("action before", 42);
}

/// Finds a guard that works only as the first handler, or that installs itself twice.
#[test]
fn a_later_handler_may_pass_faults_on_to_the_guard() {
    assert_exit("action after", 0);
}

/// Runs the case that the environment names.
#[test]
#[ignore = "the child of the other tests"]
fn the_child() {
    let Ok(case) = std::env::var(CASE) else { return };
    match &*case {
        "no guard" => drop(Cut::new().store.copy(COUNT - 1)),
        "reference" => {
            install_fault_guard().unwrap();
            Cut::new().touch();
        }
        "reference, default before" => {
            handle(libc::SIG_DFL, 0);
            install_fault_guard().unwrap();
            Cut::new().touch();
        }
        "reference, ignored before" => {
            handle(libc::SIG_IGN, 0);
            install_fault_guard().unwrap();
            Cut::new().touch();
        }
        "no access" => {
            install_fault_guard().unwrap();
            touch_no_access();
        }
        "raised, default before" => {
            handle(libc::SIG_DFL, 0);
            install_fault_guard().unwrap();
            raise();
        }
        "raised, ignored before" => {
            handle(libc::SIG_IGN, 0);
            install_fault_guard().unwrap();
            raise();
            Cut::new().assert_guarded();
        }
        "raised, handled once before" => {
            handle(count as extern "C" fn(c_int) as usize, libc::SA_RESETHAND);
            install_fault_guard().unwrap();
            raise();
            assert_eq!(CALLS.load(Ordering::Relaxed), 1);
            raise();
        }
        "action before" => {
            handle(exit_42 as Action as usize, libc::SA_SIGINFO);
            install_fault_guard().unwrap();
            let cut = Cut::new();
            cut.assert_guarded();
            cut.touch();
        }
        "handler before" => {
            handle(exit_43 as extern "C" fn(c_int) as usize, 0);
            install_fault_guard().unwrap();
            let cut = Cut::new();
            cut.assert_guarded();
            cut.touch();
        }
        "action after" => action_after(),
        other => panic!("no case {other}"),
    }
    println!("went on");
}

/// A store whose last records are gone.
struct Cut {
    store: DynStore,
    _place: Place,
}

impl Cut {
    fn new() -> Self {
        let place = Place::new();
        let path = place.store();
        let store = DynStore::open_read_only(&path).unwrap();
        cut_to(&path, 1000);
        Self { store, _place: place }
    }

    /// Touches a lost page through a reference.
    fn touch(&self) {
        let bytes = self.store.get(COUNT - 1).unwrap();
        WANTED.store(bytes.as_ptr().cast_mut().cast(), Ordering::Relaxed);
        std::hint::black_box(bytes[0]);
        panic!("the touch caused no fault");
    }

    #[track_caller]
    fn assert_guarded(&self) {
        let error = self.store.copy(COUNT - 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
    }
}

type Action = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// The number of calls of `count` and `pass_on`.
static CALLS: AtomicU32 = AtomicU32::new(0);
/// The address whose fault is expected.
static WANTED: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
/// The action that `pass_on` calls.
static BEFORE: AtomicPtr<libc::sigaction> = AtomicPtr::new(null_mut());

/// Sets the action of `SIGBUS`, and returns the previous one.
fn handle(handler: usize, flags: c_int) -> libc::sigaction {
    // SAFETY: zeros are a valid action, the default one.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    let mut before = action;
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: the action is whole, and the handlers here do only what is safe in a signal.
    assert_eq!(unsafe { libc::sigaction(libc::SIGBUS, &raw const action, &raw mut before) }, 0);
    before
}

fn raise() {
    // SAFETY: sends this thread a signal.
    assert_eq!(unsafe { libc::raise(libc::SIGBUS) }, 0);
}

extern "C" fn count(_: c_int) {
    CALLS.fetch_add(1, Ordering::Relaxed);
}

/// Exits with 42 if it gets the fault's address and runs on the alternate stack, which Rust gives
/// every thread. The system calls it so.
extern "C" fn exit_42(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the handler's arguments are valid.
    let info = unsafe { &*info };
    // SAFETY: the signal comes from a fault, so its record has an address.
    let address = unsafe { info.si_addr() };
    // SAFETY: zeros are a valid stack_t.
    let mut stack: libc::stack_t = unsafe { std::mem::zeroed() };
    // SAFETY: the call only asks for the current stack.
    unsafe { libc::sigaltstack(null(), &raw mut stack) };
    let right = signal == libc::SIGBUS
        && address == WANTED.load(Ordering::Relaxed)
        && !context.is_null()
        && (!HAS_HANDLER || stack.ss_flags & libc::SS_ONSTACK != 0);
    // SAFETY: ends the process at once.
    unsafe { libc::_exit(if right { 42 } else { 1 }) };
}

extern "C" fn exit_43(signal: c_int) {
    // SAFETY: ends the process at once.
    unsafe { libc::_exit(if signal == libc::SIGBUS { 43 } else { 1 }) };
}

/// Counts the fault, and calls the earlier handler.
extern "C" fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    CALLS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: `action_after` sets it before it installs this handler, and never frees it.
    let handler = unsafe { (*BEFORE.load(Ordering::Acquire)).sa_sigaction };
    // SAFETY: the guard's handler is an action with SA_SIGINFO, as `action_after` checks.
    let action = unsafe { std::mem::transmute::<usize, Action>(handler) };
    action(signal, info, context);
}

fn action_after() {
    install_fault_guard().unwrap();
    // Takes the guard's action out for a moment to read it.
    let before = handle(libc::SIG_DFL, 0);
    if HAS_HANDLER {
        let flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        assert_eq!(before.sa_flags & flags, flags, "{:x}", before.sa_flags);
    }
    BEFORE.store(Box::into_raw(Box::new(before)), Ordering::Release);
    handle(pass_on as Action as usize, libc::SA_SIGINFO | libc::SA_ONSTACK);
    let cut = Cut::new();
    cut.assert_guarded();
    // If the guard installed itself again, the two handlers would call each other for ever.
    install_fault_guard().unwrap();
    cut.assert_guarded();
    if HAS_HANDLER {
        assert_eq!(CALLS.load(Ordering::Relaxed), 2);
    }
}

/// Reads a page without the permission to read.
fn touch_no_access() {
    // SAFETY: a new mapping, which no other code uses.
    let page = unsafe {
        libc::mmap(null_mut(), 4096, libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANON, -1, 0)
    };
    assert_ne!(page, libc::MAP_FAILED);
    // SAFETY: the read faults, as the test wants, and the process ends.
    std::hint::black_box(unsafe { page.cast::<u8>().read_volatile() });
}
