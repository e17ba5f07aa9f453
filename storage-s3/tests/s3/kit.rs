//! The contract of a store, on both servers.

/// Against the server in this process.
mod in_process {
    use backup_core::testkit::store::StoreFixture;

    use crate::fixture::{in_process, open, options};

    fn store() -> StoreFixture {
        let (url, dir) = in_process::start();
        StoreFixture::new(move || open(options(&url, "bucket"))).with_guard(dir)
    }

    backup_core::store_conformance!(store());
}

/// Against moto, below a prefix.
mod moto {
    use std::sync::Arc;

    use backup_core::{Prefix, testkit::store::StoreFixture};
    use tokio::sync::OnceCell;

    use crate::fixture::{
        moto::{self, Has},
        open, options, unique,
    };

    fn store() -> StoreFixture {
        let (name, made) = (unique("kit"), Arc::new(OnceCell::new()));
        StoreFixture::new(move || {
            let (name, made) = (name.clone(), Arc::clone(&made));
            async move {
                made.get_or_init(|| moto::make(&name, Has::Nothing)).await;
                open(options(moto::url(), &name).with_prefix(Prefix::parse("some/folder").unwrap())).await
            }
        })
    }

    backup_core::store_conformance!(store());
}
