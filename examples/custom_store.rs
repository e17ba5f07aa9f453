//! A store of one's own, written in an afternoon: objects on a server that knows plain HTTP, as `WebDAV` does.
//!
//! The client is the store: `PUT` with `If-None-Match: *`, `GET` with `Range`, `HEAD`, `DELETE` and a listing. The server
//! stands beside it, by hand, to have somebody to talk to. `cargo test --package examples --example custom_store` runs
//! each clause of the contract on it, and `cargo run --package examples --example custom_store` makes a backup.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use backup_core::{
    ByteStream, Error, ErrorKind, GetOptions, GetResult, Key, Level, ObjectMeta, Pipeline, Prefix, PutMode,
    PutOptions, Result, Store,
    pipeline::BackupRequest,
    store::{Space, StoreCapabilities, SweepReport},
    testkit::fake::FakeDumper,
};
use chrono::{DateTime, Utc};
use examples::{http_server, output::print};
use futures::{FutureExt, StreamExt, stream, stream::BoxStream};
use reqwest::{Client, Method, Response, StatusCode, header};

/// Keeps objects on a server that knows plain HTTP.
#[derive(Debug, Clone)]
struct HttpStore {
    client: Client,
    address: String,
}

impl HttpStore {
    fn new(address: impl Into<String>) -> Result<Self> {
        let client = Client::builder()
            .no_proxy()
            .connect_timeout(Duration::from_secs(10))
            .build()
            .map_err(unreachable)?;
        Ok(Self { client, address: address.into() })
    }

    /// The answer, or the error that its status means.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: header::HeaderMap,
        body: reqwest::Body,
    ) -> Result<Response> {
        // The one character of keys that means something in a URL.
        let url = format!("{}/{}", self.address, path.replace('%', "%25"));
        let answer =
            self.client.request(method, url).headers(headers).body(body).send().await.map_err(unreachable)?;
        let kind = match answer.status() {
            status if status.is_success() => return Ok(answer),
            StatusCode::NOT_FOUND => ErrorKind::NotFound,
            StatusCode::PRECONDITION_FAILED => ErrorKind::AlreadyExists,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ErrorKind::PermissionDenied,
            StatusCode::INSUFFICIENT_STORAGE => ErrorKind::StorageFull,
            StatusCode::TOO_MANY_REQUESTS => ErrorKind::RateLimited,
            status if status.is_server_error() => ErrorKind::Unavailable,
            _ => ErrorKind::Unexpected,
        };
        Err(Error::new(kind, "the server refused the request")
            .with_context("path", path)
            .with_context("status", answer.status().as_u16()))
    }
}

/// What the headers of an answer say of an object.
fn described(key: &Key, size: Option<u64>, answer: &Response) -> Result<ObjectMeta> {
    let strange = || {
        Error::new(ErrorKind::Unexpected, "the server does not describe the object").with_context("key", key)
    };
    let text = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let size = size.or_else(|| text(header::CONTENT_LENGTH)?.parse().ok()).ok_or_else(strange)?;
    let time = text(header::LAST_MODIFIED).and_then(|time| DateTime::parse_from_rfc2822(time).ok());
    Ok(ObjectMeta::new(key.clone(), size, time.ok_or_else(strange)?.with_timezone(&Utc)))
}

fn unreachable(err: reqwest::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "the server could not be reached").with_source(err.without_url())
}

#[async_trait]
impl Store for HttpStore {
    fn location(&self) -> String {
        self.address.clone()
    }

    fn capabilities(&self) -> StoreCapabilities {
        StoreCapabilities::default().with_atomic_create()
    }

    async fn put(&self, key: &Key, body: ByteStream, options: PutOptions) -> Result<ObjectMeta> {
        if options.lock.is_some() {
            return Err(backup_core::ObjectLock::unsupported(&self.location()));
        }
        let mut headers = header::HeaderMap::new();
        if options.mode == PutMode::Create {
            headers.insert(header::IF_NONE_MATCH, header::HeaderValue::from_static("*"));
        }
        // A body that fails breaks the connection, and the server keeps nothing; its error would not come out unchanged.
        let failed = Arc::new(Mutex::new(None));
        let (told, size) = (Arc::clone(&failed), Arc::new(Mutex::new(0)));
        let state = (body, Some(options.digest_check()?), key.clone(), Arc::clone(&size));
        let checked = stream::try_unfold(state, |(mut body, mut digest, key, size)| async move {
            if let Some(chunk) = body.next().await {
                let chunk = chunk?;
                if let Some(digest) = &mut digest {
                    digest.update(&chunk);
                }
                *size.lock().unwrap_or_else(PoisonError::into_inner) += chunk.len() as u64;
                return Ok(Some((chunk, (body, digest, key, size))));
            }
            digest.take().map_or(Ok(()), |digest| digest.finish(&key)).map(|()| None)
        });
        let body = checked.map(move |chunk| {
            chunk.map_err(|err: Error| {
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(err);
                std::io::Error::other("the body failed")
            })
        });
        let answer = self.ask(Method::PUT, key.as_str(), headers, reqwest::Body::wrap_stream(body)).await;
        if let Some(err) = failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(err);
        }
        let size = *size.lock().unwrap_or_else(PoisonError::into_inner);
        described(key, Some(size), &answer?)
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let meta = self.head(key).await?;
        let range = options.resolve(key, meta.size)?;
        if range.is_empty() {
            return Ok(GetResult::new(meta, range, ByteStream::empty()));
        }
        let mut headers = header::HeaderMap::new();
        let bytes = format!("bytes={}-{}", range.start, range.end - 1);
        headers.insert(
            header::RANGE,
            bytes.parse().map_err(|err| {
                Error::new(ErrorKind::Unexpected, "a range that is no header").with_source(err)
            })?,
        );
        let answer = self.ask(Method::GET, key.as_str(), headers, reqwest::Body::default()).await?;
        if answer.status() != StatusCode::PARTIAL_CONTENT {
            return Err(Error::new(ErrorKind::Unsupported, "the server does not know ranges"));
        }
        let state = (answer, range.end - range.start);
        let body = stream::try_unfold(state, |(mut answer, left)| async move {
            match answer.chunk().await.map_err(unreachable)? {
                Some(chunk) => {
                    let left = left.checked_sub(chunk.len() as u64);
                    let more = || Error::new(ErrorKind::Corrupt, "the server sent more than was asked for");
                    Ok(Some((chunk, (answer, left.ok_or_else(more)?))))
                }
                None if left == 0 => Ok(None),
                None => Err(Error::new(ErrorKind::Unavailable, "the server ended the object before its end")),
            }
        });
        Ok(GetResult::new(meta, range, ByteStream::new(body)))
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        let answer =
            self.ask(Method::HEAD, key.as_str(), header::HeaderMap::new(), reqwest::Body::default()).await?;
        described(key, None, &answer)
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        let answer =
            self.ask(Method::DELETE, key.as_str(), header::HeaderMap::new(), reqwest::Body::default()).await;
        match answer {
            Err(err) if err.kind() != ErrorKind::NotFound => Err(err),
            _ => Ok(()),
        }
    }

    fn list(&self, prefix: &Prefix) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.clone());
        async move {
            let listed =
                store.ask(Method::GET, "?list", header::HeaderMap::new(), reqwest::Body::default()).await;
            let text = match listed {
                Ok(answer) => answer.text().await.map_err(unreachable),
                Err(err) => Err(err),
            };
            let objects: Vec<Result<ObjectMeta>> = match text {
                Ok(text) => text.lines().map(listed_object).collect(),
                Err(err) => vec![Err(err)],
            };
            stream::iter(objects.into_iter().filter(move |object| match object {
                Ok(object) => prefix.contains(&object.key),
                Err(_) => true,
            }))
        }
        .flatten_stream()
        .boxed()
    }

    async fn space(&self) -> Result<Option<Space>> {
        Ok(None)
    }

    async fn sweep(&self, _: Duration) -> Result<SweepReport> {
        // The server keeps nothing of what was cut off.
        Ok(SweepReport::default())
    }
}

/// A line of the listing: size, seconds since 1970 and key.
fn listed_object(line: &str) -> Result<ObjectMeta> {
    let mut words = line.split(' ');
    let mut number = || words.next()?.parse::<u64>().ok();
    let (size, seconds) = (number(), number());
    let time = seconds.and_then(|seconds| DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0));
    match (size, time, words.next()) {
        (Some(size), Some(time), Some(key)) => Ok(ObjectMeta::new(Key::parse(key)?, size, time)),
        _ => Err(Error::new(ErrorKind::Unexpected, "a line of the listing is none")),
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let address = http_server::start().await?;
    let store = HttpStore::new(address)?;
    let pipeline = Pipeline::new(FakeDumper::new("all the rows"), store.clone());
    let report = pipeline.backup(BackupRequest::new()).await?;
    pipeline.verify(&report.backup, Level::Decoded).await?.ensure_passed()?;
    print(&format!("backed up {} to {}, and read it back", report.backup, store.location()))
}

#[cfg(test)]
mod tests {
    use backup_core::testkit::store::StoreFixture;

    use super::*;

    fn http_store() -> StoreFixture {
        let address = Arc::new(tokio::sync::OnceCell::new());
        StoreFixture::new(move || {
            let address = Arc::clone(&address);
            async move {
                let address: &String =
                    address.get_or_init(|| async { http_server::start().await.unwrap() }).await;
                HttpStore::new(address).unwrap()
            }
        })
    }

    backup_core::store_conformance!(http_store());
}
