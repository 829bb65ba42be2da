//! The moments at which a deploy is judged: its start, and up to when what speaks against it counts.
//!
//! Responsible for which those are, by the records of the deploy. Not responsible for what the task was then.

use jiff::Timestamp;

use crate::evidence::records::DeployRecords;
use crate::evidence::timeline::{AsOf, Moment, Timeline};
use crate::ids::TransactionId;

/// The moments at which a deploy is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cuts {
    /// Its start: the earlier of the first record, which is excluded, and the start that is stated.
    pub(super) start: AsOf,
    /// Up to when what speaks against it counts: the first record, or the start where the gate of a recorder measured it.
    pub(super) against: AsOf,
}

impl Cuts {
    /// Those of a deploy with these records.
    pub(super) fn of(timeline: &Timeline, records: &DeployRecords) -> Self {
        let record = records.first().moment;
        let stated = records.start().map_or(record.time, |(_, start)| start.min(record.time));
        let measured = records.measured_start().map_or(record.time, |start| start.min(record.time));
        Self { start: as_of(timeline, record, stated), against: as_of(timeline, record, measured) }
    }
}

/// All that came before a record and no later than a time. For transactions their order decides whether they came
/// before the record; for what only has a time, the time does.
fn as_of(timeline: &Timeline, record: Moment, time: Timestamp) -> AsOf {
    let before = |id: TransactionId, created: Timestamp| id < record.transaction && created <= time;
    let transactions = timeline.transactions();
    let last = transactions.iter().rev().find(|transaction| before(transaction.id, transaction.created));
    // A start before the task was made finds nothing on it.
    AsOf { through: last.map_or(TransactionId(0), |transaction| transaction.id), time }
}
