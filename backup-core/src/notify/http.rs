//! [`Http`]: a message to a service over HTTPS, without ever showing where it goes.

use std::{fmt, time::Duration};

use reqwest::{
    Client, Response, StatusCode, Url,
    header::{CONTENT_TYPE, RETRY_AFTER},
};

use super::pauses::Pauses;
use crate::{Error, ErrorKind, Result, Retryable, Secret};

/// How long one attempt may take, from connecting to the end of the answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How much of an answer is read.
const MAX_ANSWER: usize = 4096;

pub(super) const JSON: &str = "application/json";
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// Sends to one URL, which is a secret: who knows it can send too.
///
/// No redirect is followed: it could lead the secret to another host, and turns a POST into a GET. Answers 408, 429
/// and 5xx, time-outs and failed connections are tried three times; an error after that is not retryable.
#[derive(Clone)]
pub(super) struct Http {
    client: Client,
    service: &'static str,
    url: Secret,
    timeout: Duration,
}

impl Http {
    pub(super) fn new(service: &'static str, url: Secret) -> Result<Self> {
        let refuse = |message: &str| {
            Error::new(ErrorKind::InvalidInput, message)
                .with_context("service", service)
                .with_suggestion("copy the URL from the service, with its https://")
        };
        // What a parser says of a text may hold parts of it.
        let parsed = Url::parse(url.expose()).map_err(|_| refuse("the URL of the service is not one"))?;
        if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
            return Err(refuse("the URL of the service is not one of HTTP"));
        }
        // Who can read the URL on its way can send too.
        if parsed.scheme() == "http" && !is_this_host(&parsed) {
            return Err(refuse("the URL would cross the network unencrypted"));
        }
        // Builds on aws-lc-rs, unless the application has installed another provider of rustls.
        let client = Client::builder()
            .user_agent(concat!("backup-core/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|err| {
                Error::new(ErrorKind::Unexpected, "HTTPS cannot be set up")
                    .with_suggestion("install the certificates of public authorities: ca-certificates")
                    .with_source(err.without_url())
            })?;
        Ok(Self { client, service, url, timeout: TIMEOUT })
    }

    pub(super) fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Posts a message to the URL, or to something below it, and returns the start of the answer.
    pub(super) async fn post(&self, below: &str, content_type: &str, body: Vec<u8>) -> Result<Vec<u8>> {
        let url = self.url_of(below)?;
        let mut pauses = Pauses::default();
        let mut attempts = 1_u32;
        loop {
            let (err, asked) = match self.attempt(&url, content_type, body.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let pause = if err.is_retryable() { pauses.next(asked) } else { None };
            let Some(pause) = pause else {
                return Err(err.with_context("attempts", attempts).with_retryable(Retryable::No));
            };
            tokio::time::sleep(pause).await;
            attempts += 1;
        }
    }

    fn url_of(&self, below: &str) -> Result<Url> {
        let mut url = Url::parse(self.url.expose())
            .map_err(|_| self.error(ErrorKind::InvalidInput, "the URL of the service is not one"))?;
        if !below.is_empty() {
            let path = format!("{}/{below}", url.path().trim_end_matches('/'));
            url.set_path(&path);
        }
        Ok(url)
    }

    /// One attempt; with an error comes how long the service asks to wait.
    async fn attempt(
        &self,
        url: &Url,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<Vec<u8>, (Error, Option<Duration>)> {
        let request = self.client.post(url.clone()).header(CONTENT_TYPE, content_type).body(body);
        let response = request.timeout(self.timeout).send().await.map_err(|err| (self.lost(err), None))?;
        let status = response.status();
        let asked = retry_after(&response);
        if !status.is_success() {
            return Err((self.refused(status), asked));
        }
        start_of(response).await.map_err(|err| (self.lost(err), None))
    }

    fn lost(&self, err: reqwest::Error) -> Error {
        let (kind, message) = if err.is_timeout() {
            (ErrorKind::Timeout, "the service did not answer in time")
        } else if err.is_connect() {
            (ErrorKind::Unavailable, "the service cannot be reached")
        } else {
            (ErrorKind::Unavailable, "the connection to the service broke")
        };
        self.error(kind, message)
            .with_suggestion("check the network, the proxy, and whether the service is up")
            .with_source(err.without_url())
    }

    fn refused(&self, status: StatusCode) -> Error {
        let (kind, message, suggestion) = match status.as_u16() {
            300..=399 => (
                ErrorKind::InvalidInput,
                "the service redirects elsewhere",
                "give the URL that it redirects to, if that can be trusted",
            ),
            401 | 403 => (ErrorKind::PermissionDenied, "the service refuses the sender", CHECK),
            404 | 410 => (ErrorKind::NotFound, "the service knows no such receiver", CHECK),
            408 => (ErrorKind::Timeout, "the service did not wait for the message", LATER),
            429 => (ErrorKind::RateLimited, "the service asks for fewer messages", LATER),
            500.. => (ErrorKind::Unavailable, "the service is out of order", LATER),
            _ => (ErrorKind::InvalidInput, "the service refuses the message", CHECK),
        };
        self.error(kind, message).with_context("status", status.as_u16()).with_suggestion(suggestion)
    }

    pub(super) fn error(&self, kind: ErrorKind, message: &str) -> Error {
        Error::new(kind, message).with_context("service", self.service)
    }
}

const CHECK: &str = "check the URL or the key of the service, and make a new one if it was revoked";
const LATER: &str = "try again later, or see whether the service reports a disturbance";

/// The seconds that a service asks to wait; a date is not understood.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

async fn start_of(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut answer = Vec::new();
    while answer.len() < MAX_ANSWER {
        let Some(chunk) = response.chunk().await? else { break };
        let room = MAX_ANSWER - answer.len();
        answer.extend(chunk.iter().take(room));
    }
    Ok(answer)
}

/// Where it goes stays untold.
impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("service", &self.service).finish_non_exhaustive()
    }
}

/// Whether it leads to a server on this host.
fn is_this_host(url: &Url) -> bool {
    let name = url.host_str().unwrap_or_default();
    let address = name.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    name == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
