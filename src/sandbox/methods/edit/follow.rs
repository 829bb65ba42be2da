//! What an edit brings about by itself: subscribers, and mentions.
//!
//! Responsible for who is subscribed by what an edit says and does, and which tasks its texts mention. Not responsible for the
//! changes that were asked for ([`super`]).

use super::*;

impl Draft<'_> {
    /// What the texts of this edit mention that the description did not before.
    fn mentioned(&self, changes: &[TaskChange]) -> remarkup::Mentions {
        let base = &self.world.base_uri;
        let mut found = remarkup::Mentions::default();
        for change in changes {
            let (TaskChange::Comment(text) | TaskChange::Description(text)) = change else { continue };
            let new = remarkup::mentions(text, base);
            found.people.extend(new.people);
            found.tasks.extend(new.tasks);
        }
        if let Some(was) = &self.was {
            let old = remarkup::mentions(&was.description, base);
            found.people.retain(|name| !old.people.contains(name));
        }
        found
    }

    /// Subscribes who is mentioned, who comments or makes the task, and who is named, in this order.
    pub(super) fn subscribe(&mut self, changes: &[TaskChange]) {
        let owner = self.was.as_ref().and_then(|was| was.owner.clone());
        let subscribed = |phid: &str| leads_to(&self.task.subscribers, phid) || owner.as_deref() == Some(phid);
        let people = self.mentioned(changes).people;
        let mut mentioned: Vec<&User> = people.iter().filter_map(|name| self.world.user_named(name)).collect();
        mentioned.sort_by_key(|user| std::cmp::Reverse(user.id));
        let mut implied: Vec<String> = mentioned
            .into_iter()
            .filter(|user| !user.is("bot") && !subscribed(&user.phid))
            .filter(|user| access::can_view(self.world, &self.task, user))
            .map(|user| user.phid.clone())
            .collect();
        let me = &self.user.phid;
        let speaks = self.was.is_none() || !self.comments.is_empty();
        let joins = speaks && !self.user.is("bot") && !subscribed(me) && !self.task.unsubscribed.contains(me);
        if joins && !implied.contains(me) {
            implied.push(me.clone());
        }
        let (place, named) = self.subscriptions.take().unwrap_or((self.rows.len(), Vec::new()));
        let place = if joins && !self.comments.is_empty() { 0 } else { place };
        // people who are set as the only subscribers are set before the others are added
        let (mut parts, adds): (Vec<_>, Vec<_>) =
            named.into_iter().partition(|(operation, _)| *operation == EditOperation::Set);
        parts.push((EditOperation::Add, implied));
        parts.extend(adds);
        let (operations, edges) = relate(&self.task.subscribers, &parts, self.now);
        if operations.is_empty() {
            return;
        }
        let removed = |edge: &&Edge| !leads_to(&edges, &edge.phid);
        let gone: Vec<String> = self.task.subscribers.iter().filter(removed).map(|edge| edge.phid.clone()).collect();
        self.task.unsubscribed.extend(gone);
        self.task.unsubscribed.retain(|phid| !leads_to(&edges, phid));
        self.task.subscribers = edges;
        let row = Row { kind: Some("subscribers"), edge: None, fields: fields(json!({ "operations": operations })) };
        self.rows.insert(place.min(self.rows.len()), row);
    }

    /// Links the tasks that are mentioned; gives the PHIDs of those that were not before.
    pub(super) fn link(&mut self, changes: &[TaskChange]) -> Vec<String> {
        let numbers = self.mentioned(changes).tasks;
        let fresh: Vec<String> = numbers
            .into_iter()
            .filter(|number| *number != self.task.id)
            .filter_map(|number| self.world.task_numbered(number))
            .filter(|task| access::can_view(self.world, task, self.user) && !self.task.mentions.contains(&task.phid))
            .map(|task| task.phid.clone())
            .collect();
        if !fresh.is_empty() {
            self.task.mentions.extend(fresh.iter().cloned());
            let edge = HiddenEdge { kind: MENTIONS, phids: fresh.clone() };
            self.rows.push(Row { kind: None, edge: Some(edge), fields: Map::new() });
        }
        fresh
    }
}
