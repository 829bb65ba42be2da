//! Where things are in the world, so that a search costs what it finds and not what there is.
//!
//! Responsible for the world together with its index, which is made when a search first needs it and forgotten with
//! every change. Not responsible for the data ([`super::world`]) and how they are kept ([`super::store`]).

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::{Deref, DerefMut, Range};

use super::world::{Task, Transaction, World};

/// The world and where things are in it. Who takes hold of the world to change it lets go of the index.
#[derive(Debug)]
pub(crate) struct Indexed {
    world: World,
    index: OnceCell<Index>,
    last_event: OnceCell<i64>,
}

/// Places in the lists of the world.
#[derive(Debug, Default)]
struct Index {
    /// The tasks by number, the oldest first.
    oldest: Vec<usize>,
    /// The same the other way round.
    newest: Vec<usize>,
    tasks: HashMap<String, usize>,
    /// The transactions by number, the newest first, and so in all that follow.
    transactions: Vec<usize>,
    by_phid: HashMap<String, usize>,
    by_task: HashMap<String, Vec<usize>>,
    by_author: HashMap<String, Vec<usize>>,
}

impl Index {
    fn of(world: &World) -> Self {
        let mut oldest: Vec<usize> = (0..world.tasks.len()).collect();
        oldest.sort_by_key(|place| world.tasks[*place].id);
        let mut transactions: Vec<usize> = (0..world.transactions.len()).rev().collect();
        transactions.sort_by_key(|place| std::cmp::Reverse(world.transactions[*place].id));
        let mut index = Self {
            newest: oldest.iter().rev().copied().collect(),
            tasks: oldest.iter().map(|place| (world.tasks[*place].phid.clone(), *place)).collect(),
            by_phid: HashMap::with_capacity(transactions.len()),
            oldest,
            ..Self::default()
        };
        let add = |map: &mut HashMap<String, Vec<usize>>, key: &String, place| match map.get_mut(key) {
            Some(places) => places.push(place),
            None => drop(map.insert(key.clone(), vec![place])),
        };
        for place in &transactions {
            let transaction = &world.transactions[*place];
            index.by_phid.insert(transaction.phid.clone(), *place);
            add(&mut index.by_task, &transaction.object, *place);
            add(&mut index.by_author, &transaction.author, *place);
        }
        index.transactions = transactions;
        index
    }
}

impl From<World> for Indexed {
    fn from(world: World) -> Self {
        Self { world, index: OnceCell::new(), last_event: OnceCell::new() }
    }
}

impl Deref for Indexed {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for Indexed {
    fn deref_mut(&mut self) -> &mut World {
        self.index.take();
        self.last_event.take();
        &mut self.world
    }
}

impl Indexed {
    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::of(&self.world))
    }

    /// The time of the last thing that happened.
    pub(crate) fn last_event(&self) -> i64 {
        *self.last_event.get_or_init(|| self.world.last_event())
    }

    /// The task of this PHID.
    pub(crate) fn task(&self, phid: &str) -> Option<&Task> {
        self.index().tasks.get(phid).map(|place| &self.world.tasks[*place])
    }

    /// The task of this number.
    pub(crate) fn task_numbered(&self, id: u64) -> Option<&Task> {
        self.place_numbered(id).map(|place| &self.world.tasks[place])
    }

    fn place_numbered(&self, id: u64) -> Option<usize> {
        let oldest = &self.index().oldest;
        let found = oldest.binary_search_by_key(&id, |place| self.world.tasks[*place].id);
        found.ok().map(|at| oldest[at])
    }

    /// The places of all tasks, by number.
    pub(crate) fn tasks_by_number(&self, oldest_first: bool) -> &[usize] {
        if oldest_first { &self.index().oldest } else { &self.index().newest }
    }

    /// The places of the tasks with these numbers or PHIDs, by number.
    pub(crate) fn some_tasks(&self, ids: &[u64], phids: &[String], oldest_first: bool) -> Vec<usize> {
        let tasks = &self.index().tasks;
        let numbered = ids.iter().filter_map(|id| self.place_numbered(*id));
        let mut places: Vec<usize> = numbered.chain(phids.iter().filter_map(|phid| tasks.get(phid).copied())).collect();
        places.sort_by_key(|place| self.world.tasks[*place].id);
        places.dedup();
        if !oldest_first {
            places.reverse();
        }
        places
    }

    /// The places of all transactions, the newest first.
    pub(crate) fn transactions_by_number(&self) -> &[usize] {
        &self.index().transactions
    }

    /// The places of the transactions of a task, the newest first.
    pub(crate) fn transactions_of(&self, task: &str) -> &[usize] {
        self.index().by_task.get(task).map_or(&[], Vec::as_slice)
    }

    /// The places of the transactions by these people, the newest first.
    pub(crate) fn transactions_by(&self, authors: &[String]) -> Cow<'_, [usize]> {
        let by = |author: &String| self.index().by_author.get(author).map_or(&[][..], Vec::as_slice);
        match authors {
            [author] => Cow::Borrowed(by(author)),
            authors => self.in_order(authors.iter().flat_map(by).copied().collect()),
        }
    }

    /// The places of the transactions with these PHIDs, the newest first.
    pub(crate) fn transactions_named(&self, phids: &[String]) -> Cow<'_, [usize]> {
        self.in_order(phids.iter().filter_map(|phid| self.index().by_phid.get(phid).copied()).collect())
    }

    fn in_order(&self, mut places: Vec<usize>) -> Cow<'_, [usize]> {
        places.sort_by_key(|place| std::cmp::Reverse(self.world.transactions[*place].id));
        places.dedup();
        Cow::Owned(places)
    }

    /// Where the transaction of this number stands among some, which are the newest first, or would stand; `None`
    /// where there is none of this number at all.
    pub(crate) fn stands_among(&self, some: &[usize], number: u64) -> Option<Range<usize>> {
        let id = |place: &usize| self.world.transactions[*place].id;
        let all = range(&self.index().transactions, |place| id(place).cmp(&number).reverse());
        (!all.is_empty()).then(|| range(some, |place| id(place).cmp(&number).reverse()))
    }

    /// Where the task of this number stands among some, which are in the order of their numbers, or would stand.
    pub(crate) fn task_stands_among(&self, some: &[usize], number: u64, oldest_first: bool) -> Range<usize> {
        range(some, |place| {
            let order = self.world.tasks[*place].id.cmp(&number);
            if oldest_first { order } else { order.reverse() }
        })
    }

    /// The transaction at this place.
    pub(crate) fn transaction_at(&self, place: usize) -> &Transaction {
        &self.world.transactions[place]
    }

    /// The task at this place.
    pub(crate) fn task_at(&self, place: usize) -> &Task {
        &self.world.tasks[place]
    }
}

/// The part of a sorted list that compares as equal; empty, at its place, where nothing does.
fn range<T>(sorted: &[T], compare: impl Fn(&T) -> std::cmp::Ordering) -> Range<usize> {
    let start = sorted.partition_point(|item| compare(item).is_lt());
    let end = sorted.partition_point(|item| compare(item).is_le());
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_what_a_look_at_everything_finds() {
        let world = World::built_in().unwrap();
        let indexed = Indexed::from(world.clone());
        for task in &world.tasks {
            assert_eq!((indexed.task(&task.phid), indexed.task_numbered(task.id)), (Some(task), Some(task)));
            let history: Vec<_> =
                indexed.transactions_of(&task.phid).iter().map(|at| indexed.transaction_at(*at)).collect();
            assert_eq!(history, world.history(&task.phid));
        }
        assert_eq!((indexed.task("PHID-TASK-x"), indexed.task_numbered(999)), (None, None));
        let authors: Vec<String> = world.users.iter().take(5).map(|user| user.phid.clone()).collect();
        let mut by: Vec<_> =
            world.transactions.iter().filter(|row| authors.contains(&row.author)).map(|row| row.id).collect();
        by.reverse();
        let found: Vec<_> = indexed.transactions_by(&authors).iter().map(|at| indexed.transaction_at(*at).id).collect();
        assert_eq!(found, by);
    }

    #[test]
    fn a_list_is_in_order_and_names_nothing_twice() {
        let indexed = Indexed::from(World::built_in().unwrap());
        let phid = |id: u64| indexed.task_numbered(id).unwrap().phid.clone();
        let some = indexed.some_tasks(&[9, 2, 999], &[phid(2), phid(5), "PHID-TASK-x".into()], true);
        let ids: Vec<_> = some.iter().map(|at| indexed.task_at(*at).id).collect();
        assert_eq!(ids, [2, 5, 9]);
        assert_eq!(indexed.task_stands_among(&some, 5, true), 1..2);
        assert_eq!(indexed.task_stands_among(&some, 6, true), 2..2);
        let some = indexed.transactions_of(&phid(1));
        assert_eq!(indexed.stands_among(some, 9), Some(1..2));
        assert_eq!(indexed.stands_among(some, 10), Some(1..1));
        assert_eq!(indexed.stands_among(some, 99_999), None);
    }

    #[test]
    fn a_change_is_found_at_once() {
        let mut indexed = Indexed::from(World::built_in().unwrap());
        assert!(indexed.task_numbered(28).is_some() && indexed.task_numbered(77).is_none());
        let before = indexed.last_event();
        indexed.tasks[27].id = 77;
        indexed.transactions[0].modified = before + 5;
        assert!(indexed.task_numbered(28).is_none() && indexed.task_numbered(77).is_some());
        assert_eq!(indexed.last_event(), before + 5);
    }
}
