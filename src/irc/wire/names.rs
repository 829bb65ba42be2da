//! Names of the network, and when two of them are the same.
//!
//! Responsible for CASEMAPPING, over ASCII alone. Not responsible for where a name stands.

/// Which characters of the network are one in two cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CaseMapping {
    /// The letters of ASCII.
    Ascii,
    /// These, and `[]\~` with `{}|^`, as RFC 1459 has it for Scandinavian letters. So it is until a server says otherwise.
    #[default]
    Rfc1459,
    /// As that, without `~` and `^`.
    Rfc1459Strict,
}

/// A name in one case: two names of a network are the same where these are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Folded(String);

impl Folded {
    /// The folded name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl CaseMapping {
    /// The mapping of this name. One that is not known here (there are some over Unicode) folds ASCII alone: then two names that the
    /// network takes for one are two here, and what is compared counts for nobody.
    pub fn named(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "rfc1459" => Self::Rfc1459,
            "rfc1459-strict" | "strict-rfc1459" => Self::Rfc1459Strict,
            _ => Self::Ascii,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ascii => "ascii",
            Self::Rfc1459 => "rfc1459",
            Self::Rfc1459Strict => "rfc1459-strict",
        }
    }

    /// The name in one case.
    pub fn fold(self, name: &str) -> Folded {
        let fold = |c: char| match c {
            '[' if self != Self::Ascii => '{',
            ']' if self != Self::Ascii => '}',
            '\\' if self != Self::Ascii => '|',
            '~' if self == Self::Rfc1459 => '^',
            c => c.to_ascii_lowercase(),
        };
        Folded(name.chars().map(fold).collect())
    }

    /// Whether two names are the same on this network.
    pub fn same(self, one: &str, other: &str) -> bool {
        self.fold(one) == self.fold(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mapping_folds_its_own() {
        use CaseMapping::{Ascii, Rfc1459, Rfc1459Strict};
        for (mapping, same) in
            [(Ascii, [true, false, false]), (Rfc1459, [true, true, true]), (Rfc1459Strict, [true, true, false])]
        {
            let pairs = [("SRE1", "sre1"), ("a[]\\", "A{}|"), ("a~", "A^")];
            assert_eq!(pairs.map(|(one, other)| mapping.same(one, other)), same, "{mapping:?}");
            assert_eq!(CaseMapping::named(mapping.name()), mapping);
        }
        assert_eq!(CaseMapping::named("rfc8265"), Ascii);
        assert_eq!(CaseMapping::named("STRICT-RFC1459"), Rfc1459Strict);
    }

    #[test]
    fn letters_beyond_ascii_are_never_one() {
        for mapping in [CaseMapping::Ascii, CaseMapping::Rfc1459, CaseMapping::Rfc1459Strict] {
            assert!(!mapping.same("É", "é") && !mapping.same("K", "\u{212a}") && !mapping.same("s", "ſ"));
        }
    }
}
