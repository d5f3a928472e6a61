//! The table of cases: honest evidence of every supported shape, then variants that break one thing each.

mod certificate;
mod honest;
mod log;
mod signature;
mod time;

use crate::recipe::Recipe;

/// What a verifier that does everything right says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The evidence is good.
    Accept,
    /// It is not, for the one reason that the case names.
    Reject,
}

impl Expected {
    /// The word in `case.json`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
        }
    }
}

/// One row of the table.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) expected: Expected,
    pub(crate) why: &'static str,
    pub(crate) recipe: Recipe,
}

fn accept(name: &'static str, why: &'static str, recipe: Recipe) -> Case {
    Case { name, expected: Expected::Accept, why, recipe }
}

/// A recipe with one thing broken.
fn reject(name: &'static str, why: &'static str, mut recipe: Recipe, change: fn(&mut Recipe)) -> Case {
    change(&mut recipe);
    Case { name, expected: Expected::Reject, why, recipe }
}

/// Every case, honest ones first.
pub(crate) fn all() -> Vec<Case> {
    [honest::cases(), signature::cases(), certificate::cases(), log::cases(), time::cases()].into_iter().flatten().collect()
}
