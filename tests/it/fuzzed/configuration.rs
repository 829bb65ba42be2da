//! The configuration: whatever a file says, it is refused with its places inside of it and no token shown, or gives
//! settings that hold together.

use phabgate::config::ConfigError;
use phabgate::fuzzing::settings;
use phabgate::secrets::{CONDUIT_DIGITS, conduit_tokens};

pub(super) fn check(input: &[u8]) {
    let Some(text) = super::text(input) else { return };
    match settings(text) {
        Ok(settings) => {
            let policy = &settings.policy;
            let exists = |key: &String| policy.teams.iter().any(|team| team.key == *key);
            let further = policy.reasons.iter().flat_map(|reason| &reason.teams);
            let of_actions = policy.actions.iter().flat_map(|action| &action.teams);
            assert!(policy.required.iter().chain(further).chain(of_actions).all(exists), "a team that is not there");
            assert!(!policy.required.is_empty(), "a deploy that needs nobody");
            assert!(
                policy.accept_verified || policy.accept_witnessed || policy.accept_attested,
                "a policy that can never allow"
            );
            for team in &policy.teams {
                assert_eq!(
                    policy.team_named(&team.key).map(|named| &named.key),
                    Some(&team.key),
                    "a key is its team's"
                );
            }
            assert!(policy.max_age.is_positive(), "approvals that are too old when they are given");
            let again = phabgate::fuzzing::settings(text).map(|again| again.policy.digest()).ok();
            assert_eq!(again, Some(policy.digest()), "the same file is the same policy");
        }
        Err(ConfigError::Invalid(report)) => {
            assert!(!report.diagnostics().is_empty(), "refused for nothing");
            for diagnostic in report.diagnostics() {
                let place = &diagnostic.place;
                assert!(place.built_in || place.span.start <= text.len(), "{diagnostic:?}");
            }
            for drawn in [report.render(false, Some(80)), report.to_string(), report.render(true, Some(40))] {
                assert!(drawn.contains("error"), "{drawn}");
                assert!(conduit_tokens(&drawn, CONDUIT_DIGITS).is_empty(), "a token is shown");
            }
            let drawn = report.render(false, Some(80));
            assert!(!drawn.lines().any(super::is_live), "{drawn:?}");
        }
        Err(error) => panic!("a file that is refused for another reason: {error}"),
    }
}
