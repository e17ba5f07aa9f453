//! The clauses of the contract of a compressor, one function each.
