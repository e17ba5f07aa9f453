//! What must hold of every plan of parts: `backup-core/fuzz` runs it on inputs that are made up, the tests on those
//! that were kept.

use crate::part::{MAX_BYTES, MAX_OBJECT_BYTES, MAX_PARTS, MIN_BYTES, PartPlan};

/// Cuts an object by the plan for these options and this hint.
pub(crate) fn multipart(input: &[u8]) {
    let mut numbers = input.chunks(8).map(|bytes| {
        let mut number = [0; 8];
        number[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(number)
    });
    let mut next = || numbers.next().unwrap_or_default();
    let max_parts = u32::try_from(next() % u64::from(MAX_PARTS)).unwrap() + 1;
    let (first, largest, hint, size) = (next(), next(), next(), next());
    let hint = (hint % 4 != 0).then_some(hint);
    let plan = PartPlan::new(max_parts, first, largest, hint);
    assert_eq!(plan, PartPlan::new(max_parts, first, largest, hint));
    let sizes: Vec<u64> = (0..=max_parts).map_while(|index| plan.size(index)).collect();
    assert_eq!(sizes.len(), max_parts as usize, "{plan:?}");
    assert!(sizes.iter().all(|size| (MIN_BYTES..=MAX_BYTES).contains(size)), "{plan:?}");
    assert!(sizes.is_sorted(), "a part is smaller than one before it: {plan:?}");
    assert_eq!(sizes.iter().sum::<u64>(), plan.capacity());
    // What S3 itself takes, and what was asked for, as far as so many parts can hold it.
    if max_parts == MAX_PARTS {
        assert!(plan.capacity() >= largest.min(MAX_OBJECT_BYTES), "{plan:?}");
    }
    cut(&sizes, size % (plan.capacity() + 1));
}

/// Cuts an object of so many bytes.
fn cut(sizes: &[u64], size: u64) {
    let mut left = size;
    let mut parts = Vec::new();
    for part in sizes {
        if left == 0 {
            break;
        }
        parts.push(left.min(*part));
        left -= left.min(*part);
    }
    assert_eq!(left, 0, "parts are missing for {size} bytes");
    assert_eq!(parts.iter().sum::<u64>(), size);
    let all_but_last = parts.split_last().map_or(&[][..], |(_, before)| before);
    assert!(all_but_last.iter().all(|part| *part >= MIN_BYTES), "{parts:?}");
}

#[cfg(test)]
#[test]
fn every_input_that_was_kept_is_planned_within_the_limits() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../backup-core/fuzz/corpus/multipart");
    assert!(backup_core::testkit::fuzz::replay(corpus, multipart) > 0);
}
