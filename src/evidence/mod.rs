//! The evidence: all that was read for one decision.
mod markup;
pub mod trailers;
