//! What a failure means to the caller.

use backup_core::{Error, ErrorKind, Key, Retryable};

use super::{Failure, is_tls};

/// Kind, message and advice of the codes that say more than their status.
fn by_code(code: &str) -> Option<(ErrorKind, &'static str, &'static str)> {
    Some(match code {
        // Never `NotFound`, which would read as "no backups".
        "NoSuchBucket" => (
            ErrorKind::Unavailable,
            "the bucket does not exist",
            "check name, region and endpoint, or make the bucket: a store never does",
        ),
        "InvalidBucketName" => {
            (ErrorKind::InvalidInput, "no bucket can have this name", "check the bucket's name")
        }
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "AuthFailure" => (
            ErrorKind::PermissionDenied,
            "the service does not accept the credentials",
            "check access key and secret key, and that they belong to this endpoint",
        ),
        "ExpiredToken" | "TokenRefreshRequired" | "InvalidToken" => (
            ErrorKind::PermissionDenied,
            "the credentials have expired",
            "log in again (`aws sso login`), or take credentials that renew themselves",
        ),
        "RequestTimeTooSkewed" => (
            ErrorKind::PermissionDenied,
            "the clock of this host is wrong",
            "set the clock (`timedatectl`), then run the operation again",
        ),
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => (
            ErrorKind::InvalidInput,
            "the bucket lies in another region",
            "name the bucket's region with `S3Options::with_region` (`aws s3api head-bucket` tells it)",
        ),
        "SlowDown" | "Throttling" | "ThrottlingException" | "TooManyRequests" | "RequestLimitExceeded" => (
            ErrorKind::RateLimited,
            "the service asks for fewer requests",
            "try again later, or store fewer parts in parallel",
        ),
        "RequestTimeout" | "RequestTimeoutException" => (
            ErrorKind::Timeout,
            "the service waited too long for bytes",
            "check the speed of the network, or store fewer parts in parallel",
        ),
        "EntityTooLarge" => (
            ErrorKind::StorageFull,
            "larger than the service takes",
            "set `S3Options::with_max_object_bytes` and `with_max_parts` to what the service allows",
        ),
        "QuotaExceeded" | "XMinioStorageFull" | "InsufficientStorage" | "TotalStorageExceeded" => (
            ErrorKind::StorageFull,
            "the service has no space left, or a quota is used up",
            "free space or raise the quota, then run the operation again; nothing was left",
        ),
        "InvalidObjectState" => (
            ErrorKind::Unavailable,
            "the object is archived and cannot be read at once",
            "restore it first (`aws s3api restore-object`), wait until that is done, then try again",
        ),
        "NoSuchUpload" => (
            ErrorKind::Unavailable,
            "the upload was removed while it was under way",
            "run it again; sweep, and let the bucket's lifecycle sweep, with a longer grace",
        ),
        "InvalidPart" | "InvalidPartOrder" => {
            (ErrorKind::Unavailable, "the service lost a part of the upload", "run it again")
        }
        "ConditionalRequestConflict" | "OperationAborted" => {
            (ErrorKind::Unavailable, "something else writes to the same name", "run it again")
        }
        "BadDigest" | "XAmzContentSHA256Mismatch" | "IncompleteBody" => (
            ErrorKind::Unavailable,
            "bytes changed on the way to the service, again and again",
            "look for a proxy or a network device that damages data",
        ),
        "KMS.DisabledException" | "KMS.NotFoundException" | "KMS.KMSInvalidStateException" => (
            ErrorKind::PermissionDenied,
            "the key of KMS cannot be used",
            "enable the key, or name another one",
        ),
        _ => return None,
    })
}

/// The code for a bucket without Object Lock says less than its message, which services write with and without spaces.
fn lacks_lock(code: &str, message: &str) -> bool {
    code == "ObjectLockConfigurationNotFoundError"
        || (code == "InvalidRequest" && message.replace(' ', "").contains("missingObjectLockConfiguration"))
}

pub(super) fn fold(failure: Failure, location: &str, key: Option<&Key>) -> Error {
    let retryable = if failure.is_retryable() { Retryable::Yes } else { Retryable::No };
    let (kind, message, advice) = match &failure {
        Failure::Refused { code, message, .. } if lacks_lock(code, message) => (
            ErrorKind::Unsupported,
            "the bucket has no Object Lock",
            "turn Object Lock on, which a bucket with versions can have, or open it without \
             `S3Options::with_object_lock`, default lock and legal hold",
        ),
        Failure::Refused { code, status, .. } => by_code(code).unwrap_or_else(|| by_status(*status)),
        Failure::NotConnected(why) if is_tls(why) => (
            ErrorKind::Unavailable,
            "no trusted connection to the service",
            "check the endpoint's certificate, and that the system trusts who issued it",
        ),
        Failure::NotConnected(_) => (
            ErrorKind::Unavailable,
            "the service cannot be reached",
            "check endpoint, name resolution, proxy and firewall",
        ),
        Failure::Broken(_) => (
            ErrorKind::Unavailable,
            "the connection to the service broke, or its answer made no sense",
            "try again; if it stays so, look for a proxy in between",
        ),
        Failure::Silent(_) => (
            ErrorKind::Timeout,
            "the service was silent for too long",
            "try again, or raise `S3Options::with_stall_timeout`",
        ),
        Failure::NoCredentials(_) => (
            ErrorKind::PermissionDenied,
            "there are no credentials for the service",
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile, or give the host a role",
        ),
        Failure::Invalid(_) => {
            (ErrorKind::InvalidInput, "the request cannot be made", "check the options of the store")
        }
    };
    let mut err = Error::new(kind, message).with_context("store", location).with_suggestion(advice);
    if let Some(key) = key {
        err = err.with_context("key", key);
    }
    let code = failure.code();
    if !code.is_empty() {
        err = err.with_context("code", code);
    }
    err.with_retryable(retryable).with_source(failure)
}

fn by_status(status: u16) -> (ErrorKind, &'static str, &'static str) {
    match status {
        403 => (
            ErrorKind::PermissionDenied,
            "the service denies access",
            "grant s3:PutObject, s3:GetObject, s3:DeleteObject, s3:ListBucket, s3:AbortMultipartUpload and \
             s3:ListBucketMultipartUploads on the bucket; who may only write needs the first and the fifth",
        ),
        401 => (
            ErrorKind::PermissionDenied,
            "the service does not accept the credentials",
            "check the credentials",
        ),
        404 => (ErrorKind::NotFound, "no such object", "list the backups to see which exist"),
        412 => (ErrorKind::AlreadyExists, "the object exists already", "choose another name"),
        413 => (ErrorKind::StorageFull, "larger than the service takes", "store smaller parts"),
        429 | 503 => (ErrorKind::RateLimited, "the service asks for fewer requests", "try again later"),
        301 | 307 => (
            ErrorKind::InvalidInput,
            "the bucket lies in another region",
            "name the bucket's region with `S3Options::with_region`",
        ),
        405 | 501 => (
            ErrorKind::Unsupported,
            "the service does not know this operation",
            "do without the option that needs it, or use another service",
        ),
        507 => (ErrorKind::StorageFull, "the service has no space left", "free space, then run it again"),
        400..=499 => (
            ErrorKind::InvalidInput,
            "the service refuses the request",
            "check the options of the store against what the service knows",
        ),
        500..=599 => (ErrorKind::Unavailable, "the service fails", "try again later"),
        _ => (
            ErrorKind::Unavailable,
            "the service answered with an error in disguise",
            "try again; if it stays so, the service is broken",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: &str) -> Error {
        let failure = Failure::Refused { status, code: code.into(), message: "said".into(), unclear: false };
        failure.into_error("s3://bucket", None)
    }

    #[test]
    fn codes_are_folded_by_what_to_do_about_them() {
        for (status, code, kind, retryable) in [
            (404, "NoSuchBucket", ErrorKind::Unavailable, false),
            (404, "NoSuchKey", ErrorKind::NotFound, false),
            (404, "", ErrorKind::NotFound, false),
            (404, "NoSuchUpload", ErrorKind::Unavailable, false),
            (403, "AccessDenied", ErrorKind::PermissionDenied, false),
            (403, "", ErrorKind::PermissionDenied, false),
            (403, "InvalidAccessKeyId", ErrorKind::PermissionDenied, false),
            (403, "SignatureDoesNotMatch", ErrorKind::PermissionDenied, false),
            (403, "RequestTimeTooSkewed", ErrorKind::PermissionDenied, false),
            (400, "ExpiredToken", ErrorKind::PermissionDenied, false),
            (403, "InvalidObjectState", ErrorKind::Unavailable, false),
            (503, "SlowDown", ErrorKind::RateLimited, true),
            (500, "InternalError", ErrorKind::Unavailable, true),
            (200, "InternalError", ErrorKind::Unavailable, true),
            (400, "RequestTimeout", ErrorKind::Timeout, true),
            (400, "EntityTooLarge", ErrorKind::StorageFull, false),
            (507, "XMinioStorageFull", ErrorKind::StorageFull, false),
            (501, "NotImplemented", ErrorKind::Unsupported, false),
            (301, "PermanentRedirect", ErrorKind::InvalidInput, false),
            (409, "ConditionalRequestConflict", ErrorKind::Unavailable, true),
        ] {
            let err = refused(status, code);
            assert_eq!((err.kind(), err.is_retryable()), (kind, retryable), "{status} {code}");
            assert!(!err.suggestions().is_empty(), "{status} {code}");
        }
    }

    #[test]
    fn a_bucket_without_object_lock_is_told_from_a_wrong_request() {
        for (message, kind) in [
            ("Bucket is missing Object Lock Configuration", ErrorKind::Unsupported),
            ("Bucket is missing ObjectLockConfiguration", ErrorKind::Unsupported),
            ("The request is not valid", ErrorKind::InvalidInput),
        ] {
            let (status, code) = (400, "InvalidRequest".into());
            let failure = Failure::Refused { status, code, message: message.into(), unclear: false };
            assert_eq!(failure.into_error("s3://bucket", None).kind(), kind, "{message}");
        }
    }

    #[test]
    fn who_sent_a_clock_astray_is_told_so() {
        assert!(refused(403, "RequestTimeTooSkewed").suggestions()[0].contains("clock"));
        assert!(refused(403, "InvalidObjectState").suggestions()[0].contains("restore"));
    }
}
