use bytes::BytesMut;

use super::*;
use crate::{
    encryptor_conformance,
    testkit::encryptor::{open, seal},
};

fn generated() -> (String, Secret) {
    let identity = Age::generate_identity();
    let public = Age::for_identities(&identity).unwrap().recipients().remove(0);
    (public, identity.expose().lines().nth(1).unwrap().into())
}

mod one_key {
    use super::*;

    encryptor_conformance!(Age::for_identities(&generated().1).unwrap());
}

mod three_keys {
    use super::*;

    fn encryptor() -> Age {
        let keys: Vec<_> = (0..3).map(|_| generated()).collect();
        let age = Age::for_recipients(keys.iter().map(|(public, _)| public)).unwrap();
        age.with_identities(&keys[1].1).unwrap()
    }
    encryptor_conformance!(encryptor());
}

fn whole() -> usize {
    usize::MAX
}

#[test]
fn public_keys_seal_and_do_not_open() {
    let (public, identity) = generated();
    let age = Age::for_recipients([&public]).unwrap();
    let sealed = seal(&age, b"rows", whole).unwrap();
    for err in [open(&age, &sealed, whole).unwrap_err(), age.check_opens().unwrap_err()] {
        assert!(err.kind() == ErrorKind::PermissionDenied && NoIdentity::is_cause_of(&err), "{err}");
    }
    assert_eq!(age.recipients(), [public]);
    let opens = age.with_identities(&identity).unwrap();
    assert_eq!(open(&opens, &sealed, whole).unwrap(), b"rows");
}

#[test]
fn another_identity_is_told_apart_from_damage() {
    let (public, _) = generated();
    let age = Age::for_recipients([&public]).unwrap().with_identities(&generated().1).unwrap();
    let sealed = seal(&age, b"rows", whole).unwrap();
    assert!(NoIdentity::is_cause_of(&open(&age, &sealed, whole).unwrap_err()));
    let err = age.check_opens().unwrap_err();
    assert!(NoIdentity::is_cause_of(&err) && err.to_string().contains(&public), "{err}");
    let parts = age.parts().unwrap().open_head(&sealed, sealed.len() as u64);
    assert!(NoIdentity::is_cause_of(&parts.err().unwrap()));
}

#[test]
fn after_a_change_of_keys_old_objects_open_with_the_old_identity() {
    let ((_, old), (new_public, new)) = (generated(), generated());
    let before = Age::for_identities(&old).unwrap();
    let sealed = seal(&before, b"old rows", whole).unwrap();
    let after = Age::for_recipients([&new_public]).unwrap().with_identities(&new).unwrap();
    assert!(NoIdentity::is_cause_of(&open(&after, &sealed, whole).unwrap_err()));
    let both = after.with_identities(&old).unwrap();
    assert_eq!(open(&both, &sealed, whole).unwrap(), b"old rows");
    let new = seal(&both, b"new rows", whole).unwrap();
    assert!(NoIdentity::is_cause_of(&open(&before, &new, whole).unwrap_err()));
}

#[test]
fn a_file_of_identities_has_comments_and_several_keys_and_no_error_repeats_it() {
    let ((one_public, one), (other_public, other)) = (generated(), generated());
    let text = format!("# created: today\n# public key: x\r\n{}\n\n  {}\n", one.expose(), other.expose());
    let age = Age::for_identities(&text.as_str().into()).unwrap();
    assert_eq!(age.recipients(), [one_public, other_public]);
    let shown = format!("{age:?}");
    assert!(!shown.contains("SECRET") && shown.contains("identities: 2"), "{shown}");

    let half = &one.expose()[..40];
    for wrong in
        [format!("{text}{half}\n"), format!("zq{}", one.expose()), String::new(), "# zq\n".to_owned()]
    {
        let err = Age::for_identities(&wrong.as_str().into()).unwrap_err();
        let shown = format!("{err} {err:?} {:?}", err.suggestions());
        assert!(
            err.kind() == ErrorKind::InvalidInput && !shown.contains(half) && !shown.contains("zq"),
            "{shown}"
        );
    }
    for wrong in ["", "age1", "zq-public", one.expose()] {
        let err = Age::for_recipients([wrong]).unwrap_err();
        let shown = format!("{err} {err:?}");
        assert!(
            err.kind() == ErrorKind::InvalidInput && !shown.contains(half) && !shown.contains("zq"),
            "{shown}"
        );
    }
    assert_eq!(Age::for_recipients([""; 0]).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_private_key_in_place_of_a_public_one_is_called_by_its_name_and_not_repeated() {
    let (_, identity) = generated();
    let key = identity.expose().lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap();
    for key in [key.to_owned(), key.to_lowercase(), format!(" {key}\n")] {
        let err = Age::for_recipients([&key]).unwrap_err();
        assert_eq!(
            (err.kind(), err.message()),
            (ErrorKind::InvalidInput, "a private key was given to encrypt for")
        );
        assert!(
            !format!("{err:?} {:?}", err.suggestions()).contains(key.trim().get(15..).unwrap()),
            "{err:?}"
        );
    }
}

#[test]
fn a_passphrase_seals_and_opens_alone() {
    let age = Age::for_passphrase(&"correct horse".into()).unwrap();
    assert_eq!(age.recipients(), ["scrypt"]);
    age.check_opens().unwrap();
    let sealed = seal(&age, b"rows", whole).unwrap();
    assert_eq!(open(&age, &sealed, || 1).unwrap(), b"rows");
    let other = Age::for_passphrase(&"another horse".into()).unwrap();
    let wrong = open(&other, &sealed, whole).unwrap_err();
    assert!(NoIdentity::is_cause_of(&wrong));
    assert!(
        wrong.message().contains("passphrase") && wrong.suggestions()[0].contains("passphrase"),
        "{wrong:?}"
    );
    let empty = Age::for_passphrase(&"".into()).unwrap_err();
    assert_eq!(empty.kind(), ErrorKind::InvalidInput);
    assert_eq!(empty.suggestions(), ["give a passphrase, or encrypt for public keys"]);
    assert!(!format!("{age:?}").contains("horse"));
}

#[test]
fn the_most_recipients_can_be_sealed_for_and_no_more() {
    let (public, identity) = generated();
    let many = |number| Age::for_recipients(vec![&public; number]);
    let age = many(100).unwrap().with_identities(&identity).unwrap();
    let sealed = seal(&age, b"rows", whole).unwrap();
    assert_eq!(open(&age, &sealed, || 999).unwrap(), b"rows");
    let part = age.parts().unwrap().open_head(&sealed, sealed.len() as u64).unwrap().unwrap();
    assert_eq!(part.content_bytes(), 4);
    assert_eq!(many(101).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_start_that_never_ends_is_corrupt_and_is_not_collected() {
    let age = Age::for_identities(&generated().1).unwrap();
    let mut endless = age.open().unwrap();
    let start = b"age-encryption.org/v1\n-> X25519 ";
    endless.update(start.as_slice().into(), &mut BytesMut::new()).unwrap();
    let mut result = Ok(());
    for _ in 0..200 {
        result = result.and_then(|()| endless.update(vec![b'a'; 4096].into(), &mut BytesMut::new()));
    }
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
#[cfg(not(feature = "age-ssh"))]
fn keys_of_ssh_are_refused_where_this_build_lacks_them() {
    for result in [
        Age::for_recipients(["ssh-ed25519 AAAA"]).map(|_| ()),
        Age::for_identities(
            &"-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----\n".into(),
        )
        .map(|_| ()),
    ] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
