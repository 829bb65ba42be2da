//! Whole procedures by name, which a policy starts from.
//!
//! Responsible for what each preset says otherwise than what is built in. A preset never changes under its
//! name: another procedure gets another name. Not responsible for what the file says beside it, which comes first.

/// A procedure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Wikimedia's procedure as of 2022: Release Engineering and SRE both confirm. It is what is built in.
    Wikitech2022,
    /// The procedure as the page has it since: SRE confirms, Release Engineering is informed.
    Wikitech,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Wikitech2022, Self::Wikitech];

    /// The name as the file writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Wikitech2022 => "wikitech-2022",
            Self::Wikitech => "wikitech",
        }
    }

    /// What it says otherwise than what is built in.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Wikitech2022 => "",
            Self::Wikitech => include_str!("presets/wikitech.toml"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::of_text;

    fn keys(settings: &crate::config::Settings) -> (Vec<String>, Vec<String>) {
        let policy = &settings.policy;
        (policy.required.clone(), policy.informed().map(|team| team.key.clone()).collect())
    }

    fn own(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_preset_is_a_procedure_and_the_file_beats_it() {
        let built_in = of_text("").unwrap();
        assert_eq!((built_in.preset, keys(&built_in)), (Preset::Wikitech2022, (own(&["releng", "sre"]), vec![])));
        let named = of_text("[policy]\npreset = \"wikitech-2022\"\n").unwrap();
        assert_eq!(named.policy.digest(), built_in.policy.digest());
        let today = of_text("[policy]\npreset = \"wikitech\"\n").unwrap();
        assert_eq!(keys(&today), (own(&["sre"]), own(&["releng"])));
        assert_eq!(today.policy.reasons, built_in.policy.reasons);
        for wrong in
            ["required = [\"sre\", \"releng\"]", "[policy.reasons.security]\ntitle = \"x\"\nteams = [\"releng\"]"]
        {
            let error = of_text(&format!("[policy]\npreset = \"wikitech\"\n{wrong}\n")).unwrap_err().to_string();
            assert!(error.contains("`releng` is only informed"), "{error}");
        }
        let beaten = of_text("[policy]\npreset = \"wikitech\"\nrequired = [\"sre\", \"security\"]\n").unwrap();
        assert_eq!(keys(&beaten), (own(&["sre", "security"]), own(&["releng"])));
        // The digest is of the result, however it was come by.
        let spelled = format!("{}\n[policy.reasons.security]\ntitle = \"x\"\n", Preset::Wikitech.text());
        let without = of_text(Preset::Wikitech.text()).unwrap();
        assert_eq!(without.policy.digest(), today.policy.digest());
        assert_ne!(of_text(&spelled).unwrap().policy.digest(), today.policy.digest());
    }

    #[test]
    fn a_preset_that_there_is_none_of_is_named() {
        let error = of_text("[policy]\npreset = \"wikitec\"\n").unwrap_err().to_string();
        assert!(error.contains("`wikitec` is not known") && error.contains("did you mean `wikitech`?"), "{error}");
    }
}
