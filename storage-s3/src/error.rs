//! Folds what the service says into errors that say what to do.

use std::{error::Error as StdError, time::Duration};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use backup_core::{Error, Key};

mod meaning;

/// Why a request failed; private, and free of headers, signatures and URLs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The service said no.
    #[error("{code}: {message} (status {status})")]
    Refused {
        /// The status of HTTP.
        status: u16,
        /// The word of S3 for it, or the empty string.
        code: String,
        /// Its sentence.
        message: String,
        /// Whether an earlier attempt may have had its effect.
        unclear: bool,
    },
    /// No connection came about, so nothing happened.
    #[error("{0}")]
    NotConnected(String),
    /// The connection broke, or the answer made no sense; what happened is not known.
    #[error("{0}")]
    Broken(String),
    /// Nothing came for so long; what happened is not known.
    #[error("no answer for {} s", .0.as_secs_f32())]
    Silent(Duration),
    /// There are no credentials.
    #[error("{0}")]
    NoCredentials(String),
    /// The request could not be made.
    #[error("{0}")]
    Invalid(String),
}

impl Failure {
    /// An answer that lacks what it must have.
    pub(crate) fn senseless(what: &str) -> Self {
        Self::Broken(format!("the answer has {what}"))
    }

    /// The word of S3 for the failure.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Refused { code, .. } => code,
            _ => "",
        }
    }

    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Refused { status, .. } => *status,
            _ => 0,
        }
    }

    /// Whether the object exists against the condition of the request.
    pub(crate) fn is_condition(&self) -> bool {
        self.status() == 412 || self.code() == "PreconditionFailed"
    }

    pub(crate) fn is_not_found(&self) -> bool {
        self.status() == 404 && !matches!(self.code(), "NoSuchBucket" | "NoSuchUpload")
    }

    pub(crate) fn is_denied(&self) -> bool {
        self.status() == 403 && matches!(self.code(), "" | "AccessDenied" | "Forbidden" | "AllAccessDisabled")
    }

    pub(crate) fn is_unsupported(&self) -> bool {
        self.status() == 501 || matches!(self.code(), "NotImplemented" | "MethodNotAllowed")
    }

    /// Whether the request may have had its effect all the same.
    pub(crate) fn is_unclear(&self) -> bool {
        match self {
            Self::Refused { status, unclear, .. } => *unclear || *status >= 500 || *status < 300,
            Self::Broken(_) | Self::Silent(_) => true,
            Self::NotConnected(_) | Self::NoCredentials(_) | Self::Invalid(_) => false,
        }
    }

    /// Remembers that an earlier attempt may have had its effect.
    pub(crate) fn after_unclear(mut self, earlier: bool) -> Self {
        if let Self::Refused { unclear, .. } = &mut self {
            *unclear |= earlier;
        }
        self
    }

    /// Whether the same request may succeed later.
    pub(crate) fn is_retryable(&self) -> bool {
        match self {
            Self::Refused { status, code, .. } => {
                matches!(status, 408 | 425 | 429 | 500 | 502..=504)
                    || matches!(
                        code.as_str(),
                        "SlowDown"
                            | "InternalError"
                            | "ServiceUnavailable"
                            | "RequestTimeout"
                            | "RequestTimeoutException"
                            | "Throttling"
                            | "ThrottlingException"
                            | "TooManyRequests"
                            | "OperationAborted"
                            | "ConditionalRequestConflict"
                            // Bytes that changed on the way.
                            | "BadDigest"
                            | "IncompleteBody"
                            | "XAmzContentSHA256Mismatch"
                    )
            }
            Self::Broken(_) | Self::Silent(_) => true,
            Self::NotConnected(why) => !is_tls(why),
            Self::NoCredentials(_) | Self::Invalid(_) => false,
        }
    }

    /// The error for the caller; `location` is that of the store.
    pub(crate) fn into_error(self, location: &str, key: Option<&Key>) -> Error {
        meaning::fold(self, location, key)
    }
}

/// A certificate that nobody vouches for will not become better by waiting.
fn is_tls(why: &str) -> bool {
    ["certificate", "tls", "TLS", "handshake"].iter().any(|word| why.contains(word))
}

impl<E> From<SdkError<E, HttpResponse>> for Failure
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    fn from(err: SdkError<E, HttpResponse>) -> Self {
        match &err {
            SdkError::ServiceError(service) => {
                let meta = service.err();
                Self::Refused {
                    status: service.raw().status().as_u16(),
                    code: meta.code().unwrap_or_default().to_owned(),
                    message: meta.message().unwrap_or("no reason given").to_owned(),
                    unclear: false,
                }
            }
            SdkError::ResponseError(response) => {
                let status = response.raw().status().as_u16();
                let why = chain(&err);
                if status >= 400 {
                    // An error that is no XML: a proxy's, or one of a HEAD request.
                    return Self::Refused { status, code: String::new(), message: why, unclear: false };
                }
                Self::Broken(why)
            }
            SdkError::TimeoutError(_) => Self::Broken(chain(&err)),
            SdkError::DispatchFailure(dispatch) => {
                let why = chain(&err);
                if has_cause::<CredentialsError>(&err) || why.contains("no providers in chain provided") {
                    Self::NoCredentials(why)
                } else if dispatch.is_user() {
                    Self::Invalid(why)
                } else if ["(Connect)", "dns error", "connect error"].iter().any(|word| why.contains(word)) {
                    Self::NotConnected(why)
                } else {
                    Self::Broken(why)
                }
            }
            // The request was never made.
            _ if has_cause::<CredentialsError>(&err) => Self::NoCredentials(chain(&err)),
            _ => Self::Invalid(chain(&err)),
        }
    }
}

/// All causes in one line, each once.
pub(crate) fn chain(err: &dyn StdError) -> String {
    let mut text = err.to_string();
    let mut cause = err.source();
    while let Some(err) = cause {
        let said = err.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = err.source();
    }
    text
}

fn has_cause<T: StdError + 'static>(err: &dyn StdError) -> bool {
    let mut cause = err.source();
    while let Some(err) = cause {
        if err.is::<T>() {
            return true;
        }
        cause = err.source();
    }
    false
}
