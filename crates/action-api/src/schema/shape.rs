use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::{Flow, Kind, Property, properties};

/// A property with those below it. The members of an array have the properties that are below the array.
#[derive(Debug)]
pub struct Shape {
    /// What the table says; `None` for the event itself, an object.
    pub property: Option<&'static Property>,
    /// The properties below it, by name.
    pub named: BTreeMap<&'static str, Self>,
    /// What all other properties below it are, where the table says so.
    pub others: Option<Box<Self>>,
}

impl Shape {
    fn new(property: Option<&'static Property>) -> Self {
        Self { property, named: BTreeMap::new(), others: None }
    }

    /// What it holds.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.property.map_or(Kind::Object, |property| property.kind)
    }

    /// Whether events of this flow can have it, where they have what it is part of.
    #[must_use]
    pub fn is_in(&self, flow: Flow) -> bool {
        self.property.is_none_or(|property| property.flows.is_empty() || property.flows.contains(&flow))
    }

    /// The property at a path from the event, as `session.cookie.mode`; in arrays, the members' properties.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Self> {
        let name = |part| str::trim_end_matches(part, "[]");
        path.split('.').try_fold(self, |shape, part| shape.named.get(name(part)))
    }

    /// Puts a property where its path says.
    fn put(&mut self, path: &'static str, property: &'static Property) {
        if let Some((first, rest)) = path.split_once('.') {
            if let Some(below) = self.named.get_mut(first.trim_end_matches("[]")) {
                below.put(rest, property);
            }
        } else if path == "<custom>" {
            self.others = Some(Box::new(Self::new(Some(property))));
        } else {
            // The reference has two names in one row.
            for name in path.split(" / ") {
                self.named.insert(name, Self::new(Some(property)));
            }
        }
    }
}

static EVENT: LazyLock<Shape> = LazyLock::new(|| {
    let mut event = Shape::new(None);
    // The table has a property before those below it.
    for property in properties() {
        event.put(property.path.trim_start_matches("event."), property);
    }
    event
});

/// The event, with everything below it.
#[must_use]
pub fn event_shape() -> &'static Shape {
    &EVENT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(shape: &Shape) -> usize {
        shape.named.values().map(count).sum::<usize>() + shape.others.as_deref().map_or(0, count) + 1
    }

    #[test]
    fn every_row_of_the_table_has_its_place() {
        // The event itself, and the second name of one row.
        assert_eq!(count(event_shape()), properties().len() + 2);
        let mode = event_shape().at("session.cookie.mode").expect("it is there");
        assert_eq!(mode.kind(), Kind::String);
        assert!(event_shape().at("user.identities[].provider").is_some());
        assert!(event_shape().at("groups").is_none());
    }
}
