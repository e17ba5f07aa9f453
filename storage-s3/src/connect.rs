//! Making the client: the one place that knows how the SDK is configured.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, default_provider, profile::ProfileFileRegionProvider};
use aws_sdk_s3::{
    Client,
    config::{
        Builder, Credentials, RequestChecksumCalculation, ResponseChecksumValidation,
        StalledStreamProtectionConfig, retry::RetryConfig, timeout::TimeoutConfig,
    },
};
use aws_smithy_types::base64;
use backup_core::{Error, ErrorKind, Result};

use crate::{Addressing, Encryption, S3Options, part};

/// The longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// A client as the options say.
pub(crate) async fn client(options: &S3Options) -> Result<Client> {
    check(options)?;
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    let region = match &options.region {
        Some(region) => Some(Region::new(region.clone())),
        // Instance metadata is asked only where AWS itself is meant: elsewhere it costs seconds.
        None if options.endpoint.is_some() => local_region(options).await,
        None => None,
    };
    if let Some(region) = region {
        loader = loader.region(region);
    } else {
        loader = loader.region(default_provider::region::default_provider());
    }
    if let Some(credentials) = &options.credentials {
        loader = loader.credentials_provider(Credentials::new(
            credentials.access_key_id.expose(),
            credentials.secret_access_key.expose(),
            credentials.session_token.as_ref().map(|token| token.expose().to_owned()),
            None,
            "S3Options",
        ));
    }
    let shared = loader.load().await;
    let mut builder = aws_sdk_s3::config::Builder::from(&shared);
    if shared.region().is_none() {
        builder = builder.region(Region::new("us-east-1"));
    }
    if let Some(url) = &options.endpoint {
        builder = builder.endpoint_url(url);
    }
    builder = builder.force_path_style(options.addressing == Addressing::Path);
    Ok(tuned(builder, options))
}

/// The same of a client that somebody else made; its HTTP client, credentials, region and endpoint stay.
#[cfg(feature = "sdk-client")]
pub(crate) fn adopted(client: &Client, options: &S3Options) -> Result<Client> {
    check(options)?;
    Ok(tuned(client.config().to_builder(), options))
}

/// One policy of retries, ours; time limits; no checksums but those that we ask for.
fn tuned(builder: Builder, options: &S3Options) -> Client {
    let stall = options.stall_timeout;
    let config = builder
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT.min(stall)).build())
        .stalled_stream_protection(
            StalledStreamProtectionConfig::enabled().grace_period(stall.max(Duration::from_secs(1))).build(),
        )
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .build();
    Client::from_conf(config)
}

async fn local_region(options: &S3Options) -> Option<Region> {
    use aws_config::{
        environment::region::EnvironmentVariableRegionProvider, meta::region::RegionProviderChain,
    };
    let mut profile = ProfileFileRegionProvider::builder();
    if let Some(name) = &options.profile {
        profile = profile.profile_name(name);
    }
    RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(profile.build())
        .or_else(Region::new("us-east-1"))
        .region()
        .await
}

/// What can be known to be wrong before a request is sent.
fn check(options: &S3Options) -> Result<()> {
    let wrong = |what: &str| Err(Error::new(ErrorKind::InvalidInput, what.to_owned()));
    if options.bucket.is_empty() || options.bucket.contains('/') {
        return wrong("the name of a bucket is neither empty nor has it a slash; folders are a prefix");
    }
    if !(part::MIN_BYTES..=part::MAX_BYTES).contains(&options.part_bytes) {
        return wrong("a part has from 5 MiB to 5 GiB");
    }
    if !(part::MIN_BYTES..=part::MAX_BYTES).contains(&options.copy_part_bytes) {
        return wrong("a copied part has from 5 MiB to 5 GiB");
    }
    if !(1..=part::MAX_PARTS).contains(&options.max_parts) || options.parallel == 0 {
        return wrong("an object has from 1 to 10,000 parts, of which at least one travels at a time");
    }
    if options.tags.len() > 10 {
        return wrong("an object has at most 10 tags");
    }
    if let Some(url) = &options.endpoint {
        let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        if host.is_none_or(|host| host.is_empty() || host.contains('@')) {
            return wrong("an endpoint is a URL of http or https without a user");
        }
    }
    if let Some(Encryption::CustomerKey(key)) = &options.encryption
        && base64::decode(key.expose()).map_or(0, |key| key.len()) != 32
    {
        return wrong("a customer's key is 32 bytes in base64");
    }
    if options.default_lock.is_some_and(|(_, days)| days == 0) {
        return wrong("a lock lasts for at least a day");
    }
    Ok(())
}
