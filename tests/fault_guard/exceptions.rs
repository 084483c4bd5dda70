//! Faults on Windows are exceptions: of lost pages, of others, and in a process without the guard.
//! A case that ends its process runs in a child, whose environment names the case.
//!
//! Windows raises an in-page error for a page that it cannot provide. Wine has no in-page errors
//! and raises an access violation, although the page allows the access. In these tests an earlier
//! handler turns such a violation into an in-page error. It does the same for a range of pages that
//! a test takes away, on Windows too.

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

/// Installs `translate` before the guard's handler: the system calls the handler added last first.
pub(crate) fn let_lost_pages_be_in_page_errors() {
    static ADDED: Once = Once::new();
    ADDED.call_once(|| add(1, translate));
}

fn add(first: u32, handler: Handler) {
    // SAFETY: the handlers in this file are functions, which live as long as the program.
    let added = unsafe { debug::AddVectoredExceptionHandler(first, Some(handler)) };
    assert!(!added.is_null());
}

/// Pages that a test took away as if the disk had lost them.
static TAKEN_FROM: AtomicUsize = AtomicUsize::new(0);
static TAKEN_TO: AtomicUsize = AtomicUsize::new(0);

/// Turns an access violation that Windows would not raise into an in-page error.
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

/// The code of an exception about memory, whether a write raised it, and the address.
fn exception(info: *mut debug::EXCEPTION_POINTERS) -> Option<(NTSTATUS, bool, usize)> {
    // SAFETY: the system gives its handlers a valid record.
    let record = unsafe { &*(*info).ExceptionRecord };
    let about_memory =
        matches!(record.ExceptionCode, EXCEPTION_ACCESS_VIOLATION | EXCEPTION_IN_PAGE_ERROR)
            && record.NumberParameters >= 2;
    let [write, address, ..] = record.ExceptionInformation;
    about_memory.then_some((record.ExceptionCode, write == 1, address))
}

/// Whether the page at `address` belongs to a file and allows the access.
fn is_allowed(write: bool, address: usize) -> bool {
    let mut page = memory::MEMORY_BASIC_INFORMATION::default();
    let len_bytes = size_of_val(&page);
    // SAFETY: the call fills a struct of this type, and accepts any address.
    let filled =
        unsafe { memory::VirtualQuery(address as *const c_void, &raw mut page, len_bytes) };
    let writable = memory::PAGE_READWRITE | memory::PAGE_WRITECOPY | memory::PAGE_EXECUTE_READWRITE;
    let allowed = if write { writable } else { writable | memory::PAGE_READONLY };
    filled == len_bytes && page.Type == memory::MEM_MAPPED && page.Protect & allowed != 0
}

/// Makes the whole pages of `bytes` inaccessible until it is dropped.
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

/// Finds a copy that dies of an in-page error, or whose error names the wrong record.
#[test]
fn copies_of_pages_that_the_disk_lost_are_errors() {
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
        let error = store.copy(id).unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Io, "read"), "{error}");
        assert_eq!((error.file_path(), error.record_number()), (Some(&*path), Some(id)), "{error}");
        let start = DATA_OFFSET + id * RECORD_LEN as u64;
        let offset = error.file_offset().unwrap();
        assert!((start..start + RECORD_LEN as u64).contains(&offset), "{error}");
        assert!(error.to_string().contains("could not provide this page"), "{error}");
    }
    let mut many = vec![0; 20_000 * RECORD_LEN];
    let error = store.copy_into(45_000, &mut many).unwrap_err();
    let met = error.record_number().unwrap();
    assert!((first..first + 40).contains(&met), "{error}");
    for id in [0, first - 1, last, COUNT - 1] {
        assert_eq!(store.copy(id).unwrap().unwrap(), record(id));
    }
    drop(taken);
    assert_eq!(store.copy(55_000).unwrap().unwrap(), record(55_000));
}

/// Runs `case` in a child, and returns its exit code and its output.
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

/// Finds a library that handles exceptions without being asked.
#[test]
fn without_the_guard_a_lost_page_ends_the_process() {
    assert_ends("no guard", EXCEPTION_IN_PAGE_ERROR);
}

/// Finds a guard that handles exceptions of references, whose caller would read zeros.
#[test]
fn a_touch_of_a_lost_page_ends_the_process() {
    assert_ends("reference", EXCEPTION_IN_PAGE_ERROR);
}

/// Finds a guard that turns a bug of the program into an error of the file.
#[test]
fn access_violations_end_the_process_even_in_a_copy() {
    assert_ends("no access", EXCEPTION_ACCESS_VIOLATION);
    assert_ends("no access in the copy", EXCEPTION_ACCESS_VIOLATION);
}

/// Finds a guard that takes a raised exception without an address for a lost page.
#[test]
fn in_page_errors_raised_by_a_program_end_the_process() {
    assert_ends("raised", EXCEPTION_IN_PAGE_ERROR);
}

/// Finds a guard that drops faults of others, or passes its own on.
#[test]
fn an_earlier_vectored_handler_gets_the_faults_of_others_only() {
    assert_ends("handler before", 42);
}

/// Finds a guard that works only as the first handler.
#[test]
fn a_later_vectored_handler_sees_all_faults_and_may_pass_them_on() {
    assert_ends("handler after", 0);
}

/// Runs the case that the environment names.
#[test]
#[ignore = "the child of the other tests"]
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
    let copy = || store.copy(COUNT - 5000).map(drop);
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

/// Ends the process with the exception's code, without a window and without a debugger.
unsafe extern "system" fn end(_info: *const debug::EXCEPTION_POINTERS) -> i32 {
    debug::EXCEPTION_EXECUTE_HANDLER
}

/// The number of exceptions about memory that reached `count`.
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
