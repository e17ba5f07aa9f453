//! A few threads that work on jobs, whose results come back in the order of the jobs.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use crate::{Error, ErrorKind, Result};

/// Threads that end when it is dropped.
pub(super) struct OrderedPool<J, R> {
    /// `None` only while it is dropped.
    jobs: Option<SyncSender<(J, SyncSender<R>)>>,
    /// Where the results will be, oldest first.
    results: VecDeque<Receiver<R>>,
    limit: usize,
    workers: Vec<JoinHandle<()>>,
}

impl<J: Send + 'static, R: Send + 'static> OrderedPool<J, R> {
    /// Starts a thread for each of `workers`; at most `limit` jobs are in flight.
    pub(super) fn start<W: FnMut(J) -> R + Send + 'static>(
        name: &str,
        workers: Vec<W>,
        limit: usize,
    ) -> Result<Self> {
        let (jobs, queue) = sync_channel(limit);
        let mut pool =
            Self { jobs: Some(jobs), results: VecDeque::with_capacity(limit), limit, workers: Vec::new() };
        // Only the threads hold it: when the last of them is gone, jobs and with them results end.
        let queue = Arc::new(Mutex::new(queue));
        for worker in workers {
            let queue = Arc::clone(&queue);
            let thread = std::thread::Builder::new()
                .name(name.into())
                .spawn(move || work(worker, &queue))
                .map_err(|err| Error::from(err).with_context("thread", name))?;
            pool.workers.push(thread);
        }
        Ok(pool)
    }

    /// True when [`next`](Self::next) has to be called before the next job.
    pub(super) fn is_full(&self) -> bool {
        self.results.len() >= self.limit
    }

    /// Hands a job over; never waits unless the pool is full.
    pub(super) fn submit(&mut self, job: J) -> Result<()> {
        let (result, receiver) = sync_channel(1);
        self.jobs.as_ref().and_then(|jobs| jobs.send((job, result)).ok()).ok_or_else(stopped)?;
        self.results.push_back(receiver);
        Ok(())
    }

    /// Waits for the result of the oldest job; `None` when there is none.
    ///
    /// # Errors
    ///
    /// The thread that had the job panicked.
    pub(super) fn next(&mut self) -> Result<Option<R>> {
        self.results.pop_front().map(|result| result.recv().map_err(|_| stopped())).transpose()
    }
}

fn work<J, R>(mut worker: impl FnMut(J) -> R, queue: &Mutex<Receiver<(J, SyncSender<R>)>>) {
    loop {
        // In a statement of its own: the lock must not be held while working.
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((job, result)) = next else { return };
        let _encoder_may_be_gone = result.send(worker(job));
    }
}

fn stopped() -> Error {
    Error::new(ErrorKind::Unexpected, "a compression thread stopped early")
}

impl<J, R> Drop for OrderedPool<J, R> {
    fn drop(&mut self) {
        self.jobs = None;
        for worker in self.workers.drain(..) {
            // Its panic was reported as the error of its job.
            let _panicked = worker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let worker = |n: u64| {
            // The later, the quicker.
            for _ in 0..(40 - n) * 10_000 {
                std::hint::spin_loop();
            }
            n
        };
        let mut pool = OrderedPool::start("test", vec![worker; 3], 5).unwrap();
        let mut results = Vec::new();
        for n in 0..40 {
            if pool.is_full() {
                results.extend(pool.next().unwrap());
            }
            pool.submit(n).unwrap();
        }
        while let Some(result) = pool.next().unwrap() {
            results.push(result);
        }
        assert_eq!(results, (0..40).collect::<Vec<_>>());
    }

    #[test]
    fn a_panic_is_the_error_of_its_job_and_never_a_hang() {
        let worker = |n: u32| {
            assert_ne!(n, 1, "this panic belongs to the test");
            n
        };
        for threads in [1, 2] {
            let mut pool = OrderedPool::start("test", vec![worker; threads], 4).unwrap();
            pool.submit(0).unwrap();
            pool.submit(1).unwrap();
            assert_eq!(pool.next().unwrap(), Some(0));
            assert_eq!(pool.next().unwrap_err().kind(), ErrorKind::Unexpected);
        }
    }

    #[test]
    fn jobs_behind_a_panic_of_the_only_thread_fail_too() {
        let mut pool =
            OrderedPool::start("test", vec![|n: u32| assert_ne!(n, 0, "this panic belongs to the test")], 4)
                .unwrap();
        // Handing the second over may fail or not, depending on when the thread ends; its result must not.
        pool.submit(0).unwrap();
        let second = pool.submit(1);
        assert!(pool.next().is_err());
        assert!(second.is_err() || pool.next().is_err());
    }

    #[test]
    fn dropping_the_pool_ends_its_threads() {
        struct Count(Arc<AtomicUsize>);
        impl Drop for Count {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let ended = Arc::new(AtomicUsize::new(0));
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let count = Count(Arc::clone(&ended));
                move |n: u32| {
                    let _held = &count;
                    n
                }
            })
            .collect();
        let mut pool = OrderedPool::start("test", workers, 4).unwrap();
        pool.submit(7).unwrap();
        drop(pool);
        assert_eq!(ended.load(Ordering::SeqCst), 3);
    }
}
