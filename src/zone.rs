//! The time zone of this process, from `TZ`, read without trusting it.
//!
//! Responsible for deciding what `TZ` may name before any library reads it: a zone of the system's database, or a rule in
//! POSIX form. A path elsewhere is refused, since reading one may never end (`TZ=:/dev/zero`) and shows what is in it. Not
//! for what a time in that zone means (see [`crate::time`]).

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// Where the zones of the system are.
const DATABASE: &str = "/usr/share/zoneinfo";
/// The longest value that is looked at, in bytes: names and rules are shorter.
const LONGEST: usize = 64;

/// A value of `TZ` that names no zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "TZ={0:?} is no time zone of this system: set it to a name of /usr/share/zoneinfo, such as Europe/Berlin, or write \
     times in UTC, such as 2026-11-23T03:14Z"
)]
pub struct UnknownZone(String);

/// The zone of this process: that of `TZ` where it is set, else the system's own.
///
/// # Errors
/// Where `TZ` names none.
pub fn of_this_process() -> Result<TimeZone, UnknownZone> {
    match std::env::var_os("TZ") {
        // Not set: /etc/localtime, which root keeps.
        None => Ok(TimeZone::system()),
        Some(value) => value.to_str().ok_or_else(|| UnknownZone("?".to_owned())).and_then(named),
    }
}

/// The zone that a value of `TZ` names: empty is UTC, a colon before it means nothing, as tzset(3) says.
///
/// # Errors
/// Where it names none.
pub fn named(value: &str) -> Result<TimeZone, UnknownZone> {
    let shown: String = value.chars().filter(|symbol| !symbol.is_control()).take(LONGEST).collect();
    let unknown = || UnknownZone(shown.clone());
    let name = value.strip_prefix(':').unwrap_or(value);
    if name.is_empty() {
        return Ok(TimeZone::UTC);
    }
    if value.len() > LONGEST || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(unknown());
    }
    let relative = name.strip_prefix(DATABASE).map_or(name, |rest| rest.trim_start_matches('/'));
    let parts_are_names = relative.split('/').all(|part| !part.is_empty() && !part.starts_with('.'));
    if parts_are_names {
        let database = TimeZoneDatabase::from_dir(DATABASE).unwrap_or_else(|_| TimeZoneDatabase::none());
        if let Ok(zone) = database.get(relative) {
            return Ok(zone);
        }
    }
    match value.starts_with(':') {
        // Behind a colon stands a file, never a rule.
        true => Err(unknown()),
        false => TimeZone::posix(name).map_err(|_| unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(value: &str) -> Option<String> {
        let zone = named(value).ok()?;
        let summer = "2026-07-01T00:00:00Z".parse::<jiff::Timestamp>().ok()?;
        Some(zone.to_offset(summer).to_string())
    }

    #[test]
    fn names_of_the_database_and_rules_are_zones() {
        for (value, expected) in
            [("", "+00"), (":", "+00"), ("UTC", "+00"), ("EST5EDT,M3.2.0,M11.1.0", "-04"), ("<+03>-3", "+03")]
        {
            assert_eq!(offset(value).as_deref(), Some(expected), "{value}");
        }
        if std::path::Path::new(DATABASE).join("Europe/Berlin").exists() {
            for value in ["Europe/Berlin", ":Europe/Berlin", ":/usr/share/zoneinfo/Europe/Berlin"] {
                assert_eq!(offset(value).as_deref(), Some("+02"), "{value}");
            }
        }
    }

    #[test]
    fn no_file_outside_the_database_is_ever_opened() {
        for value in [
            ":/dev/zero",
            "/dev/zero",
            ":/etc/shadow",
            "../../../dev/zero",
            ":../../../../dev/zero",
            "/usr/share/zoneinfo/../../../dev/zero",
            "/usr/share/zoneinfo//dev/../../../dev/zero",
            ".",
            "Europe/./Berlin",
            "Europe//Berlin",
            "UTC\n",
            "Ü",
        ] {
            assert_eq!(offset(value), None, "{value}");
        }
        assert!(named(&"A".repeat(5_000_000)).is_err());
    }
}
