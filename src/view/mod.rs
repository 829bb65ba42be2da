//! What is shown of a verdict, whoever shows it: a command or a service.
//!
//! Responsible for what may be shown of a task to whom, and for the forms that programs read. Not responsible for the decision
//! ([`crate::rules`]), nor for the screens of people ([`crate::cli`]).

pub mod audience;
mod emergencies;
mod json;
mod page_words;
mod subject;

pub use audience::Audience;
pub use emergencies::{JsonEmergencies, JsonEmergency, LIST_SCHEMA, emergencies};
pub use json::{IfYouDeploy, JsonIfYouDeploy, JsonVerdict, VERDICT_SCHEMA, verdict};
pub use page_words::page_words;
pub use subject::{VerdictSubject, Viewer};
