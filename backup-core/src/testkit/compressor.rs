//! The clauses of the contract of a [`Compressor`], one function each, and the macro that makes tests of them.

use bytes::{Bytes, BytesMut};
use futures::StreamExt;

use crate::{
    ByteStream, Compressor, Error, ErrorKind, Result, Stages,
    transform::{Output, Transform},
};

/// Makes one test of each clause of the contract of a [`Compressor`].
///
/// Written in a module of tests, with an expression that makes the compressor. A compressor whose format
/// cannot notice damage, like `none`, is tested with `unchecked:` before it, which leaves out the clauses
/// about damage.
///
/// # Examples
///
/// ```no_run
/// # fn main() {}
/// mod none {
///     use backup_core::{compress::Identity, compressor_conformance};
///
///     compressor_conformance!(unchecked: Identity);
/// }
/// ```
#[macro_export]
macro_rules! compressor_conformance {
    (unchecked: $compressor:expr) => {
        $crate::compressor_conformance!(@each $compressor;
            every_size_round_trips, what_follows_a_boundary_stands_alone, cuts_do_not_matter, empty_input_round_trips, pieces_stay_small,
            encoders_are_independent, a_failed_body_ends_in_its_error);
    };
    (@each $compressor:expr; $($clause:ident),+) => {
        $(
            #[test]
            fn $clause() {
                $crate::testkit::compressor::$clause(&$compressor);
            }
        )+
    };
    ($compressor:expr) => {
        $crate::compressor_conformance!(unchecked: $compressor);
        $crate::compressor_conformance!(@each $compressor;
            every_truncation_is_corrupt, nothing_is_corrupt, a_flipped_bit_never_yields_other_bytes,
            trailing_garbage_is_corrupt, a_dropped_encoder_writes_no_trailer, a_failed_body_gets_no_trailer);
    };
}

/// Bytes that look like a dump: lines with numbers that compress, and some noise that does not.
///
/// The same `seed` gives the same bytes.
#[must_use]
pub fn sample(len: usize, seed: u64) -> Vec<u8> {
    let mut noise = Noise::new(seed);
    let mut bytes = Vec::with_capacity(len + 96);
    let mut id = 0_u32;
    while bytes.len() < len {
        id += 1;
        let value = noise.next();
        bytes.extend_from_slice(
            format!("{id}\tname {}\t2026-11-{:02}\t{value:016x}\n", value % 97, value % 28 + 1).as_bytes(),
        );
    }
    bytes.truncate(len);
    bytes
}

/// Encodes `plain`, cut into chunks of the lengths that `cut` says.
pub fn encode(compressor: &dyn Compressor, plain: &[u8], cut: impl FnMut() -> usize) -> Result<Vec<u8>> {
    run(compressor.encoder()?, plain, cut)
}

/// Decodes `encoded`, cut into chunks of the lengths that `cut` says.
pub fn decode(compressor: &dyn Compressor, encoded: &[u8], cut: impl FnMut() -> usize) -> Result<Vec<u8>> {
    run(compressor.decoder()?, encoded, cut)
}

pub(super) fn run(
    mut transform: Box<dyn Transform>,
    input: &[u8],
    mut cut: impl FnMut() -> usize,
) -> Result<Vec<u8>> {
    let mut output = BytesMut::new();
    let mut rest = Bytes::copy_from_slice(input);
    while !rest.is_empty() {
        let chunk = rest.split_to(cut().clamp(1, rest.len()));
        transform.update(chunk, &mut output)?;
    }
    transform.finish(&mut output)?;
    Ok(output.into())
}

/// Chunks as large as a pipeline makes them.
pub(super) fn usual() -> usize {
    256 * 1024
}

/// Decoding what was encoded gives the same bytes, at every size around the usual block sizes.
pub fn every_size_round_trips(compressor: &dyn Compressor) {
    let mut sizes = vec![1, 2, 3, 100, 5 * 1024 * 1024 + 7];
    for log in [12, 15, 16, 17, 18, 20, 21] {
        sizes.extend([(1 << log) - 1, 1 << log, (1 << log) + 1]);
    }
    let mut noise = Noise::new(1);
    for size in sizes {
        let incompressible: Vec<u8> = (0..size).map(|_| noise.next().to_le_bytes()[3]).collect();
        for plain in [sample(size, size as u64), vec![0; size], incompressible] {
            let encoded = encode(compressor, &plain, usual).unwrap();
            assert!(decode(compressor, &encoded, usual).unwrap() == plain, "{size} bytes came back changed");
        }
    }
}

/// Behind a boundary begins what decodes alone, and so does what was before it; whole it decodes all the same.
pub fn what_follows_a_boundary_stands_alone(compressor: &dyn Compressor) {
    #[derive(Default)]
    struct Marked(BytesMut, Vec<usize>);
    impl Output for Marked {
        fn put(&mut self, chunk: Bytes) -> Result<()> {
            self.0.put(chunk)
        }

        fn boundary(&mut self) -> Result<()> {
            self.1.push(self.0.len());
            Ok(())
        }
    }
    for (first, second) in [(1, 1), (3000, 5), (1 << 20, 1 << 20), (2_500_000, 70_000)] {
        let (first, second) = (sample(first, 5), sample(second, 6));
        let (mut encoder, mut encoded) = (compressor.encoder().unwrap(), Marked::default());
        encoder.update(first.clone().into(), &mut encoded).unwrap();
        encoder.boundary(&mut encoded).unwrap();
        encoder.update(second.clone().into(), &mut encoded).unwrap();
        encoder.finish(&mut encoded).unwrap();
        let Marked(encoded, boundaries) = encoded;
        assert_eq!(boundaries.len(), 1, "each boundary is put once");
        let (before, behind) = encoded.split_at(boundaries[0]);
        assert!(decode(compressor, &encoded, usual).unwrap() == [&first[..], &second].concat());
        assert!(decode(compressor, behind, usual).unwrap() == second);
        let (mut decoder, mut decoded) = (compressor.decoder().unwrap(), Marked::default());
        decoder.update(Bytes::copy_from_slice(before), &mut decoded).unwrap();
        decoder.boundary(&mut decoded).unwrap();
        assert!(
            decoded.0 == first && decoded.1 == [first.len()],
            "what was before a boundary did not come back"
        );
    }
}

/// How input is cut changes neither what is encoded nor what is decoded.
pub fn cuts_do_not_matter(compressor: &dyn Compressor) {
    let mut noise = Noise::new(2);
    for (size, most) in [(3_000, 1), (70_000, 100), (1_500_000, 70_000), (2_500_000, 2_000_000)] {
        let plain = sample(size, 3);
        let encoded = encode(compressor, &plain, usual).unwrap();
        for _ in 0..4 {
            assert!(
                encode(compressor, &plain, || noise.up_to(most)).unwrap() == encoded,
                "cuts changed the output"
            );
            assert!(
                decode(compressor, &encoded, || noise.up_to(most)).unwrap() == plain,
                "cuts changed the bytes"
            );
        }
    }
}

/// A dump of no bytes is encoded and decoded like any other.
pub fn empty_input_round_trips(compressor: &dyn Compressor) {
    let encoded = encode(compressor, &[], usual).unwrap();
    assert!(decode(compressor, &encoded, usual).unwrap().is_empty());
}

/// Neither direction hands over more than 1 MiB at once, however much one chunk of input becomes.
pub fn pieces_stay_small(compressor: &dyn Compressor) {
    for plain in [vec![0; 16 << 20], sample(4 << 20, 4)] {
        let encoded = run_in_small_pieces(compressor.encoder().unwrap(), &plain);
        assert!(run_in_small_pieces(compressor.decoder().unwrap(), &encoded) == plain);
    }
}

/// Runs over large chunks, and looks at the size of what comes.
pub(super) fn run_in_small_pieces(mut transform: Box<dyn Transform>, input: &[u8]) -> BytesMut {
    struct Largest(usize, BytesMut);
    impl Output for Largest {
        fn put(&mut self, chunk: Bytes) -> Result<()> {
            self.0 = self.0.max(chunk.len());
            self.1.put(chunk)
        }

        fn boundary(&mut self) -> Result<()> {
            Ok(())
        }
    }
    let mut output = Largest(0, BytesMut::new());
    for chunk in input.chunks(1 << 20) {
        transform.update(Bytes::copy_from_slice(chunk), &mut output).unwrap();
    }
    transform.finish(&mut output).unwrap();
    // A piece of 1 MiB of plain bytes may have a frame around it.
    assert!(output.0 <= (1 << 20) + 1024, "a piece of {} bytes", output.0);
    output.1
}

/// Two encoders of one compressor run side by side without touching each other.
pub fn encoders_are_independent(compressor: &dyn Compressor) {
    let plain = [sample(1_300_000, 5), sample(1_300_000, 6)];
    let mut encoders = [compressor.encoder().unwrap(), compressor.encoder().unwrap()];
    let mut encoded = [BytesMut::new(), BytesMut::new()];
    for at in (0..plain[0].len()).step_by(100_000) {
        for ((encoder, encoded), plain) in encoders.iter_mut().zip(&mut encoded).zip(&plain) {
            encoder.update(Bytes::copy_from_slice(&plain[at..at + 100_000]), encoded).unwrap();
        }
    }
    for ((encoder, mut encoded), plain) in encoders.into_iter().zip(encoded).zip(&plain) {
        encoder.finish(&mut encoded).unwrap();
        assert!(decode(compressor, &encoded, usual).unwrap() == *plain);
    }
}

/// Where the body fails, the stream ends in that very error.
pub fn a_failed_body_ends_in_its_error(compressor: &dyn Compressor) {
    let (_, err) = encode_failing(compressor);
    assert_eq!(err.kind(), ErrorKind::ToolFailed);
}

/// A file cut anywhere, also to nothing, is corrupt.
pub fn every_truncation_is_corrupt(compressor: &dyn Compressor) {
    for plain in [sample(1500, 7), Vec::new()] {
        let encoded = encode(compressor, &plain, usual).unwrap();
        for len in 0..encoded.len() {
            assert_corrupt(decode(compressor, &encoded[..len], usual), &format!("cut at {len}"));
        }
    }
    let encoded = encode(compressor, &sample(3_300_000, 8), usual).unwrap();
    let mut noise = Noise::new(9);
    for _ in 0..30 {
        let len = noise.up_to(encoded.len() - 1);
        assert_corrupt(decode(compressor, &encoded[..len], usual), &format!("cut at {len}"));
    }
}

/// No bytes at all are no file.
pub fn nothing_is_corrupt(compressor: &dyn Compressor) {
    assert!(!encode(compressor, &[], usual).unwrap().is_empty());
    assert_corrupt(decode(compressor, &[], usual), "an empty file");
}

/// A changed bit is an error, or lies where it changes nothing, like a time in a header.
pub fn a_flipped_bit_never_yields_other_bytes(compressor: &dyn Compressor) {
    let plain = sample(1000, 10);
    let mut encoded = encode(compressor, &plain, usual).unwrap();
    let (mut errors, all) = (0, encoded.len() * 8);
    for bit in 0..all {
        encoded[bit / 8] ^= 1 << (bit % 8);
        match decode(compressor, &encoded, usual) {
            Ok(decoded) => assert!(decoded == plain, "flipped bit {bit} went through"),
            Err(err) => {
                assert_eq!(err.kind(), ErrorKind::Corrupt, "bit {bit}: {err}");
                errors += 1;
            }
        }
        encoded[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(errors * 10 > all * 8, "only {errors} of {all} flipped bits were noticed");
}

/// Whatever follows the end makes the file corrupt.
pub fn trailing_garbage_is_corrupt(compressor: &dyn Compressor) {
    for plain in [sample(1500, 11), Vec::new()] {
        let encoded = encode(compressor, &plain, usual).unwrap();
        for garbage in
            [&b"\0"[..], b"\0\0\0\0\0\0\0\0", b"x", b"-- Dump completed\n", &encoded[..1], &encoded[..9]]
        {
            let file = [&encoded[..], garbage].concat();
            for cut in [1, encoded.len(), file.len()] {
                assert_corrupt(decode(compressor, &file, || cut), &format!("{garbage:?} behind the end"));
            }
        }
    }
}

/// An encoder that is dropped without its end leaves nothing that decodes.
pub fn a_dropped_encoder_writes_no_trailer(compressor: &dyn Compressor) {
    for size in [0, 1000, 1 << 20, 5_000_000] {
        let mut encoder = compressor.encoder().unwrap();
        let mut output = BytesMut::new();
        encoder.update(sample(size, 12).into(), &mut output).unwrap();
        drop(encoder);
        assert_corrupt(decode(compressor, &output, usual), &format!("dropped after {size} bytes"));
    }
}

/// Where the body fails, what was encoded before does not decode.
pub fn a_failed_body_gets_no_trailer(compressor: &dyn Compressor) {
    let (encoded, _) = encode_failing(compressor);
    assert_corrupt(decode(compressor, &encoded, usual), "a failed body");
}

fn encode_failing(compressor: &dyn Compressor) -> (Vec<u8>, Error) {
    run_failing(compressor.encoder().unwrap())
}

/// Runs, in [`Stages`], over a body that fails after 3 MB.
pub(super) fn run_failing(encoder: Box<dyn Transform>) -> (Vec<u8>, Error) {
    let body = vec![
        Ok(Bytes::from(sample(3_000_000, 13))),
        Err(Error::new(ErrorKind::ToolFailed, "the tool failed")),
    ];
    let stages = Stages::new().transform(encoder);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut stream = stages.run(ByteStream::new(futures::stream::iter(body)));
        let mut encoded = Vec::new();
        loop {
            match stream.next().await.expect("a clean end after a failure") {
                Ok(chunk) => encoded.extend_from_slice(&chunk),
                Err(err) => return (encoded, err),
            }
        }
    })
}

pub(super) fn assert_corrupt(result: Result<Vec<u8>>, what: &str) {
    match result {
        Ok(bytes) => panic!("{what}: decoded to {} bytes", bytes.len()),
        Err(err) => assert_eq!(err.kind(), ErrorKind::Corrupt, "{what}: {err}"),
    }
}

/// Numbers that look random and are the same in every run (xorshift64*).
pub(super) struct Noise(u64);

impl Noise {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number from 1 to `most`.
    pub(super) fn up_to(&mut self, most: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % most + 1
    }
}
