//! What encryption promises: to the stock tool, to pipelines with and without keys, and against attacks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(missing_docs, reason = "tests are named by their claims")]
#![cfg(feature = "age-ssh")]

mod age {
    mod attacks;
    mod keys;
    mod pipeline;
    mod secrecy;
    mod stock;
}
