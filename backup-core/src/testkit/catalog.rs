//! The clauses of the contract of a catalog, one function each.
