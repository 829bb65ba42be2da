//! `clock`: this machine's clock agrees with the server's.

use jiff::SignedDuration;

use super::Rule;
use crate::evidence::Purpose;
use crate::time::rough;

pub(super) const RULE: Rule = Rule {
    name: "clock",
    summary: "This machine's clock agrees with the server's",
    page: "What counts is the server's clock. A deploy's start and end are noted by the clock of the host, so that where \
           the two differ by more than a minute, records seem out of order. This rule only warns.\n\n\
           Set the host's clock (`timedatectl set-ntp true`).",
    judge: |rule, context| {
        if context.evidence.purpose == Purpose::Audit {
            return Vec::new();
        }
        let skew = context.evidence.skew;
        match skew.abs() > SignedDuration::from_secs(60) {
            false => rule.pass("this machine's clock agrees with the server's"),
            true => rule.warn(
                format!(
                    "this machine's clock is {} {} the server's",
                    rough(skew.abs()),
                    if skew.is_positive() { "ahead of" } else { "behind" }
                ),
                "set the clock of this host",
            ),
        }
    },
};
