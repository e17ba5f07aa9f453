use backup_core::{ErrorKind, MemoryStore, Prefix, Store, StoreExt, store::Prefixed};

use super::{key, names, wrapped};

backup_core::store_conformance!(wrapped(|store| Prefixed::new(store, Prefix::parse("team/a").unwrap())));

#[tokio::test]
async fn what_lies_outside_the_prefix_is_out_of_reach() {
    let shared = MemoryStore::new();
    for outside in ["object", "team/object", "team/ab/object", "team/b/object"] {
        shared.put_bytes(&key(outside), "theirs").await.unwrap();
    }
    let ours = Prefixed::new(shared.clone(), Prefix::parse("team/a").unwrap());
    assert!(names(&ours).await.is_empty());
    assert_eq!(ours.head(&key("object")).await.unwrap_err().kind(), ErrorKind::NotFound);
    ours.delete(&key("object")).await.unwrap();
    let put = ours.put_bytes(&key("object"), "ours").await.unwrap();
    assert_eq!(put.key, key("object"));
    assert_eq!(
        names(&shared).await,
        ["object", "team/a/object", "team/ab/object", "team/b/object", "team/object"]
    );
    assert_eq!(ours.location(), "memory:/team/a");
}
