//! Emergencies that the watch does not see.
//!
//! Responsible for making, editing and closing them. Not responsible for what the watch does meanwhile.

use serde_json::json;

use super::server::Server;

/// How many are edited at once.
const AT_ONCE: usize = 4;

/// Tasks that administrators alone see, until it is dropped.
pub(super) struct Hidden<'s> {
    server: &'s Server,
    pub(super) tasks: Vec<u64>,
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        for task in &self.tasks {
            let closed = json!({"objectIdentifier": format!("T{task}"), "transactions": [{"type": "status", "value": "invalid"}]});
            let _ = self.server.live.try_call("admin", "maniphest.edit", closed);
        }
    }
}

impl<'s> Hidden<'s> {
    /// So many.
    pub(super) fn new(server: &'s Server, many: u64) -> Self {
        let tag = server.live.project("emergency-deployment");
        let make = |number: u64| {
            let transactions = json!([
                {"type": "title", "value": format!("Hidden emergency {number}")},
                {"type": "view", "value": "admin"},
                {"type": "edit", "value": "admin"},
                {"type": "projects.add", "value": [tag]},
            ]);
            server.live.edit("admin", None, &transactions)
        };
        Self { server, tasks: (0..many).map(make).collect() }
    }

    /// Edits all of them.
    pub(super) fn edit_all(&self) {
        std::thread::scope(|scope| {
            for tasks in self.tasks.chunks(self.tasks.len().div_ceil(AT_ONCE).max(1)) {
                scope.spawn(move || {
                    for task in tasks {
                        self.server.live.comment("admin", *task, "Edited with many others.");
                    }
                });
            }
        });
    }
}
