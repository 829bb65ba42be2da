//! What a line that is said once is known by: in the store by its key, in the log of the service by words.
//!
//! Responsible for both, so that nobody who runs the service has to know a key. Not responsible for the line itself ([`super::announcements`]).

use super::news::News;
use crate::ids::{TaskId, TransactionId};
use crate::paging::{PageKey, Stage};

/// A line that is said once in an episode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SaidLine {
    /// A team is asked, for the first time or again.
    Ask(PageKey),
    /// Something is news.
    News(News),
    /// The episode is over.
    Over,
}

impl SaidLine {
    /// What it is kept by.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Ask(key) => key.to_string(),
            Self::News(news) => news.key(),
            Self::Over => "over".to_owned(),
        }
    }

    /// Whether what is kept by this key asked a team about this task.
    pub(super) fn is_ask(key: &str, task: TaskId) -> bool {
        key.strip_prefix(&task.to_string()).is_some_and(|rest| rest.starts_with('/'))
    }

    /// What it says, for the log: the rest of a sentence that begins "it was said that".
    pub(super) fn words(&self) -> String {
        match self {
            Self::Ask(PageKey { team, stage: Stage::AskedAgain, .. }) => format!("{team} is asked again"),
            Self::Ask(PageKey { team, .. }) => format!("{team} is asked"),
            Self::Over => "the emergency is over".to_owned(),
            Self::News(news) => of_news(news),
        }
    }
}

fn of_news(news: &News) -> String {
    let written = |what: &str, transaction: &TransactionId| format!("{what} (transaction {transaction})");
    match news {
        News::Drill(turn) if News::says_drill(*turn) => "it is a drill".to_owned(),
        News::Drill(_) => "it is no drill any more".to_owned(),
        News::Rejected { transaction, .. } => written("it is rejected", transaction),
        News::Withdrawn { transaction, .. } => written("an approval was taken back", transaction),
        News::Unread { .. } => "an answer does not count as it is written".to_owned(),
        News::Paged { team, stage: Stage::Escalation, .. } => format!("{team} was paged again"),
        News::Paged { team, .. } => format!("{team} was paged"),
        News::Ready(0) => "it may be deployed".to_owned(),
        News::Ready(_) => "it may be deployed again".to_owned(),
        News::Lost(_) => "it may not be deployed any more".to_owned(),
        News::Started(deploy) => format!("the deploy {deploy} started"),
        News::Ended(deploy) => format!("the deploy {deploy} ended"),
        News::Logged(deploy) => format!("the deploy {deploy} started, for the log of the site"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_says_in_words_which_line_it_was() {
        let deploy = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let ask = |stage| {
            let key = PageKey {
                task: "T12".parse().unwrap(),
                episode: TransactionId(3),
                team: "sre".into(),
                round: 2,
                stage,
            };
            SaidLine::Ask(key)
        };
        let (transaction, ends) = (TransactionId(7), Some(0));
        let paged = |stage| News::Paged { team: "sre".into(), round: 2, stage };
        let news = [
            (News::Drill(0), "it is a drill"),
            (News::Drill(1), "it is no drill any more"),
            (News::Rejected { transaction, ends }, "it is rejected (transaction 7)"),
            (News::Withdrawn { transaction, ends }, "an approval was taken back (transaction 7)"),
            (News::Unread { which: "x".into(), ends }, "an answer does not count as it is written"),
            (paged(Stage::Page), "sre was paged"),
            (paged(Stage::Escalation), "sre was paged again"),
            (News::Ready(0), "it may be deployed"),
            (News::Ready(1), "it may be deployed again"),
            (News::Lost(0), "it may not be deployed any more"),
            (News::Started(deploy), "the deploy 01890a5d-ac96-774b-bcce-b302099a8057 started"),
            (News::Ended(deploy), "the deploy 01890a5d-ac96-774b-bcce-b302099a8057 ended"),
            (News::Logged(deploy), "the deploy 01890a5d-ac96-774b-bcce-b302099a8057 started, for the log of the site"),
        ];
        let lines = news.map(|(news, words)| (SaidLine::News(news), words));
        let others = [
            (ask(Stage::Asked), "sre is asked"),
            (ask(Stage::AskedAgain), "sre is asked again"),
            (SaidLine::Over, "the emergency is over"),
        ];
        for (line, words) in lines.into_iter().chain(others) {
            assert_eq!(line.words(), words);
        }
    }
}
