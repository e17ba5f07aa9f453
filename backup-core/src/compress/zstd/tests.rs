use bytes::BytesMut;

use super::*;
use crate::testkit::compressor::{decode, encode, sample};

fn whole() -> usize {
    usize::MAX
}

/// A frame header that asks for a window of 2^(10 + exponent) bytes, and an empty last block.
fn frame_with_window(exponent: u8) -> Vec<u8> {
    let magic = 0xfd2f_b528_u32.to_le_bytes();
    [&magic[..], &[0, exponent << 3], &[1, 0, 0]].concat()
}

#[test]
fn the_output_does_not_depend_on_the_threads() {
    let plain = sample(6_000_000, 1);
    let one = encode(&Zstd::level(1).unwrap().with_threads(1).unwrap(), &plain, whole).unwrap();
    for threads in [2, 5] {
        let many = encode(&Zstd::level(1).unwrap().with_threads(threads).unwrap(), &plain, whole).unwrap();
        assert!(one == many, "{threads} threads");
    }
}

#[test]
fn every_level_round_trips() {
    let plain = sample(400_000, 2);
    for level in 1..=19 {
        let zstd = Zstd::level(level).unwrap();
        assert!(decode(&zstd, &encode(&zstd, &plain, whole).unwrap(), whole).unwrap() == plain, "{level}");
    }
}

#[test]
fn an_encoder_takes_no_more_memory_than_documented() {
    let plain = sample(14 << 20, 3);
    for (level, mib) in [(4, [12, 18, 30]), (8, [17, 28, 50]), (12, [30, 46, 78])] {
        for (threads, mib) in [1, 2, 4].into_iter().zip(mib) {
            let zstd = Zstd::level(level).unwrap().with_threads(threads).unwrap();
            let mut encoder = Encoder::new(zstd).unwrap();
            let mut most = 0;
            for chunk in plain.chunks(256 * 1024) {
                encoder.update(Bytes::copy_from_slice(chunk), &mut BytesMut::new()).unwrap();
                most = most.max(encoder.context.sizeof());
            }
            assert!(most <= mib << 20, "level {level}, {threads} threads: {} KiB", most >> 10);
        }
    }
}

#[test]
fn missing_memory_is_told_from_damage_and_advised() {
    // The number is an error of the library, the name what is looked for: both are those of the linked version.
    let code = 0_usize.wrapping_sub(64);
    assert_eq!(zstd_safe::get_error_name(code), NO_MEMORY);
    for err in [refused(code), corrupt(code), no_memory()] {
        assert_eq!(err.kind(), ErrorKind::Unavailable);
        assert!(err.suggestions().concat().contains("memory"), "{err:?}");
    }
}

#[test]
fn joined_files_decode_to_joined_bytes() {
    let zstd = Zstd::default();
    let (first, second) = (sample(400_000, 3), sample(10, 4));
    let file = [encode(&zstd, &first, whole).unwrap(), encode(&zstd, &second, whole).unwrap()].concat();
    for cut in [1, 1000, usize::MAX] {
        assert!(decode(&zstd, &file, || cut).unwrap() == [&first[..], &second[..]].concat());
    }
}

#[test]
fn a_window_above_the_limit_is_refused_before_it_is_allocated() {
    let accepted = u8::try_from(WINDOW_LOG_MAX).unwrap() - 10;
    assert!(decode(&Zstd::default(), &frame_with_window(accepted), whole).unwrap().is_empty());
    let err = decode(&Zstd::default(), &frame_with_window(accepted + 1), whole).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Corrupt);
    assert!(err.suggestions().iter().any(|advice| advice.contains("zstd -d --long")), "{err:?}");
}

#[test]
fn a_wrong_checksum_is_corrupt() {
    let zstd = Zstd::default();
    let mut encoded = encode(&zstd, &sample(5000, 5), whole).unwrap();
    *encoded.last_mut().unwrap() ^= 1;
    assert_eq!(decode(&zstd, &encoded, whole).unwrap_err().kind(), ErrorKind::Corrupt);
}
