//! Paging: whom to ask for a missing approval, whether people may be paged for it, and the calls that do it.
//!
//! Responsible for who is on call, for what a page is and says, for who opened or confirmed an emergency, and for the pagers themselves:
//! an Alertmanager and a signed webhook. A page names a task by its number and its link; no text of a task is in it but the category of a
//! public one. Not responsible for when a page is due by itself and for keeping what was sent, which the service does
//! (`serve`), nor for who may approve ([`crate::rules`]): who is on call narrows whom to ask and nothing else.

mod acknowledged;
pub mod alertmanager;
mod by_hand;
mod call;
mod confirmed;
mod on_call;
mod on_call_source;
mod page;
mod pagers;
mod route;
pub mod webhook;

pub use self::acknowledged::{Ack, answers_after, held_until};
pub use self::alertmanager::BY_HAND_LASTS;
pub use self::by_hand::{ByHand, NobodyPaged, by_hand, kept_firing, over};
pub use self::call::CallOutcome;
pub use self::confirmed::{ConfirmedBy, Trusted, confirmed_by};
pub use self::on_call::{OnCall, WhoToAsk, names, who_to_ask};
pub use self::on_call_source::{OnCallReader, read_on_call};
pub use self::page::{FiringPage, Issuer, Page, PageKey, PageWords, Stage, site_of};
pub use self::pagers::{AlertmanagerStatus, PagerKind, Pagers, PagersError};
pub use self::route::{Destination, MatcherError, Mute, MuteKind, RouteError, RoutedPage, YamlError, routed};
