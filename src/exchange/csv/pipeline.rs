//! Work on the parts of a stream on several threads, with results in the order of the parts.

use std::sync::mpsc;
use std::thread;

use crate::error::Result;

/// How many parts each thread holds, being worked on or waiting, so that it never runs out.
pub(in crate::exchange) const PARTS_PER_THREAD: usize = 3;

/// Takes parts from `next` until it returns none, lets `threads` threads `work` on them, and gives
/// them to `done` in their order. `next` and `done` run on this thread.
///
/// Finished parts are reused: `next` gets them for their buffers.
///
/// # Errors
/// The first error of `next` or `done`; unfinished work is completed and dropped.
///
/// # Panics
/// If `work` panics, on this thread.
pub(in crate::exchange) fn in_order<T: Send>(
    threads: usize,
    next: impl FnMut(Option<T>) -> Result<Option<T>>,
    work: impl Fn(&mut T) + Sync,
    done: impl FnMut(&mut T) -> Result<()>,
) -> Result<()> {
    in_order_with(threads, PARTS_PER_THREAD, next, work, done)
}

/// As [`in_order`], with so many parts for each thread: for large ones.
///
/// # Errors
/// As [`in_order`].
///
/// # Panics
/// As [`in_order`].
pub(in crate::exchange) fn in_order_with<T: Send>(
    threads: usize,
    parts_per_thread: usize,
    mut next: impl FnMut(Option<T>) -> Result<Option<T>>,
    work: impl Fn(&mut T) + Sync,
    mut done: impl FnMut(&mut T) -> Result<()>,
) -> Result<()> {
    if threads <= 1 {
        return alone(next, work, done);
    }
    thread::scope(|scope| {
        let work = &work;
        let lanes: Vec<_> = (0..threads)
            .map_while(|_| {
                let (send_part, parts) = mpsc::channel::<T>();
                let (send_result, results) = mpsc::channel::<T>();
                let lane = move || {
                    for mut part in parts {
                        work(&mut part);
                        if send_result.send(part).is_err() {
                            break; // The main thread gave up.
                        }
                    }
                };
                thread::Builder::new().spawn_scoped(scope, lane).ok()?;
                Some((send_part, results))
            })
            .collect();
        let threads = lanes.len();
        if threads == 0 {
            return alone(next, work, done); // The system starts no thread.
        }
        // Part n goes to thread n % threads and comes back from there, which keeps the order.
        let (mut sent, mut received) = (0, 0);
        let mut spare = Vec::new();
        let mut ended = false;
        while !ended || received < sent {
            while !ended && sent - received < threads * parts_per_thread {
                match next(spare.pop())? {
                    Some(part) => {
                        lanes[sent % threads].0.send(part).expect("a lane lives until dropped");
                        sent += 1;
                    }
                    None => ended = true,
                }
            }
            if received < sent {
                let part = lanes[received % threads].1.recv();
                let mut part = part.expect("a thread panicked while it worked on a part");
                received += 1;
                done(&mut part)?;
                spare.push(part);
            }
        }
        Ok(())
    })
}

/// As [`in_order`], on this thread.
fn alone<T>(
    mut next: impl FnMut(Option<T>) -> Result<Option<T>>,
    work: impl Fn(&mut T),
    mut done: impl FnMut(&mut T) -> Result<()>,
) -> Result<()> {
    let mut spare = None;
    while let Some(mut part) = next(spare.take())? {
        work(&mut part);
        done(&mut part)?;
        spare = Some(part);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};

    #[test]
    fn results_keep_the_order_of_the_parts() {
        for threads in [1, 2, 3, 7] {
            let mut numbers = 0..1000u64;
            let mut squares = Vec::new();
            in_order(
                threads,
                |_| Ok(numbers.next()),
                |number| {
                    // The odd ones take longer.
                    let rounds = if *number % 2 == 1 { 3000 } else { 1 };
                    *number = (0..rounds).fold(*number, |value, _| std::hint::black_box(value));
                    *number *= *number;
                },
                |square| {
                    squares.push(*square);
                    Ok(())
                },
            )
            .unwrap();
            assert_eq!(squares, (0..1000).map(|n| n * n).collect::<Vec<u64>>());
        }
    }

    #[test]
    fn the_first_error_ends_it() {
        let fail = || Error::new(ErrorKind::InvalidValue, "test");
        for threads in [1, 3] {
            let mut numbers = 0..;
            let mut seen = 0;
            let result = in_order(
                threads,
                |_| Ok(numbers.next()),
                |_: &mut i32| {},
                |number| {
                    seen += 1;
                    if *number == 10 { Err(fail()) } else { Ok(()) }
                },
            );
            assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidValue);
            assert_eq!(seen, 11);

            let result = in_order(threads, |_| Err(fail()), |_: &mut i32| {}, |_| Ok(()));
            assert!(result.is_err());
        }
    }
}
