//! The clauses of the contract of a dumper, one function each.
