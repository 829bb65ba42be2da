//! The second stage: the file over what is built in, and the checks that need more than one value.
//!
//! Responsible for precedence between file and built-in, the origin of each value, and why a policy could never allow.
//! Not responsible for the types of single values (see `values`) and which words collide (see `words`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::announce::WhoAsks;
use super::diagnostic::{Diagnostic, FilePosition, SettingsReport};
use super::error::ConfigError;
use super::file::{Accept, File, FileAccepted, FileReason, FileTeam};
use super::origin::{ConfigSource, Origin, Origins};
use super::preset::Preset;
use super::reader::{List, Located, Names, Problems, listed};
use super::settings::{Accepted, Contact, Http, LogSettings, RecordSettings, Settings};
use super::{diagnostic, file, words};
use crate::conduit::Route;
use crate::conduit::is_loopback;
use crate::policy::{ActionPolicy, Policy, Reason, Role, Team};
use crate::record::mask::Mask;

/// The shortest time after which an unclear answer may be settled: above a server's execution limit.
const SETTLE: SignedDuration = SignedDuration::from_secs(60);

/// The most people of a team that a policy may ask for.
const MOST_NEEDED: u32 = 20;

/// What beats the file.
pub(super) struct Overrides {
    pub(super) url: Option<(Url, Origin)>,
    pub(super) state: Option<PathBuf>,
}

/// Makes settings of what was read, at a time by the clock of this machine. `home` finds the directory of the journal where nothing names
/// one.
pub(super) fn validate(
    file: Option<File>,
    built_in: File,
    source: Option<ConfigSource<'_>>,
    over: Overrides,
    now: Timestamp,
    home: impl FnOnce() -> Result<(PathBuf, Origin), ConfigError>,
) -> Result<Settings, ConfigError> {
    let mut merge = PolicyMerge { source, origins: Origins::default(), problems: Problems::default(), now };
    let settings = merge.settings(file, built_in, over, home)?;
    let problems = std::mem::take(&mut merge.problems).into_sorted();
    if problems.is_empty() {
        return Ok(Settings { origins: merge.origins, ..settings });
    }
    match source {
        Some(source) => Err(ConfigError::Invalid(Box::new(SettingsReport::new(source.path, source.text, problems)))),
        None => Err(ConfigError::BuiltIn(problems.iter().map(|problem| problem.message.as_str()).collect())),
    }
}

/// What is built in, as this preset has it.
fn preset_over(preset: Preset, base: File) -> Result<File, ConfigError> {
    let own = file::read(preset.text(), true).map_err(|problems| {
        let words: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
        ConfigError::BuiltIn(format!("preset {}: {}", preset.word(), words.join("; ")))
    })?;
    Ok(File { required: own.required.or(base.required), teams: own.teams.or(base.teams), ..base })
}

pub(super) struct PolicyMerge<'a> {
    source: Option<ConfigSource<'a>>,
    origins: Origins,
    pub(super) problems: Problems,
    /// When it is read.
    #[cfg_attr(not(feature = "serve"), expect(dead_code, reason = "a day is in the settings of the watch alone"))]
    pub(super) now: Timestamp,
}

impl PolicyMerge<'_> {
    fn settings(
        &mut self,
        file: Option<File>,
        mut base: File,
        over: Overrides,
        home: impl FnOnce() -> Result<(PathBuf, Origin), ConfigError>,
    ) -> Result<Settings, ConfigError> {
        let read = file.is_some();
        let mut file = file.unwrap_or_default();
        let preset = self.one(file.preset.take(), base.preset.take(), "policy.preset")?.value;
        base = preset_over(preset, base)?;
        let url = match over.url {
            Some((url, origin)) => {
                self.origins.set("url", origin);
                Some(url)
            }
            None => self.either(file.url.take(), None).map(|found| found.value),
        };
        let state = match (over.state, self.either(file.state.take(), None)) {
            (Some(state), _) => {
                self.origins.set("state", Origin::Environment { name: "PHABGATE_STATE" });
                state
            }
            (None, Some(found)) => found.value,
            (None, None) => {
                let (state, origin) = home()?;
                self.origins.set("state", origin);
                state
            }
        };
        let settle = self.one(file.settle.take(), base.settle.take(), "record.settle")?;
        if settle.value < SETTLE && !url.as_ref().is_some_and(is_loopback) {
            let message = format!("{:#} is too short: a server may still carry out a call by then", settle.value);
            self.problems.add(Diagnostic::new(&settle.place, message).help("write \"60s\" or more"));
        }
        let record = RecordSettings {
            mask: Mask::new(values(self.one(file.mask.take(), base.mask.take(), "record.mask")?)),
            hide_args: self.one(file.hide_args.take(), base.hide_args.take(), "record.hide_args")?.value,
            settle: unsigned(settle.value),
        };
        let contact = Contact {
            channel: self.one(file.channel.take(), base.channel.take(), "contact.channel")?.value,
            escalation: self.one(file.escalation.take(), base.escalation.take(), "contact.escalation")?.value,
            conductor: self.either(file.conductor.take(), None).map(|found| found.value),
            instructions: self.one(file.instructions.take(), base.instructions.take(), "contact.instructions")?.value,
        };
        let http = Http {
            connect: unsigned(self.one(file.connect.take(), base.connect.take(), "http.connect")?.value),
            call: unsigned(self.one(file.call.take(), base.call.take(), "http.call")?.value),
            total: unsigned(self.one(file.total.take(), base.total.take(), "http.total")?.value),
            proxy: self.one(file.proxy.take(), base.proxy.take(), "http.proxy")?.value,
        };
        let system = self.one(file.log.take(), base.log.take(), "log.system")?.value;
        let log = LogSettings { system, root: PathBuf::from("/") };
        let irc = self.irc(std::mem::take(&mut file.irc), std::mem::take(&mut base.irc))?;
        #[cfg(feature = "serve")]
        let serve = self.serve(std::mem::take(&mut file.serve), std::mem::take(&mut base.serve))?;
        let watch = self.either(file.watch.take(), None).map(|found| found.value);
        #[cfg(feature = "serve")]
        let served = serve.url.as_ref().map(ToString::to_string);
        #[cfg(not(feature = "serve"))]
        let served = file.served.take().map(|found| found.value);
        let named = served.or_else(|| watch.as_ref().map(ToString::to_string)).map(WhoAsks::Named);
        #[cfg(feature = "serve")]
        let own = irc.bot.server.is_some().then(|| WhoAsks::Own(format!("http://{}/", serve.listen)));
        #[cfg(not(feature = "serve"))]
        let own = None;
        let asks = named.or(own);
        let (own, announce_base) = (std::mem::take(&mut file.announce), std::mem::take(&mut base.announce));
        let announce = self.announce(own, announce_base, asks, irc.tcpircbot.is_some())?;
        let deployers = self.deployers(file.deployers.take());
        let accepted = self.either(file.accepted.take(), None).map(|found| self.accepted(found)).unwrap_or_default();
        let (paging, paging_base) = (std::mem::take(&mut file.paging), std::mem::take(&mut base.paging));
        let policy = self.policy(file, base)?;
        let paging = self.paging(paging, paging_base, &policy)?;
        let path = self.source.filter(|_| read).map(|source| source.path.to_owned());
        Ok(Settings {
            file: path,
            url,
            configured_url: None,
            route: Route::default(),
            state,
            policy,
            preset,
            deployers,
            record,
            contact,
            http,
            log,
            accepted,
            announce,
            irc,
            #[cfg(feature = "serve")]
            serve,
            paging,
            watch,
            origins: Origins::default(),
        })
    }

    /// The findings that are let be. One without its reason would be hidden, not looked at.
    fn accepted(&mut self, found: Located<Vec<FileAccepted>>) -> Vec<Accepted> {
        let mut accepted: Vec<Accepted> = Vec::new();
        for FileAccepted { place, finding, why } in found.value {
            let missing = |what: &str| Diagnostic::new(&place, format!("has no `{what}`"));
            match (finding, why) {
                (Some(finding), _) if accepted.iter().any(|other| other.finding == finding.value) => {
                    let diagnostic = Diagnostic::new(&finding.place, "stands twice in the list");
                    self.problems.add(diagnostic.help("take one away"));
                }
                (Some(finding), Some(why)) => {
                    accepted.push(Accepted { finding: finding.value, why: why.value });
                }
                (Some(_), None) => {
                    self.problems.add(missing("why").help("add `why = \"who looked at it, and what came out\"`"));
                }
                (None, _) => self.problems.add(missing("finding").help("add it as the report of the audit prints it")),
            }
        }
        accepted
    }

    fn deployers(&mut self, found: Option<Names<String>>) -> BTreeMap<String, String> {
        let rows = found.map(|found| found.value).unwrap_or_default();
        rows.into_iter()
            .map(|(user, account)| {
                self.note(&user.place);
                (user.value, account.value)
            })
            .collect()
    }

    fn policy(&mut self, file: File, base: File) -> Result<Policy, ConfigError> {
        let accept = self.one(file.accept, base.accept, "policy.accept")?;
        if accept.value.is_empty() {
            let diagnostic =
                Diagnostic::new(&accept.place, "no approval would ever count: the policy could never allow");
            self.problems.add(diagnostic.help("name \"verified\", \"witnessed\" or \"attested\", or several"));
        }
        let counts = |kind: Accept| accept.value.iter().any(|found| found.value == kind);
        let [accept_verified, accept_witnessed, accept_attested] =
            [Accept::Verified, Accept::Witnessed, Accept::Attested].map(counts);
        let witnessed = accept.value.into_iter().find(|found| found.value == Accept::Witnessed);

        let teams = self.one(file.teams, base.teams, "policy.teams")?;
        let reasons = self.one(file.reasons, base.reasons, "policy.reasons")?;
        let actions = file.actions.or(base.actions).map(|found| found.value).unwrap_or_default();
        let required = self.one(file.required, base.required, "policy.required")?;
        let teams_place = teams.place.clone();
        words::collisions(&teams.value, &reasons.value, &self.problems);
        let teams = self.teams(teams);
        let known = KnownTeams { teams: &teams, place: &teams_place };

        self.names(&known, &required);
        self.require_approver(&known, &required, "every deploy needs these teams");
        for (_, named) in &actions {
            self.note(&named.place);
            self.names(&known, named);
            self.require_approver(&known, named, "this action needs these teams");
        }
        let reasons = self.reasons(&known, reasons);
        let recorders = values(self.one(file.recorders, base.recorders, "policy.recorders")?);
        let witnesses = self.witnesses(file.witnesses.or(base.witnesses), &recorders, witnessed.as_ref());
        Ok(Policy {
            tag: self.one(file.tag, base.tag, "policy.tag")?.value,
            field: self.one(file.field, base.field, "policy.field")?.value,
            train: self.one(file.train, base.train, "policy.train")?.value,
            required: values(required),
            teams,
            reasons,
            actions: actions.into_iter().map(|(action, teams)| ActionPolicy { action, teams: values(teams) }).collect(),
            accept_verified,
            accept_witnessed,
            accept_attested,
            max_age: self.one(file.max_age, base.max_age, "policy.max_age")?.value,
            self_approval: self.one(file.self_approval, base.self_approval, "policy.self_approval")?.value,
            require_open: self.one(file.require_open, base.require_open, "policy.require_open")?.value,
            recorders,
            witnesses,
            records: self.one(file.records, base.records, "policy.records")?.value,
            open_spaces: values(self.one(file.open_spaces, base.open_spaces, "policy.open_spaces")?),
            follow_up: self.one(file.follow_up, base.follow_up, "policy.follow_up")?.value,
        })
    }

    /// The witnesses. The token of a recorder is on every host that deploys: whoever is root there could say yes for everybody.
    fn witnesses(
        &mut self,
        found: Option<List<String>>,
        recorders: &[String],
        accepted: Option<&Located<Accept>>,
    ) -> Vec<String> {
        let found = found.map(|found| {
            self.note(&found.place);
            found.value
        });
        let found = found.unwrap_or_default();
        for name in found.iter().filter(|name| recorders.iter().any(|other| other.eq_ignore_ascii_case(&name.value))) {
            let diagnostic =
                Diagnostic::new(&name.place, "is a recorder too, whose token is on every host that deploys");
            self.problems.add(diagnostic.help("give the watch an account of its own to write witnesses with"));
        }
        if let (Some(accepted), true) = (accepted, found.is_empty()) {
            let diagnostic = Diagnostic::new(&accepted.place, "is accepted, and nobody writes it: there is no witness");
            self.problems.add(diagnostic.help("name the account that writes them in `witnesses`"));
        }
        found.into_iter().map(|name| name.value).collect()
    }

    fn teams(&mut self, found: Located<Vec<FileTeam>>) -> Vec<Team> {
        if found.value.is_empty() {
            let diagnostic = Diagnostic::new(&found.place, "names no team: nobody could ever approve");
            self.problems.add(diagnostic.help("add [policy.teams.KEY] with `project`, or take the table away"));
        }
        found.value.into_iter().map(|team| self.team(team)).collect()
    }

    fn team(&mut self, team: FileTeam) -> Team {
        let role = self.either(team.role, None);
        let need = self.either(team.need, None);
        let approves = role.as_ref().is_none_or(|role| role.value == Role::Approve);
        match &need {
            Some(need) if approves && need.value == 0 => {
                let message = "a team that approves needs at least one person, else it approves everything";
                self.problems
                    .add(Diagnostic::new(&need.place, message).help("write 1 or more, or `role = \"inform\"`"));
            }
            Some(need) if approves && need.value > MOST_NEEDED => {
                let message = format!(
                    "{} people of one team could never be asked for one deploy: {MOST_NEEDED} at most",
                    need.value
                );
                self.problems
                    .add(Diagnostic::new(&need.place, message).help("write how many have to approve, often 1"));
            }
            Some(need) if !approves => {
                let message = "is of no use for a team that is only informed: nothing is checked";
                self.problems.add(Diagnostic::new(&need.place, message).help("take it away, or `role = \"approve\"`"));
            }
            _ => {}
        }
        let project = self.either(team.project, None);
        if project.is_none() {
            let message = "has no `project`: nobody would be a member";
            self.problems
                .add(Diagnostic::new(&team.key.place, message).help("add `project = \"the-hashtag-of-the-team\"`"));
        }
        let title = self.either(team.title, None).map_or_else(|| team.key.value.clone(), |title| title.value);
        let aliases = self.either(team.aliases, None).map(values).unwrap_or_default();
        let need = if approves { need.map_or(1, |need| need.value) } else { 0 };
        Team {
            key: team.key.value,
            project: project.map(|project| project.value).unwrap_or_default(),
            title,
            aliases,
            need,
            role: if approves { Role::Approve } else { Role::Inform },
        }
    }

    fn reasons(&mut self, known: &KnownTeams<'_>, found: Located<Vec<FileReason>>) -> Vec<Reason> {
        if found.value.is_empty() {
            let diagnostic = Diagnostic::new(&found.place, "names no reason: no task could ever have one that counts");
            self.problems.add(diagnostic.help("add [policy.reasons.KEY], or take the table away"));
        }
        let rows = found.value.into_iter().map(|reason| {
            let teams = self.either(reason.teams, None);
            if let Some(teams) = &teams {
                self.names(known, teams);
            }
            Reason {
                title: self.either(reason.title, None).map_or_else(|| reason.key.value.clone(), |title| title.value),
                aliases: self.either(reason.aliases, None).map(values).unwrap_or_default(),
                teams: teams.map(values).unwrap_or_default(),
                key: reason.key.value,
            }
        });
        rows.collect()
    }

    /// Every team that is named must exist.
    fn names(&self, known: &KnownTeams<'_>, named: &List<String>) {
        for found in named.value.iter().filter(|found| known.role(&found.value).is_none()) {
            let keys = known.keys();
            let help = match diagnostic::near(&found.value, keys.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if keys.is_empty() => "the policy has no teams".to_owned(),
                None => format!("the teams are {}", listed(&keys)),
            };
            let message = format!("there is no team `{}`", found.value);
            self.problems.add(known.at(&found.place, message).help(if found.place.built_in {
                format!("{} is built in, set it too; {help}", found.place.key)
            } else {
                help
            }));
        }
        // Whoever reads the list would believe that each of these is asked.
        for found in named.value.iter().filter(|found| known.role(&found.value) == Some(Role::Inform)) {
            let message = format!("`{}` is only informed, so that nothing would be asked of it here", found.value);
            let help = match found.place.built_in {
                true => format!("{} is built in: set it too, without `{}`", found.place.key, found.value),
                false => format!("take `{}` out, or give it role = \"approve\" and a project", found.value),
            };
            self.problems.add(known.at(&found.place, message).help(help));
        }
    }

    /// A list that no team of has to approve would let anybody through.
    fn require_approver(&self, known: &KnownTeams<'_>, named: &List<String>, what: &str) {
        let all_known = named.value.iter().all(|found| known.role(&found.value).is_some());
        let approving = named.value.iter().any(|found| known.role(&found.value) == Some(Role::Approve));
        if all_known && !approving {
            let message = if named.value.is_empty() {
                "names no team: everything would be allowed".to_owned()
            } else {
                format!("{what}, and none of them has to approve: everything would be allowed")
            };
            self.problems.add(known.at(&named.place, message).help("name at least one team whose role is \"approve\""));
        }
    }

    /// The value of the file, else the built-in one.
    pub(super) fn either<T>(&mut self, file: Option<Located<T>>, base: Option<Located<T>>) -> Option<Located<T>> {
        let found = file.or(base)?;
        self.note(&found.place);
        Some(found)
    }

    pub(super) fn one<T>(
        &mut self,
        file: Option<Located<T>>,
        base: Option<Located<T>>,
        key: &str,
    ) -> Result<Located<T>, ConfigError> {
        self.either(file, base).ok_or_else(|| ConfigError::BuiltIn(format!("{key} is missing")))
    }

    fn note(&mut self, place: &FilePosition) {
        if let Some(source) = self.source.filter(|_| !place.built_in) {
            self.origins.set(&place.key, source.origin(place.span.start));
        }
    }
}

/// The teams that there are, for those who name them.
struct KnownTeams<'a> {
    teams: &'a [Team],
    place: &'a FilePosition,
}

impl KnownTeams<'_> {
    fn role(&self, key: &str) -> Option<Role> {
        self.teams.iter().find(|team| team.key == key).map(|team| team.role)
    }

    fn keys(&self) -> Vec<&str> {
        self.teams.iter().map(|team| team.key.as_str()).collect()
    }

    /// A diagnostic at `place`; where that is built in, the table of teams in the file is what made it wrong.
    fn at(&self, place: &FilePosition, message: String) -> Diagnostic {
        let diagnostic = Diagnostic::new(place, message);
        if place.built_in { diagnostic.context(self.place, "the teams of the policy") } else { diagnostic }
    }
}

pub(super) fn values<T>(list: List<T>) -> Vec<T> {
    list.value.into_iter().map(|found| found.value).collect()
}

/// Durations of the configuration are above zero: `values::duration` saw to it.
fn unsigned(duration: SignedDuration) -> Duration {
    duration.unsigned_abs()
}
