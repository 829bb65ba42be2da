//! What a secret looks like by itself, whatever stands around it: tokens of known services, passwords and signatures in
//! URLs, private keys.
//!
//! Responsible for finding them in a text, for every part of the gate that shows text which may hold one: errors of the
//! server, snippets of the configuration, records. Not responsible for secrets that only their surroundings give away,
//! such as the value after `--password` ([`crate::record::mask`]), nor for whether a token can be used.

use std::ops::Range;
use std::sync::LazyLock;

use regex_lite::Regex;

/// How the tokens of Conduit begin: `api-` those of scripts, `cli-` those of arc.
pub const CONDUIT_PREFIXES: [&str; 2] = ["api-", "cli-"];

/// How many letters and digits follow the prefix of a token of Conduit.
pub const CONDUIT_DIGITS: usize = 28;

/// How many letters and digits after the prefix already look like the start of a token, where a text is known to be of a
/// place that holds one. A host's name can be as long.
pub const CONDUIT_START: usize = 8;

/// The words of which one stands in whatever the pattern matches, and the pattern.
type KnownSecret = (&'static [&'static str], Regex);

/// Tokens of other services, by the marks that their makers gave them so that they can be found; private keys; and what
/// stands before the `@` of a URL.
///
/// Before each the words of which one stands in whatever it matches: a text without them need not be matched.
static KNOWN: LazyLock<Option<Vec<KnownSecret>>> = LazyLock::new(|| {
    let known: [(&'static [&'static str], &str); 33] = [
        // A watch's own (`phabgate token new`).
        (&["phabgate_"], r"\bphabgate_[0-9A-Za-z_-]{20,}"),
        // GitHub, GitLab, npm, PyPI, RubyGems, Docker Hub.
        (&["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], r"\bgh[pousr]_[0-9A-Za-z]{20,}"),
        (&["github_pat_"], r"\bgithub_pat_[0-9A-Za-z_]{20,}"),
        (&["gl"], r"\bgl(?:pat|rt|dt|cbt|ptt|ft|soat|imt|agent)-[0-9A-Za-z_.-]{20,}"),
        (&["npm_"], r"\bnpm_[0-9A-Za-z]{30,}"),
        (&["pypi-"], r"\bpypi-[0-9A-Za-z_-]{40,}"),
        (&["rubygems_"], r"\brubygems_[0-9a-f]{40,}"),
        (&["dckr_"], r"\bdckr_[a-z]{2,6}_[0-9A-Za-z_-]{20,}"),
        // AWS, Google, Azure, DigitalOcean, Slack, Stripe, Shopify.
        (&["AKIA", "ASIA"], r"\b(?:AKIA|ASIA)[0-9A-Z]{16}"),
        (&["AIza"], r"\bAIza[0-9A-Za-z_-]{35}"),
        (&["ya29."], r"\bya29\.[0-9A-Za-z_-]{20,}"),
        (&["GOCSPX-"], r"\bGOCSPX-[0-9A-Za-z_-]{20,}"),
        (&["8Q~"], r"\b[0-9A-Za-z_~.-]{3}8Q~[0-9A-Za-z_~.-]{31,37}"),
        (&["do"], r"\bdo[opr]_v1_[0-9a-f]{40,}"),
        (&["xox", "xapp-"], r"\bx(?:ox[a-z]|app)-[0-9A-Za-z-]{10,}"),
        (&["hooks.slack.com"], r"hooks\.slack\.com/services/(?<secret>[0-9A-Za-z/_-]+)"),
        (&["k_live_", "k_test_", "whsec_"], r"\b(?:[rs]k_(?:live|test)|whsec)_[0-9A-Za-z+/=]{16,}"),
        (&["shp"], r"\bshp(?:at|ca|pa|ss)_[0-9A-Fa-f]{32}"),
        // HashiCorp Vault, the older form of it too; Grafana, New Relic, Atlassian, Tailscale, Databricks.
        (&["hv"], r"\bhv[sbr]\.[0-9A-Za-z_-]{20,}"),
        (&["s."], r"(?:^|[^0-9A-Za-z_./-])(?<secret>s\.[0-9A-Za-z]{24})(?:[^0-9A-Za-z]|$)"),
        (&["glsa_", "glc_"], r"\bgl(?:sa|c)_[0-9A-Za-z+/=]{32,}(?:_[0-9a-f]{8})?"),
        (&["NRAK-"], r"\bNRAK-[0-9A-Z]{27}"),
        (&["ATATT3"], r"\bATATT3[0-9A-Za-z_=-]{50,}"),
        (&["tskey-"], r"\btskey-[0-9A-Za-z-]{16,}"),
        (&["dapi"], r"\bdapi[0-9a-f]{32}"),
        // OpenAI and Anthropic, Hugging Face, SendGrid, age.
        (&["sk-"], r"\bsk-(?:[a-z]+[0-9]*-)*[0-9A-Za-z_-]{32,}"),
        (&["hf_"], r"\bhf_[0-9A-Za-z]{30,}"),
        (&["SG."], r"\bSG\.[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16,}"),
        (&["AGE-SECRET-KEY-"], r"\bAGE-SECRET-KEY-1[0-9A-Z]{40,}"),
        // RFC 7519: two parts of base64url that begin as JSON objects do.
        (&["eyJ"], r"\beyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}(?:\.[0-9A-Za-z_-]*)?"),
        (&["PRIVATE KEY"], r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"),
        // URLs that are signed, whatever else is in them: of AWS, Google, Azure, CDNs; without the signature they open nothing.
        (
            &["ig=", "ignature=", "oken=", "redential=", "olicy=", "mac=", "code="],
            r"(?i)[?&;](?:sig|signature|x-(?:amz|goog|oss|cos)-(?:signature|security-token|credential)|key-pair-id|policy|hmac|hdn(?:ts|ea)|code|(?:[a-z]+_)?token)=(?<secret>[^&\s#'\x22\\]+)",
        ),
        // RFC 3986: up to the last @ of the authority.
        (&["://"], r#"://(?<secret>[^/\s"'?#]+)@"#),
    ];
    known.into_iter().map(|(words, pattern)| Some((words, Regex::new(pattern).ok()?))).collect()
});

/// Where the text holds what looks like a secret by itself, in no order; ranges may overlap.
///
/// ```
/// use phabgate::secrets::find;
/// let text = "curl https://me:pw@host/x";
/// assert_eq!(find(text).into_iter().map(|at| &text[at]).collect::<Vec<_>>(), ["me:pw"]);
/// assert!(find("the cli-tool and api-docs").is_empty());
/// ```
pub fn find(text: &str) -> Vec<Range<usize>> {
    let Some(known) = &*KNOWN else {
        // The patterns are constants that a test compiles; without them nothing of the text is safe.
        return std::iter::once(0..text.len()).collect();
    };
    let mut found = conduit_tokens(text, CONDUIT_DIGITS);
    let may = |words: &[&str]| words.iter().any(|word| text.contains(word));
    found.extend(known.iter().filter(|(words, _)| may(words)).flat_map(|(_, pattern)| matches(pattern, text)));
    found
}

/// Where the text holds a prefix of Conduit's tokens with at least so many letters and digits after it, up to the last of
/// them.
pub fn conduit_tokens(text: &str, shortest: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = CONDUIT_PREFIXES.iter().filter_map(|prefix| text[from..].find(prefix)).min() {
        let start = from + at;
        let rest = start + CONDUIT_PREFIXES[0].len();
        let length = text[rest..].bytes().take_while(u8::is_ascii_alphanumeric).count();
        if length >= shortest {
            found.push(start..rest + length);
        }
        from = rest + length;
    }
    found
}

/// What a pattern matches: its group `secret` where it has one, else all of it.
pub(crate) fn matches(pattern: &Regex, text: &str) -> Vec<Range<usize>> {
    pattern
        .captures_iter(text)
        .filter_map(|found| found.name("secret").or_else(|| found.get(0)))
        .map(|found| found.range())
        .collect()
}

/// The text with `mask` in place of each of the ranges, of which those that overlap or touch become one.
pub fn replaced(text: &str, mut secrets: Vec<Range<usize>>, mask: &str) -> String {
    secrets.sort_by_key(|range| range.start);
    let mut masked = String::with_capacity(text.len());
    let mut end = None;
    for range in secrets {
        if end.is_none_or(|end| range.start > end) {
            masked.push_str(text.get(end.unwrap_or(0)..range.start).unwrap_or_default());
            masked.push_str(mask);
        }
        end = end.max(Some(range.end));
    }
    masked.push_str(text.get(end.unwrap_or(0)..).unwrap_or_default());
    masked
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_patterns_compile() {
        assert!(KNOWN.is_some());
    }

    #[test]
    fn tokens_are_found_wherever_they_stand() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
        for token in [
            "api-abcdefghijklmnopqrstuvwxyz23",
            "cli-abcdefghijklmnopqrstuvwxyz234567",
            "ghp_0123456789abcdefghijABCDEFGHIJ012345",
            "phabgate_4Ii4kAhBOqa-mYOSVjkMl2qLhT1q46jq-BOKSZIP3Bg",
            "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz",
            "glpat-0123456789abcdefghij",
            "AKIAIOSFODNN7EXAMPLE",
            "xoxb-123456789012-abcdefghijkl",
            "sk_live_0123456789abcdef",
            "hvs.CAESIJ0123456789abcdefghijklmnop",
            "s.0123456789abcdefABCDEF01",
            "dckr_pat_0123456789abcdefghij_-ABCDE",
            "glrt-0123456789abcdefghij",
            "sk-proj-0123456789abcdefghijABCDEFGHIJ0123",
            "hf_0123456789abcdefghijABCDEFGHIJ",
            "SG.0123456789abcdefghij.0123456789abcdefghij",
            jwt,
        ] {
            let text = format!("see {token}, and go");
            assert_eq!(replaced(&text, find(&text), "***"), "see ***, and go", "{token}");
        }
        let text = "git clone https://me:p@ss@host/x ssh://git@host";
        assert_eq!(replaced(text, find(text), "***"), "git clone https://***@host/x ssh://***@host");
        for name in
            ["sig", "Signature", "X-Amz-Signature", "X-Amz-Security-Token", "X-Goog-Signature", "access_token", "code"]
        {
            let text = format!("curl https://host/x?sp=r&{name}=a%2Bb&se=2027 -o x");
            assert_eq!(
                replaced(&text, find(&text), "***"),
                format!("curl https://host/x?sp=r&{name}=***&se=2027 -o x")
            );
        }
        let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\nafter";
        assert_eq!(replaced(key, find(key), "***"), "***\nafter");
    }

    #[test]
    fn other_words_are_none() {
        for text in [
            "the cli-tool",
            "api-gateway01",
            "https://host/a@b",
            "me@host",
            "AKIA",
            "ghp_x",
            "sk_live_",
            "hvs.x",
            "logs.0123456789",
            "?se=1&sp=r",
        ] {
            assert!(find(text).is_empty(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_around_a_token_it_is_gone(before in ".{0,20}", after in "[^0-9A-Za-z].{0,20}") {
            let token = "api-abcdefghijklmnopqrstuvwxyz23";
            let text = format!("{before} {token}{after}");
            prop_assert!(!replaced(&text, find(&text), "***").contains(token));
        }
    }
}
