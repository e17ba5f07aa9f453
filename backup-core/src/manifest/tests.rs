use super::*;

#[test]
fn ids_take_label_and_number() {
    let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    assert_eq!(BackupId::generate(at, None, 1).unwrap().as_str(), "backup-20231114-221320");
    assert_eq!(BackupId::generate(at, Some("v1"), 2).unwrap().as_str(), "backup-20231114-221320-v1-2");
}
