//! Work on several processors.

use std::{
    num::NonZero,
    panic::resume_unwind,
    sync::{Mutex, PoisonError},
    thread,
};

/// The most threads that are worth their start: what a plan waits for is memory, which they share.
const MAX_THREADS: usize = 4;

/// Does `work` on each part, and returns what came of them in the order of the parts.
///
/// The calling thread works too, and does all of it where no other can be had.
pub(super) fn map<T: Send, R: Send>(parts: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS).min(parts.len());
    let parts = Mutex::new(parts.into_iter().enumerate());
    let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
    let run = || {
        let mut done = Vec::new();
        while let Some((number, part)) = next() {
            done.push((number, work(part)));
        }
        done
    };
    let mut done = thread::scope(|scope| {
        let others: Vec<_> =
            (1..threads).filter_map(|_| thread::Builder::new().spawn_scoped(scope, run).ok()).collect();
        let mut done = run();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::map;

    #[test]
    fn each_part_is_done_once_and_in_order() {
        for count in [0, 1, 2, 1000] {
            let squares: Vec<u64> = map((0..count).collect(), |number: u64| number * number);
            assert_eq!(squares, (0..count).map(|number| number * number).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_panic_on_another_thread_is_one_here() {
        let result = std::panic::catch_unwind(|| {
            map((0..100).collect(), |number: u64| assert!(number != 99, "the last one"));
        });
        assert!(result.is_err());
    }
}
