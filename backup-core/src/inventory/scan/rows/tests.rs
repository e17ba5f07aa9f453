use proptest::prelude::*;

use super::*;

/// The same byte by byte, from the rules alone.
fn slowly(text: &[u8], mut place: Place, backslash: Backslash) -> Passed {
    let mut rows = 0;
    for (taken, byte) in text.iter().enumerate() {
        let next = text.get(taken + 1).copied();
        let is_comment = *byte == b'-' && next.is_none_or(|next| next == b'-');
        let is_prefix = matches!(byte, b'e' | b'E') && next == Some(b'\'');
        let next_place = match (place, byte) {
            (Place::Literal, b'\\') if backslash == Backslash::Escape => Some(Place::Escape),
            (Place::Literal, b'\'') => Some(Place::Row),
            (Place::Literal | Place::Escape, _) => Some(Place::Literal),
            (_, b'"' | b'#' | b';' | b'`' | b'$' | b'/' | b'\\') => None,
            _ if is_comment || is_prefix => None,
            (Place::Gap, b'(') => Some(Place::Row),
            (Place::Gap, byte) => (*byte <= b',' && !b"')".contains(byte)).then_some(Place::Gap),
            (Place::Row, b')') => Some(Place::Gap),
            (Place::Row, b'\'') => Some(Place::Literal),
            (Place::Row, byte) => (*byte != b'(').then_some(Place::Row),
        };
        let Some(next_place) = next_place else { return Passed { taken, rows, place } };
        rows += u64::from(place == Place::Gap && next_place == Place::Row);
        place = next_place;
    }
    Passed { taken: text.len(), rows, place }
}

const PLACES: [Place; 4] = [Place::Gap, Place::Row, Place::Literal, Place::Escape];

fn assert_same(text: &[u8]) {
    for backslash in [Backslash::Plain, Backslash::Escape] {
        for place in PLACES {
            if (place, backslash) != (Place::Escape, Backslash::Plain) {
                let expected = slowly(text, place, backslash);
                let found = pass(text, place, backslash, &mut ());
                assert_eq!(found, expected, "{} {place:?} {backslash:?}", text.escape_ascii());
            }
        }
    }
}

#[test]
fn a_byte_means_the_same_at_any_place_of_a_block() {
    for length in [0, 1, 2, 62, 63, 64, 65, 66, 127, 128, 129] {
        let mut text = vec![b','; length];
        assert_same(&text);
        for at in 0..length {
            for byte in *b"'\\();\"`#$-/eEx" {
                text[at] = byte;
                assert_same(&text);
            }
            text[at] = b',';
        }
    }
}

#[test]
fn a_run_of_backslashes_of_any_length_at_any_place_escapes_in_pairs() {
    for before in [0, 1, 30, 60, 61, 62, 63, 64, 65] {
        for run in (0..8).chain(60..70).chain(126..132) {
            let text = [vec![b'x'; before], vec![b'\\'; run], b"'),(1".to_vec()].concat();
            assert_same(&text);
            let rows = pass(&text, Place::Literal, Backslash::Escape, &mut ()).rows;
            assert_eq!(rows, u64::from(run % 2 == 0), "{run} behind {before}");
        }
    }
}

proptest! {
    #[test]
    fn blocks_read_what_single_bytes_read(
        text in prop::collection::vec(prop_oneof![
            8 => prop::sample::select(&b"'\\(),"[..]),
            4 => prop::sample::select(&b"x1 \n"[..]),
            1 => prop::sample::select(&b";\"`#$-/eE*"[..]),
        ], 0..400),
    ) {
        assert_same(&text);
    }

    #[test]
    fn any_cut_changes_nothing(
        text in prop::collection::vec(prop::sample::select(&b"'''\\(),,xxxxxxxx-"[..]), 0..400),
        at in any::<prop::sample::Index>(),
    ) {
        let whole = pass(&text, Place::Literal, Backslash::Escape, &mut ());
        let at = at.index(whole.taken + 1);
        let first = pass(&text[..at], Place::Literal, Backslash::Escape, &mut ());
        // Half of a comment's mark is left for the next piece.
        prop_assert!(first.taken == at || first.taken + 1 == at && text[at - 1] == b'-');
        let second = pass(&text[first.taken..], first.place, Backslash::Escape, &mut ());
        let joined = Passed { taken: first.taken + second.taken, rows: first.rows + second.rows, ..second };
        prop_assert_eq!(joined, whole);
    }
}
