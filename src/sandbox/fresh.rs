//! What is made anew in a world: tokens, PHIDs and groups.
//!
//! Responsible for letters that nobody used before, and for those that nobody can guess. Not for what they are given to.

use sha2::{Digest, Sha256};

use super::world::{World, WorldError};

impl World {
    /// Gives every account a token that nobody knows yet.
    pub fn renew_tokens(&mut self) {
        for user in &mut self.users {
            // what is random in three of them is more than the token holds of any one
            let random = [uuid::Uuid::now_v7(), uuid::Uuid::now_v7(), uuid::Uuid::now_v7()].map(uuid::Uuid::into_bytes);
            user.token = format!("api-{}", letters(&random.concat(), 28));
        }
    }

    /// The same world with other PHIDs, as another server would have made them: one world for each seed.
    ///
    /// # Errors
    /// Where the world cannot be written as JSON, which it has no reason to.
    pub fn with_other_phids(&self, seed: u64) -> Result<Self, WorldError> {
        let text = self.to_json()?;
        let mut pieces = text.split("PHID-");
        let mut renamed = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let end =
                piece.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-').unwrap_or(piece.len());
            let (name, rest) = piece.split_at(end);
            let (kind, tail) = name.rsplit_once('-').unwrap_or(("", name));
            let tail = letters(format!("{seed} {kind} {tail}").as_bytes(), tail.len());
            renamed.push_str(&format!("PHID-{kind}-{tail}{rest}"));
        }
        Self::from_json(&renamed)
    }

    /// Letters that were not used before, as a PHID's tail or a group.
    fn fresh_letters(&mut self, length: usize) -> String {
        self.serial += 1;
        letters(format!("phabgate sandbox {}", self.serial).as_bytes(), length)
    }

    /// A PHID that was not used before. Those of transactions are shorter, as the server's are.
    pub(crate) fn fresh_phid(&mut self, kind: &str) -> String {
        let length = if kind.starts_with("XACT") { 15 } else { 20 };
        format!("PHID-{kind}-{}", self.fresh_letters(length))
    }

    /// A group that was not used before.
    pub(crate) fn fresh_group(&mut self) -> String {
        self.fresh_letters(32)
    }
}

/// Letters and digits as PHIDs and tokens have them, at most 32, from the digest of these bytes.
fn letters(bytes: &[u8], length: usize) -> String {
    let digest = Sha256::digest(bytes);
    let letter = |byte: &u8| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[usize::from(byte % 32)]);
    digest.iter().map(letter).take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewed_tokens_are_of_the_right_form_and_nobodys_before() {
        let mut world = World::built_in().unwrap();
        let known: Vec<String> = world.users.iter().map(|user| user.token.clone()).collect();
        world.renew_tokens();
        let mut seen = std::collections::BTreeSet::from_iter(known);
        for user in &world.users {
            assert!(user.token.len() == 32 && user.token.starts_with("api-"), "{}", user.token);
            assert!(seen.insert(user.token.clone()), "{}", user.token);
        }
    }

    #[test]
    fn other_phids_make_the_same_world_of_another_server() {
        let world = World::built_in().unwrap();
        let other = world.with_other_phids(7).unwrap();
        assert_eq!(other, world.with_other_phids(7).unwrap());
        assert_ne!(other.tasks[0].phid, world.with_other_phids(8).unwrap().tasks[0].phid);
        for (one, two) in world.tasks.iter().zip(&other.tasks) {
            assert_eq!((one.id, &one.title, one.phid.len()), (two.id, &two.title, two.phid.len()));
            assert_ne!((&one.phid, &one.author), (&two.phid, &two.author));
            assert_eq!(other.history(&two.phid).len(), world.history(&one.phid).len());
        }
        assert!(other.transactions.iter().all(|row| row.phid.starts_with("PHID-XACT-TASK-")));
    }

    #[test]
    fn what_is_made_anew_was_not_there_before() {
        let mut world = World::built_in().unwrap();
        let first = world.fresh_phid("XACT-TASK");
        let second = world.fresh_phid("XACT-TASK");
        assert_ne!(first, second);
        assert_eq!(first.len(), world.transactions[0].phid.len());
        assert_eq!(world.fresh_phid("TASK").len(), world.tasks[0].phid.len());
        assert_eq!(world.fresh_group().len(), 32);
    }
}
