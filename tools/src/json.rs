//! A line of JSON.

use serde_json::Value;

use crate::escape::escape_json;

/// An object whose members stand in the order in which they were put.
#[derive(Debug)]
pub(crate) struct Object(String);

impl Object {
    pub(crate) fn new() -> Self {
        Self("{".to_owned())
    }

    /// With one more member.
    pub(crate) fn put(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.start(key);
        escape_json(&value.into().to_string(), &mut self.0);
        self
    }

    /// With one more member, if it has a value.
    pub(crate) fn put_some(self, key: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.put(key, value),
            None => self,
        }
    }

    /// With one more member, which is an object.
    pub(crate) fn put_object(mut self, key: &str, object: Self) -> Self {
        self.start(key);
        self.0.push_str(&object.finish());
        self
    }

    /// With one more member, which is a list of objects.
    pub(crate) fn put_objects(mut self, key: &str, objects: impl Iterator<Item = Self>) -> Self {
        let objects: Vec<String> = objects.map(Self::finish).collect();
        self.start(key);
        self.0.push('[');
        self.0.push_str(&objects.join(","));
        self.0.push(']');
        self
    }

    fn start(&mut self, key: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        escape_json(&Value::from(key).to_string(), &mut self.0);
        self.0.push(':');
    }

    /// The line, without its end.
    pub(crate) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order() {
        let inner = [Object::new(), Object::new().put("c", 1)].into_iter();
        let object = Object::new()
            .put("z", "a\"\u{202e}")
            .put_some("none", None::<u64>)
            .put_objects("a", inner)
            .put("b", Value::Null)
            .put_object("o", Object::new());
        let line = object.finish();
        assert_eq!(line, r#"{"z":"a\"\u202e","a":[{},{"c":1}],"b":null,"o":{}}"#);
        assert!(serde_json::from_str::<Value>(&line).is_ok());
    }
}
