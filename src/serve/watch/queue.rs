//! Which tasks are to be looked at next.
//!
//! Responsible for each being looked at by one worker at a time, and once more where something came meanwhile; and for those who wait for
//! the outcome of a look that begins after they asked. Not responsible for looking.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use super::Looked;
use crate::ids::TaskId;

/// How many are looked at at once that were only listed: what happens meanwhile finds a worker who is free.
const LISTED_AT_ONCE: usize = 4;

/// The tasks that wait.
#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<QueueState>,
    ready: Notify,
}

#[derive(Debug, Default)]
struct QueueState {
    /// What something happened to, in the order in which it came; each once.
    urgent: VecDeque<TaskId>,
    /// What is only looked at because it was listed, after all that is urgent; none of them is urgent too.
    listed: VecDeque<TaskId>,
    /// Who waits for the outcome of the next look at each.
    waiting: BTreeMap<TaskId, Vec<oneshot::Sender<Looked>>>,
    running: BTreeSet<TaskId>,
    /// Those of them that were only listed.
    running_listed: BTreeSet<TaskId>,
}

/// The right to look at one task.
#[derive(Debug)]
pub struct Turn<'a> {
    /// The task.
    pub task: TaskId,
    asked: Vec<oneshot::Sender<Looked>>,
    queue: &'a Queue,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a task looked at to which something happened.
    pub fn push(&self, task: TaskId) {
        let mut state = self.state();
        if state.urgent.contains(&task) {
            return;
        }
        state.waiting.entry(task).or_default();
        state.listed.retain(|other| *other != task);
        state.urgent.push_back(task);
        self.ready.notify_one();
    }

    /// Has a task looked at after all to which something happened; returns whether it did not wait already.
    pub fn push_listed(&self, task: TaskId) -> bool {
        let mut state = self.state();
        let is_new = !state.waiting.contains_key(&task);
        if is_new {
            state.waiting.insert(task, Vec::new());
            state.listed.push_back(task);
            self.ready.notify_one();
        }
        is_new
    }

    /// Has a task looked at before the others, for somebody who waits for the outcome.
    pub fn ask(&self, task: TaskId) -> oneshot::Receiver<Looked> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        state.waiting.entry(task).or_default().push(sender);
        state.urgent.retain(|other| *other != task);
        state.listed.retain(|other| *other != task);
        state.urgent.push_front(task);
        self.ready.notify_one();
        receiver
    }

    /// Whether a task waits to be looked at, or is being looked at.
    pub fn holds(&self, task: TaskId) -> bool {
        let state = self.state();
        state.waiting.contains_key(&task) || state.running.contains(&task)
    }

    /// How many tasks wait.
    pub fn depth(&self) -> usize {
        self.state().waiting.len()
    }

    /// The next task that nobody looks at.
    pub async fn next(&self) -> Turn<'_> {
        loop {
            let ready = self.ready.notified();
            if let Some(turn) = self.try_next() {
                return turn;
            }
            ready.await;
        }
    }

    fn try_next(&self) -> Option<Turn<'_>> {
        let mut state = self.state();
        let QueueState { urgent, listed, running, running_listed, .. } = &mut *state;
        let free = |task: &TaskId| !running.contains(task);
        let (task, is_listed) = match urgent.iter().position(free) {
            Some(at) => (urgent.remove(at)?, false),
            None if running_listed.len() >= LISTED_AT_ONCE => return None,
            None => (listed.iter().position(free).and_then(|at| listed.remove(at))?, true),
        };
        if is_listed {
            running_listed.insert(task);
        }
        let asked = state.waiting.remove(&task).unwrap_or_default();
        state.running.insert(task);
        if !state.waiting.is_empty() {
            // One permit is kept at most: whoever takes it wakes the next.
            self.ready.notify_one();
        }
        Some(Turn { task, asked, queue: self })
    }
}

impl Turn<'_> {
    /// Ends it, and says the outcome to who asked.
    pub fn done(mut self, looked: &Looked) {
        for asked in std::mem::take(&mut self.asked) {
            // Who does not wait any more does not hear of it.
            let _ = asked.send(looked.clone());
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        state.running.remove(&self.task);
        state.running_listed.remove(&self.task);
        if !state.waiting.is_empty() {
            self.queue.ready.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(number: u64) -> TaskId {
        TaskId::new(number).unwrap()
    }

    #[tokio::test]
    async fn one_at_a_time_looks_at_a_task_and_again_where_something_came() {
        let queue = Queue::default();
        assert!(queue.push_listed(task(2)) && !queue.push_listed(task(2)));
        queue.push(task(1));
        queue.push(task(1));
        let first = queue.next().await;
        assert_eq!(first.task, task(1));
        // It came again while it was looked at.
        queue.push(task(1));
        let second = queue.next().await;
        assert_eq!(second.task, task(2));
        assert!(queue.try_next().is_none(), "T1 is being looked at");
        first.done(&Looked::Closed);
        assert_eq!(queue.next().await.task, task(1));
    }

    #[tokio::test]
    async fn what_happens_finds_a_worker_however_much_is_listed() {
        let queue = Queue::default();
        (1..=9).for_each(|number| _ = queue.push_listed(task(number)));
        let mut running = Vec::new();
        while let Some(turn) = queue.try_next() {
            running.push(turn);
        }
        assert_eq!(running.len(), LISTED_AT_ONCE);
        queue.push(task(20));
        queue.push(task(9));
        let urgent = [queue.next().await, queue.next().await];
        assert_eq!(urgent.each_ref().map(|turn| turn.task), [task(20), task(9)]);
        running.pop();
        assert_eq!(queue.next().await.task, task(5));
    }

    #[tokio::test]
    async fn who_asks_gets_the_outcome_of_a_look_that_began_afterwards() {
        let queue = Queue::default();
        queue.push(task(1));
        let before = queue.next().await;
        let asked = queue.ask(task(1));
        before.done(&Looked::Hidden);
        queue.next().await.done(&Looked::Closed);
        assert!(matches!(asked.await, Ok(Looked::Closed)));
    }
}
