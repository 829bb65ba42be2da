//! Changes whose transactions become visible late, since rows of the database are locked.
//!
//! Responsible for making them while others go on, so that newer transactions are seen before them. Not responsible for the lock itself.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::changes::{Kind, World};

impl World<'_> {
    /// Tags, approves and rejects the first task while the rows of its edges are locked for so many seconds, and comments on the others
    /// meanwhile.
    pub(super) fn change_behind_a_lock(&self, seconds: u64) {
        let live = &self.watch.server.live;
        let mut task = self.tasks[0].lock().unwrap();
        let before = self.served(0, task.number);
        let tag = live.project("emergency-deployment");
        live.edit("deployer1", Some(task.number), &json!([{"type": "projects.remove", "value": [tag]}]));
        task.is_tagged = false;
        self.measured(0, Kind::Untag, &task, before.as_ref(), Instant::now());
        let edits = [
            ("deployer1", json!([{"type": "projects.add", "value": [tag]}])),
            ("releng1", json!([{"type": "comment", "value": "Emergency-Approve: releng"}])),
            ("sre1", json!([{"type": "comment", "value": "Emergency-Reject: sre - not yet"}])),
        ];
        let waiting = AtomicUsize::new(edits.len());
        let locked = Instant::now();
        let lock = self.watch.server.lock_edges(&task.phid, seconds);
        std::thread::scope(|scope| {
            for (account, edit) in &edits {
                let (waiting, number) = (&waiting, task.number);
                scope.spawn(move || {
                    live.edit(account, Some(number), edit);
                    waiting.fetch_sub(1, Ordering::SeqCst);
                });
            }
            let begun = Instant::now();
            while waiting.load(Ordering::SeqCst) > 0 && begun.elapsed() < Duration::from_secs(120) {
                for other in &self.tasks[1..] {
                    live.comment("outsider", other.lock().unwrap().number, "Looking.");
                }
                std::thread::sleep(Duration::from_millis(500));
            }
        });
        let made = Instant::now();
        drop(lock);
        assert!(locked.elapsed() > Duration::from_secs(seconds / 2), "the lock keeps nobody waiting");
        task.is_tagged = true;
        self.measured(0, Kind::Locked, &task, Some(&None), made);
    }
}
