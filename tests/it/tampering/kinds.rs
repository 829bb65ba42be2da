//! What a kind of bypass or tampering is: what is planted, what is done after the first audit, and what each audit should find.
//!
//! The kinds themselves are beside it, by what they tamper with. What they expect comes from what the audit promises.

use super::plan::Plan;

/// What is done at a step.
pub(crate) type Step = Box<dyn Fn(&mut Plan<'_>) + Send + Sync>;

/// Which transaction a finding has to point to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Link {
    /// Of those that the mark names.
    Mark(&'static str),
    /// The n-th record of the task.
    Record(usize),
    /// What spoke against the deploy, or the n-th record, which shows the deploy.
    Either(&'static str, usize),
    /// Nothing on the task shows it any more.
    Anywhere,
}

/// The first record of the task.
pub(crate) const FIRST: Link = Link::Record(0);

/// A finding that there has to be, from one audit on.
#[derive(Debug)]
pub(crate) struct Expected {
    /// The audit that finds it first, counted from 0.
    pub(crate) since: usize,
    /// Its name; of several, one.
    pub(crate) names: Vec<&'static str>,
    /// How bad it is; empty where either will do.
    pub(crate) severity: &'static str,
    pub(crate) link: Link,
}

/// One way to get around the gate, or to change afterwards what happened.
pub(crate) struct Kind {
    pub(crate) name: String,
    /// Accounts of its own, and the teams that they are in at first.
    pub(crate) people: Vec<(&'static str, Vec<&'static str>)>,
    /// What is done before each audit.
    pub(crate) steps: Vec<Step>,
    pub(crate) expected: Vec<Expected>,
    /// Errors that may be found besides.
    pub(crate) also: Vec<&'static str>,
    /// The last audits cannot judge the task: its history does not lead to it any more.
    pub(crate) unjudged: bool,
}

/// A kind by what is planted.
pub(crate) fn kind(name: impl Into<String>, plant: impl Fn(&mut Plan<'_>) + Send + Sync + 'static) -> Kind {
    let (people, expected, also) = (Vec::new(), Vec::new(), Vec::new());
    Kind { name: name.into(), people, steps: vec![Box::new(plant)], expected, also, unjudged: false }
}

impl Kind {
    /// Somebody for this case alone.
    pub(crate) fn with(mut self, who: &'static str, teams: &[&'static str]) -> Self {
        self.people.push((who, teams.to_vec()));
        self
    }

    /// What is done after the audit before.
    pub(crate) fn then(mut self, step: impl Fn(&mut Plan<'_>) + Send + Sync + 'static) -> Self {
        self.steps.push(Box::new(step));
        self
    }

    fn expect(mut self, since: usize, severity: &'static str, names: &[&'static str], link: Link) -> Self {
        self.expected.push(Expected { since, names: names.to_vec(), severity, link });
        self
    }

    /// The audit after the last step finds this error.
    pub(crate) fn error(self, name: &'static str, link: Link) -> Self {
        let since = self.steps.len() - 1;
        self.expect(since, "error", &[name], link)
    }

    pub(crate) fn warning(self, name: &'static str, link: Link) -> Self {
        let since = self.steps.len() - 1;
        self.expect(since, "warning", &[name], link)
    }

    pub(crate) fn notice(self, name: &'static str, link: Link) -> Self {
        let since = self.steps.len() - 1;
        self.expect(since, "notice", &[name], link)
    }

    /// The audit after the last step finds one of these.
    pub(crate) fn found(self, names: &[&'static str], link: Link) -> Self {
        let since = self.steps.len() - 1;
        self.expect(since, "", names, link)
    }

    /// An audit that reads all histories again finds this error: what was changed in the database shows nowhere else.
    pub(crate) fn thorough(self, name: &'static str, link: Link) -> Self {
        self.expect(super::THOROUGH, "error", &[name], link)
    }

    /// It leaves a history that does not lead to the task: nothing of it is judged after that.
    pub(crate) fn unjudged(self) -> Self {
        Self { unjudged: true, ..self }
    }

    /// Errors that may come with it.
    pub(crate) fn also(mut self, names: &[&'static str]) -> Self {
        self.also.extend(names);
        self
    }
}
