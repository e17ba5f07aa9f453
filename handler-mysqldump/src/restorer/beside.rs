//! The names of databases beside the target, made and known again.

use backup_core::{Result, restore::Beside};

use crate::server::Named;

/// The longest name of a database, in letters.
const NAME_LETTERS: usize = 64;

/// `<name>_<purpose>_<random>`, shortened to what a server takes.
pub(super) fn name_beside(name: &str, purpose: Beside) -> Result<String> {
    purpose.name(name, head)
}

fn is_beside(name: &str, other: &str) -> bool {
    Beside::of(name, other, head).is_some()
}

/// As much of `name` as leaves room for `suffix` letters.
fn head(name: &str, suffix: usize) -> &str {
    let end = name.char_indices().nth(NAME_LETTERS.saturating_sub(suffix)).map_or(name.len(), |(at, _)| at);
    name.get(..end).unwrap_or_default()
}

/// Those of a server's databases that stand beside `name`, in order.
pub(super) fn left_behind(name: &str, databases: Vec<Named>) -> Vec<String> {
    let lowered = name.to_lowercase();
    let is_ours =
        |other: &Named| is_beside(name, &other.name) || (other.lowered && is_beside(&lowered, &other.name));
    let mut ours: Vec<String> = databases.into_iter().filter(is_ours).map(|other| other.name).collect();
    ours.sort();
    ours
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PURPOSES: [Beside; 3] = [Beside::Restoring, Beside::Replaced, Beside::Rehearsal];

    /// Any name that a server takes.
    fn names() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z_]{1,64}", "[ü数a_]{1,64}", r"[^\x00]{1,64}", "(restoring|_|[0-9a-f]){1,7}"]
    }

    fn found(name: &str, other: &str, lowered: bool) -> bool {
        let databases = vec![Named { name: other.to_owned(), lowered }];
        left_behind(name, databases) == [other]
    }

    proptest! {
        #[test]
        fn a_name_that_is_made_fits_and_is_known_again(name in names()) {
            for purpose in PURPOSES {
                let beside = name_beside(&name, purpose).unwrap();
                prop_assert!(beside.chars().count() <= NAME_LETTERS, "{beside}");
                prop_assert!(beside != name_beside(&name, purpose).unwrap());
                prop_assert!(found(&name, &beside, false), "{beside}");
                // What is beside that one is not beside this one.
                let nested = name_beside(&beside, purpose).unwrap();
                prop_assert!(name.chars().count() > 40 || !found(&name, &nested, true), "{nested}");
            }
        }

        #[test]
        fn a_name_of_another_database_is_not_claimed(name in names(), other in names()) {
            prop_assume!(name != other && name.chars().count() <= 40);
            for purpose in PURPOSES {
                let beside = name_beside(&other, purpose).unwrap();
                prop_assert!(!found(&name, &beside, false), "{beside}");
            }
        }
    }

    #[test]
    fn a_database_does_not_claim_what_belongs_to_its_neighbours() {
        for other in ["shop2_restoring_12345678", "shop_eu_restoring_12345678", "my_shop_restoring_12345678"]
        {
            assert!(!found("shop", other, true), "{other}");
        }
        assert!(found("shop", "shop_restoring_12345678", false));
        assert!(found("shop_eu", "shop_eu_restoring_12345678", false));
    }

    #[test]
    fn a_name_is_known_again_where_the_server_has_lowered_it() {
        assert!(found("Shop", "shop_replaced_12345678", true));
        assert!(!found("Shop", "shop_replaced_12345678", false));
    }
}
