//! The time zone in which people state times on this host.
//!
//! Responsible for whose choice it is: under sudo root's file or the machine's setting, never the caller's `TZ`. Not
//! responsible for reading times (see [`crate::time`]).

use std::path::Path;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::caller::Ids;
use super::environment::Environment;

/// Where the machine keeps its zones, and which one is its own.
const ZONES: &str = "/usr/share/zoneinfo";
const LOCAL: &str = "/etc/localtime";

/// The time zone of this process; under sudo that of root's environment file, else the machine's own.
///
/// # Errors
/// Under sudo, where root's file names a zone that this machine does not know, in words.
pub fn time_zone() -> Result<TimeZone, String> {
    if !Ids::of_process().runs_under_sudo() {
        return Ok(TimeZone::system());
    }
    let environment = Environment::of_process().map_err(|error| error.to_string())?;
    match environment.text("TZ").map_err(|error| error.to_string())? {
        Some(name) => TimeZoneDatabase::from_dir(ZONES)
            .and_then(|zones| zones.get(name))
            .map_err(|_| "TZ in /etc/phabgate/environment names no time zone of this machine".to_owned()),
        None => Ok(of_machine(Path::new(LOCAL))),
    }
}

/// The machine's own zone; UTC where it has none, as in the C library.
fn of_machine(file: &Path) -> TimeZone {
    std::fs::read(file).ok().and_then(|data| TimeZone::tzif("Local", &data).ok()).unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_zone_is_in_utc() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("localtime");
        assert_eq!(of_machine(&file), TimeZone::UTC);
        std::fs::write(&file, "no zone").unwrap();
        assert_eq!(of_machine(&file), TimeZone::UTC);
    }
}
