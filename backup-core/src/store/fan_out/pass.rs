//! One body on its way into several stores.

use bytes::Bytes;
use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use tokio::{sync::oneshot, time::Instant};

use super::{
    CopiesFailed, CopyPolicy, FanOut,
    lane::{Lane, PIECE},
    publish::Publication,
};
use crate::{ByteStream, Error, ErrorKind, Key, ObjectMeta, PutMode, PutOptions, Result};

pub(super) async fn put(
    fan_out: &FanOut,
    key: &Key,
    mut body: ByteStream,
    options: PutOptions,
) -> Result<ObjectMeta> {
    let mut pass = Pass::open(fan_out, key, &options);
    pass.check().await?;
    while let Some(chunk) = body.next().await {
        let mut chunk = chunk?;
        while !chunk.is_empty() {
            let piece = chunk.split_to(chunk.len().min(PIECE));
            pass.bytes += piece.len() as u64;
            pass.hand_over(&piece).await;
            pass.check().await?;
        }
    }
    // On a task of its own: who goes away while the stores publish must not leave some copies behind.
    let (told, outcome) = oneshot::channel();
    tokio::spawn(async move {
        let mut publication = Publication::new(pass);
        let published = publication.run().await;
        if let Err(Ok(_nobody_waits)) = told.send(published) {
            publication.give_back().await;
        }
    });
    outcome.await.unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Unexpected, "the task that publishes the copies was cut off"))
    })
}

pub(super) struct Pass {
    pub(super) key: Key,
    pub(super) mode: PutMode,
    pub(super) policy: CopyPolicy,
    /// One a store; none of a store that shall not hold the object.
    pub(super) lanes: Vec<Option<Lane>>,
    /// Stores that shall not hold the object.
    left_out: Vec<String>,
    /// How many bytes were handed over.
    pub(super) bytes: u64,
}

impl Pass {
    fn open(fan_out: &FanOut, key: &Key, options: &PutOptions) -> Self {
        let lanes = fan_out.copies.iter().map(|copy| {
            let wanted = !options.excluded.contains(&copy.name);
            wanted.then(|| Lane::open(copy, key, options))
        });
        let (mode, policy) = (options.mode, fan_out.policy);
        let lanes = lanes.collect();
        Self { key: key.clone(), mode, policy, lanes, left_out: options.excluded.clone(), bytes: 0 }
    }

    /// Whether the policy is met by the lanes of which `has` is true.
    pub(super) fn is_met_by(&self, has: impl Fn(usize, &Lane) -> bool) -> bool {
        let lane = |index: usize| self.lanes.get(index).and_then(Option::as_ref);
        self.policy.is_met(self.lanes.len(), |index| lane(index).is_some_and(|lane| has(index, lane)))
    }

    fn lane(&mut self, index: usize) -> Option<&mut Lane> {
        self.lanes.get_mut(index).and_then(Option::as_mut)
    }

    /// Fails once the policy can no longer be met, or the object turned out to be there already.
    async fn check(&mut self) -> Result<()> {
        if self.is_met_by(|_, lane| lane.is_open()) && !self.exists() {
            return Ok(());
        }
        for lane in self.lanes.iter_mut().flatten().filter(|lane| !lane.is_open()) {
            lane.settle().await;
        }
        Err(self.failure())
    }

    /// Whether a store refused to create the object, as it is there.
    pub(super) fn exists(&self) -> bool {
        let refused =
            |lane: &Lane| matches!(lane.outcome(), Some(Err(err)) if err.kind() == ErrorKind::AlreadyExists);
        self.mode == PutMode::Create && self.lanes.iter().flatten().any(refused)
    }

    /// Why the policy is not met.
    pub(super) fn failure(&mut self) -> Error {
        let exists = self.exists();
        let mut failures = Vec::new();
        for lane in std::mem::take(&mut self.lanes).into_iter().flatten() {
            if let (copy, Err(err)) = lane.into_outcome() {
                failures.push((copy.name, err));
            }
        }
        failures.extend(self.left_out.drain(..).map(|name| {
            let message = "left out, as it does not hold what belongs to the object";
            (name, Error::new(ErrorKind::Unavailable, message))
        }));
        // What decides comes first: it gives the error its kind.
        failures.sort_by_key(|(_, err)| match err.kind() {
            ErrorKind::AlreadyExists if exists => 0,
            ErrorKind::Cancelled => 2,
            _ => 1,
        });
        let message = if exists {
            "the object exists already"
        } else {
            "the object could not be stored in enough stores"
        };
        CopiesFailed::error(message, failures).with_context("key", &self.key)
    }

    /// Gives a chunk to every store that still takes some, each within its limits.
    async fn hand_over(&mut self, chunk: &Bytes) {
        let mut waiting = Vec::new();
        let mut gone = Vec::new();
        for (index, lane) in self.lanes.iter().enumerate() {
            let Some(lane) = lane.as_ref().filter(|lane| lane.is_open()) else { continue };
            match lane.send(chunk.clone()).now_or_never() {
                Some(Ok(())) => {}
                Some(Err(_)) => gone.push(index),
                None => waiting.push(index),
            }
        }
        let mut held_up = Vec::new();
        let mut stalled = Vec::new();
        if !waiting.is_empty() {
            self.wait(chunk, waiting, &mut gone, &mut held_up, &mut stalled).await;
        }
        for (index, time) in held_up {
            if let Some(lane) = self.lane(index) {
                lane.held_up += time;
            }
        }
        for index in gone {
            if let Some(lane) = self.lane(index)
                && let Some(err) = lane.leave()
            {
                tracing::warn!(%err, "a copy failed while it was being stored");
            }
        }
        for index in stalled {
            if let Some(lane) = self.lane(index) {
                let err = lane.copy.stalled();
                tracing::warn!(%err, "a copy is given up, so that the others can go on");
                lane.give_up(err);
            }
        }
    }

    /// Waits for the stores whose buffers are full: for those that the policy needs as long as each may stand still, for
    /// the others as long as each may hold those up in all.
    async fn wait(
        &self,
        chunk: &Bytes,
        mut waiting: Vec<usize>,
        gone: &mut Vec<usize>,
        held_up: &mut Vec<(usize, std::time::Duration)>,
        stalled: &mut Vec<usize>,
    ) {
        let lane = |index: &usize| self.lanes.get(*index).and_then(Option::as_ref);
        let mut sends: FuturesUnordered<_> = waiting
            .iter()
            .filter_map(|index| lane(index).map(|lane| (*index, lane)))
            .map(|(index, lane)| async move { (index, lane.send(chunk.clone()).await) })
            .collect();
        let started = Instant::now();
        let mut spared_since = None;
        while !waiting.is_empty() {
            let goes_on = self.is_met_by(|index, lane| {
                lane.is_open() && !waiting.contains(&index) && !gone.contains(&index)
            });
            if goes_on && spared_since.is_none() {
                spared_since = Some(Instant::now());
            }
            let deadline = |index: &usize| {
                lane(index).map_or(started, |lane| match spared_since {
                    Some(since) => since + lane.copy.stall_timeout.saturating_sub(lane.held_up),
                    None => started + lane.copy.stall_timeout,
                })
            };
            let next = waiting.iter().map(deadline).min().unwrap_or(started);
            match tokio::time::timeout_at(next, sends.next()).await {
                Ok(Some((index, sent))) => {
                    if !waiting.contains(&index) {
                        continue;
                    }
                    waiting.retain(|other| *other != index);
                    if sent.is_err() {
                        gone.push(index);
                    } else if let Some(since) = spared_since {
                        held_up.push((index, since.elapsed()));
                    }
                }
                Ok(None) => return,
                Err(_) => {
                    let now = Instant::now();
                    let (late, rest): (Vec<_>, Vec<_>) =
                        waiting.iter().copied().partition(|index| deadline(index) <= now);
                    stalled.extend(late);
                    waiting = rest;
                }
            }
        }
    }
}
