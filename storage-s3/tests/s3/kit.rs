//! The contract of a store, on both servers.

/// Against the server in this process, which checks every signature and every hash.
///
/// It keeps objects as files: clauses about names that are a folder as well are left to the other server, and its
/// conditions are asked before they are relied upon, as a store does for a service that knows none.
mod in_process {
    use backup_core::testkit::store::StoreFixture;
    use storage_s3::Creates;

    use crate::fixture::{in_process, open, options};

    fn store() -> StoreFixture {
        let (url, dir) = in_process::start();
        StoreFixture::new(move || open(options(&url, "bucket").with_creates(Creates::Asked))).with_guard(dir)
    }

    backup_core::store_conformance!(@each store();
        open:
            round_trip_of_any_size,
            meta_is_the_same_from_put_head_get_and_list,
            failing_body_publishes_nothing,
            failing_body_leaves_the_old_object,
            dropped_put_publishes_nothing,
            dropped_overwrite_leaves_the_old_object,
            create_refuses_existing_and_leaves_it_untouched,
            overwrite_replaces_and_creates,
            wrong_digest_is_refused_and_not_stored,
            range_reads_yield_just_the_range,
            range_beyond_the_object_is_invalid,
            delete_is_idempotent,
            list_is_segment_wise,
            sweep_keeps_finished_objects;
        fixture:
            objects_are_there_after_opening_again
    );
}

/// Against moto, below a prefix: all of it.
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
