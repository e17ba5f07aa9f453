//! The names of databases beside the target, made and known again.

use backup_core::{Result, restore::Beside};

/// The longest name of a database, in bytes.
const NAME_BYTES: usize = 63;

/// `<name>_<purpose>_<random>`, shortened to what a server takes.
pub(super) fn name_beside(name: &str, purpose: Beside) -> Result<String> {
    purpose.name(name, head)
}

fn is_beside(name: &str, other: &str) -> bool {
    Beside::of(name, other, head).is_some()
}

/// As much of `name` as leaves room for `suffix` bytes.
fn head(name: &str, suffix: usize) -> &str {
    let mut end = name.len().min(NAME_BYTES.saturating_sub(suffix));
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or_default()
}

/// Those of a server's databases, by the bytes of their names in hex, that stand beside `name`, in order.
pub(super) fn left_behind(name: &str, databases: &[String]) -> Vec<String> {
    // A name that is not ours may be of any bytes.
    let names = databases.iter().filter_map(|bytes| String::from_utf8(hex::decode(bytes).ok()?).ok());
    let mut ours: Vec<String> = names.filter(|other| is_beside(name, other)).collect();
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
        let any =
            prop_oneof!["[a-z_]{1,63}", "[ü数a_]{1,63}", r"[^\x00]{1,63}", "(restoring|_|[0-9a-f]){1,30}"];
        any.prop_map(|name| head(&name, 0).to_owned())
    }

    proptest! {
        #[test]
        fn a_name_that_is_made_fits_and_is_known_again(name in names()) {
            for purpose in PURPOSES {
                let beside = name_beside(&name, purpose).unwrap();
                prop_assert!(beside.len() <= NAME_BYTES, "{beside}");
                prop_assert!(beside != name_beside(&name, purpose).unwrap());
                prop_assert!(is_beside(&name, &beside), "{beside}");
                prop_assert_eq!(left_behind(&name, &[hex::encode(&beside)]), [beside.clone()]);
                // What is beside that one is not beside this one.
                let nested = name_beside(&beside, purpose).unwrap();
                prop_assert!(name.len() > 40 || !is_beside(&name, &nested), "{nested}");
            }
        }

        #[test]
        fn a_name_of_another_database_is_not_claimed(name in names(), other in names()) {
            prop_assume!(name != other && name.len() <= 40);
            for purpose in PURPOSES {
                let beside = name_beside(&other, purpose).unwrap();
                prop_assert!(!is_beside(&name, &beside), "{beside}");
            }
        }
    }

    #[test]
    fn a_database_does_not_claim_what_belongs_to_its_neighbours() {
        for other in ["shop2_restoring_12345678", "shop_eu_restoring_12345678", "my_shop_restoring_12345678"]
        {
            assert!(!is_beside("shop", other), "{other}");
        }
        assert!(is_beside("shop", "shop_restoring_12345678"));
        assert!(is_beside("shop_eu", "shop_eu_restoring_12345678"));
        let odd = [hex::encode(b"shop\xfc_restoring_12345678"), "no hex".to_owned()];
        assert_eq!(left_behind("shop", &odd), Vec::<String>::new());
    }
}
