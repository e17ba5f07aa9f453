//! Listing to the end.

use std::{collections::VecDeque, sync::Arc};

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use backup_core::{ObjectMeta, Prefix, Result};
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};

use crate::{StorageClass, bucket::Bucket, error::Failure, read};

/// An object of a listing.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) meta: ObjectMeta,
    pub(crate) class: StorageClass,
}

struct Pages {
    bucket: Arc<Bucket>,
    below: String,
    ready: VecDeque<Listed>,
    next: Next,
}

enum Next {
    First,
    Token(String),
    End,
}

/// All objects below `prefix`; what no store made is left out.
pub(crate) fn list(bucket: Arc<Bucket>, prefix: &Prefix) -> BoxStream<'static, Result<Listed>> {
    let below = bucket.below(prefix);
    let pages = Pages { bucket, below, ready: VecDeque::new(), next: Next::First };
    stream::try_unfold(pages, |mut pages| async move {
        loop {
            if let Some(listed) = pages.ready.pop_front() {
                return Ok(Some((listed, pages)));
            }
            if matches!(pages.next, Next::End) {
                return Ok(None);
            }
            if let Err(failure) = pages.turn().await {
                return Err(failure.into_error(&pages.bucket.location, None).with_operation("list"));
            }
        }
    })
    .boxed()
}

impl Pages {
    async fn turn(&mut self) -> Result<(), Failure> {
        let bucket = &self.bucket;
        let token = match &self.next {
            Next::Token(token) => Some(token.clone()),
            Next::First | Next::End => None,
        };
        let send = || {
            let request = bucket.client.list_objects_v2().bucket(bucket.name()).prefix(&self.below);
            request.set_continuation_token(token.clone()).send()
        };
        let page = bucket.call(0, send).await?;
        self.next = following(&page, token.as_deref())?;
        for object in page.contents() {
            let Some(key) = object.key().and_then(|path| self.bucket.key_of(path)) else { continue };
            let class = object.storage_class().map_or("STANDARD", |class| class.as_str());
            self.ready.push_back(Listed {
                meta: ObjectMeta::new(key, read::size(object.size())?, read::time(object.last_modified())?),
                class: StorageClass::from(class.to_owned()),
            });
        }
        Ok(())
    }
}

/// Where the listing goes on. A page that claims to have a successor and does not name it would hide the rest, and
/// one that names itself would never end.
fn following(page: &ListObjectsV2Output, asked: Option<&str>) -> Result<Next, Failure> {
    if page.is_truncated() != Some(true) {
        return Ok(Next::End);
    }
    match page.next_continuation_token() {
        None | Some("") => Err(Failure::senseless("more pages and no way to them")),
        Some(token) if Some(token) == asked => Err(Failure::senseless("the same page again")),
        Some(token) => Ok(Next::Token(token.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(truncated: bool, token: Option<&str>) -> ListObjectsV2Output {
        ListObjectsV2Output::builder()
            .is_truncated(truncated)
            .set_next_continuation_token(token.map(str::to_owned))
            .build()
    }

    #[test]
    fn a_listing_that_cannot_go_on_is_an_error_and_never_an_end() {
        for (next, asked) in [(None, None), (Some(""), None), (Some(""), Some("a")), (Some("a"), Some("a"))] {
            assert!(following(&page(true, next), asked).is_err(), "{next:?} after {asked:?}");
        }
        assert!(
            matches!(following(&page(true, Some("b")), Some("a")), Ok(Next::Token(token)) if token == "b")
        );
        // Some services send an empty token with their last page.
        assert!(matches!(following(&page(false, Some("")), Some("a")), Ok(Next::End)));
        assert!(matches!(following(&page(false, None), None), Ok(Next::End)));
    }
}
