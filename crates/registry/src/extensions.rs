//! Families of kinds that crates above this one define.

use std::any::{Any, TypeId, type_name};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Families by kind, which is their type, and name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extensions(BTreeMap<TypeId, BTreeMap<String, Arc<dyn Any + Send + Sync>>>);

impl Extensions {
    /// Adds a family.
    ///
    /// # Panics
    /// If the name is taken.
    pub(crate) fn add<F: Send + Sync + 'static>(&mut self, name: &str, family: F) {
        let families = self.0.entry(TypeId::of::<F>()).or_default();
        let before = families.insert(name.to_owned(), Arc::new(family));
        let kind = type_name::<F>();
        assert!(before.is_none(), "`{name}` of {kind} is registered twice: rename one of them");
    }

    /// Returns the families of a kind, sorted by name.
    pub(crate) fn of<F: Send + Sync + 'static>(&self) -> Vec<(&str, &F)> {
        let families = self.0.get(&TypeId::of::<F>()).into_iter().flatten();
        families
            .filter_map(|(name, family)| Some((name.as_str(), family.downcast_ref()?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Extensions;

    #[test]
    fn kinds_do_not_mix() {
        let mut all = Extensions::default();
        all.add("b", 1_u8);
        all.add("a", 2_u8);
        all.add("a", "text");
        assert_eq!(all.of::<u8>(), [("a", &2), ("b", &1)]);
        assert_eq!(all.of::<&str>(), [("a", &"text")]);
        assert!(all.of::<u16>().is_empty());
    }

    #[test]
    #[should_panic(expected = "registered twice")]
    fn a_name_is_taken_once() {
        let mut all = Extensions::default();
        all.add("a", 1_u8);
        all.add("a", 2_u8);
    }
}
