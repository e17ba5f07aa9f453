use super::*;

mod none {
    use crate::{compress::Identity, compressor_conformance};

    compressor_conformance!(unchecked: Identity);
}

#[cfg(feature = "zstd")]
mod zstd {
    use crate::{compress::Zstd, compressor_conformance};

    compressor_conformance!(Zstd::default());
}

#[cfg(feature = "gzip")]
mod gzip {
    use crate::{compress::Gzip, compressor_conformance};

    compressor_conformance!(Gzip::default());
}

#[test]
fn an_unknown_name_is_refused_with_the_known_ones() {
    for result in [by_name("lzw"), parse("lzw:3")] {
        let err = result.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Unsupported);
        assert!(err.to_string().contains("lzw"), "{err}");
        assert!(err.suggestions().iter().any(|advice| advice.contains("`zstd`, `gzip` and `none`")));
    }
}

#[test]
fn names_are_those_of_the_compressors() {
    for name in ["zstd", "gzip", "none"] {
        match by_name(name) {
            Ok(compressor) => assert_eq!(compressor.name(), name),
            // A build without the feature says which one it lacks.
            Err(err) => {
                assert_eq!(err.kind(), ErrorKind::Unsupported);
                assert!(err.suggestions().iter().any(|advice| advice.contains(name)));
            }
        }
    }
}

#[test]
fn a_setting_with_a_wrong_level_is_refused() {
    for setting in ["none:1", "none:x", "zstd:", "zstd:x", "gzip:6:7"] {
        let err = parse(setting).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::InvalidInput, "{setting}");
        assert!(err.to_string().contains(setting), "{err}");
    }
}

#[cfg(all(feature = "zstd", feature = "gzip"))]
#[test]
fn levels_are_checked() {
    for setting in ["zstd:1", "zstd:19", "gzip:1", "gzip:12"] {
        assert!(parse(setting).is_ok(), "{setting}");
    }
    for setting in ["zstd:0", "zstd:20", "zstd:-1", "gzip:0", "gzip:13", "gzip:-1"] {
        assert_eq!(parse(setting).unwrap_err().kind(), ErrorKind::InvalidInput, "{setting}");
    }
}
