//! Bytes that nobody can guess.
//!
//! Responsible for where they come from. Not responsible for what they are for.

/// So many of them; `None` where the machine gives none.
pub fn bytes<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes).ok()?;
    Some(bytes)
}
