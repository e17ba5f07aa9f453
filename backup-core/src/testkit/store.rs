//! The clauses of the contract of a store, one function each.
