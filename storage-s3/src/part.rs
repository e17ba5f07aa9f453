//! How large each part of an object is whose size nobody knows.
//!
//! A service takes so many parts and no more. So the parts grow: the first tenth of them is small, that a usual backup
//! takes little memory, and the last ones are as large as the largest object demands.

const MIB: u64 = 1024 * 1024;
/// The size of the first parts.
pub(crate) const FIRST_BYTES: u64 = 8 * MIB;
/// No part but the last may be smaller.
pub(crate) const MIN_BYTES: u64 = 5 * MIB;
/// No part may be larger.
pub(crate) const MAX_BYTES: u64 = 5 * 1024 * MIB;
/// The size of parts that the service copies itself.
pub(crate) const COPY_BYTES: u64 = 1024 * MIB;
/// How many parts S3 takes.
pub(crate) const MAX_PARTS: u32 = 10_000;
/// The largest object that is planned for.
pub(crate) const MAX_OBJECT_BYTES: u64 = 5 * 1024 * 1024 * MIB;

/// The sizes of all parts that there can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartPlan {
    /// How many parts of which size, in this order.
    tiers: Vec<(u32, u64)>,
}

impl PartPlan {
    /// Plans at most `max_parts` parts, of `first` bytes at first, for up to `largest` bytes where that can be; about
    /// `hint` bytes will come.
    pub(crate) fn new(max_parts: u32, first: u64, largest: u64, hint: Option<u64>) -> Self {
        let first = first.clamp(MIN_BYTES, MAX_BYTES);
        // Nearly all that the number of parts allows: the very last bit would make every part as large as can be.
        let largest = largest.min(u64::from(max_parts) * (MAX_BYTES / 25 * 24));
        let Some(hint) = hint else { return Self { tiers: growth(max_parts, first, largest) } };
        // As many parts of one size as can be spared, should the hint be wrong.
        let needed = u32::try_from(largest.div_ceil(MAX_BYTES)).unwrap_or(max_parts);
        let even = (max_parts / 5 * 4).min(max_parts.saturating_sub(needed));
        if even == 0 {
            return Self { tiers: growth(max_parts, first, largest) };
        }
        let hint = hint.saturating_add(hint / 10);
        let size = round_up(hint.div_ceil(u64::from(even))).clamp(first, MAX_BYTES);
        let rest = largest.saturating_sub(size.saturating_mul(u64::from(even)));
        let mut tiers = vec![(even, size)];
        tiers.extend(growth(max_parts - even, size, rest));
        Self { tiers }
    }

    /// How many bytes the part of this number, counted from 0, has; `None` where no more parts are taken.
    pub(crate) fn size(&self, index: u32) -> Option<u64> {
        let mut before = 0;
        self.tiers.iter().find_map(|&(count, size)| {
            before += count;
            (index < before).then_some(size)
        })
    }

    /// How many bytes all parts have together.
    pub(crate) fn capacity(&self) -> u64 {
        self.tiers.iter().map(|&(count, size)| u64::from(count) * size).sum()
    }
}

/// Parts that grow until `count` of them hold `needed` bytes, the small ones as many as can be.
fn growth(count: u32, first: u64, needed: u64) -> Vec<(u32, u64)> {
    let mut tiers = Vec::new();
    for divisor in [1, 2, 4, 8, 16, 32, 64] {
        let small = |share: u32| count / 10 * share / divisor;
        tiers = vec![
            (small(1), first),
            (small(2), (first * 8).min(MAX_BYTES)),
            (small(3), (first * 32).min(MAX_BYTES)),
        ];
        let (used, held) = tiers
            .iter()
            .fold((0, 0), |(parts, bytes), &(count, size)| (parts + count, bytes + u64::from(count) * size));
        let left = count - used;
        if left == 0 {
            continue;
        }
        let size = round_up(needed.saturating_sub(held).div_ceil(u64::from(left)));
        tiers.push((left, size.clamp((first * 32).min(MAX_BYTES), MAX_BYTES)));
        if size <= MAX_BYTES {
            break;
        }
    }
    tiers
}

fn round_up(bytes: u64) -> u64 {
    bytes.div_ceil(MIB).saturating_mul(MIB)
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GIB: u64 = 1024 * MIB;

    #[test]
    fn small_parts_suffice_for_what_is_usual() {
        let plan = PartPlan::new(MAX_PARTS, FIRST_BYTES, MAX_OBJECT_BYTES, None);
        assert_eq!(plan.size(999), Some(8 * MIB));
        assert_eq!(plan.size(1000), Some(64 * MIB));
        assert_eq!(plan.size(3000), Some(256 * MIB));
        assert!(plan.size(9_999).unwrap() <= 1152 * MIB);
        assert_eq!(plan.size(10_000), None);
        assert!(plan.capacity() >= MAX_OBJECT_BYTES);
    }

    #[test]
    fn a_thousand_parts_hold_five_terabytes() {
        let plan = PartPlan::new(1000, FIRST_BYTES, MAX_OBJECT_BYTES, None);
        assert!(plan.capacity() >= 5_000_000_000_000, "{}", plan.capacity());
        assert_eq!(plan.size(0), Some(FIRST_BYTES));
        assert_eq!(plan.size(1000), None);
    }

    #[test]
    fn a_hint_keeps_parts_small() {
        let plan = PartPlan::new(MAX_PARTS, FIRST_BYTES, MAX_OBJECT_BYTES, Some(400 * GIB));
        assert_eq!(plan.size(0), plan.size(7999));
        assert!(plan.size(0).unwrap() <= 64 * MIB);
        assert!(u64::from(8000_u32) * plan.size(0).unwrap() >= 400 * GIB);
    }

    proptest! {
        /// Whatever the service allows and the hint says: parts never shrink, never break a limit, and reach what
        /// was asked for, wrong hints included.
        #[test]
        fn every_plan_keeps_the_limits(
            max_parts in 1_u32..=10_000,
            first in 1_u64..=6 * GIB,
            largest in 1_u64..=MAX_OBJECT_BYTES,
            hint in proptest::option::of(0_u64..=2 * MAX_OBJECT_BYTES),
        ) {
            let plan = PartPlan::new(max_parts, first, largest, hint);
            let sizes: Vec<u64> = (0..max_parts).map_while(|part| plan.size(part)).collect();
            prop_assert_eq!(sizes.len(), max_parts as usize);
            prop_assert_eq!(plan.size(max_parts), None);
            prop_assert!(sizes.iter().all(|size| (MIN_BYTES..=MAX_BYTES).contains(size)));
            prop_assert!(sizes.windows(2).all(|pair| pair[0] <= pair[1]));
            let reachable = u64::from(max_parts) * (MAX_BYTES / 25 * 24);
            // A service of a handful of parts wastes some of them on small ones.
            let least = if max_parts < 200 { largest.min(reachable) / 2 } else { largest.min(reachable) };
            prop_assert!(plan.capacity() >= least, "{} of {}", plan.capacity(), least);
        }
    }
}
