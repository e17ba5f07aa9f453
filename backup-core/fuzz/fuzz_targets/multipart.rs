#![no_main]
#[allow(dead_code)]
#[path = "../../../storage-s3/src/part.rs"]
mod part;
#[path = "../../../storage-s3/src/part/fuzz.rs"]
mod multipart;
libfuzzer_sys::fuzz_target!(|input: &[u8]| multipart::multipart(input));
