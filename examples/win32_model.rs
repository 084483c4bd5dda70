//! The Win32 file-mapping model, step by step: what a Windows program does with `CreateFile`,
//! `CreateFileMapping`, `MapViewOfFile` and so on, here in one code for every system.
//!
//! Each step names the calls that it stands for, does the work, and checks the result. Where the
//! systems differ, it says so. Other processes take part: this program, started again.
//! docs/WIN32.md has the whole vocabulary.
//!
//!     cargo run --release --example win32_model [DIRECTORY]

use std::error::Error;
use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use flatrec::Advice;
use flatrec::map::{Access, FileBacking, Mapping, View};
use flatrec::{ErrorKind, install_fault_guard, process_faults};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// Not a multiple of a page, nor of the allocation granularity.
const FILE_BYTES: u64 = (1 << 20) + 1000;
/// A multiple of the allocation granularity of every system: the usual step of Win32 programs.
const WINDOW_BYTES: u64 = 64 << 10;
const SHARED_BYTES: u64 = 10_000;
const OPENERS: usize = 4;

fn main() -> Result {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [role] if role == "--inherit" => in_child_inherited(),
        [role, name] if role == "--open-named" => in_child_named(name),
        [role, path] if role == "--open-or-create" => in_child_first_or_not(Path::new(path)),
        [directory] => every_step(&tempfile::tempdir_in(directory)?),
        _ => every_step(&tempfile::tempdir()?),
    }
}

fn every_step(scratch: &tempfile::TempDir) -> Result {
    let path = scratch.path().join("bytes");
    let mapping = make_a_file(&path)?;
    slide_over_it(&mapping)?;
    overlap(&mapping, &path)?;
    restrict(&mapping, &path)?;
    flush(&mapping, &path)?;
    grow_and_trim(&mapping)?;
    look_at_memory(&mapping)?;
    hand_to_a_child()?;
    share_by_name()?;
    open_or_create(&scratch.path().join("once"))?;
    lose_a_page(&scratch.path().join("cut"))
}

fn step(calls: &str, what: &str) {
    println!("\n{calls}\n    {what}");
}

/// The mapping object: a file's handle and a section on Windows, one value here.
fn make_a_file(path: &Path) -> Result<Mapping> {
    step("CreateFile(CREATE_NEW), CreateFileMapping(PAGE_READWRITE)", "a new file, all zeros");
    let mapping = Mapping::create_new(path, FILE_BYTES)?;
    assert_eq!(mapping.len_bytes()?, FILE_BYTES);
    let again = Mapping::create_new(path, FILE_BYTES).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    println!("    {FILE_BYTES} bytes; a second time: {}", again.kind());
    Ok(mapping)
}

/// The classic loop: one view at a time, from one end of the file to the other.
fn slide_over_it(mapping: &Mapping) -> Result {
    step("MapViewOfFile, UnmapViewOfFile, again and again", "a view that slides over the file");
    let starts = || (0..FILE_BYTES).step_by(WINDOW_BYTES as usize);
    for start in starts() {
        let end = (start + WINDOW_BYTES).min(FILE_BYTES);
        let view = mapping.view(start..end)?;
        view.write(0, &start.to_le_bytes())?;
    } // dropping a view unmaps it
    println!("    {} views written, each beginning on the granularity", starts().count());

    // MapViewOfFile returns 1132, ERROR_MAPPED_ALIGNMENT, for each of these offsets. Here a view
    // begins at the given offset; it does not show the bytes before it, down to the granularity.
    for start in starts().skip(1) {
        let view = mapping.view(start - 3..start + 8)?;
        assert_eq!((view.offset(), view.len_bytes()), (start - 3, 11));
        assert_eq!(read(&view, 3, 8)?, start.to_le_bytes());
    }
    println!("    and read again through views that begin 3 bytes before it");

    let past = mapping.view(FILE_BYTES - 1..FILE_BYTES + 1).unwrap_err();
    assert_eq!(past.kind(), ErrorKind::OutOfRange);
    let empty = mapping.view(500..500)?; // CreateFileMapping returns 1006, ERROR_FILE_INVALID
    assert_eq!(empty.len_bytes(), 0);
    println!("    past the end: {}; of no bytes: a view of no bytes", past.kind());
    Ok(())
}

/// Views of one file are one memory, also from different mapping objects.
fn overlap(mapping: &Mapping, path: &Path) -> Result {
    step(
        "MapViewOfFile, twice; CreateFile(OPEN_EXISTING) and a third",
        "coherent views, overlapping",
    );
    let early = mapping.view(100..150_000)?;
    let late = mapping.view(140_001..FILE_BYTES)?;
    let second = Mapping::open(path, Access::ReadWrite)?;
    let theirs = second.view(144_000..146_000)?;

    early.write(145_000 - 100, b"early")?;
    assert_eq!(read(&late, 145_000 - 140_001, 5)?, b"early");
    assert_eq!(read(&theirs, 145_000 - 144_000, 5)?, b"early");
    theirs.write(145_000 - 144_000, b"third")?;
    assert_eq!(read(&early, 145_000 - 100, 5)?, b"third");
    println!("    what one writes, the others show at once");
    Ok(())
}

/// Less access than the file allows: read-only and copy-on-write.
fn restrict(mapping: &Mapping, path: &Path) -> Result {
    step("PAGE_READONLY, FILE_MAP_READ", "views that refuse writes");
    let read_only = Mapping::open(path, Access::ReadOnly)?;
    let refused = read_only.view(0..100)?.write(0, b"x").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ReadOnly);
    println!("    {refused}");

    step("PAGE_WRITECOPY, FILE_MAP_COPY", "views with private changes");
    let private = mapping.with_access(Access::Private)?.view(0..FILE_BYTES)?;
    private.write(200_000, b"what if")?;
    assert_eq!(read(&private, 200_000, 7)?, b"what if");
    assert_eq!(mapping.read_vec(200_000..200_007)?, [0; 7]);
    println!("    the view shows them, the file does not have them");
    Ok(())
}

/// Visible is not durable.
fn flush(mapping: &Mapping, path: &Path) -> Result {
    step("FlushViewOfFile, FlushFileBuffers", "a range of a view, then the file with its length");
    let view = mapping.view(300_000..400_000)?;
    view.write(50_000, b"durable")?;
    view.flush(50_000..50_007)?; // through the view that was written
    mapping.sync()?;
    let mut called = [0; 7];
    mapping.backing().read_at(350_000, &mut called)?;
    assert_eq!(&called, b"durable");
    assert_eq!(std::fs::metadata(path)?.len(), FILE_BYTES);
    println!("    a read call finds it in the file");
    let always = mapping.backing().properties().calls_see_views;
    println!(
        "    without a flush, calls see what views show: {}",
        if always { "yes" } else { "no promise" }
    );
    Ok(())
}

/// A view never moves; new views see a larger file.
fn grow_and_trim(mapping: &Mapping) -> Result {
    step(
        "SetFileInformationByHandle(FileAllocationInfo), SetEndOfFile, CreateFileMapping anew",
        "growth beside an old view",
    );
    let old = mapping.view(0..FILE_BYTES)?;
    let address = old.as_ptr();
    let grown = mapping.grow(2 * FILE_BYTES)?; // a full disk is an error here
    let new = mapping.view(FILE_BYTES - 8..2 * FILE_BYTES)?;
    new.write(0, b"boundary")?;
    assert_eq!(read(&old, FILE_BYTES as usize - 8, 8)?, b"boundary");
    assert_eq!((old.as_ptr(), old.len_bytes() as u64), (address, FILE_BYTES));
    println!("    {grown:?}; the old view stays where and as long as it was");

    step("SetEndOfFile", "a shorter file");
    match mapping.backing().trim(FILE_BYTES) {
        // 1224, ERROR_USER_MAPPED_FILE: Windows does not truncate a file while it has a view.
        Err(error) if cfg!(windows) => {
            assert_eq!(error.kind(), ErrorKind::Locked);
            println!("    while it is mapped: {error}");
        }
        other => {
            other?;
            println!("    done; a touch of the lost pages of a view is a fault");
        }
    }
    drop((old, new));
    mapping.backing().trim(FILE_BYTES)?;
    assert_eq!(mapping.len_bytes()?, FILE_BYTES);
    println!("    once its views are gone: {FILE_BYTES} bytes again");
    Ok(())
}

/// Working set, residency, locks and faults.
fn look_at_memory(mapping: &Mapping) -> Result {
    step("PrefetchVirtualMemory, GetProcessMemoryInfo", "pages brought in, and what that cost");
    let before = process_faults()?;
    let view = mapping.view_all()?;
    let all = 0..view.len_bytes();
    let advised = view.advise(all.clone(), Advice::WillNeed)?;
    read(&view, 0, view.len_bytes())?;
    let faults = process_faults()?.since(before);
    println!(
        "    will-need: {advised:?}; {} soft faults, {} hard ones",
        faults.minor, faults.major
    );
    // (Windows has one counter for both, and Wine keeps it at 0.)
    assert!(cfg!(windows) || faults.minor + faults.major > 0, "pages come by faults");

    step("QueryWorkingSetEx", "the resident pages");
    let resident = view.residency(all)?;
    let whose = if cfg!(windows) { "this process's working set" } else { "the page cache" };
    println!("    {} of {} pages are in {whose}", resident.resident_pages, resident.pages);
    assert!(resident.resident_pages <= resident.pages);
    assert_eq!(resident.pages, FILE_BYTES.div_ceil(resident.page_size_bytes));

    step("VirtualLock, VirtualUnlock", "a range that stays in memory");
    match view.lock(1000..50_000) {
        Ok(()) => {
            let locked = view.residency(1000..50_000)?;
            assert_eq!(locked.fraction(), 1.0);
            view.unlock(1000..50_000)?;
            println!("    {} pages were, until they were let go", locked.resident_pages);
        }
        Err(refused) => println!("    not here: {refused}"),
    }
    Ok(())
}

/// A handle that a child inherits: a file without a name cannot be found in any other way.
fn hand_to_a_child() -> Result {
    step(
        "CreateFile(FILE_FLAG_DELETE_ON_CLOSE), CreateProcess(bInheritHandles)",
        "a temporary file, handed to a child process as its standard input",
    );
    let temporary = FileBacking::temporary(SHARED_BYTES)?;
    let handle = temporary.file().try_clone()?; // DuplicateHandle; dup
    let mapping = Mapping::from_backing(Arc::new(temporary), Access::ReadWrite);
    let view = mapping.view(0..SHARED_BYTES)?;
    view.write(5000, b"from the parent")?;
    let child = Command::new(std::env::current_exe()?).arg("--inherit").stdin(handle).status()?;
    assert!(child.success());
    assert_eq!(read(&view, 6000, 14)?, b"from the child");
    println!("    parent: the child's answer is there");
    Ok(())
}

fn in_child_inherited() -> Result {
    let mapping = Mapping::from_file(standard_input()?, Access::ReadWrite)?;
    assert_eq!(mapping.len_bytes()?, SHARED_BYTES);
    let view = mapping.view_all()?;
    assert_eq!(read(&view, 5000, 15)?, b"from the parent");
    view.write(6000, b"from the child")?;
    println!("    child: mapped the handle, read and answered");
    Ok(())
}

#[cfg(unix)]
fn standard_input() -> std::io::Result<File> {
    use std::os::fd::AsFd;
    std::io::stdin().as_fd().try_clone_to_owned().map(File::from)
}

#[cfg(windows)]
fn standard_input() -> std::io::Result<File> {
    use std::os::windows::io::AsHandle;
    std::io::stdin().as_handle().try_clone_to_owned().map(File::from)
}

/// Memory of the paging file, or of /dev/shm, which another process opens by its name.
fn share_by_name() -> Result {
    let name = format!("flatrec-win32-model-{}", std::process::id());
    step("CreateFileMapping(INVALID_HANDLE_VALUE, \"Local\\name\")", "named shared memory");
    let absent = Mapping::open_named(&name, Access::ReadOnly).unwrap_err();
    assert_eq!(absent.kind(), ErrorKind::NotFound);
    let memory = Mapping::named(&name, SHARED_BYTES, |memory| {
        memory.view(0..SHARED_BYTES)?.write(100, b"initialised")
    })?;
    let view = memory.view(0..SHARED_BYTES)?;
    view.write(200, b"question")?;

    step("OpenFileMapping, in another process", "the same memory");
    let child = Command::new(std::env::current_exe()?).arg("--open-named").arg(&name).status()?;
    assert!(child.success());
    assert_eq!(read(&view, 300, 6)?, b"answer");
    println!("    parent: the child's answer is there");

    step("CloseHandle, of the last handle", "the name goes");
    drop((view, memory));
    let gone = Mapping::open_named(&name, Access::ReadOnly).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    println!("    {gone}");
    Ok(())
}

fn in_child_named(name: &OsStr) -> Result {
    let name = name.to_str().ok_or("the name is not text")?;
    let memory = Mapping::open_named(name, Access::ReadWrite)?;
    assert_eq!(memory.len_bytes()?, SHARED_BYTES);
    assert_eq!(memory.read_vec(100..111)?, b"initialised");
    assert_eq!(memory.read_vec(200..208)?, b"question");
    memory.view(300..306)?.write(0, b"answer")?;
    println!("    child: opened {} bytes by name, read and answered", memory.len_bytes()?);
    Ok(())
}

/// The first process makes the file; no process sees it half made.
fn open_or_create(path: &Path) -> Result {
    step(
        "CreateMutex, CreateFile(OPEN_ALWAYS), and was it ERROR_ALREADY_EXISTS?",
        "one file, asked for by several processes at the same time",
    );
    let executable = std::env::current_exe()?;
    let mut openers = Vec::new();
    for _ in 0..OPENERS {
        let mut opener = Command::new(&executable);
        opener.arg("--open-or-create").arg(path).stdout(Stdio::piped());
        openers.push(opener.spawn()?);
    }
    let mut initialised = 0;
    for opener in openers {
        let output = opener.wait_with_output()?;
        assert!(output.status.success());
        initialised += usize::from(output.stdout.starts_with(b"made"));
    }
    assert_eq!(initialised, 1, "exactly one of them is the first");
    println!("    1 of {OPENERS} processes initialised it; all found it initialised");
    Ok(())
}

fn in_child_first_or_not(path: &Path) -> Result {
    let mut is_first = false;
    let mapping = Mapping::open_or_create(path, SHARED_BYTES, |made| {
        is_first = true;
        made.view(0..SHARED_BYTES)?.write(9000, b"complete")
    })?;
    assert_eq!(mapping.read_vec(9000..9008)?, b"complete");
    println!("{}", if is_first { "made" } else { "found" });
    Ok(())
}

/// A page that the system cannot provide: an exception on Windows, a signal elsewhere, and here an
/// error.
fn lose_a_page(path: &Path) -> Result {
    step(
        "__except (EXCEPTION_IN_PAGE_ERROR)",
        "a file that another program truncates under a view",
    );
    install_fault_guard()?;
    let mapping = Mapping::create_new(path, FILE_BYTES)?;
    let view = mapping.view_all()?;
    view.write(600_000, b"here")?;
    match File::options().write(true).open(path)?.set_len(0) {
        Err(refused) if cfg!(windows) => {
            assert_eq!(refused.raw_os_error(), Some(1224));
            assert_eq!(read(&view, 600_000, 4)?, b"here");
            println!("    is refused on Windows: {refused}");
        }
        cut => {
            cut?;
            let lost = view.read(600_000, &mut [0; 4]).unwrap_err();
            assert_eq!(lost.kind(), ErrorKind::Truncated);
            println!("    {lost}");
        }
    }
    Ok(())
}

fn read(view: &View, at: usize, len_bytes: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; len_bytes];
    view.read(at, &mut bytes)?;
    Ok(bytes)
}
