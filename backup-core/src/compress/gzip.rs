/// gzip.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gzip;
