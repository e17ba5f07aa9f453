/// zstd.
#[derive(Debug, Clone, Copy, Default)]
pub struct Zstd;
