//! Every input that was kept still shows what it was kept for.

use super::*;

fn corpus(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name)
}

macro_rules! replayed {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                assert!(replay(corpus(stringify!($name)), super::$name) > 0);
            }
        )*
    };
}

replayed!(postgresql, mysql, archive, manifest, annotation, catalog, protocol, name, frames);
