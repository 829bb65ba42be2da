//! What is built in: the template of the configuration with its settings uncommented, read by the code that reads
//! every other file, so that template, documentation and behaviour cannot drift apart.

use std::sync::LazyLock;

/// The commented template, as it is printed for people to start from.
pub const TEMPLATE: &str = include_str!("../../phabgate.example.toml");

static TEXT: LazyLock<String> = LazyLock::new(|| uncommented(TEMPLATE));

/// The built-in configuration as TOML.
pub(super) fn text() -> &'static str {
    &TEXT
}

/// Lines that start with `#` and no space are settings; all others are words for people. Line numbers stay.
fn uncommented(template: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with([' ', '#']) => format!("{setting}\n"),
        _ => format!("{line}\n"),
    };
    template.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_uncommented_and_words_are_not() {
        assert_eq!(uncommented("# words\n#a = 1\n#\n#    b = 2\n"), "# words\na = 1\n\n#    b = 2\n");
    }
}
