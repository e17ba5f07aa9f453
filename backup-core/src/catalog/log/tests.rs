use super::*;

#[test]
fn names_that_a_database_could_read_otherwise_are_refused() {
    for good in ["backup_log", "_x", "Select", "a1", &"x".repeat(48)] {
        check_name(good).unwrap();
    }
    for bad in ["", "1a", "a b", "a\"b", "a`b", "a.b", "a$b", "ä", "a\n", &"x".repeat(49)] {
        assert_eq!(check_name(bad).unwrap_err().kind(), ErrorKind::InvalidInput, "{bad:?}");
    }
}

#[test]
fn batches_are_bounded_in_rows_and_bytes_and_leave_nothing_out() {
    let small: Vec<(u64, u64)> = (0..1000).map(|id| (id, 10)).collect();
    let split = batches(small);
    assert!(split.iter().all(|batch| batch.len() <= BATCH_ROWS));
    assert_eq!(split.concat(), (0..1000).collect::<Vec<_>>());
    let large =
        vec![(1, 1), (2, BATCH_BYTES), (3, BATCH_BYTES + 1), (4, 1), (5, BATCH_BYTES - 1), (6, u64::MAX)];
    assert_eq!(batches(large), [vec![1], vec![2], vec![3], vec![4, 5], vec![6]]);
    assert!(batches(Vec::new()).is_empty());
}

#[test]
fn no_text_is_part_of_a_statement() {
    for dialect in [Dialect::PostgreSql, Dialect::MySql, Dialect::Sqlite] {
        for text in crate::testkit::log::NASTY {
            let written = dialect.literal(text) + &dialect.json(text) + &dialect.name(text);
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_(), '8-:".contains(&byte);
            assert!(written.bytes().all(allowed), "{written}");
        }
    }
}

#[test]
fn times_that_not_every_database_holds_are_refused() {
    for bad in ["0999-12-31T23:59:59Z", "+12026-01-01T00:00:00Z"] {
        assert_eq!(check_time(bad.parse().unwrap()).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    check_time("9999-12-31T23:59:59.999Z".parse().unwrap()).unwrap();
}
