//! The clauses of the contract of an [`Encryptor`], one function each, and the macro that makes tests of them.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::compressor::{Noise, assert_corrupt, run, run_failing, run_in_small_pieces, sample, usual};
use crate::{
    Encryptor, Error, ErrorKind, Result,
    encrypt::{NoIdentity, Parts},
    transform::Transform,
};

/// Makes one test of each clause of the contract of an [`Encryptor`].
///
/// Written in a module of tests, with an expression that makes an encryptor which opens what it seals.
///
/// # Examples
///
/// ```no_run
/// # fn main() {}
/// # #[cfg(feature = "age")]
/// mod keys {
///     use backup_core::{encrypt::Age, encryptor_conformance};
///
///     encryptor_conformance!(Age::for_identities(&Age::generate_identity()).unwrap());
/// }
/// ```
#[macro_export]
macro_rules! encryptor_conformance {
    (@each $encryptor:expr; $($clause:ident),+) => {
        $(
            #[test]
            fn $clause() {
                $crate::testkit::encryptor::$clause(&$encryptor);
            }
        )+
    };
    ($encryptor:expr) => {
        $crate::encryptor_conformance!(@each $encryptor;
            it_opens_what_it_seals, every_size_round_trips, cuts_do_not_matter, empty_input_round_trips, pieces_stay_small,
            nothing_of_the_content_is_seen, every_truncation_is_corrupt, nothing_is_corrupt, a_flipped_bit_is_noticed,
            trailing_garbage_is_corrupt, exchanged_bytes_are_corrupt, joined_objects_are_corrupt,
            a_dropped_sealer_writes_no_trailer, a_failed_body_ends_in_its_error_and_gets_no_trailer,
            parts_are_what_was_sealed, damaged_parts_are_corrupt);
    };
}

/// Seals `content`, cut into chunks of the lengths that `cut` says.
pub fn seal(encryptor: &dyn Encryptor, content: &[u8], cut: impl FnMut() -> usize) -> Result<Vec<u8>> {
    run(encryptor.seal()?, content, cut)
}

/// Opens `sealed`, cut into chunks of the lengths that `cut` says.
pub fn open(encryptor: &dyn Encryptor, sealed: &[u8], cut: impl FnMut() -> usize) -> Result<Vec<u8>> {
    run(encryptor.open()?, sealed, cut)
}

/// The encryptor has the key to what it seals, and says so.
pub fn it_opens_what_it_seals(encryptor: &dyn Encryptor) {
    encryptor.check_opens().unwrap();
    assert!(!encryptor.name().is_empty() && !encryptor.recipients().is_empty());
}

/// Opening what was sealed gives the same bytes, at every size around the usual block sizes.
pub fn every_size_round_trips(encryptor: &dyn Encryptor) {
    let mut sizes = vec![1, 2, 100, 2 * 1024 * 1024 + 7];
    for log in [12, 16, 17] {
        sizes.extend([(1 << log) - 17, (1 << log) - 1, 1 << log, (1 << log) + 1, (1 << log) + 16]);
    }
    for size in sizes {
        let content = sample(size, size as u64);
        let sealed = seal(encryptor, &content, usual).unwrap();
        assert!(open(encryptor, &sealed, usual).unwrap() == content, "{size} bytes came back changed");
    }
}

/// How input is cut does not change what is opened.
pub fn cuts_do_not_matter(encryptor: &dyn Encryptor) {
    let mut noise = Noise::new(2);
    for (size, most) in [(3_000, 1), (200_000, 900), (1_500_000, 70_000)] {
        let content = sample(size, 3);
        for _ in 0..2 {
            let sealed = seal(encryptor, &content, || noise.up_to(most)).unwrap();
            assert!(
                open(encryptor, &sealed, || noise.up_to(most)).unwrap() == content,
                "cuts changed the bytes"
            );
        }
    }
}

/// No bytes are sealed and opened like any others.
pub fn empty_input_round_trips(encryptor: &dyn Encryptor) {
    let sealed = seal(encryptor, &[], usual).unwrap();
    assert!(!sealed.is_empty() && open(encryptor, &sealed, usual).unwrap().is_empty());
}

/// Neither direction hands over more than 1 MiB at once.
pub fn pieces_stay_small(encryptor: &dyn Encryptor) {
    let content = sample(4 << 20, 4);
    let sealed = run_in_small_pieces(encryptor.seal().unwrap(), &content);
    assert!(run_in_small_pieces(encryptor.open().unwrap(), &sealed) == content);
}

/// What is sealed holds no piece of the content, and twice sealed it is other bytes.
pub fn nothing_of_the_content_is_seen(encryptor: &dyn Encryptor) {
    let marker = b"a row that nobody may see";
    let content = marker.repeat(10_000);
    let sealed = seal(encryptor, &content, usual).unwrap();
    assert!(!sealed.windows(8).any(|window| marker.windows(8).any(|piece| piece == window)));
    let again = seal(encryptor, &content, usual).unwrap();
    let tail = |bytes: &[u8]| bytes[bytes.len() - content.len() / 2..].to_vec();
    assert!(tail(&sealed) != tail(&again), "equal content is equal when it is sealed");
}

/// An object cut anywhere, also to nothing or between its blocks, is corrupt, and what was opened before is content.
pub fn every_truncation_is_corrupt(encryptor: &dyn Encryptor) {
    for content in [sample(700, 7), Vec::new()] {
        let sealed = seal(encryptor, &content, usual).unwrap();
        for len in 0..sealed.len() {
            assert_corrupt(open(encryptor, &sealed[..len], usual), &format!("cut at {len}"));
        }
    }
    let content = sample(4 * 65_536, 8);
    let sealed = seal(encryptor, &content, usual).unwrap();
    let mut noise = Noise::new(9);
    // Blocks of 64 KiB, of which nobody knows how much is around each of them.
    let between = (0..4).flat_map(|block| {
        let from_end = block * 65_552;
        (from_end..from_end + 40).map(|from_end| sealed.len() - 1 - from_end).collect::<Vec<_>>()
    });
    for len in (0..30).map(|_| noise.up_to(sealed.len() - 1)).chain(between) {
        assert_is_prefix_and_fails(encryptor, &sealed[..len], &content, &format!("cut at {len}"));
    }
}

/// No bytes at all are no sealed object.
pub fn nothing_is_corrupt(encryptor: &dyn Encryptor) {
    assert_corrupt(open(encryptor, &[], usual), "an empty object");
}

/// A changed bit is an error wherever it is, and nothing of the changed bytes is released.
pub fn a_flipped_bit_is_noticed(encryptor: &dyn Encryptor) {
    let content = sample(300, 10);
    let mut sealed = seal(encryptor, &content, usual).unwrap();
    for bit in 0..sealed.len() * 8 {
        sealed[bit / 8] ^= 1 << (bit % 8);
        assert_is_prefix_and_fails(encryptor, &sealed, &[], &format!("flipped bit {bit}"));
        sealed[bit / 8] ^= 1 << (bit % 8);
    }
    let content = sample(300_000, 11);
    let mut sealed = seal(encryptor, &content, usual).unwrap();
    let mut noise = Noise::new(12);
    for _ in 0..60 {
        let at = noise.up_to(sealed.len()) - 1;
        sealed[at] ^= 0x10;
        assert_is_prefix_and_fails(encryptor, &sealed, &content, &format!("flipped at {at}"));
        sealed[at] ^= 0x10;
    }
}

/// Whatever follows the end makes the object corrupt.
pub fn trailing_garbage_is_corrupt(encryptor: &dyn Encryptor) {
    for content in [sample(1500, 11), Vec::new(), sample(65_536, 12)] {
        let sealed = seal(encryptor, &content, usual).unwrap();
        for garbage in [&b"\0"[..], b"x", &[0; 16], &sealed[..1], &sealed[sealed.len() - 16..], &sealed] {
            let object = [&sealed[..], garbage].concat();
            for cut in [1, sealed.len(), object.len()] {
                assert_corrupt(
                    open(encryptor, &object, || cut),
                    &format!("{} bytes behind the end", garbage.len()),
                );
            }
        }
    }
}

/// Blocks in another order are corrupt.
pub fn exchanged_bytes_are_corrupt(encryptor: &dyn Encryptor) {
    let content = sample(5 * 65_536, 13);
    let sealed = seal(encryptor, &content, usual).unwrap();
    for length in [65_552, 65_536, 16, 1000] {
        for (one, other) in [(0, 1), (1, 2), (0, 3)] {
            let mut object = sealed.clone();
            let at = |block: usize| sealed.len() - (block + 1) * length;
            for byte in 0..length {
                object.swap(at(one) + byte, at(other) + byte);
            }
            assert_is_prefix_and_fails(
                encryptor,
                &object,
                &content,
                &format!("blocks of {length} exchanged"),
            );
        }
    }
}

/// The start of one object and the end of another are corrupt.
pub fn joined_objects_are_corrupt(encryptor: &dyn Encryptor) {
    let content = sample(3 * 65_536 + 5, 14);
    let [one, other] = [(); 2].map(|()| seal(encryptor, &content, usual).unwrap());
    for from_end in [1, 16, 21, 65_552 + 21, 2 * 65_552 + 21, 3 * 65_552 + 21, 3 * 65_552 + 37] {
        let object = [&one[..one.len() - from_end], &other[other.len() - from_end..]].concat();
        assert_is_prefix_and_fails(
            encryptor,
            &object,
            &content,
            &format!("joined {from_end} before the end"),
        );
    }
}

/// A sealer that is dropped without its end leaves nothing that opens.
pub fn a_dropped_sealer_writes_no_trailer(encryptor: &dyn Encryptor) {
    for size in [0, 1000, 65_536, 1 << 20] {
        let mut sealer = encryptor.seal().unwrap();
        let mut output = BytesMut::new();
        sealer.update(sample(size, 15).into(), &mut output).unwrap();
        drop(sealer);
        assert_corrupt(open(encryptor, &output, usual), &format!("dropped after {size} bytes"));
    }
}

/// Where the body fails, the stream ends in that very error, and what was sealed before does not open.
pub fn a_failed_body_ends_in_its_error_and_gets_no_trailer(encryptor: &dyn Encryptor) {
    let (sealed, err) = run_failing(encryptor.seal().unwrap());
    assert_eq!(err.kind(), ErrorKind::ToolFailed);
    assert_corrupt(open(encryptor, &sealed, usual), "a failed body");
}

/// Any range that is opened alone is that of the content, where the scheme can do so.
pub fn parts_are_what_was_sealed(encryptor: &dyn Encryptor) {
    let mut noise = Noise::new(16);
    for size in [0, 1, 65_535, 65_536, 65_537, 300_000] {
        let content = sample(size, 17);
        let sealed = seal(encryptor, &content, usual).unwrap();
        let Some(parts) = parts(encryptor, &sealed) else { return };
        assert_eq!(parts.content_bytes(), size as u64);
        let mut ranges = vec![0..size, 0..0, size..size, 0..size.min(1), size.saturating_sub(1)..size];
        for _ in 0..20 {
            let (one, other) = (noise.up_to(size + 1) - 1, noise.up_to(size + 1) - 1);
            ranges.push(one.min(other)..one.max(other));
        }
        for range in ranges {
            let opened = open_part(&*parts, &sealed, &range).unwrap();
            assert!(opened == content[range.clone()], "{range:?} of {size} bytes");
        }
    }
}

/// Bytes that are changed, exchanged or cut off are corrupt in each range that needs them.
pub fn damaged_parts_are_corrupt(encryptor: &dyn Encryptor) {
    let content = sample(4 * 65_536 - 100, 18);
    let sealed = seal(encryptor, &content, usual).unwrap();
    let Some(parts) = parts(encryptor, &sealed) else { return };
    let whole = 0..content.len();
    let first = usize::try_from(parts.place(0..1).start).unwrap();
    let mut noise = Noise::new(19);
    for _ in 0..40 {
        let mut object = sealed.clone();
        let at = first + noise.up_to(sealed.len() - first) - 1;
        object[at] ^= 1;
        assert_corrupt(open_part(&*parts, &object, &whole), &format!("flipped at {at}"));
    }
    let mut object = sealed.clone();
    let block = usize::try_from(parts.place(0..1).end).unwrap() - first;
    for byte in 0..block {
        object.swap(first + byte, first + block + byte);
    }
    for range in [0..10, 65_540..65_550, whole.clone()] {
        assert_corrupt(open_part(&*parts, &object, &range), "exchanged");
    }
    // The size is known beforehand, and an end at another place is none.
    for len in [sealed.len() - 1, first + 2 * block, first + block, first + 20] {
        let cut = encryptor.parts().unwrap().open_head(&sealed, len as u64).unwrap().unwrap();
        let all = 0..usize::try_from(cut.content_bytes()).unwrap();
        assert_corrupt(open_part(&*cut, &sealed[..len], &all), &format!("cut to {len}"));
    }
    let mut transform = parts.open(0..content.len() as u64).unwrap();
    transform
        .update(Bytes::copy_from_slice(&sealed[first..sealed.len() - 30]), &mut BytesMut::new())
        .unwrap();
    assert_corrupt(transform.finish(&mut BytesMut::new()).map(|()| Vec::new()), "too few bytes of a range");
}

fn parts(encryptor: &dyn Encryptor, sealed: &[u8]) -> Option<std::sync::Arc<dyn Parts>> {
    let size = sealed.len() as u64;
    let parts = encryptor.parts()?;
    assert!(parts.open_head(&[], size).unwrap().is_none(), "nothing is no start");
    Some(parts.open_head(sealed, size).unwrap().expect("the whole object is enough of it"))
}

fn open_part(parts: &dyn Parts, sealed: &[u8], range: &Range<usize>) -> Result<Vec<u8>> {
    let content = range.start as u64..range.end as u64;
    let place = parts.place(content.clone());
    let place = usize::try_from(place.start).unwrap()..usize::try_from(place.end).unwrap();
    run(parts.open(content)?, &sealed[place], || 10_000)
}

/// Opening fails, and what was put before is how the content begins.
fn assert_is_prefix_and_fails(encryptor: &dyn Encryptor, sealed: &[u8], content: &[u8], what: &str) {
    let mut output = BytesMut::new();
    let mut open = || -> Result<()> {
        let mut transform: Box<dyn Transform> = encryptor.open()?;
        for chunk in sealed.chunks(10_000) {
            transform.update(Bytes::copy_from_slice(chunk), &mut output)?;
        }
        transform.finish(&mut output)
    };
    let err: Error = open().expect_err(what);
    assert!(err.kind() == ErrorKind::Corrupt || NoIdentity::is_cause_of(&err), "{what}: {err}");
    assert!(content.starts_with(&output), "{what}: {} other bytes were released", output.len());
}
