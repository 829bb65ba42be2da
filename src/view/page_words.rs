//! The words for a pager without a way in for programs: what somebody pastes there.
//!
//! Responsible for what of a task they hold, which is read by whom the pager wakes. Not responsible for whether anybody is to be paged.

use super::Audience;
use crate::ids::TaskId;
use crate::text::inert;

/// One short line: the number and the link; the teams that are missing too where everybody with an account sees the task, and the category
/// of a public one. Of any other, and where who may see it is not known, no more than number and link.
pub fn page_words(
    task: TaskId,
    url: &str,
    audience: Option<Audience>,
    category: Option<&str>,
    missing: &[&str],
) -> String {
    let category = category.filter(|_| audience == Some(Audience::Public));
    let is_seen = matches!(audience, Some(Audience::Public | Audience::Users));
    let teams: Vec<String> = missing.iter().filter(|_| is_seen).map(|team| inert(team)).collect();
    let category = category.map_or(String::new(), |category| format!(" ({})", inert(category)));
    let needs = match teams.as_slice() {
        [] => String::new(),
        [team] => format!(" needs {team}"),
        [first @ .., last] => format!(" needs {} and {last}", first.join(", ")),
    };
    format!("emergency deploy {task}{category}{needs}: {url}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pager_is_given_no_more_than_who_is_woken_may_see() {
        let task = TaskId::new(6).unwrap();
        let words =
            |audience| page_words(task, "https://phab.example/T6", audience, Some("security"), &["sre", "security"]);
        let link = "https://phab.example/T6";
        assert_eq!(
            words(Some(Audience::Public)),
            format!("emergency deploy T6 (security) needs sre and security: {link}")
        );
        assert_eq!(words(Some(Audience::Users)), format!("emergency deploy T6 needs sre and security: {link}"));
        for hidden in [Some(Audience::Restricted), None] {
            assert_eq!(words(hidden), format!("emergency deploy T6: {link}"));
        }
    }
}
