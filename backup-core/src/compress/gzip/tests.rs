use std::io::Write;

use flate2::{Compression, GzBuilder, write::GzEncoder};

use super::*;
use crate::{
    ErrorKind,
    testkit::compressor::{decode, encode, sample},
};

fn whole() -> usize {
    usize::MAX
}

/// Where the members start: the header of ours is the same 16 bytes everywhere.
fn member_starts(file: &[u8]) -> Vec<usize> {
    let header = &file[..16];
    (0..file.len() - 16).filter(|&at| &file[at..at + 16] == header).collect()
}

#[test]
fn the_output_does_not_depend_on_the_threads() {
    let plain = sample(6_000_000, 1);
    let one = encode(&Gzip::default().with_threads(1).unwrap(), &plain, whole).unwrap();
    for threads in [2, 5] {
        assert!(encode(&Gzip::default().with_threads(threads).unwrap(), &plain, whole).unwrap() == one);
    }
}

#[test]
fn every_level_round_trips() {
    let plain = sample(2_200_000, 2);
    for level in 1..=12 {
        let gzip = Gzip::level(level).unwrap();
        assert!(decode(&gzip, &encode(&gzip, &plain, whole).unwrap(), whole).unwrap() == plain, "{level}");
    }
}

#[test]
fn a_file_cut_between_two_members_is_corrupt() {
    // A multiple of the block, so that the last member is empty, and not.
    for len in [2 * BLOCK_BYTES, 2 * BLOCK_BYTES + 1000] {
        let file = encode(&Gzip::default(), &sample(len, 3), whole).unwrap();
        let starts = member_starts(&file);
        assert_eq!(starts.len(), 3);
        for start in &starts[1..] {
            let err = decode(&Gzip::default(), &file[..*start], whole).unwrap_err();
            assert_eq!(err.kind(), ErrorKind::Corrupt);
            assert!(err.to_string().contains("between two members"), "{err}");
        }
    }
}

#[test]
fn members_of_other_programs_decode_however_cut() {
    let plain = sample(300_000, 4);
    let member = |builder: GzBuilder, part: &[u8]| {
        let mut encoder: GzEncoder<Vec<u8>> = builder.write(Vec::new(), Compression::new(4));
        encoder.write_all(part).unwrap();
        encoder.finish().unwrap()
    };
    let named = GzBuilder::new().filename("dump.sql").comment("a dump").mtime(1_790_000_000);
    // Three extra fields: one of another program, one that is not made of subfields, an empty one.
    let file = [
        member(named.extra(&b"BC\x02\0\x1b\0"[..]), &plain[..100_000]),
        member(GzBuilder::new().extra(&b"xyz"[..]), &plain[100_000..100_000]),
        member(GzBuilder::new().extra(&b""[..]), &plain[100_000..100_001]),
        member(GzBuilder::new(), &plain[100_001..]),
    ]
    .concat();
    for cut in [1, 2, 7, 1000, usize::MAX] {
        assert!(decode(&Gzip::default(), &file, || cut).unwrap() == plain, "cuts of {cut}");
    }
}

/// A member of no bytes with all optional parts of a header and its checksum.
fn member_with_header_checksum() -> Vec<u8> {
    let mut header = vec![0x1f, 0x8b, 8, 0b1_1110, 1, 2, 3, 4, 0, 3, 2, 0, 9, 9];
    header.extend_from_slice(b"name\0comment\0");
    let crc = libdeflater::crc32(&header).to_le_bytes();
    [&header[..], &crc[..2], &[3, 0], &[0; 8]].concat()
}

#[test]
fn the_checksum_of_a_header_is_checked() {
    let file = member_with_header_checksum();
    assert!(decode(&Gzip::default(), &file, || 1).unwrap().is_empty());
    for at in 4..29 {
        let mut damaged = file.clone();
        damaged[at] ^= 0x20;
        assert_eq!(decode(&Gzip::default(), &damaged, || 1).unwrap_err().kind(), ErrorKind::Corrupt, "{at}");
    }
}

#[test]
fn unknown_flags_and_methods_are_corrupt() {
    for (at, value) in [(2, 7), (3, 0b0010_0000)] {
        let mut file = member_with_header_checksum();
        file[at] = value;
        assert_eq!(decode(&Gzip::default(), &file, whole).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn an_endless_name_is_refused() {
    let file = [&[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3][..], &vec![b'x'; 200_000]].concat();
    let err = decode(&Gzip::default(), &file, whole).unwrap_err();
    assert!(err.to_string().contains("too long"), "{err}");
}

#[test]
fn checksum_and_size_are_checked() {
    let file = encode(&Gzip::default(), &sample(5000, 5), whole).unwrap();
    for (back, message) in [(8, "checksum"), (4, "recorded size")] {
        let mut damaged = file.clone();
        let at = damaged.len() - back;
        damaged[at] ^= 1;
        let err = decode(&Gzip::default(), &damaged, whole).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Corrupt);
        assert!(err.to_string().contains(message), "{err}");
    }
}

#[test]
fn joined_files_decode_to_joined_bytes() {
    let (first, second) = (sample(400_000, 6), sample(10, 7));
    let file =
        [encode(&Gzip::default(), &first, whole).unwrap(), encode(&Gzip::default(), &second, whole).unwrap()];
    assert!(decode(&Gzip::default(), &file.concat(), || 999).unwrap() == [&first[..], &second[..]].concat());
}
