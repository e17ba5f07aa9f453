#![no_main]
#[path = "../../../handler-prisma/tests/prisma/fuzz.rs"]
mod prisma;
libfuzzer_sys::fuzz_target!(|input: &[u8]| prisma::schema(input));
