//! The time zone in which people state times on this host.
//!
//! Responsible for whose choice it is (under sudo root's file or the machine's setting, never the caller's `TZ`) and for
//! what may be chosen: a zone that the machine knows, never a file. No library reads `TZ`: what is in it may be the path of
//! a device that never ends, and a zone that is misspelt is not UTC. Not responsible for reading times (see
//! [`crate::time`]).

use std::fs::File;
use std::io::Read;
use std::path::Path;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::environment::Environment;
use crate::text::inert;

/// Where machines keep their zones: the first that is there. `TZDIR` is not asked, it could name anything.
const ZONES: &[&str] = &["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"];

/// Which zone is the machine's own.
const LOCAL: &str = "/etc/localtime";

/// The longest name of a zone or description of its rules, in bytes.
const LONGEST: usize = 64;

/// The largest file of a zone that is read, in bytes. The largest known have a few thousand.
const LARGEST: u64 = 1024 * 1024;

/// The time zone that `TZ` names; where it is unset the machine's own. Under sudo, `TZ` is that of root's environment file.
///
/// # Errors
/// Where `TZ` names no zone that this machine knows, or cannot be had, in words.
pub fn time_zone() -> Result<TimeZone, String> {
    let environment = Environment::of_process().map_err(|error| error.to_string())?;
    let Some(value) = environment.text("TZ").map_err(|error| error.to_string())? else {
        return Ok(of_machine(Path::new(LOCAL)));
    };
    named(value).ok_or_else(|| {
        let whose = match environment.runs_under_sudo() {
            true => "TZ in /etc/phabgate/environment".to_owned(),
            false => format!("TZ={}", inert(&value.chars().take(LONGEST).collect::<String>())),
        };
        format!(
            "{whose} names no time zone of this machine, so that no time can be read: set it to a zone such as UTC or \
             Europe/Berlin, or unset it"
        )
    })
}

/// The zone of a value of `TZ`, with or without a colon before it: `UTC`, a name that the machine's zone database knows,
/// also as a path in it, or the rules of a zone as POSIX writes them. The machine's own file names the machine's own zone.
fn named(value: &str) -> Option<TimeZone> {
    let value = value.strip_prefix(':').unwrap_or(value);
    if value == LOCAL {
        return Some(of_machine(Path::new(LOCAL)));
    }
    let name = ZONES.iter().find_map(|zones| value.strip_prefix(zones)?.strip_prefix('/')).unwrap_or(value);
    if name.is_empty() || name.len() > LONGEST {
        return None;
    }
    if name == "UTC" {
        return Some(TimeZone::UTC);
    }
    let is_name = !name.starts_with('/') && name.split('/').all(|part| !matches!(part, "" | "." | ".."));
    let known = || ZONES.iter().find_map(|zones| TimeZoneDatabase::from_dir(zones).ok())?.get(name).ok();
    // The database has rules for names such as EST5EDT, which as a description has none.
    is_name.then(known).flatten().or_else(|| TimeZone::posix(name).ok())
}

/// The machine's own zone, named where its file is one of the zone database; UTC where it has none, as in the C library.
fn of_machine(file: &Path) -> TimeZone {
    let read = || {
        let open = File::open(file).ok().filter(|open| open.metadata().is_ok_and(|metadata| metadata.is_file()))?;
        let mut data = Vec::new();
        open.take(LARGEST).read_to_end(&mut data).ok()?;
        let path = file.canonicalize().ok();
        let path = path.as_deref().and_then(Path::to_str).unwrap_or_default();
        let name = path.rsplit_once("/zoneinfo/").map_or("Local", |(_, name)| name);
        TimeZone::tzif(name, &data).ok()
    };
    read().unwrap_or(TimeZone::UTC)
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
        assert_eq!(of_machine(Path::new("/dev/zero")), TimeZone::UTC);
    }

    #[test]
    fn utc_and_rules_are_zones_on_every_machine() {
        for value in ["UTC", ":UTC", "UTC0", "CET-1CEST,M3.5.0,M10.5.0/3", ":<+0330>-3:30", "/usr/share/zoneinfo/UTC"] {
            assert!(named(value).is_some(), "{value}");
        }
    }

    #[test]
    fn a_name_is_one_of_the_database_whose_zone_it_is() {
        for name in ["Europe/Berlin", "America/New_York", "EST5EDT"] {
            let known = ZONES.iter().find_map(|zones| TimeZoneDatabase::from_dir(zones).ok()?.get(name).ok());
            // Not every machine has a database.
            let Some(known) = known else { continue };
            for value in [name.to_owned(), format!(":{name}"), format!("/usr/share/zoneinfo/{name}")] {
                assert_eq!(named(&value), Some(known.clone()), "{value}");
            }
        }
    }

    #[test]
    fn neither_a_path_nor_what_nobody_knows_is_a_zone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("zone");
        let _ = std::fs::copy("/usr/share/zoneinfo/UTC", &file);
        let long = format!("UTC{}", "0".repeat(100));
        for value in [
            "",
            ":",
            "::UTC",
            "/dev/zero",
            ":/dev/zero",
            "dev/zero",
            "../../../dev/zero",
            ":../zoneinfo/../../../dev/zero",
            "/usr/share/zoneinfo/../../../dev/zero",
            "/usr/share/zoneinfo//dev/zero",
            "/usr/share/zoneinfo/",
            file.to_str().unwrap(),
            "Mars/Olympus",
            "Mars",
            "CEST",
            &long,
        ] {
            assert_eq!(named(value), None, "{value}");
        }
    }
}
