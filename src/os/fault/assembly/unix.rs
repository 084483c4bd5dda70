//! The guard on systems where faults are signals: a handler of `SIGBUS` before the previous one.

use std::ffi::{c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::ptr::{self, null_mut};
use std::sync::atomic::{AtomicPtr, Ordering};

use super::recovery;

/// The previous handler of `SIGBUS`; null for the default. It is never freed, because a handler may
/// read it at any time.
static PREVIOUS: AtomicPtr<libc::sigaction> = AtomicPtr::new(null_mut());

/// Installs the handler. Called once.
pub(in crate::os::fault) fn install() -> io::Result<()> {
    let mut before = default_action();
    // SAFETY: sigaction(2) without a new action only fills in the old one.
    check(unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut before) })?;
    // Stored before our handler can read it.
    PREVIOUS.store(Box::into_raw(Box::new(before)), Ordering::Release);
    let mut ours = default_action();
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_fault;
    ours.sa_sigaction = handler as *const () as libc::sighandler_t;
    // On the thread's alternate stack, if it has one: the thread's own stack may be full. The other
    // flags of the previous handler also hold while ours calls it.
    let kept = before.sa_flags & (libc::SA_NODEFER | libc::SA_RESTART);
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | kept;
    ours.sa_mask = before.sa_mask;
    let mut replaced = default_action();
    // SAFETY: `ours` is a whole action. Its handler is safe in a signal (see there) and lives as
    // long as the program: libraries with statics of Rust are not unloaded.
    check(unsafe { libc::sigaction(libc::SIGBUS, &raw const ours, &raw mut replaced) })?;
    if replaced.sa_sigaction != before.sa_sigaction {
        // Other code installed a handler between the two calls.
        PREVIOUS.store(Box::into_raw(Box::new(replaced)), Ordering::Release);
    }
    Ok(())
}

fn check(result: c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `SIG_DFL`, no flags, no signals masked.
fn default_action() -> libc::sigaction {
    // SAFETY: the struct is integers and pointers that may be null, all valid as zeros; `SIG_DFL`
    // is 0, and a set of signals of zeros is the empty one on Linux and macOS.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// The handler. It calls nothing except what [`pass_on`] does for other faults.
extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the system gives a handler with SA_SIGINFO a valid record of the signal.
    let sent = was_sent(unsafe { (*info).si_code });
    if !sent {
        // SAFETY: and the context of the thread, which it goes on from when the handler returns.
        let counter = unsafe { counter_in(context.cast()) };
        // SAFETY: as above; no other code uses the context during the handler.
        let at = unsafe { counter.read() };
        if let Some(recovery) = usize::try_from(at).ok().and_then(recovery) {
            // SAFETY: as above. The thread continues at an instruction of the same function, which
            // expects to be entered from there (`assembly`).
            unsafe { counter.write(recovery as u64) };
            return;
        }
    }
    // SAFETY: the system gave the arguments.
    unsafe { pass_on(signal, info, context, sent) };
}

/// Whether a process sent the signal; otherwise an instruction met a fault.
fn was_sent(code: c_int) -> bool {
    if cfg!(target_os = "linux") {
        /// A page that no thread is reading has gone bad.
        const BUS_MCEERR_AO: c_int = 5;
        code <= 0 || code == BUS_MCEERR_AO
    } else {
        // `SI_USER` and those after it.
        code >= 0x10001
    }
}

/// The program counter in the context of a signal.
///
/// # Safety
/// The context is one that the system has given to a handler.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
unsafe fn counter_in(context: *mut libc::ucontext_t) -> *mut u64 {
    const RIP: usize = libc::REG_RIP as usize;
    // SAFETY: the place lies within the context.
    unsafe { (&raw mut (*context).uc_mcontext.gregs[RIP]).cast() }
}

/// The program counter in the context of a signal.
///
/// # Safety
/// The context is one that the system has given to a handler.
#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
unsafe fn counter_in(context: *mut libc::ucontext_t) -> *mut u64 {
    // SAFETY: the place lies within the context.
    unsafe { (&raw mut (*context).uc_mcontext.pc).cast() }
}

/// The program counter in the context of a signal.
///
/// # Safety
/// The context is one that the system has given to a handler.
#[cfg(target_os = "macos")]
unsafe fn counter_in(context: *mut libc::ucontext_t) -> *mut u64 {
    // SAFETY: the field lies within the context, and points to the registers.
    let registers = unsafe { (*context).uc_mcontext };
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the place lies within the registers.
    return unsafe { &raw mut (*registers).__ss.__rip };
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the place lies within the registers.
    return unsafe { &raw mut (*registers).__ss.__pc };
}

/// Does what the system would do without the guard.
///
/// # Safety
/// The arguments are those of a handler of `SIGBUS` just called by the system.
unsafe fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void, sent: bool) {
    let previous = PREVIOUS.load(Ordering::Acquire);
    // SAFETY: null, or a whole action that is never freed nor changed.
    let action = unsafe { previous.as_ref() };
    let (handler, flags) =
        action.map_or((libc::SIG_DFL, 0), |action| (action.sa_sigaction, action.sa_flags));
    match handler {
        libc::SIG_IGN if sent => {}
        // A process cannot ignore a fault: the system ends it.
        libc::SIG_DFL | libc::SIG_IGN => end(signal, sent),
        _ => {
            if flags & libc::SA_RESETHAND != 0 {
                PREVIOUS.store(null_mut(), Ordering::Release);
            }
            if flags & libc::SA_SIGINFO != 0 {
                type Action = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
                // SAFETY: an action with SA_SIGINFO, neither of the two special values, holds a
                // function of this type (sigaction(2)).
                let action = unsafe { std::mem::transmute::<libc::sighandler_t, Action>(handler) };
                action(signal, info, context);
            } else {
                type Handler = extern "C" fn(c_int);
                // SAFETY: one without SA_SIGINFO holds a function of this type.
                let handler =
                    unsafe { std::mem::transmute::<libc::sighandler_t, Handler>(handler) };
                handler(signal);
            }
        }
    }
}

/// Lets the signal end the process, as it does by default.
fn end(signal: c_int, sent: bool) {
    let default = default_action();
    // SAFETY: sigaction(2) is safe in a signal, and the action is the default.
    unsafe { libc::sigaction(signal, &raw const default, null_mut()) };
    if sent {
        // A fault occurs again when the handler returns. A sent signal does not, so it is sent
        // again and stays pending until then.
        // SAFETY: raise(3) is safe in a signal.
        unsafe { libc::raise(signal) };
    }
}
