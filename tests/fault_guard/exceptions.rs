//! Where faults are exceptions: pages that are lost, faults that are not the guard's, and a process
//! without it; those that end a process in a child, which runs the one case that its environment
//! names.
//!
//! A page that Windows cannot provide is an in-page error. Wine, which has none, makes it an access
//! violation, although the protection of the page allows the access: in these tests a handler in
//! front of the guard's makes of such a one what Windows would have made of it. It does the same
//! for a range of pages that a test takes away, which needs no Wine.

#![allow(unsafe_code, reason = "exceptions, and memory that faults")]

use std::ffi::c_void;
use std::ptr::null;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};

use flatrec::map::{Access, Mapping};
use flatrec::{DynStore, ErrorKind, install_fault_guard};
use windows_sys::Win32::Foundation::{
    EXCEPTION_ACCESS_VIOLATION, EXCEPTION_IN_PAGE_ERROR, NTSTATUS, STATUS_DEVICE_DATA_ERROR,
};
use windows_sys::Win32::System::Diagnostics::Debug as debug;
use windows_sys::Win32::System::Memory as memory;
use windows_sys::Win32::System::Threading::ExitProcess;

use super::{COUNT, DATA_OFFSET, Place, RECORD_LEN, record};
use crate::support::process;

const CASE: &str = "FLATREC_FAULT_CASE";
const PAGE_BYTES: usize = 4096;

type Handler = unsafe extern "system" fn(*mut debug::EXCEPTION_POINTERS) -> i32;

/// Lets in-page errors be what they are on Windows; before the guard's handler comes the one that
/// was added last.
pub(crate) fn let_lost_pages_be_in_page_errors() {
    static ADDED: Once = Once::new();
    ADDED.call_once(|| add(1, translate));
}

fn add(first: u32, handler: Handler) {
    // SAFETY: the handlers here are functions that live as long as the program.
    let added = unsafe { debug::AddVectoredExceptionHandler(first, Some(handler)) };
    assert!(!added.is_null());
}

/// Pages that a test has taken away as if the disk had lost them.
static TAKEN_FROM: AtomicUsize = AtomicUsize::new(0);
static TAKEN_TO: AtomicUsize = AtomicUsize::new(0);

/// Makes an in-page error of an access violation that Windows would not have raised.
unsafe extern "system" fn translate(info: *mut debug::EXCEPTION_POINTERS) -> i32 {
    let lost = exception(info).filter(|&(code, write, address)| {
        let taken = (TAKEN_FROM.load(SeqCst)..TAKEN_TO.load(SeqCst)).contains(&address);
        code == EXCEPTION_ACCESS_VIOLATION && (taken || is_allowed(write, address))
    });
    if lost.is_some() {
        // SAFETY: the system gives its handlers a valid record, which no other code uses during the
        // call.
        let record = unsafe { &mut *(*info).ExceptionRecord };
        record.ExceptionCode = EXCEPTION_IN_PAGE_ERROR;
        record.NumberParameters = 3;
        record.ExceptionInformation[2] = STATUS_DEVICE_DATA_ERROR as usize;
    }
    debug::EXCEPTION_CONTINUE_SEARCH
}

/// The code of an exception that is about memory, whether it was a write, and the address.
fn exception(info: *mut debug::EXCEPTION_POINTERS) -> Option<(NTSTATUS, bool, usize)> {
    // SAFETY: the system gives its handlers a valid record.
    let record = unsafe { &*(*info).ExceptionRecord };
    let about_memory =
        matches!(record.ExceptionCode, EXCEPTION_ACCESS_VIOLATION | EXCEPTION_IN_PAGE_ERROR)
            && record.NumberParameters >= 2;
    let [write, address, ..] = record.ExceptionInformation;
    about_memory.then_some((record.ExceptionCode, write == 1, address))
}

/// Whether the page at `address` is one of a file's, and may be read or written.
fn is_allowed(write: bool, address: usize) -> bool {
    let mut page = memory::MEMORY_BASIC_INFORMATION::default();
    let len_bytes = size_of_val(&page);
    // SAFETY: the call fills such a struct, and takes any address.
    let filled =
        unsafe { memory::VirtualQuery(address as *const c_void, &raw mut page, len_bytes) };
    let writable = memory::PAGE_READWRITE | memory::PAGE_WRITECOPY | memory::PAGE_EXECUTE_READWRITE;
    let allowed = if write { writable } else { writable | memory::PAGE_READONLY };
    filled == len_bytes && page.Type == memory::MEM_MAPPED && page.Protect & allowed != 0
}

/// Takes the pages of `bytes` away until it is dropped; the first and last in part are left.
struct Taken(*mut c_void, usize);

impl Taken {
    fn new(bytes: &[u8]) -> Self {
        let from = bytes.as_ptr().addr().next_multiple_of(PAGE_BYTES);
        let to = bytes.as_ptr_range().end.addr() / PAGE_BYTES * PAGE_BYTES;
        assert!(from < to);
        let taken = Self(from as *mut c_void, to - from);
        taken.protect(memory::PAGE_NOACCESS);
        taken
    }

    /// Makes the handler report these pages as lost instead of inaccessible.
    fn be_lost(&self) {
        TAKEN_FROM.store(self.0.addr(), SeqCst);
        TAKEN_TO.store(self.0.addr() + self.1, SeqCst);
    }

    fn protect(&self, protection: u32) {
        let mut before = 0;
        // SAFETY: these are whole pages of a view whose owner does not access them during the call.
        let done = unsafe { memory::VirtualProtect(self.0, self.1, protection, &raw mut before) };
        assert_ne!(done, 0, "{}", std::io::Error::last_os_error());
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        (TAKEN_FROM.store(0, SeqCst), TAKEN_TO.store(0, SeqCst));
        self.protect(memory::PAGE_READONLY);
    }
}

#[test]
fn pages_that_the_disk_has_lost_are_errors_of_the_copies_that_meet_them() {
    install_fault_guard().unwrap();
    let_lost_pages_be_in_page_errors();
    let place = Place::new();
    let path = place.store();
    let store = DynStore::open_read_only(&path).unwrap();
    let (first, last) = (50_000, 60_000);
    let from = store.get(first).unwrap().as_ptr();
    let len_bytes = usize::try_from(last - first).unwrap() * RECORD_LEN;
    // SAFETY: a store shows its records in one piece, one behind the other.
    let taken = Taken::new(unsafe { std::slice::from_raw_parts(from, len_bytes) });
    taken.be_lost();
    for id in [first + 100, 55_000, last - 100] {
        let error = store.try_read(id).unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Io, "read"), "{error}");
        assert_eq!((error.file_path(), error.record_number()), (Some(&*path), Some(id)), "{error}");
        let start = DATA_OFFSET + id * RECORD_LEN as u64;
        let offset = error.file_offset().unwrap();
        assert!((start..start + RECORD_LEN as u64).contains(&offset), "{error}");
        assert!(error.to_string().contains("could not provide this page"), "{error}");
    }
    let mut many = vec![0; 20_000 * RECORD_LEN];
    let error = store.read_into(45_000, &mut many).unwrap_err();
    let met = error.record_number().unwrap();
    assert!((first..first + 40).contains(&met), "{error}");
    for id in [0, first - 1, last, COUNT - 1] {
        assert_eq!(store.try_read(id).unwrap().unwrap(), record(id));
    }
    drop(taken);
    assert_eq!(store.try_read(55_000).unwrap().unwrap(), record(55_000));
}

/// Runs `case` in a child: the code that it ended with, and what it wrote.
fn child(case: &str) -> (u32, String) {
    let output = process::running("exceptions::the_child").env(CASE, case).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap().cast_unsigned(), text.into_owned())
}

#[track_caller]
fn assert_ends(case: &str, code: NTSTATUS) {
    let (found, text) = child(case);
    assert_eq!(found, code.cast_unsigned(), "{case} ended with {found:x}: {text}");
}

#[test]
fn without_the_guard_a_lost_page_is_an_exception() {
    assert_ends("no guard", EXCEPTION_IN_PAGE_ERROR);
}

#[test]
fn references_into_lost_pages_are_an_exception_still() {
    assert_ends("reference", EXCEPTION_IN_PAGE_ERROR);
}

#[test]
fn faults_of_another_kind_are_untouched_even_in_the_copy() {
    assert_ends("no access", EXCEPTION_ACCESS_VIOLATION);
    assert_ends("no access in the copy", EXCEPTION_ACCESS_VIOLATION);
}

#[test]
fn in_page_errors_that_a_program_raises_are_not_the_guards() {
    assert_ends("raised", EXCEPTION_IN_PAGE_ERROR);
}

#[test]
fn handlers_from_before_get_the_faults_of_others_and_no_faults_of_ours() {
    assert_ends("handler before", 42);
}

#[test]
fn handlers_from_after_see_all_faults_and_may_pass_them_on() {
    assert_ends("handler after", 0);
}

#[test]
fn the_child() {
    let Ok(case) = std::env::var(CASE) else { return };
    // SAFETY: the filter is a function that lives as long as the program.
    unsafe { debug::SetUnhandledExceptionFilter(Some(end)) };
    if case == "handler before" {
        add(1, exit_42);
    }
    if case != "no guard" {
        install_fault_guard().unwrap();
        // A second call changes nothing.
        install_fault_guard().unwrap();
    }
    if case == "handler after" {
        add(1, count);
    }
    let_lost_pages_be_in_page_errors();
    let place = Place::new();
    let path = place.store();
    let mapping = Mapping::open(&path, Access::ReadOnly).unwrap();
    let store = DynStore::open_read_only(&path).unwrap();
    let from = store.get(COUNT - 10_000).unwrap().as_ptr();
    // SAFETY: a store shows its records in one piece, one behind the other.
    let bytes = unsafe { std::slice::from_raw_parts(from, 10_000 * RECORD_LEN) };
    let taken = Taken::new(bytes);
    let touch = || {
        std::hint::black_box(store.get(COUNT - 5000).unwrap()[0]);
    };
    let copy = || store.try_read(COUNT - 5000).map(drop);
    match &*case {
        "no access" => touch(),
        "no access in the copy" => copy().unwrap(),
        "raised" => raise(),
        _ => {
            taken.be_lost();
            match &*case {
                "no guard" => copy().unwrap(),
                "reference" => touch(),
                "handler before" => {
                    copy().unwrap_err();
                    touch();
                }
                "handler after" => {
                    copy().unwrap_err();
                    assert_eq!(SEEN.load(SeqCst), 1);
                    copy().unwrap_err();
                    assert_eq!(SEEN.load(SeqCst), 2);
                }
                other => panic!("no case {other}"),
            }
        }
    }
    drop((taken, mapping));
    println!("went on");
}

/// Ends the process with the exception's code, without a window or a debugger that tells of it.
unsafe extern "system" fn end(_info: *const debug::EXCEPTION_POINTERS) -> i32 {
    debug::EXCEPTION_EXECUTE_HANDLER
}

/// How many exceptions `count` was asked about.
static SEEN: AtomicU32 = AtomicU32::new(0);

unsafe extern "system" fn count(info: *mut debug::EXCEPTION_POINTERS) -> i32 {
    if exception(info).is_some() {
        SEEN.fetch_add(1, SeqCst);
    }
    debug::EXCEPTION_CONTINUE_SEARCH
}

unsafe extern "system" fn exit_42(info: *mut debug::EXCEPTION_POINTERS) -> i32 {
    if exception(info).is_some() {
        // SAFETY: ends the process at once.
        unsafe { ExitProcess(42) };
    }
    debug::EXCEPTION_CONTINUE_SEARCH
}

fn raise() {
    // SAFETY: raises an exception without parameters, which ends the process.
    unsafe { debug::RaiseException(EXCEPTION_IN_PAGE_ERROR.cast_unsigned(), 0, 0, null()) };
}
