//! How often somebody may ask.
//!
//! Responsible for the limits. Not responsible for who asks.

use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Whose requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Bucket {
    /// Those with a token, by its name.
    Token(String),
    /// Those of an account that a trusted proxy names.
    Account(String),
    /// Those of anybody else, by where they come from.
    Address(IpAddr),
}

/// The limits of the service.
#[derive(Debug)]
pub struct Limits {
    tokens: DefaultKeyedRateLimiter<Bucket>,
    addresses: DefaultKeyedRateLimiter<Bucket>,
    unsigned: DefaultKeyedRateLimiter<IpAddr>,
    warnings: DefaultDirectRateLimiter,
}

/// So many a minute, at most all of them at once.
const fn a_minute(many: u32) -> Quota {
    match NonZeroU32::new(many) {
        Some(many) => Quota::per_minute(many),
        None => Quota::per_minute(NonZeroU32::MIN),
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tokens: RateLimiter::keyed(a_minute(600)),
            addresses: RateLimiter::keyed(a_minute(60)),
            unsigned: RateLimiter::keyed(a_minute(30)),
            warnings: RateLimiter::direct(a_minute(1)),
        }
    }
}

impl Limits {
    /// Whether one more request is answered.
    pub(super) fn admits(&self, bucket: &Bucket) -> bool {
        match bucket {
            Bucket::Token(_) | Bucket::Account(_) => self.tokens.check_key(bucket).is_ok(),
            Bucket::Address(_) => self.addresses.check_key(bucket).is_ok(),
        }
    }

    /// Whether one more call of the webhook without a good signature is looked at.
    pub(super) fn admits_unsigned(&self, address: IpAddr) -> bool {
        self.unsigned.check_key(&address).is_ok()
    }

    /// Whether one more line is logged of what every request would say.
    pub(super) fn admits_warning(&self) -> bool {
        self.warnings.check().is_ok()
    }

    /// Forgets those who have not asked for a while.
    pub fn forget(&self) {
        self.tokens.retain_recent();
        self.addresses.retain_recent();
        self.unsigned.retain_recent();
    }
}
