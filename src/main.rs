//! The command `phabgate`.
fn main() {}
