//! The end of a pass: the stores publish, the one that decides before all others.

use futures::future::join_all;

use super::{super::PutMode, CopyOutcome, CopyTo, StoredCopy, lane::Lane, pass::Pass};
use crate::{Error, ErrorKind, ObjectMeta, Result};

/// A pass whose body ended cleanly.
pub(super) struct Publication {
    pass: Pass,
    /// Where this put created the object.
    created: Vec<CopyTo>,
}

impl Publication {
    pub(super) fn new(pass: Pass) -> Self {
        Self { pass, created: Vec::new() }
    }

    /// Publishes in every store, or in none where the policy is missed.
    pub(super) async fn run(&mut self) -> Result<ObjectMeta> {
        if self.pass.mode == PutMode::Create {
            self.decide().await;
        }
        if !self.pass.exists() && self.pass.is_met_by(|_, lane| lane.is_open() || lane.is_stored()) {
            join_all(self.pass.lanes.iter_mut().flatten().map(Lane::finish)).await;
        }
        self.created = self.stored();
        self.check_sizes().await;
        if self.pass.exists() || !self.pass.is_met_by(|_, lane| lane.is_stored()) {
            let err = self.pass.failure();
            let left = self.give_back().await;
            return Err(left.into_iter().fold(err, |err, name| err.with_context("remains", name)));
        }
        let mut first = None;
        let mut copies = Vec::new();
        for lane in std::mem::take(&mut self.pass.lanes).into_iter().flatten() {
            let (copy, outcome) = lane.into_outcome();
            let outcome = match outcome {
                Ok(meta) => {
                    first.get_or_insert(meta);
                    CopyOutcome::Stored
                }
                Err(err) => {
                    tracing::warn!(key = %self.pass.key, store = copy.name, "a copy could not be stored: {err}");
                    CopyOutcome::Failed { code: err.code(), message: err.to_string() }
                }
            };
            copies.push(StoredCopy { location: copy.name, outcome });
        }
        let missing = || Error::new(ErrorKind::Unexpected, "no store told of the object");
        Ok(ObjectMeta { copies, ..first.ok_or_else(missing)? })
    }

    /// Lets the first store that can decide whether this put creates the object.
    async fn decide(&mut self) {
        for index in 0..self.pass.lanes.len() {
            let Some(lane) = self.pass.lanes.get_mut(index).and_then(Option::as_mut) else { continue };
            lane.finish().await;
            if lane.is_stored()
                || self.pass.exists()
                || !self.pass.is_met_by(|_, lane| lane.is_open() || lane.is_stored())
            {
                return;
            }
        }
    }

    /// What a store holds of another size than was sent is no copy, and goes.
    async fn check_sizes(&mut self) {
        let (sent, mut wrong) = (self.pass.bytes, Vec::new());
        for lane in self.pass.lanes.iter_mut().flatten() {
            if let Some(Ok(meta)) = lane.outcome()
                && meta.size != sent
            {
                let err =
                    Error::new(ErrorKind::Corrupt, "the store holds another number of bytes than were sent")
                        .with_context("store", &lane.copy.name)
                        .with_context("sent_bytes", sent)
                        .with_context("stored_bytes", meta.size);
                wrong.push(lane.copy.name.clone());
                lane.give_up(err);
            }
        }
        let (wrong, right) =
            std::mem::take(&mut self.created).into_iter().partition(|copy| wrong.contains(&copy.name));
        self.created = wrong;
        self.give_back().await;
        self.created = right;
    }

    fn stored(&self) -> Vec<CopyTo> {
        let stored = self.pass.lanes.iter().flatten().filter(|lane| lane.is_stored());
        stored.map(|lane| lane.copy.clone()).collect()
    }

    /// Deletes what this put created, and names where that failed; an overwrite cannot be undone.
    pub(super) async fn give_back(&mut self) -> Vec<String> {
        if self.pass.mode != PutMode::Create {
            return Vec::new();
        }
        let key = &self.pass.key;
        let deletions = self.created.drain(..).map(|copy| async move {
            let deleted = copy.within(copy.store.delete(key)).await;
            deleted.err().map(|err| {
                tracing::warn!(%key, store = copy.name, "a copy of a failed put remains: {err}");
                copy.name
            })
        });
        join_all(deletions).await.into_iter().flatten().collect()
    }
}
