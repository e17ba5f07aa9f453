#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| backup_core::testkit::fuzz::name(input));
